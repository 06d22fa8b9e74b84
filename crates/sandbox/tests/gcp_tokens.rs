//! Getting in: federation, keys, impersonation, and everything that must not.

mod google;
mod issuer;

use google::{Google, ISSUER, Place, SCOPE, Said, Signer, binding, now};
use issuer::Issuer;
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::time::Duration;

const SUBJECT: &str = "landfall:org_1:con_1";

struct Federated {
    google: Google,
    place: Place,
    signer: Signer,
    audience: String,
    email: String,
}

impl Federated {
    /// A customer's project set up for workload identity, with uploaded keys.
    async fn set_up() -> Self {
        let google = Google::plain().await;
        let place = google.place(1);
        google.bootstrap(&place).await;
        let signer = Signer::generate("key-1");
        let pools = format!(
            "v1/projects/{}/locations/global/workloadIdentityPools",
            place.id
        );
        google
            .post(
                &place.token,
                "iam",
                &format!("{pools}?workloadIdentityPoolId=landfall"),
                json!({}),
            )
            .await
            .ok();
        let audience = format!(
            "//iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/landfall/providers/landfall",
            place.number
        );
        let this = Self {
            email: google.service_account(&place, "landfall-boot").await,
            google,
            place,
            signer,
            audience,
        };
        this.provider("landfall", this.provider_body()).await.ok();
        let resource = format!("projects/{}/serviceAccounts/{}", this.place.id, this.email);
        let user = binding("roles/iam.workloadIdentityUser", &this.member());
        this.google
            .bind(&this.place, &resource, vec![user])
            .await
            .ok();
        this
    }

    fn member(&self) -> String {
        let pool = self.audience.split("/providers/").next().unwrap();
        format!("principal:{pool}/subject/{SUBJECT}")
    }

    fn provider_body(&self) -> Value {
        json!({
            "attributeMapping": { "google.subject": "assertion.sub" },
            "attributeCondition": format!("google.subject == '{SUBJECT}'"),
            "oidc": { "issuerUri": ISSUER, "jwksJson": self.signer.jwks().to_string() },
        })
    }

    async fn provider(&self, id: &str, body: Value) -> Said {
        let path = format!(
            "v1/projects/{}/locations/global/workloadIdentityPools/landfall/providers?workloadIdentityPoolProviderId={id}",
            self.place.id
        );
        self.google
            .post(&self.place.token, "iam", &path, body)
            .await
    }

