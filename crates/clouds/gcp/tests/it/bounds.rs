//! Two keys, and no confused deputy: what the accounts and other connections
//! try, with tokens of their own.

use crate::support::{Scene, gcp, ways::Way};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    connection::Connection,
    connector::{Connector as _, Detection},
    grant::{GcpGrant, GcpIdentity, GcpTrust},
    issuer::Issuer as _,
    secret::parse_key,
};
use landfall_sandbox::Config;
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

/// A token of one of the accounts, got without the connector: the owner of the
/// project lets themselves in.
pub(crate) async fn token(scene: &Scene, grant: &GcpGrant, identity: GcpIdentity) -> String {
    let customer = &scene.customer;
    let number = customer.number.parse().unwrap();
    let members = [
        grant.trust.member(&number),
        "user:admin@customer-1.example".to_owned(),
    ];
    let bindings = json!([{ "role": grant.trust.role(), "members": members }]);
    customer.bind_account(grant, identity, bindings).await;
    let email = &grant.account(identity).unwrap().email;
    let said = customer.act_as(&customer.token, email).await.ok();
    said["accessToken"].as_str().unwrap().to_owned()
}

const WAYS: [Way; 3] = [Way::Federation(IssuerKeys::Fetched), Way::Key, Way::Account];

async fn try_bind(scene: &Scene, token: &str, role: &str, member: &str) -> u16 {
    let project = format!("projects/{}", scene.customer.project);
    try_bind_on(scene, token, &project, role, member).await
}

/// Tries to give `member` a role, read-modify-write, as whoever has the token.
pub(crate) async fn try_bind_on(
    scene: &Scene,
    token: &str,
    on: &str,
    role: &str,
    member: &str,
) -> u16 {
    const MANAGER: &str = "cloudresourcemanager";
    let customer = &scene.customer;
    let path = format!("v3/{on}:getIamPolicy");
    // Read as the owner: reading is not the question here.
    let asked = json!({ "options": { "requestedPolicyVersion": 3 } });
    let mut policy = customer.post(MANAGER, &path, asked).await.ok();
    policy["version"] = json!(3);
    let mut bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
    bindings.push(json!({ "role": role, "members": [member] }));
    policy["bindings"] = json!(bindings);
    let path = format!("v3/{on}:setIamPolicy");
    let body = json!({ "policy": policy });
    let said = customer.call(token, "POST", MANAGER, &path, body).await;
    said.status
}

