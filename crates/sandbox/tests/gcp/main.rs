//! The hierarchy, policies, APIs, billing, organization policies.

#[path = "../google/mod.rs"]
mod google;
mod hierarchy;

use google::{Google, Place, binding};
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::time::Duration;

const MANAGER: &str = "cloudresourcemanager";

#[tokio::test]
async fn a_stale_etag_loses() {
    let google = Google::plain().await;
    let place = google.place(1);
    let resource = format!("projects/{}", place.id);
    let path = format!("v3/{resource}:getIamPolicy");
    let read = google.post(&place.token, MANAGER, &path, json!({}));
    let policy = read.await.ok();
    let grant = binding("roles/viewer", "user:someone@customer-1.example");
    google.bind(&place, &resource, vec![grant]).await.ok();
    let set = format!("v3/{resource}:setIamPolicy");
    let late = google
        .post(&place.token, MANAGER, &set, json!({ "policy": policy }))
        .await;
    assert_eq!((late.status, late.code().as_str()), (409, "ABORTED"));
}

#[tokio::test]
async fn what_a_policy_may_not_say_is_refused() {
    let google = Google::plain().await;
    let place = google.place(1);
    let resource = format!("projects/{}", place.id);
    let condition = json!({ "title": "t", "expression": "resource.matches('x')" });
    let wrong = [
        binding("roles/nonsense", "user:a@customer-1.example"),
        binding("projects/x/roles/y", "user:a@customer-1.example"),
        binding("roles/viewer", "somebody"),
        binding(
            "roles/viewer",
            "serviceAccount:no@body.iam.gserviceaccount.com",
        ),
        json!({ "role": "roles/run.admin", "members": ["user:a@b.example"], "condition": condition }),
        json!({ "role": "roles/owner", "members": ["user:a@b.example"],
                "condition": { "title": "t", "expression": "true" } }),
    ];
    for binding in wrong {
        let said = google.bind(&place, &resource, vec![binding.clone()]).await;
        assert_eq!(said.code(), "INVALID_ARGUMENT", "{binding}: {}", said.body);
    }
}

#[tokio::test]
async fn permissions_are_tested_as_they_are_enforced() {
    let google = Google::plain().await;
    let (operator, place) = (google.place(0), google.place(1));
    let resource = format!("projects/{}", place.id);
    let test = async |permissions: Value| {
        let path = format!("v3/{resource}:testIamPermissions");
        let body = json!({ "permissions": permissions });
        google.post(&operator.token, MANAGER, &path, body).await
    };
    let some = json!(["resourcemanager.projects.get", "run.services.create"]);
    assert_eq!(test(some.clone()).await.ok(), json!({}));
    let admin = "user:admin@operator.example";
    let grant = binding("roles/run.admin", admin);
    google.bind(&place, &place.folder, vec![grant]).await.ok();
    assert_eq!(test(some.clone()).await.ok()["permissions"], some);
    assert_eq!(
        test(json!(["no.such.permission"])).await.code(),
        "INVALID_ARGUMENT"
    );
    let many: Vec<&str> = vec!["run.services.get"; 101];
    assert_eq!(test(json!(many)).await.code(), "INVALID_ARGUMENT");
}

fn restricted(place: &Place, constraint: &str, rules: Value) -> Value {
    json!({ "resource": place.organization, "constraint": constraint, "spec": { "rules": rules } })
}