    async fn patch(&self, mask: &str, body: Value) -> Said {
        let path = format!(
            "v1/projects/{}/locations/global/workloadIdentityPools/landfall/providers/landfall?updateMask={mask}",
            self.place.id
        );
        self.google
            .call(&self.place.token, "PATCH", "iam", &path, Some(body))
            .await
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": format!("https:{}", self.audience),
            "iat": now(), "exp": now() + 300,
        })
    }

    async fn exchange(&self, token: &str) -> Said {
        self.exchange_for(&self.audience, token).await
    }

    async fn exchange_for(&self, audience: &str, token: &str) -> Said {
        let fields = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", audience),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("scope", SCOPE),
            ("subject_token", token),
        ];
        self.google.form("sts", "v1/token", &fields).await
    }

    async fn federated_token(&self) -> String {
        let said = self.exchange(&self.signer.sign(&self.claims())).await.ok();
        said["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_token_of_the_right_subject_becomes_the_service_account() {
    let set = Federated::set_up().await;
    let federated = set.federated_token().await;
    let given = set.google.generate(&federated, &set.email).await.ok();
    let token = given["accessToken"].as_str().unwrap();
    let project = format!("v3/projects/{}", set.place.id);
    let denied = set
        .google
        .get(token, "cloudresourcemanager", &project)
        .await;
    assert_eq!(denied.reason(), "IAM_PERMISSION_DENIED", "{}", denied.body);
    let grant = binding("roles/browser", &format!("serviceAccount:{}", set.email));
    let resource = format!("projects/{}", set.place.id);
    set.google
        .bind(&set.place, &resource, vec![grant])
        .await
        .ok();
    let project = set
        .google
        .get(token, "cloudresourcemanager", &project)
        .await
        .ok();
    assert_eq!(project["name"], format!("projects/{}", set.place.number));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_keeps_it_out() {
    let set = Federated::set_up().await;
    let with = |field: &str, value: Value| {
        let mut claims = set.claims();
        claims[field] = value;
        set.signer.sign(&claims)
    };
    let cases = [
        (
            "another connection's subject",
            with("sub", json!("landfall:org_1:con_2")),
            "unauthorized_client",
        ),
        (
            "a subject of 128 bytes",
            with("sub", json!("x".repeat(128))),
            "invalid_grant",
        ),
        (
            "another audience",
            with("aud", json!("api://AzureADTokenExchange")),
            "invalid_grant",
        ),
        (
            "another issuer",
            with("iss", json!("https://evil.example")),
            "invalid_grant",
        ),
        ("expired", with("exp", json!(now() - 1)), "invalid_grant"),
        (
            "from the future",
            with("iat", json!(now() + 120)),
            "invalid_grant",
        ),
        (
            "from before all time",
            with("iat", json!(i64::MIN)),
            "invalid_grant",
        ),
        (
            "another key",
            Signer::generate("key-1").sign(&set.claims()),
            "invalid_grant",
        ),
        (
            "an unknown key id",
            Signer::generate("key-2").sign(&set.claims()),
            "invalid_grant",
        ),
        ("no token", "nonsense".to_owned(), "invalid_request"),
    ];
    for (what, token, expected) in cases {
        assert_eq!(set.exchange(&token).await.code(), expected, "{what}");
    }
    let good = set.signer.sign(&set.claims());
    let by_id = set.audience.replace(&set.place.number, &set.place.id);
    assert_eq!(
        set.exchange_for(&by_id, &good).await.code(),
        "invalid_target"
    );
    // The signature covers the claims: a changed one does not pass.
    let mut parts: Vec<&str> = good.split('.').collect();
    let other = set.signer.sign(&json!({ "iss": ISSUER, "sub": "x" }));
    parts[1] = other.split('.').nth(1).unwrap();
    assert_ne!(set.exchange(&parts.join(".")).await.code(), "OK");
    assert_eq!(set.exchange(&good).await.code(), "OK");
}

#[tokio::test]
async fn a_provider_without_a_condition_accepts_everybody_of_the_issuer() {
    let set = Federated::set_up().await;
    set.patch("attributeCondition", json!({ "attributeCondition": "" }))
        .await
        .ok();
    let mut claims = set.claims();
    claims["sub"] = json!("landfall:org_2:con_9");
    let said = set.exchange(&set.signer.sign(&claims)).await.ok();
    // In, but the service account's policy still names one subject.
    let token = said["access_token"].as_str().unwrap();
    let denied = set.google.generate(token, &set.email).await;
    assert_eq!(denied.code(), "PERMISSION_DENIED");
    assert_eq!(denied.reason(), "IAM_PERMISSION_DENIED");
}

#[tokio::test]
async fn without_uploaded_keys_the_issuer_is_really_asked() {
    let set = Federated::set_up().await;
    set.patch("oidc.jwksJson", json!({ "oidc": {} })).await.ok();
    let issuer = Issuer::start(ISSUER).await;
    let token = issuer.sign(&set.claims());
    let unreachable = async || {
        let said = set.exchange(&token).await;
        assert_eq!(said.code(), "invalid_grant");
        assert!(
            said.message().contains("Error connecting"),
            "{}",
            said.message()
        );
    };
    unreachable().await;
    let mapping = json!({ "url": ISSUER, "served_at": issuer.served_at });
    set.google.admin("issuers", mapping).await;
    assert_eq!(set.exchange(&token).await.code(), "OK");
    let forged = Signer::generate("k1").sign(&set.claims());
    assert_eq!(set.exchange(&forged).await.code(), "invalid_grant");
    // An issuer does not send the sandbox to whatever else listens here.
    issuer.discovery.lock().unwrap()["jwks_uri"] = json!(format!("{}/keys.json", issuer.served_at));
    unreachable().await;
}

#[tokio::test]
async fn a_deleted_pool_keeps_its_id_for_thirty_days_and_comes_back() {
    let set = Federated::set_up().await;
    let (token, google) = (&set.place.token, &set.google);
    let pools = format!(
        "v1/projects/{}/locations/global/workloadIdentityPools",
        set.place.id
    );
    let pool = format!("{pools}/landfall");
    google.call(token, "DELETE", "iam", &pool, None).await.ok();
    assert_eq!(
        set.exchange(&set.signer.sign(&set.claims())).await.code(),
        "invalid_target"
    );
    let create = format!("{pools}?workloadIdentityPoolId=landfall");
    let again = google.post(token, "iam", &create, json!({})).await;
    assert_eq!(again.code(), "ALREADY_EXISTS");
    let shown = google.get(token, "iam", &pool).await.ok();
    assert_eq!(shown["state"], "DELETED");
    let running = google
        .post(token, "iam", &format!("{pool}:undelete"), json!({}))
        .await
        .ok();
    assert!(running["done"].is_null());
    let name = running["name"].as_str().unwrap();
    google.advance(Duration::from_secs(5)).await;
    let done = google.get(token, "iam", &format!("v1/{name}")).await.ok();
    assert_eq!(done["response"]["state"], "ACTIVE");
    let mut claims = set.claims();
    (claims["iat"], claims["exp"]) = (json!(now()), json!(now() + 300));
    assert_eq!(set.exchange(&set.signer.sign(&claims)).await.code(), "OK");
    google.call(token, "DELETE", "iam", &pool, None).await.ok();
    google.advance(Duration::from_secs(31 * 24 * 3600)).await;
    assert_eq!(google.get(token, "iam", &pool).await.code(), "NOT_FOUND");
    google.post(token, "iam", &create, json!({})).await.ok();
}

#[tokio::test]
async fn providers_say_what_they_do_not_take() {
    let set = Federated::set_up().await;
    let key = |change: Value| {
        let mut set = set.signer.jwks();
        for (name, value) in change.as_object().unwrap() {
            set["keys"][0][name] = value.clone();
        }
        json!(set.to_string())
    };
    let wrong = [
        ("/oidc/jwksJson", key(json!({ "kid": null }))),
        ("/oidc/jwksJson", key(json!({ "kid": "" }))),
        ("/oidc/jwksJson", key(json!({ "kty": "EC" }))),
        ("/oidc/jwksJson", key(json!({ "d": "AQAB" }))),
        ("/oidc/issuerUri", json!("http://landfall.example")),
        ("/oidc/jwksJson", json!("{\"keys\":[]}")),
        ("/attributeCondition", json!("assertion.sub.matches('x')")),
        (
            "/attributeMapping",
            json!({ "google.groups": "assertion.groups" }),
        ),
        (
            "/attributeMapping",
            json!({ "google.subject": "assertion.sub", "nonsense": "assertion.x" }),
        ),
    ];
    for (pointer, value) in wrong {
        let mut body = set.provider_body();
        *body.pointer_mut(pointer).unwrap() = value;
        let said = set.provider("another", body).await;
        assert_eq!(said.code(), "INVALID_ARGUMENT", "{pointer}: {}", said.body);
    }
    let constraint = json!({
        "resource": set.place.organization,
        "constraint": "iam.workloadIdentityPoolProviders",
        "spec": { "rules": [{ "values": { "allowedValues": ["https://accounts.example"] } }] },
    });
    set.google.admin("gcp/org-policy", constraint).await;
    let said = set.provider("another", set.provider_body()).await;
    assert_eq!(said.code(), "FAILED_PRECONDITION");
}

fn assertion(file: &Value) -> Value {
    json!({
        "iss": file["client_email"], "scope": SCOPE, "aud": "https://oauth2.googleapis.com/token",
        "iat": now(), "exp": now() + 3600,
    })
}

#[tokio::test]
async fn a_key_signs_in_until_it_is_deleted() {
    let google = Google::plain().await;
    let place = google.place(1);
    google.bootstrap(&place).await;
    let email = google.service_account(&place, "landfall-key").await;
    let keys = format!("v1/projects/{}/serviceAccounts/{email}/keys", place.id);
    let made = google
        .post(&place.token, "iam", &keys, json!({}))
        .await
        .ok();
    let (signer, file) = Signer::of_key_file(&made);
    assert_eq!(file["token_uri"], "https://oauth2.googleapis.com/token");
    let exchange = async |token: String| {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        google
            .form(
                "oauth2",
                "token",
                &[("grant_type", grant), ("assertion", &token)],
            )
            .await
    };
    let token = exchange(signer.sign(&assertion(&file))).await.ok();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let path = format!("v3/projects/{}", place.id);
    assert_eq!(
        google
            .get(&token, "cloudresourcemanager", &path)
            .await
            .code(),
        "PERMISSION_DENIED"
    );

    for (field, value) in [
        ("aud", json!("https://sts.googleapis.com")),
        ("exp", json!(now() + 3700)),
        ("exp", json!(now() - 1)),
        ("iat", json!(i64::MIN)),
        ("iss", json!("nobody@nowhere.iam.gserviceaccount.com")),
    ] {
        let mut claims = assertion(&file);
        claims[field] = value;
        assert_eq!(
            exchange(signer.sign(&claims)).await.code(),
            "invalid_grant",
            "{field}"
        );
    }
    let forged = Signer::generate(&signer.kid).sign(&assertion(&file));
    assert_eq!(exchange(forged).await.message(), "Invalid JWT Signature.");

    // Nobody is shown the private half again.
    let listed = google.get(&place.token, "iam", &keys).await.ok();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains("privateKey"));
    let key = format!("{keys}/{}", signer.kid);
    for (verb, message) in [("disable", "Invalid JWT Signature."), ("enable", "")] {
        let path = format!("{key}:{verb}");
        google
            .post(&place.token, "iam", &path, json!({}))
            .await
            .ok();
        let said = exchange(signer.sign(&assertion(&file))).await;
        assert_eq!(said.message(), message, "{verb}");
    }
    google
        .call(&place.token, "DELETE", "iam", &key, None)
        .await
        .ok();
    assert_eq!(
        exchange(signer.sign(&assertion(&file))).await.code(),
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_new_account_of_the_same_address_does_not_revive_old_tokens() {
    let google = Google::plain().await;
    let place = google.place(1);
    google.bootstrap(&place).await;
    let email = google.service_account(&place, "landfall-app").await;
    let resource = format!("projects/{}/serviceAccounts/{email}", place.id);
    let admin = "user:admin@customer-1.example";
    let creator = || vec![binding("roles/iam.serviceAccountTokenCreator", admin)];
    google.bind(&place, &resource, creator()).await.ok();
    let given = google.generate(&place.token, &email).await.ok();
    let old = given["accessToken"].as_str().unwrap().to_owned();
    let path = format!("v1/{resource}");
    google
        .call(&place.token, "DELETE", "iam", &path, None)
        .await
        .ok();
    google.service_account(&place, "landfall-app").await;
    google.bind(&place, &resource, creator()).await.ok();
    let given = google.generate(&place.token, &email).await.ok();
    let new = given["accessToken"].as_str().unwrap();
    // The new one is known and may do nothing; the old one is nobody.
    let project = format!("v3/projects/{}", place.id);
    let code = async |token: &str| {
        google
            .get(token, "cloudresourcemanager", &project)
            .await
            .code()
    };
    assert_eq!(code(new).await, "PERMISSION_DENIED");
    assert_eq!(code(&old).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn an_organization_that_forbids_keys_says_so() {
    for constraint in [
        "iam.disableServiceAccountKeyCreation",
        "iam.managed.disableServiceAccountKeyCreation",
    ] {
        let google = Google::plain().await;
        let place = google.place(1);
        google.bootstrap(&place).await;
        let email = google.service_account(&place, "landfall-key").await;
        let spec = json!({ "rules": [{ "enforce": true }] });
        let policy =
            json!({ "resource": place.organization, "constraint": constraint, "spec": spec });
        google.admin("gcp/org-policy", policy).await;
        let keys = format!("v1/projects/{}/serviceAccounts/{email}/keys", place.id);
        let said = google.post(&place.token, "iam", &keys, json!({})).await;
        assert_eq!(said.code(), "FAILED_PRECONDITION");
        assert_eq!(
            said.message(),
            "Key creation is not allowed on this service account."
        );
        assert!(said.body.to_string().contains(constraint));
    }
}

#[tokio::test]
async fn an_operators_account_works_where_it_was_granted_and_nowhere_else() {
    let google = Google::plain().await;
    let (operator, customer, other) = (google.place(0), google.place(1), google.place(2));
    google.bootstrap(&operator).await;
    let email = google.service_account(&operator, "landfall-app").await;
    let resource = format!("projects/{}/serviceAccounts/{email}", operator.id);
    // An owner may not take an identity: that is granted apart.
    assert_eq!(
        google.generate(&operator.token, &email).await.code(),
        "PERMISSION_DENIED"
    );
    let admin = "user:admin@operator.example";
    let grant = binding("roles/iam.serviceAccountTokenCreator", admin);
    google.bind(&operator, &resource, vec![grant]).await.ok();
    let given = google.generate(&operator.token, &email).await.ok();
    let token = given["accessToken"].as_str().unwrap();
    let member = format!("serviceAccount:{email}");
    let grant = binding("roles/browser", &member);
    google
        .bind(&customer, &customer.organization, vec![grant])
        .await
        .ok();
    let see = async |place: &Place| {
        let path = format!("v3/projects/{}", place.id);
        google
            .get(token, "cloudresourcemanager", &path)
            .await
            .code()
    };
    assert_eq!(see(&customer).await, "OK");
    assert_eq!(see(&other).await, "PERMISSION_DENIED");
    let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    for body in [
        json!({ "scope": [SCOPE], "lifetime": "3601s" }),
        json!({ "scope": [] }),
        json!({ "scope": [SCOPE], "delegates": ["projects/-/serviceAccounts/x"] }),
    ] {
        let said = google
            .post(&operator.token, "iamcredentials", &path, body)
            .await;
        assert_eq!(said.code(), "INVALID_ARGUMENT", "{}", said.body);
    }
}

#[tokio::test]
async fn a_new_grant_takes_the_lag_to_count() {
    let google = Google::new(Config {
        iam_lag: Duration::from_secs(120),
        ..Config::default()
    })
    .await;
    let (operator, customer) = (google.place(0), google.place(1));
    let grant = binding("roles/browser", "user:admin@operator.example");
    let resource = format!("projects/{}", customer.id);
    google.bind(&customer, &resource, vec![grant]).await.ok();
    let path = format!("v3/{resource}");
    let said = google
        .get(&operator.token, "cloudresourcemanager", &path)
        .await;
    assert_eq!(said.code(), "PERMISSION_DENIED");
    google.advance(Duration::from_secs(121)).await;
    google
        .get(&operator.token, "cloudresourcemanager", &path)
        .await
        .ok();
}