fn reaper(grant: &GcpGrant) -> String {
    grant.role(GcpIdentity::Reaper).unwrap().name.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bootstrap_binds_one_role_and_no_other() {
    for way in WAYS {
        binds_one_role(&Scene::by(way, Config::default()).await).await;
    }
}

async fn binds_one_role(scene: &Scene) {
    let (_, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let bootstrap = token(scene, grant, GcpIdentity::Bootstrap).await;
    let itself = scene.customer.member(grant, GcpIdentity::Bootstrap);
    for role in [
        reaper(grant).as_str(),
        "roles/owner",
        "roles/storage.admin",
        "roles/resourcemanager.projectIamAdmin",
        "roles/iam.serviceAccountTokenCreator",
    ] {
        assert_eq!(
            try_bind(scene, &bootstrap, role, &itself).await,
            403,
            "{role}"
        );
    }
    // That the attempt itself is well-formed shows the role that it may bind.
    let provisioner = grant.role(GcpIdentity::Provisioner).unwrap();
    let may = try_bind(scene, &bootstrap, &provisioner.name, &itself).await;
    assert_eq!(may, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioner_neither_destroys_nor_widens_nor_becomes_the_reaper() {
    for way in WAYS {
        keeps_within(&Scene::by(way, Config::default()).await).await;
    }
}

async fn keeps_within(scene: &Scene) {
    let (_, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let customer = &scene.customer;
    for identity in [GcpIdentity::Provisioner, GcpIdentity::Bootstrap] {
        let token = token(scene, grant, identity).await;
        let itself = customer.member(grant, identity);
        let reaper_account = customer.account(grant, GcpIdentity::Reaper);
        let email = reaper_account.rsplit('/').next().unwrap().to_owned();
        let role = grant.role(identity).unwrap();
        let mut wider = role.permissions.clone();
        wider.insert("storage.buckets.delete".to_owned());
        let policy = json!({ "policy": { "bindings": [
            { "role": "roles/iam.serviceAccountTokenCreator", "members": [itself] },
        ] } });
        let mut attempts: Vec<(&str, &str, String, Value)> = vec![
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
            ("DELETE", "iam", reaper_account.clone(), json!({})),
        ];
        if let GcpTrust::Federation { .. } = &grant.trust {
            attempts.push((
                "PATCH",
                "iam",
                format!("{}?updateMask=attributeCondition", customer.provider(grant)),
                json!({ "attributeCondition": "" }),
            ));
        }
        for (method, service, path, body) in attempts {
            let said = customer.call(&token, method, service, &path, body).await;
            assert_eq!(said.status, 403, "{identity:?} {method} {path}: {said:?}");
        }
        let may = try_bind(scene, &token, &reaper(grant), &itself).await;
        assert_eq!(may, 403, "{identity:?}");
        // What holds data: the services themselves are not simulated.
        let path = format!("v3/projects/{}:testIamPermissions", customer.project);
        let asked = json!({ "permissions": [
            "cloudsql.instances.delete", "redis.instances.delete", "storage.buckets.delete",
            "storage.objects.delete", "pubsub.topics.delete", "secretmanager.secrets.delete",
            "secretmanager.versions.destroy", "artifactregistry.repositories.delete",
            "resourcemanager.projects.delete",
        ] });
        let held = customer
            .call(&token, "POST", "cloudresourcemanager", &path, asked)
            .await
            .ok();
        assert_eq!(held["permissions"], Value::Null, "{identity:?}");
    }
}

/// The account of the key made everything; once that is done, it can neither
/// make nor take anything any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_account_of_a_key_can_give_itself_nothing() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let (connection, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let customer = &scene.customer;
    let GcpTrust::Account { email, .. } = &grant.trust else {
        panic!("an account");
    };
    let itself = format!("serviceAccount:{email}");
    let own = format!("v1/projects/{}/serviceAccounts/{email}", customer.project);
    let policy = json!({ "policy": { "bindings": [{
        "role": "roles/iam.serviceAccountTokenCreator",
        "members": ["user:admin@customer-1.example"],
    }] } });
    customer
        .post("iam", &format!("{own}:setIamPolicy"), policy.clone())
        .await
        .ok();
    let said = customer.act_as(&customer.token, email).await.ok();
    let token = said["accessToken"].as_str().unwrap();
    for role in [
        "roles/owner",
        "roles/resourcemanager.projectIamAdmin",
        &grant.role(GcpIdentity::Provisioner).unwrap().name,
    ] {
        assert_eq!(try_bind(&scene, token, role, &itself).await, 403, "{role}");
    }
    let reaper = customer.account(grant, GcpIdentity::Reaper);
    let roles = format!("v1/projects/{}/roles", customer.project);
    for (method, path) in [
        ("POST", format!("{own}/keys")),
        ("POST", format!("{reaper}/keys")),
        ("POST", format!("{reaper}:setIamPolicy")),
        ("POST", roles),
        ("DELETE", reaper.clone()),
    ] {
        let said = customer
            .call(token, method, "iam", &path, policy.clone())
            .await;
        assert_eq!(said.status, 403, "{method} {path}: {said:?}");
    }
    assert!(connection.grant_digest.is_some());
}

/// The confused deputy: another organization of this server enters a project
/// that is connected already, with a key of its own, and with the name of the
/// victim's secret.
#[tokio::test(flavor = "multi_thread")]
async fn another_organizations_key_opens_nothing() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let (victim, spec) = scene.connected().await;
    let customer = &scene.customer;
    let email = customer.make_account("another-name").await;
    let file = customer.make_key(&email).await;
    let key = parse_key(file.to_string().as_bytes(), None).unwrap();
    let thief = scene.by_key(&key);
    let found = scene.connector.detect(&thief).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let policy = json!({ "policy": { "bindings": [{
        "role": "roles/iam.serviceAccountTokenCreator",
        "members": ["user:admin@customer-1.example"],
    }] } });
    let path = format!(
        "v1/projects/{}/serviceAccounts/{email}:setIamPolicy",
        customer.project
    );
    customer.post("iam", &path, policy).await.ok();
    let said = customer.act_as(&customer.token, &email).await.ok();
    let token = said["accessToken"].as_str().unwrap();
    for identity in GcpIdentity::ALL {
        let email = &gcp(&spec).account(identity).unwrap().email;
        let said = customer.act_as(token, email).await;
        assert_eq!(said.status, 403, "{said:?}");
    }
    // The secret is sealed for whose it is, and opened for nobody else.
    let mut thief = thief;
    thief.target = victim.target.clone();
    let found = scene.connector.detect(&thief).await;
    let Detection::Unreachable { evidence } = found else {
        panic!("{found:?}");
    };
    assert!(evidence.contains("no such key stored"), "{evidence}");
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