#[tokio::test]
async fn domain_restricted_sharing_keeps_strangers_out_and_lets_the_owners_in() {
    let google = Google::plain().await;
    let (operator, place) = (google.place(0), google.place(1));
    google.bootstrap(&operator).await;
    google.bootstrap(&place).await;
    let ours = google.service_account(&operator, "landfall-app").await;
    let theirs = google.service_account(&place, "landfall-own").await;
    let path = format!("v3/{}", place.organization);
    let see = google.get(&place.token, MANAGER, &path);
    let customer = see.await.ok()["directoryCustomerId"]
        .as_str()
        .unwrap()
        .to_owned();
    let rules = json!([{ "values": { "allowedValues": [format!("is:{customer}")] } }]);
    let domains = restricted(&place, "iam.allowedPolicyMemberDomains", rules);
    google.admin("gcp/org-policy", domains).await;
    let resource = format!("projects/{}", place.id);
    let grant = async |email: &str| {
        let grant = binding("roles/viewer", &format!("serviceAccount:{email}"));
        google.bind(&place, &resource, vec![grant]).await
    };
    let refused = grant(&ours).await;
    assert_eq!(refused.code(), "FAILED_PRECONDITION");
    assert_eq!(
        refused.message(),
        "One or more users named in the policy do not belong to a permitted customer."
    );
    assert!(
        refused
            .body
            .to_string()
            .contains("constraints/iam.allowedPolicyMemberDomains")
    );
    grant(&theirs).await.ok();

    let off = json!({ "resource": place.organization,
                      "constraint": "iam.allowedPolicyMemberDomains", "spec": null });
    google.admin("gcp/org-policy", off).await;
    let set = format!(
        "//cloudresourcemanager.googleapis.com/{}",
        place.organization
    );
    let rules = json!([{ "enforce": true, "parameters": { "allowedPrincipalSets": [set] } }]);
    let managed = restricted(&place, "iam.managed.allowedPolicyMembers", rules);
    google.admin("gcp/org-policy", managed).await;
    assert!(
        grant(&ours)
            .await
            .message()
            .contains("constraints/iam.managed.allowedPolicyMembers")
    );
    let another = google.service_account(&place, "landfall-two").await;
    grant(&another).await.ok();
}

#[tokio::test]
async fn organization_policies_are_read_by_those_who_may() {
    let google = Google::plain().await;
    let place = google.place(1);
    let rules = json!([{ "enforce": true }]);
    let name = "iam.disableServiceAccountKeyCreation";
    google
        .admin("gcp/org-policy", restricted(&place, name, rules.clone()))
        .await;
    let path = format!("v2/{}/policies/{name}:getEffectivePolicy", place.folder);
    let seen = google.get(&place.token, "orgpolicy", &path).await.ok();
    assert_eq!(seen["spec"]["rules"], rules);
    let operator = google.place(0);
    let said = google.get(&operator.token, "orgpolicy", &path).await;
    assert_eq!(said.code(), "PERMISSION_DENIED");
}

