//! AssumeRoleWithWebIdentity: providers, tokens, trust, sessions.

mod issuer;
mod support;

use issuer::Issuer;
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Answer, As, Keys, Sandbox, allow, now_seconds};

const URL: &str = "https://id.landfall.example/acme";
const HOST: &str = "id.landfall.example/acme";
const SUBJECT: &str = "landfall:org_1:con_1";

struct Scene {
    sandbox: Sandbox,
    issuer: Issuer,
    provider: String,
    role: String,
}

fn trusting(provider: &str, subject: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": provider },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                format!("{HOST}:aud"): "sts.amazonaws.com",
                format!("{HOST}:sub"): subject,
            } },
        }],
    })
    .to_string()
}

impl Scene {
    async fn new(config: Config) -> Self {
        let sandbox = Sandbox::new(config).await;
        let issuer = Issuer::start(URL).await;
        sandbox
            .admin(
                "/_sandbox/issuers",
                json!({ "url": URL, "served_at": issuer.served_at }),
            )
            .await;
        let customer = sandbox.customer();
        let provider = provide(&sandbox, &customer, &["sts.amazonaws.com"])
            .await
            .expect_ok()
            .text("OpenIDConnectProviderArn");
        let role = sandbox
            .iam(
                &customer,
                "CreateRole",
                &[
                    ("RoleName", "keyless"),
                    ("AssumeRolePolicyDocument", &trusting(&provider, SUBJECT)),
                    ("MaxSessionDuration", "7200"),
                ],
            )
            .await
            .expect_ok()
            .text("Arn");
        sandbox
            .put_policy(
                &customer,
                "keyless",
                allow(&["iam:ListRoles", "sts:AssumeRole"]),
            )
            .await;
        Self {
            sandbox,
            issuer,
            provider,
            role,
        }
    }

    fn token(&self, change: Value) -> String {
        let claims = self.issuer.claims(SUBJECT, now_seconds(), &change);
        self.issuer.sign(&claims)
    }

    async fn assume(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        assume(&self.sandbox, &self.role, token, more).await
    }

    async fn refused(&self, token: &str) -> (u16, String) {
        let answer = self.assume(token, &[]).await;
        (answer.status, answer.code())
    }
}

async fn provide(sandbox: &Sandbox, who: &As, client_ids: &[&str]) -> Answer {
    let names: Vec<String> = (1..=client_ids.len())
        .map(|n| format!("ClientIDList.member.{n}"))
        .collect();
    let mut params = vec![("Url", URL)];
    params.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(client_ids.iter().copied()),
    );
    sandbox
        .iam(who, "CreateOpenIDConnectProvider", &params)
        .await
}

