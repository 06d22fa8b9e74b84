//! Two keys, and no confused deputy: what the accounts and other connections
//! try, with tokens of their own.

use crate::support::{Scene, gcp};
use landfall_model::{
    connection::Connection,
    connector::{Connector as _, Detection},
    grant::{GcpGrant, GcpIdentity, GcpTrust},
    issuer::Issuer as _,
};
use serde_json::{Value, json};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What Google's token exchange says to an assertion of ours.
async fn exchange(scene: &Scene, subject: &str, connection: &Connection) -> Value {
    let gcp = connection.gcp().unwrap();
    let audience = format!(
        "//iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/{}/providers/{}",
        scene.customer.number,
        gcp.pool_id(),
        gcp.provider_id()
    );
    let assertion = scene
        .issuer
        .assertion(subject, &format!("https:{audience}"))
        .await
        .unwrap();
    let url = format!("{}/v1/token", scene.template.replace("{service}", "sts"));
    let fields = json!({
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": audience,
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "scope": SCOPE,
        "subjectToken": assertion.token(),
    });
    let answer = scene.http.post(url).json(&fields).send().await.unwrap();
    answer.json().await.unwrap()
}

/// A token of one of the accounts, got without the connector.
async fn token(scene: &Scene, connection: &Connection, identity: GcpIdentity) -> String {
    let entered = exchange(scene, &connection.subject(), connection).await;
    let entered = entered["access_token"].as_str().unwrap().to_owned();
    let email = connection
        .gcp()
        .unwrap()
        .service_account_email(identity.as_str());
    let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    let said = scene
        .customer
        .call(
            &entered,
            "POST",
            "iamcredentials",
            &path,
            json!({ "scope": [SCOPE] }),
        )
        .await
        .ok();
    said["accessToken"].as_str().unwrap().to_owned()
}

/// Tries to give `member` a role, read-modify-write, as whoever has the token.
async fn try_bind(scene: &Scene, token: &str, role: &str, member: &str) -> u16 {
    let customer = &scene.customer;
    let path = format!("v3/projects/{}:getIamPolicy", customer.project);
    // Read as the owner: reading is not the question here.
    let asked = json!({ "options": { "requestedPolicyVersion": 3 } });
    let mut policy = customer
        .post("cloudresourcemanager", &path, asked)
        .await
        .ok();
    policy["version"] = json!(3);
    policy["bindings"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "role": role, "members": [member] }));
    let path = format!("v3/projects/{}:setIamPolicy", customer.project);
    customer
        .call(
            token,
            "POST",
            "cloudresourcemanager",
            &path,
            json!({ "policy": policy }),
        )
        .await
        .status
}

fn reaper(grant: &GcpGrant) -> String {
    grant.role(GcpIdentity::Reaper).unwrap().name.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bootstrap_binds_one_role_and_no_other() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let bootstrap = token(&scene, &connection, GcpIdentity::Bootstrap).await;
    let itself = scene.customer.member(grant, GcpIdentity::Bootstrap);
    for role in [
        reaper(grant).as_str(),
        "roles/owner",
        "roles/storage.admin",
        "roles/resourcemanager.projectIamAdmin",
        "roles/iam.serviceAccountTokenCreator",
    ] {
        assert_eq!(
            try_bind(&scene, &bootstrap, role, &itself).await,
            403,
            "{role}"
        );
    }
    // That the attempt itself is well-formed shows the role that it may bind.
    let provisioner = grant.role(GcpIdentity::Provisioner).unwrap();
    let may = try_bind(&scene, &bootstrap, &provisioner.name, &itself).await;
    assert_eq!(may, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioner_neither_destroys_nor_widens_nor_becomes_the_reaper() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let customer = &scene.customer;
    for identity in [GcpIdentity::Provisioner, GcpIdentity::Bootstrap] {
        let token = token(&scene, &connection, identity).await;
        let itself = customer.member(grant, identity);
        let reaper_account = customer.account(grant, GcpIdentity::Reaper);
        let email = reaper_account.rsplit('/').next().unwrap().to_owned();
        let role = grant.role(identity).unwrap();
        let mut wider = role.permissions.clone();
        wider.insert("storage.buckets.delete".to_owned());
        let policy = json!({ "policy": { "bindings": [
            { "role": "roles/iam.serviceAccountTokenCreator", "members": [itself] },
        ] } });
        let attempts: Vec<(&str, &str, String, Value)> = vec![
            (
                "POST",
                "iamcredentials",
                format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken"),
                json!({ "scope": [SCOPE] }),
            ),
            (
                "POST",
                "iam",
                format!("{reaper_account}:setIamPolicy"),
                policy,
            ),
            ("POST", "iam", format!("{reaper_account}/keys"), json!({})),
            (
                "PATCH",
                "iam",
                format!("v1/{}?updateMask=includedPermissions", role.name),
                json!({ "includedPermissions": wider }),
            ),
            (
                "PATCH",
                "iam",
                format!("{}?updateMask=attributeCondition", customer.provider(grant)),
                json!({ "attributeCondition": "" }),
            ),
            ("DELETE", "iam", reaper_account.clone(), json!({})),
        ];
        for (method, service, path, body) in attempts {
            let said = customer.call(&token, method, service, &path, body).await;
            assert_eq!(said.status, 403, "{identity:?} {method} {path}: {said:?}");
        }
        let may = try_bind(&scene, &token, &reaper(grant), &itself).await;
        assert_eq!(may, 403, "{identity:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_connection_of_this_server_is_refused() {
    let scene = Scene::new().await;
    let (victim, spec) = scene.connected().await;
    // Somebody else's connection, to the same project: another organization
    // that entered the victim's project and number.
    let thief = scene.connection();
    assert_ne!(thief.subject(), victim.subject());
    let found = scene.connector.detect(&thief).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    // And with the thief's own token at the victim's pool.
    let said = exchange(&scene, &thief.subject(), &victim).await;
    assert_eq!(said["error"], "unauthorized_client", "{said}");
    // Were the condition gone, the accounts would still name one subject.
    let GcpTrust::Federation { .. } = &gcp(&spec).trust else {
        panic!("a pool");
    };
    let provider = scene.customer.provider(gcp(&spec));
    scene
        .customer
        .patch(
            "iam",
            &format!("{provider}?updateMask=attributeCondition"),
            json!({ "attributeCondition": "" }),
        )
        .await
        .ok();
    let entered = exchange(&scene, &thief.subject(), &victim).await;
    let entered = entered["access_token"]
        .as_str()
        .expect("the pool lets it in");
    for identity in GcpIdentity::ALL {
        let email = &gcp(&spec).account(identity).unwrap().email;
        let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let said = scene
            .customer
            .call(
                entered,
                "POST",
                "iamcredentials",
                &path,
                json!({ "scope": [SCOPE] }),
            )
            .await;
        assert_eq!(said.status, 403, "{said:?}");
    }
}