/// A service account with a role on its project, and a token of its own.
async fn account_with(
    google: &Google,
    place: &Place,
    id: &str,
    roles: &[&str],
) -> (String, String) {
    let email = google.service_account(place, id).await;
    let member = format!("serviceAccount:{email}");
    let bindings = roles.iter().map(|role| binding(role, &member)).collect();
    let resource = format!("projects/{}", place.id);
    google.bind(place, &resource, bindings).await.ok();
    let admin = google.running.ready["gcp"]["projects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|project| project["id"] == place.id.as_str())
        .map(|project| format!("user:admin@{}", project["domain"].as_str().unwrap()))
        .unwrap();
    let creator = binding("roles/iam.serviceAccountTokenCreator", &admin);
    let itself = format!("projects/{}/serviceAccounts/{email}", place.id);
    google.bind(place, &itself, vec![creator]).await.ok();
    let given = google.generate(&place.token, &email).await.ok();
    (email, given["accessToken"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_api_that_is_off_says_how_to_switch_it_on() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .enable(&place, &["iam", "iamcredentials", "cloudresourcemanager"])
        .await;
    let roles = ["roles/serviceusage.serviceUsageAdmin", "roles/browser"];
    let (_, token) = account_with(&google, &place, "landfall-boot", &roles).await;
    let billing = format!("v1/projects/{}/billingInfo", place.id);
    let off = google.get(&token, "cloudbilling", &billing).await;
    assert_eq!(
        (off.status, off.reason().as_str()),
        (403, "SERVICE_DISABLED")
    );
    assert!(off.message().contains("has not been used in project"));
    let services = format!("v1/projects/{}/services", place.id);
    let body = json!({ "serviceIds": ["cloudbilling.googleapis.com", "run.googleapis.com"] });
    let path = format!("{services}:batchEnable");
    let running = google.post(&token, "serviceusage", &path, body).await.ok();
    let operation = format!("v1/{}", running["name"].as_str().unwrap());
    assert!(google.get(&token, "serviceusage", &operation).await.ok()["done"].is_null());
    assert_eq!(
        google.get(&token, "cloudbilling", &billing).await.reason(),
        "SERVICE_DISABLED"
    );
    google.advance(Duration::from_secs(30)).await;
    let done = google.get(&token, "serviceusage", &operation).await.ok();
    assert_eq!(done["response"]["services"][1]["state"], "ENABLED");
    let info = google.get(&token, "cloudbilling", &billing).await.ok();
    assert_eq!(info["billingEnabled"], true);

    // Switched off, Service Usage cannot switch itself on.
    let off =
        json!({ "project": place.id, "service": "serviceusage.googleapis.com", "enabled": false });
    google.admin("gcp/services", off).await;
    let path = format!("{services}/serviceusage.googleapis.com:enable");
    let said = google.post(&token, "serviceusage", &path, json!({})).await;
    assert_eq!(said.reason(), "SERVICE_DISABLED");
}

#[tokio::test]
async fn what_costs_money_wants_a_billing_account() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .admin(
            "gcp/billing",
            json!({ "project": place.id, "account": null }),
        )
        .await;
    let path = format!(
        "v1/projects/{}/services/run.googleapis.com:enable",
        place.id
    );
    let said = google
        .post(&place.token, "serviceusage", &path, json!({}))
        .await;
    assert_eq!(said.reason(), "UREQ_PROJECT_BILLING_NOT_FOUND");
    assert_eq!(said.code(), "FAILED_PRECONDITION");
}

#[tokio::test]
async fn a_condition_confines_what_a_policy_editor_may_grant() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .enable(&place, &["iam", "iamcredentials", "cloudresourcemanager"])
        .await;
    let (email, token) = account_with(&google, &place, "landfall-boot", &[]).await;
    let other = google.service_account(&place, "landfall-prov").await;
    let resource = format!("projects/{}", place.id);
    let grant = json!({
        "role": "roles/resourcemanager.projectIamAdmin",
        "members": [format!("serviceAccount:{email}")],
        "condition": {
            "title": "two keys",
            "expression": "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])\
                           .hasOnly(['roles/run.developer'])",
        },
    });
    google.bind(&place, &resource, vec![grant]).await.ok();
    let provisioner = format!("serviceAccount:{other}");
    let grant = async |role: &str, member: &str| {
        google
            .bind_as(&token, &resource, vec![binding(role, member)])
            .await
    };
    grant("roles/run.developer", &provisioner).await.ok();
    for role in [
        "roles/owner",
        "roles/storage.admin",
        "roles/resourcemanager.projectIamAdmin",
    ] {
        let said = grant(role, &format!("serviceAccount:{email}")).await;
        assert_eq!(said.code(), "PERMISSION_DENIED", "{role}");
    }
    // A reader of version 1 is not shown a grant that looks unconditional.
    let path = format!("v3/{resource}:getIamPolicy");
    let read = google
        .post(&place.token, MANAGER, &path, json!({}))
        .await
        .ok();
    assert!(read.to_string().contains("projectIamAdmin_withcond_"));
    let set = format!("v3/{resource}:setIamPolicy");
    let back = google
        .post(&place.token, MANAGER, &set, json!({ "policy": read }))
        .await;
    assert_eq!(back.code(), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn custom_roles_give_what_they_list_until_they_are_deleted() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .enable(&place, &["iam", "iamcredentials", "cloudresourcemanager"])
        .await;
    let roles = format!("v1/projects/{}/roles", place.id);
    let role = |permissions: Value| {
        json!({ "roleId": "landfall", "role": { "title": "Landfall", "stage": "GA",
                "includedPermissions": permissions } })
    };
    let wrong = role(json!(["resourcemanager.projects.list"]));
    let said = google.post(&place.token, "iam", &roles, wrong).await;
    assert_eq!(said.code(), "INVALID_ARGUMENT");
    let right = role(json!(["resourcemanager.projects.get"]));
    google
        .post(&place.token, "iam", &roles, right.clone())
        .await
        .ok();
    let again = google.post(&place.token, "iam", &roles, right).await;
    assert_eq!(again.code(), "ALREADY_EXISTS");
    let name = format!("projects/{}/roles/landfall", place.id);
    let (_, token) = account_with(&google, &place, "landfall-prov", &[&name]).await;
    let project = format!("v3/projects/{}", place.id);
    google.get(&token, MANAGER, &project).await.ok();
    google
        .call(&place.token, "DELETE", "iam", &format!("v1/{name}"), None)
        .await
        .ok();
    assert_eq!(
        google.get(&token, MANAGER, &project).await.code(),
        "PERMISSION_DENIED"
    );
    let path = format!("v1/{name}:undelete");
    google
        .post(&place.token, "iam", &path, json!({}))
        .await
        .ok();
    google.get(&token, MANAGER, &project).await.ok();
}

#[tokio::test]
async fn a_new_account_of_an_old_address_inherits_nothing() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .enable(&place, &["iam", "iamcredentials", "cloudresourcemanager"])
        .await;
    let (email, old) = account_with(&google, &place, "landfall-boot", &["roles/browser"]).await;
    let account = format!("v1/projects/{}/serviceAccounts/{email}", place.id);
    let unique = google.get(&place.token, "iam", &account).await.ok()["uniqueId"].clone();
    google
        .call(&place.token, "DELETE", "iam", &account, None)
        .await
        .ok();
    let project = format!("v3/projects/{}", place.id);
    assert_eq!(
        google.get(&old, MANAGER, &project).await.code(),
        "UNAUTHENTICATED"
    );
    let (_, new) = account_with(&google, &place, "landfall-boot", &[]).await;
    assert_eq!(
        google.get(&new, MANAGER, &project).await.code(),
        "PERMISSION_DENIED"
    );
    google
        .call(&place.token, "DELETE", "iam", &account, None)
        .await
        .ok();
    let undelete = format!(
        "v1/projects/{}/serviceAccounts/{}:undelete",
        place.id,
        unique.as_str().unwrap()
    );
    google
        .post(&place.token, "iam", &undelete, json!({}))
        .await
        .ok();
    let again = google.generate(&place.token, &email).await.ok();
    let again = again["accessToken"].as_str().unwrap();
    google.get(again, MANAGER, &project).await.ok();
}

#[tokio::test]
async fn a_refusal_that_was_asked_for_comes_in_the_endpoints_form() {
    let google = Google::plain().await;
    let place = google.place(1);
    let fail = async |service: &str, code: &str| {
        let service = format!("{service}.googleapis.com");
        let fault = json!({ "kind": "fail", "code": code, "message": "not today",
            "match": { "service": service } });
        google.admin("faults", fault).await;
    };
    let path = format!("v3/projects/{}", place.id);
    fail("cloudresourcemanager", "UNAVAILABLE").await;
    let said = google
        .get(&place.token, "cloudresourcemanager", &path)
        .await;
    assert_eq!((said.status, said.code().as_str()), (503, "UNAVAILABLE"));
    assert_eq!(said.message(), "not today");
    google
        .get(&place.token, "cloudresourcemanager", &path)
        .await
        .ok();
    fail("sts", "temporarily_unavailable").await;
    let said = google.form("sts", "v1/token", &[("grant_type", "x")]).await;
    assert_eq!(said.body["error"], "temporarily_unavailable");
    assert_eq!((said.status, said.message().as_str()), (400, "not today"));
}

#[tokio::test]
async fn faults_throttling_and_the_log_work_as_for_the_other_cloud() {
    let google = Google::plain().await;
    let place = google.place(1);
    let matcher = json!({ "service": "cloudresourcemanager.googleapis.com" });
    for (kind, status) in [("throttle", 429), ("http_500", 500)] {
        google
            .admin("faults", json!({ "kind": kind, "match": matcher }))
            .await;
        let said = google
            .get(&place.token, MANAGER, "v3/projects:search")
            .await;
        assert_eq!(said.status, status);
    }
    google
        .get(&place.token, MANAGER, "v3/projects:search")
        .await
        .ok();
    let url = format!(
        "http://{}/_sandbox/requests?service=cloudresourcemanager.googleapis.com",
        google.running.addr
    );
    let log: Value = google
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(log["requests"].as_array().unwrap().len(), 3);
    assert_eq!(
        log["requests"][2]["principal"],
        "user:admin@customer-1.example"
    );
    assert!(!log.to_string().contains(&place.token));
}

#[tokio::test]
async fn a_snapshot_remembers_grants_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        snapshot: Some(folder.path().join("world.json")),
        ..Config::default()
    };
    let google = Google::new(config.clone()).await;
    let place = google.place(1);
    google.enable(&place, &["iam"]).await;
    let email = google.service_account(&place, "landfall-boot").await;
    google.running.shutdown().await;
    let google = Google::new(config).await;
    assert_eq!(google.place(1).token, place.token);
    let path = format!("v1/projects/{}/serviceAccounts/{email}", place.id);
    google.get(&place.token, "iam", &path).await.ok();
}