/// The call as SDKs send it: without a signature.
async fn assume(sandbox: &Sandbox, role: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRoleWithWebIdentity")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", role)
        .append_pair("RoleSessionName", "test")
        .append_pair("WebIdentityToken", token)
        .extend_pairs(more)
        .finish();
    let response = sandbox
        .http
        .post(sandbox.url("/"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

fn session(answer: &Answer) -> As {
    As {
        keys: Keys {
            account: answer.text("Arn").split(':').nth(4).unwrap().to_owned(),
            access_key_id: answer.text("AccessKeyId"),
            secret_access_key: answer.text("SecretAccessKey"),
            session_token: Some(answer.text("SessionToken")),
        },
        region: "eu-west-1",
        clock_offset: 0,
    }
}

#[tokio::test]
async fn a_good_token_opens_and_its_session_is_the_roles() {
    let scene = Scene::new(Config::default()).await;
    let answer = scene
        .assume(&scene.token(json!({})), &[("DurationSeconds", "7200")])
        .await
        .expect_ok();
    assert_eq!(answer.text("SubjectFromWebIdentityToken"), SUBJECT);
    assert_eq!(answer.text("Provider"), URL);
    assert_eq!(answer.text("Audience"), "sts.amazonaws.com");
    let who = session(&answer);
    let identity = scene
        .sandbox
        .sts(&who, "GetCallerIdentity", &[])
        .await
        .expect_ok();
    assert!(identity.text("Arn").ends_with(":assumed-role/keyless/test"));
    scene.sandbox.iam(&who, "ListRoles", &[]).await.expect_ok();
    let refused = scene
        .sandbox
        .iam(&who, "DeleteRole", &[("RoleName", "keyless")])
        .await;
    assert_eq!(refused.code(), "AccessDenied");
    let entry = &scene
        .sandbox
        .see("/_sandbox/requests?operation=AssumeRoleWithWebIdentity")
        .await["requests"][0];
    assert_eq!(entry["account"], scene.sandbox.customer().keys.account);
    assert!(
        !entry.to_string().contains("eyJ"),
        "a token was recorded: {entry}"
    );
}

#[tokio::test]
async fn a_session_policy_narrows_it_and_the_role_limits_its_length() {
    let scene = Scene::new(Config::default()).await;
    let policy = allow(&["s3:*"]).to_string();
    let answer = scene
        .assume(&scene.token(json!({})), &[("Policy", &policy)])
        .await
        .expect_ok();
    let refused = scene.sandbox.iam(&session(&answer), "ListRoles", &[]).await;
    assert_eq!(refused.code(), "AccessDenied");
    let answer = scene
        .assume(&scene.token(json!({})), &[("DurationSeconds", "7201")])
        .await;
    assert_eq!(answer.code(), "ValidationError");
    assert!(answer.text("Message").contains("MaxSessionDuration"));
}

#[tokio::test]
async fn every_other_token_is_refused_in_awss_words() {
    let scene = Scene::new(Config::default()).await;
    let now = now_seconds();
    for (change, code, words) in [
        (
            json!({ "sub": "landfall:org_1:con_2" }),
            "AccessDenied",
            "Not authorized",
        ),
        (
            json!({ "aud": "elsewhere" }),
            "InvalidIdentityToken",
            "Incorrect token audience",
        ),
        (
            json!({ "azp": "elsewhere" }),
            "InvalidIdentityToken",
            "Incorrect token audience",
        ),
        (
            json!({ "iat": now - 900, "nbf": now - 900, "exp": now - 600 }),
            "ExpiredTokenException",
            "must be before the expiration",
        ),
        (
            json!({ "nbf": now + 3_600 }),
            "InvalidIdentityToken",
            "not yet valid",
        ),
        (
            json!({ "iat": now + 3_600 }),
            "InvalidIdentityToken",
            "not yet valid",
        ),
        (
            json!({ "iss": "https://id.other.example" }),
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://id.other.example",
        ),
        (
            json!({ "iss": format!("{URL}/") }),
            "InvalidIdentityToken",
            "No OpenIDConnect provider found",
        ),
        (json!({ "sub": null }), "InvalidIdentityToken", "sub"),
        (json!({ "aud": null }), "InvalidIdentityToken", "aud"),
        (json!({ "exp": null }), "InvalidIdentityToken", "exp"),
        (json!({ "iat": null }), "InvalidIdentityToken", "iat"),
    ] {
        let answer = scene.assume(&scene.token(change.clone()), &[]).await;
        assert_eq!(answer.code(), code, "{change}: {}", answer.body);
        let status = if code == "AccessDenied" { 403 } else { 400 };
        assert_eq!(answer.status, status, "{change}");
        assert!(
            answer.text("Message").contains(words),
            "{change}: {}",
            answer.body
        );
    }
    scene.assume(&scene.token(json!({})), &[]).await.expect_ok();
}

#[tokio::test]
async fn signatures_are_verified() {
    let scene = Scene::new(Config::default()).await;
    let good = scene.token(json!({}));
    let claims = scene.issuer.claims(SUBJECT, now_seconds(), &json!({}));
    let other = Issuer::start(URL).await;
    let part = |token: &str, n: usize| token.split('.').nth(n).unwrap().to_owned();
    let foreign = scene.token(json!({ "sub": "landfall:org_1:con_2" }));
    let header = |value: Value| scene.issuer.sign_as(&value, &claims);
    for (what, token) in [
        ("another key", other.sign(&claims)),
        (
            "another payload",
            format!(
                "{}.{}.{}",
                part(&foreign, 0),
                part(&good, 1),
                part(&foreign, 2)
            ),
        ),
        (
            "no signature",
            format!("{}.{}.", part(&good, 0), part(&good, 1)),
        ),
        (
            "no algorithm",
            header(json!({ "alg": "none", "kid": "k1" })),
        ),
        (
            "a symmetric algorithm",
            header(json!({ "alg": "HS256", "kid": "k1" })),
        ),
        (
            "an unknown key",
            header(json!({ "alg": "RS256", "kid": "k2" })),
        ),
        ("no token at all", "nonsense".to_owned()),
        ("no JSON", "bm8.bm8.bm8".to_owned()),
    ] {
        let expected = (400, "InvalidIdentityToken".to_owned());
        assert_eq!(scene.refused(&token).await, expected, "{what}");
    }
    assert_eq!(scene.refused(&good).await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn the_issuer_is_asked_where_it_is_served_and_nowhere_else() {
    let scene = Scene::new(Config::default()).await;
    let unreachable = (400, "IDPCommunicationError".to_owned());
    let invalid = (400, "InvalidIdentityToken".to_owned());
    // The key set belongs to the issuer, or to another one that is known.
    let discovery = scene.issuer.discovery.lock().unwrap().clone();
    for (name, value, expected) in [
        (
            "jwks_uri",
            "https://elsewhere.example/keys.json".to_owned(),
            &unreachable,
        ),
        (
            "jwks_uri",
            format!("{}/keys.json", scene.issuer.served_at),
            &unreachable,
        ),
        ("jwks_uri", format!("{URL}/missing.json"), &invalid),
        ("issuer", "https://elsewhere.example".to_owned(), &invalid),
    ] {
        let mut changed = discovery.clone();
        changed[name] = value.clone().into();
        *scene.issuer.discovery.lock().unwrap() = changed;
        assert_eq!(
            scene.refused(&scene.token(json!({}))).await,
            *expected,
            "{value}"
        );
    }
    *scene.issuer.discovery.lock().unwrap() = discovery;
    assert_eq!(scene.refused(&scene.token(json!({}))).await.0, 200);
    // A retired key is gone.
    let keys = std::mem::replace(
        &mut *scene.issuer.keys.lock().unwrap(),
        json!({ "keys": [] }),
    );
    assert_eq!(scene.refused(&scene.token(json!({}))).await, invalid);
    *scene.issuer.keys.lock().unwrap() = keys;

    scene
        .sandbox
        .admin(
            "/_sandbox/issuers",
            json!({ "url": URL, "served_at": null }),
        )
        .await;
    assert_eq!(scene.refused(&scene.token(json!({}))).await, unreachable);
    scene
        .sandbox
        .admin(
            "/_sandbox/issuers",
            json!({ "url": URL, "served_at": scene.issuer.served_at }),
        )
        .await;
    assert_eq!(scene.refused(&scene.token(json!({}))).await.0, 200);
    scene.issuer.stop();
    let mut last = scene.refused(&scene.token(json!({}))).await;
    // The listener closes a moment after its task was told to end.
    for _ in 0..50 {
        if last == unreachable {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        last = scene.refused(&scene.token(json!({}))).await;
    }
    assert_eq!(last, unreachable);
}

#[tokio::test]
async fn another_accounts_provider_and_a_deleted_one_open_nothing() {
    let scene = Scene::new(Config::default()).await;
    let (customer, other) = (scene.sandbox.customer(), scene.sandbox.other_customer());
    // The same issuer, in an account that never heard of it.
    let role = scene
        .sandbox
        .iam(
            &other,
            "CreateRole",
            &[
                ("RoleName", "keyless"),
                (
                    "AssumeRolePolicyDocument",
                    &trusting(&scene.provider, SUBJECT),
                ),
            ],
        )
        .await
        .expect_ok()
        .text("Arn");
    let token = scene.token(json!({}));
    let refused = assume(&scene.sandbox, &role, &token, &[]).await;
    assert_eq!(refused.code(), "InvalidIdentityToken");
    // It knows the issuer now; the role still trusts a stranger's provider.
    provide(&scene.sandbox, &other, &["sts.amazonaws.com"])
        .await
        .expect_ok();
    let refused = assume(&scene.sandbox, &role, &token, &[]).await;
    assert_eq!(refused.code(), "AccessDenied");

    for _ in 0..2 {
        scene
            .sandbox
            .iam(
                &customer,
                "DeleteOpenIDConnectProvider",
                &[("OpenIDConnectProviderArn", &scene.provider)],
            )
            .await
            .expect_ok();
    }
    assert_eq!(
        scene.refused(&token).await,
        (400, "InvalidIdentityToken".to_owned())
    );
}

#[tokio::test]
async fn trust_without_a_subject_lets_every_subject_in() {
    // AWS does not ask for a condition on the subject: the sandbox must not
    // either, or a forgotten one would not show.
    let scene = Scene::new(Config::default()).await;
    let trust =
        trusting(&scene.provider, SUBJECT).replace(&format!("{HOST}:sub"), &format!("{HOST}:oaud"));
    let trust = trust.replace(SUBJECT, "sts.amazonaws.com");
    scene
        .sandbox
        .iam(
            &scene.sandbox.customer(),
            "UpdateAssumeRolePolicy",
            &[("RoleName", "keyless"), ("PolicyDocument", &trust)],
        )
        .await
        .expect_ok();
    let token = scene.token(json!({ "sub": "landfall:org_2:con_9" }));
    assert_eq!(scene.refused(&token).await.0, 200);
    // And a token opens no role that asks for a signature.
    let role = scene
        .sandbox
        .grant("signed", "lf-1", allow(&["s3:*"]))
        .await;
    let refused = assume(&scene.sandbox, &role, &token, &[]).await;
    assert_eq!(refused.code(), "AccessDenied");
}

#[tokio::test]
async fn changes_count_after_the_lag() {
    let lag = Duration::from_secs(10);
    let scene = Scene::new(Config {
        iam_lag: lag,
        ..Config::default()
    })
    .await;
    // Nothing counts yet: neither the provider nor the role.
    assert_eq!(
        scene.refused(&scene.token(json!({}))).await.1,
        "InvalidIdentityToken"
    );
    scene.sandbox.advance(lag).await;
    assert_eq!(scene.refused(&scene.token(json!({}))).await.1, "ok");
    scene
        .sandbox
        .iam(
            &scene.sandbox.customer(),
            "RemoveClientIDFromOpenIDConnectProvider",
            &[
                ("OpenIDConnectProviderArn", &scene.provider),
                ("ClientID", "sts.amazonaws.com"),
            ],
        )
        .await
        .expect_ok();
    assert_eq!(scene.refused(&scene.token(json!({}))).await.1, "ok");
    scene.sandbox.advance(lag).await;
    let refused = scene.assume(&scene.token(json!({})), &[]).await;
    assert_eq!(refused.text("Message"), "Incorrect token audience");
}

#[tokio::test]
async fn a_provider_is_one_per_account_and_url() {
    let scene = Scene::new(Config::default()).await;
    let customer = scene.sandbox.customer();
    assert_eq!(
        scene.provider,
        format!(
            "arn:aws:iam::{}:oidc-provider/{HOST}",
            customer.keys.account
        )
    );
    let again = provide(&scene.sandbox, &customer, &["other"]).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (409, "EntityAlreadyExists")
    );
    for url in [
        "http://id.example",
        "https://id.example:8443",
        "https://id.example?x=y",
        "https://",
        "https://user@id.example",
        "id.example",
    ] {
        let refused = scene
            .sandbox
            .iam(&customer, "CreateOpenIDConnectProvider", &[("Url", url)])
            .await;
        assert_eq!(refused.status, 400, "{url}: {}", refused.body);
    }
    // The same provider through Cloud Control.
    let found = scene
        .sandbox
        .cloud_control(
            &customer,
            "GetResource",
            json!({ "TypeName": "AWS::IAM::OIDCProvider", "Identifier": scene.provider }),
        )
        .await
        .unwrap()
        .expect_ok();
    let properties = &found.json()["ResourceDescription"]["Properties"];
    let properties: Value = serde_json::from_str(properties.as_str().unwrap()).unwrap();
    assert_eq!(properties["Url"], URL);
    assert_eq!(properties["ClientIdList"], json!(["sts.amazonaws.com"]));
}

#[tokio::test]
async fn an_issuer_is_mapped_to_loopback_only() {
    let sandbox = Sandbox::plain().await;
    for (url, served_at) in [
        (URL, "http://10.0.0.1"),
        (URL, "https://127.0.0.1:1"),
        ("http://id.example", "http://127.0.0.1:1"),
    ] {
        let response = sandbox
            .http
            .post(sandbox.url("/_sandbox/issuers"))
            .json(&json!({ "url": url, "served_at": served_at }))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 400, "{url} {served_at}");
    }
}
