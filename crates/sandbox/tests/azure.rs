//! The simulated Azure, asked by official clients, unmodified, and by a small
//! client of our own for what they cannot do: consent, federation, faults.

mod microsoft;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use landfall_sandbox::{Config, start};
use microsoft::{ARM, Azure, GRAPH};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

fn python() -> Option<PathBuf> {
    let python = std::env::var_os("LANDFALL_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "LANDFALL_TEST_PYTHON is not set"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON is not set (scripts/test sets it)"
        );
    }
    python
}

/// Runs one client script on a fresh sandbox.
async fn tour(script: &str) {
    let Some(python) = python() else { return };
    let running = start(Config::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready.json");
    std::fs::write(&ready, running.ready.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(ready)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_tour_identity() {
    tour("azure_identity.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_tour_resource_manager() {
    tour("azure_resources.py").await;
}

/// The parameters with which a page sends its visitor back.
fn sent_back(answer: &reqwest::Response) -> std::collections::BTreeMap<String, String> {
    let to = answer.headers()["location"].to_str().unwrap();
    let url: reqwest::Url = to.parse().unwrap();
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn consent_installs_the_application_and_errors_say_consent_too() {
    let azure = Azure::new(Config::default()).await;
    let back = "https://landfall.example/callback";
    let client = azure.text("/tenants/0/client_id");
    let secret = azure.text("/tenants/0/client_secret");
    let customer = azure.text("/tenants/1/id");
    azure
        .admin(
            "azure/redirect-uris",
            json!({ "client_id": client, "redirect_uris": [back] }),
        )
        .await;
    let credentials = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let (status, refused) = azure.token(&customer, &credentials).await;
    assert_eq!(
        (status, &refused["error_codes"]),
        (401, &json!([7_000_229]))
    );

    let (administrator, reader) = azure.users(&customer).await;
    let url = azure.url(&format!("/{customer}/v2.0/adminconsent"));
    let consent = async |user: &str, redirect: &str, cancel: bool| {
        let mut form = vec![
            ("client_id", client.as_str()),
            ("redirect_uri", redirect),
            ("scope", "https://graph.microsoft.com/.default"),
            ("state", "s1"),
            ("user", user),
        ];
        if cancel {
            form.push(("cancel", "1"));
        }
        azure.http.post(&url).form(&form).send().await.unwrap()
    };
    let foreign = consent(&administrator, "https://attacker.example/", false).await;
    assert_eq!(foreign.status(), 400);
    assert!(foreign.text().await.unwrap().contains("AADSTS50011"));
    for answer in [
        consent(&administrator, back, true).await,
        consent(&reader, back, false).await,
    ] {
        let said = sent_back(&answer);
        assert_eq!(said["admin_consent"], "True");
        assert_eq!(said["error"], "access_denied");
        assert_eq!(said["state"], "s1");
        assert_eq!(azure.token(&customer, &credentials).await.0, 401);
    }

    let said = sent_back(&consent(&administrator, back, false).await);
    assert!(!said.contains_key("error"));
    assert_eq!(said["tenant"], customer);
    assert_eq!(azure.token(&customer, &credentials).await.0, 200);
    let token = {
        let (_, answer) = azure.token(&customer, &credentials).await;
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let (status, domains) = azure
        .call("GET", &token, "/v1.0/domains", Value::Null)
        .await;
    assert_eq!(status, 200);
    assert_eq!(domains["value"][1]["id"], "customer1.example");
    // Consent to one tenant says nothing of another.
    let other = azure.text("/tenants/2/id");
    assert_eq!(azure.token(&other, &credentials).await.0, 401);
}

#[tokio::test]
async fn a_sign_in_proves_who_may_manage_a_subscription() {
    let azure = Azure::new(Config::default()).await;
    let back = "http://127.0.0.1/callback";
    let client = azure.text("/tenants/0/client_id");
    let secret = azure.text("/tenants/0/client_secret");
    let customer = azure.text("/tenants/1/id");
    azure
        .admin(
            "azure/redirect-uris",
            json!({ "client_id": client, "redirect_uris": [back] }),
        )
        .await;
    let (administrator, reader) = azure.users(&customer).await;
    let url = azure.url("/organizations/oauth2/v2.0/authorize");
    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let code = async |user: &str| {
        let form = [
            ("client_id", client.as_str()),
            ("redirect_uri", back),
            ("response_type", "code"),
            (
                "scope",
                "openid https://management.azure.com/user_impersonation",
            ),
            ("state", "s"),
            ("nonce", "n"),
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            ),
            ("code_challenge_method", "S256"),
            ("user", user),
        ];
        let answer = azure.http.post(&url).form(&form).send().await.unwrap();
        sent_back(&answer)["code"].clone()
    };
    let redeem = async |code: &str, verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("client_secret", secret.as_str()),
            ("redirect_uri", back),
            ("code", code),
            ("code_verifier", verifier),
        ];
        azure.token("organizations", &form).await
    };
    let one = code(&administrator).await;
    assert_eq!(
        redeem(&one, "wrong").await.1["error_codes"],
        json!([501_481])
    );
    // A wrong verifier has used the code up.
    assert_eq!(
        redeem(&one, verifier).await.1["error_codes"],
        json!([70_008])
    );

    let subscriptions = async |user: &str| {
        let (status, answer) = redeem(&code(user).await, verifier).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["id_token"].is_string());
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let path = "/subscriptions?api-version=2022-12-01";
        let (_, seen) = azure.call("GET", &token, path, Value::Null).await;
        seen["value"].as_array().unwrap().len()
    };
    assert_eq!(subscriptions(&administrator).await, 1);
    assert_eq!(subscriptions(&reader).await, 0);
}

/// An issuer of our own: a key, and its documents on loopback.
struct Issuer {
    key: KeyPair,
    url: String,
}

impl Issuer {
    async fn start(azure: &Azure, url: &str) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let set = json!({ "keys": [jwk(&key)] });
        let keys = format!("{}/jwks.json", url.trim_end_matches('/'));
        let document = json!({ "issuer": url, "jwks_uri": keys });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let served_at = format!("http://{}", listener.local_addr().unwrap());
        let pages = axum::Router::new()
            .route(
                "/.well-known/openid-configuration",
                axum::routing::get(async move || axum::Json(document)),
            )
            .route(
                "/jwks.json",
                axum::routing::get(async move || axum::Json(set)),
            );
        tokio::spawn(async move { axum::serve(listener, pages).await });
        azure
            .admin("issuers", json!({ "url": url, "served_at": served_at }))
            .await;
        Self {
            key,
            url: url.to_owned(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "assertions are made now, by the machine's clock"
    )]
    fn assertion(&self, subject: &str, audience: &str, expires_in: i64) -> String {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let claims = json!({
            "iss": self.url, "sub": subject, "aud": audience, "jti": "j",
            "iat": now - 600, "nbf": now - 600, "exp": now + expires_in,
        });
        sign(&self.key, &claims)
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn sign(key: &KeyPair, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" });
    let signed = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", encode(signature))
}

/// The modulus of a 2048-bit key lies at a fixed place of its RSAPublicKey.
fn jwk(key: &KeyPair) -> Value {
    use aws_lc_rs::signature::KeyPair as _;
    let der = key.public_key().as_ref();
    assert_eq!((der.len(), &der[4..9]), (270, &[2, 0x82, 1, 1, 0][..]));
    json!({ "kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig",
            "n": encode(&der[9..265]), "e": encode(&der[267..270]) })
}

#[tokio::test]
async fn federation_matches_exactly_and_verifies_the_signature() {
    let azure = Azure::new(Config::default()).await;
    let url = "https://issuer.landfall.example/o";
    let issuer = Issuer::start(&azure, url).await;
    let tenant = azure.text("/tenants/1/id");
    let graph = azure.first_token(1, GRAPH).await;
    let (_, application) = azure
        .call(
            "POST",
            &graph,
            "/v1.0/applications",
            json!({ "displayName": "landfall" }),
        )
        .await;
    let (id, app_id) = (
        application["id"].as_str().unwrap().to_owned(),
        application["appId"].as_str().unwrap().to_owned(),
    );
    azure
        .call(
            "POST",
            &graph,
            "/v1.0/servicePrincipals",
            json!({ "appId": app_id }),
        )
        .await;
    let audience = "api://AzureADTokenExchange";
    let ask = async |assertion: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", app_id.as_str()),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
            ("scope", "https://management.azure.com/.default"),
        ];
        let (status, answer) = azure.token(&tenant, &form).await;
        let code = answer["error_codes"][0].as_u64().unwrap_or_default();
        (status, code)
    };
    let good = issuer.assertion("landfall:org:conn", audience, 300);
    assert_eq!(ask(&good).await, (401, 70_025));

    azure
        .admin(
            "azure/settings",
            json!({ "federated_credential_lag_seconds": 120.0 }),
        )
        .await;
    let path = format!("/v1.0/applications/{id}/federatedIdentityCredentials");
    let credential = json!({ "name": "landfall", "issuer": url,
        "subject": "landfall:org:conn", "audiences": [audience] });
    assert_eq!(
        azure
            .call("POST", &graph, &path, credential.clone())
            .await
            .0,
        201
    );
    let twin = json!({ "name": "twin", "issuer": url,
        "subject": "landfall:org:conn", "audiences": [audience] });
    assert_eq!(azure.call("POST", &graph, &path, twin).await.0, 409);
    assert_eq!(ask(&good).await, (401, 70_021), "not known everywhere yet");
    azure
        .admin("clock", json!({ "advance_seconds": 121 }))
        .await;
    assert_eq!(ask(&good).await.0, 200);

    let stranger = Issuer::start(&azure, "https://stranger.example").await;
    let forged = {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let copy = Issuer {
            key,
            url: url.to_owned(),
        };
        copy.assertion("landfall:org:conn", audience, 900)
    };
    for (assertion, code) in [
        (
            stranger.assertion("landfall:org:conn", audience, 900),
            700_211,
        ),
        (
            issuer.assertion("landfall:org:conn", "api://other", 900),
            700_212,
        ),
        (
            issuer.assertion("landfall:org:other", audience, 900),
            700_213,
        ),
        (
            issuer.assertion("LANDFALL:org:conn", audience, 900),
            700_213,
        ),
        (
            issuer.assertion("landfall:org:conn", audience, -400),
            700_024,
        ),
        (forged, 700_027),
    ] {
        assert_eq!(ask(&assertion).await, (401, code));
    }
}

#[tokio::test]
async fn an_issuer_may_end_in_a_slash() {
    let azure = Azure::new(Config::default()).await;
    let issuer = Issuer::start(&azure, "https://issuer.landfall.example/o/").await;
    let graph = azure.first_token(1, GRAPH).await;
    let name = json!({ "displayName": "landfall" });
    let (_, application) = azure.call("POST", &graph, "/v1.0/applications", name).await;
    let app_id = application["appId"].as_str().unwrap();
    let principal = json!({ "appId": app_id });
    azure
        .call("POST", &graph, "/v1.0/servicePrincipals", principal)
        .await;
    let audience = "api://AzureADTokenExchange";
    let path = format!(
        "/v1.0/applications/{}/federatedIdentityCredentials",
        application["id"].as_str().unwrap()
    );
    let credential = json!({ "name": "landfall", "issuer": issuer.url,
        "subject": "s", "audiences": [audience] });
    azure.call("POST", &graph, &path, credential).await;
    let assertion = issuer.assertion("s", audience, 300);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", app_id),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
        ("scope", "https://management.azure.com/.default"),
    ];
    let tenant = azure.text("/tenants/1/id");
    let (status, answer) = azure.token(&tenant, &form).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn faults_and_the_request_log_know_azure() {
    let azure = Azure::new(Config::default()).await;
    let token = azure.first_token(1, ARM).await;
    let path = "/subscriptions?api-version=2022-12-01";
    azure
        .admin(
            "faults",
            json!({ "kind": "throttle", "match": { "service": "arm" } }),
        )
        .await;
    let (status, answer) = azure.call("GET", &token, path, Value::Null).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (429, &json!("SubscriptionRequestsThrottled"))
    );
    assert_eq!(azure.call("GET", &token, path, Value::Null).await.0, 200);
    let graph = azure
        .call("GET", &token, "/v1.0/domains", Value::Null)
        .await;
    assert_eq!(graph.0, 401, "a token for another audience");
    let url = format!(
        "http://{}/_sandbox/requests?service=arm",
        azure.running.addr
    );
    let log: Value = azure
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let log = log["requests"].as_array().unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0]["fault"], "throttle");
    assert_eq!(log[1]["account"], azure.text("/tenants/1/id").as_str());
    let secret = azure.text("/tenants/1/client_secret");
    assert!(!serde_json::to_string(&log).unwrap().contains(&secret));
}

#[tokio::test]
async fn a_restart_keeps_the_authority_the_address_and_the_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config {
        snapshot: Some(folder.path().join("cloud.json")),
        ..Config::default()
    };
    let azure = Azure::new(config()).await;
    let token = azure.first_token(1, ARM).await;
    let Azure { running, http } = azure;
    let before = running.ready["azure"].clone();
    running.shutdown().await;
    let running = start(config()).await.unwrap();
    assert_eq!(running.ready["azure"]["tenants"], before["tenants"]);
    assert_eq!(running.ready["azure"]["authority"], before["authority"]);
    // The client trusts what it trusted before.
    let again = Azure { running, http };
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(again.call("GET", &token, path, Value::Null).await.0, 200);
}