#[tokio::test]
async fn quotas_are_read_and_changed() {
    let google = Google::plain().await;
    let place = google.place(1);
    let base = format!(
        "v1/projects/{}/locations/global/services/compute.googleapis.com/quotaInfos",
        place.id
    );
    let low = json!({ "project": place.id, "quota": "CPUS-per-project-region",
                      "region": "europe-west1", "limit": 2 });
    google.admin("gcp/quotas", low).await;
    let path = format!("{base}/CPUS-per-project-region");
    let seen = google.get(&place.token, "cloudquotas", &path).await.ok();
    let of = |region: &str| {
        let all = seen["dimensionsInfos"].as_array().unwrap();
        let info = all
            .iter()
            .find(|info| info["dimensions"]["region"] == region)
            .unwrap();
        info["details"]["value"].clone()
    };
    assert_eq!(
        (of("europe-west1"), of("europe-west4")),
        (json!("2"), json!("24"))
    );
}

#[tokio::test]
async fn a_condition_of_time_ends_a_grant_by_itself() {
    let google = Google::plain().await;
    let place = google.place(1);
    google
        .enable(&place, &["iam", "iamcredentials", "cloudresourcemanager"])
        .await;
    let (email, token) = account_with(&google, &place, "landfall-boot", &[]).await;
    let resource = format!("projects/{}", place.id);
    // By the clock that a client has: 2286-11-20, and 2001-09-09.
    for (until, code) in [
        ("2001-09-09T01:46:40Z", "PERMISSION_DENIED"),
        ("2286-11-20T17:46:40Z", "OK"),
    ] {
        let grant = json!({
            "role": "roles/browser",
            "members": [format!("serviceAccount:{email}")],
            "condition": {
                "title": until,
                "expression": format!("request.time < timestamp('{until}')"),
            },
        });
        google.bind(&place, &resource, vec![grant]).await.ok();
        let path = format!("v3/{resource}");
        let said = google.get(&token, MANAGER, &path).await;
        assert_eq!(said.code(), code, "{until}");
    }
}

#[tokio::test]
async fn the_operator_has_an_identity_that_makes_service_accounts() {
    let google = Google::plain().await;
    let operator = google.place(0);
    let ready = &google.running.ready["gcp"]["projects"];
    assert_eq!(ready[0]["role"], "operator");
    assert!(ready[1]["service_account"].is_null());
    let email = ready[0]["service_account"].as_str().unwrap();
    let path = format!("v1/projects/{}/serviceAccounts/{email}/keys", operator.id);
    let made = google
        .post(&operator.token, "iam", &path, json!({}))
        .await
        .ok();
    assert!(made["privateKeyData"].is_string());
}
