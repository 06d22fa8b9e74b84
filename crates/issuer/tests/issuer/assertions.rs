use crate::common::{AUDIENCE, SUBJECT, Stage, URL, verified};
use landfall_model::{
    Clock as _,
    issuer::{Claims, Issuer as _, IssuerError, LIFETIME, SUBJECT_LIMIT},
};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

#[tokio::test]
async fn an_assertion_says_who_asks_whom_and_for_how_long() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let now = stage.clock.now();
    let assertion = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap();
    assert_eq!(assertion.expires_at().millis_since(now), 300_000);
    let claims = verified(assertion.token(), &issuer.jwks().await.unwrap()).unwrap();
    let seconds = now.as_millis() / 1000;
    assert_eq!(claims["iss"], URL);
    assert_eq!(claims["sub"], SUBJECT);
    assert_eq!(claims["aud"], AUDIENCE);
    assert_eq!(claims["iat"], seconds);
    assert_eq!(claims["exp"], seconds + 300);
    assert!(claims["nbf"].as_i64().unwrap() <= seconds);
    assert_eq!(assertion.key_id(), issuer.key_id().await.unwrap());

    let other = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap();
    let other = verified(other.token(), &issuer.jwks().await.unwrap()).unwrap();
    assert_ne!(other["jti"], claims["jti"]);
}

#[tokio::test]
async fn a_badly_signed_one_and_a_changed_one_are_refused() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let jwks = issuer.jwks().await.unwrap();
    let good = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap();
    assert!(verified(good.token(), &jwks).is_ok());
    let bad = good.badly_signed();
    assert!(
        verified(bad.token(), &jwks)
            .unwrap_err()
            .contains("ignature")
    );
    let other = Stage::new().await.issuer().jwks().await.unwrap();
    assert!(verified(good.token(), &other).is_err());
}

#[tokio::test]
async fn checks_choose_what_an_assertion_says_but_not_beyond_its_keys_life() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let now = stage.clock.now();
    let claims = |issued_at, lifetime| Claims {
        subject: SUBJECT.into(),
        audience: AUDIENCE.into(),
        issued_at,
        lifetime,
    };
    let hour = 3_600_000;
    let expired = issuer
        .custom(&claims(now.plus_millis(-hour), Duration::from_secs(60)))
        .await
        .unwrap();
    let read = verified(expired.token(), &issuer.jwks().await.unwrap()).unwrap();
    assert!(read["exp"].as_i64().unwrap() < now.as_millis() / 1000);

    for (at, lifetime) in [
        (now, LIFETIME + Duration::from_secs(1)),
        (now.plus_millis(1_000), LIFETIME),
        (now, Duration::MAX),
    ] {
        let error = issuer.custom(&claims(at, lifetime)).await.unwrap_err();
        assert!(matches!(error, IssuerError::Lifetime), "{error:?}");
    }
    for subject in [String::new(), "x".repeat(SUBJECT_LIMIT + 1)] {
        let error = issuer.assertion(&subject, AUDIENCE).await.unwrap_err();
        assert!(matches!(error, IssuerError::Subject { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn without_an_address_there_is_nothing_to_issue() {
    let stage = Stage::new().await;
    let issuer = stage.with(None, Vec::new());
    assert_eq!(issuer.url(), None);
    assert_eq!(issuer.discovery(), None);
    let error = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap_err();
    assert!(matches!(error, IssuerError::NoUrl), "{error:?}");
    assert!(stage.store.signing_keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_documents_say_where_the_keys_are_and_nothing_private() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let discovery = issuer.discovery().unwrap();
    assert_eq!(discovery["issuer"], URL);
    assert_eq!(
        discovery["jwks_uri"],
        format!("{URL}/.well-known/jwks.json")
    );
    let jwks = issuer.jwks().await.unwrap();
    let [key] = jwks["keys"].as_array().unwrap().as_slice() else {
        panic!("{jwks}");
    };
    let members: Vec<&str> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(!members.contains(&private));
    }
    assert_eq!(key["alg"], "RS256");
    // The `kid` is the key's thumbprint, as another library computes it.
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let thumbprint = set.keys[0].thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256);
    assert_eq!(key["kid"], thumbprint.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_start_together_have_one_key() {
    let stage = std::sync::Arc::new(Stage::new().await);
    let tasks = (0..4).map(|_| {
        let issuer = stage.issuer();
        tokio::spawn(async move { issuer.key_id().await.unwrap() })
    });
    let mut ids = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        ids.push(task.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(stage.store.signing_keys().await.unwrap().len(), 1);
}

/// Prints the claims of a token that PyJWT verifies with the key set, at the
/// time given.
const PYTHON: &str = r#"
import json, sys, jwt
asked = json.load(sys.stdin)
keys = jwt.PyJWKSet.from_dict(asked["jwks"])
kid = jwt.get_unverified_header(asked["token"])["kid"]
key = next(k for k in keys.keys if k.key_id == kid)
try:
    claims = jwt.decode(asked["token"], key.key, algorithms=["RS256"], audience=asked["audience"],
        issuer=asked["issuer"], options={"require": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
        "verify_exp": False, "verify_iat": False, "verify_nbf": False})
    print(json.dumps({"claims": claims}))
except jwt.PyJWTError as error:
    print(json.dumps({"error": type(error).__name__}))
"#;

fn pyjwt(token: &str, jwks: &Value, audience: &str) -> Option<Value> {
    let Some(python) = std::env::var_os("LANDFALL_TEST_PYTHON") else {
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON names no Python with PyJWT"
        );
        return None;
    };
    let mut child = Command::new(python)
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = json!({ "token": token, "jwks": jwks, "audience": audience, "issuer": URL });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(asked.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn pyjwt_verifies_it_too() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let jwks = issuer.jwks().await.unwrap();
    let good = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap();
    let Some(answer) = pyjwt(good.token(), &jwks, AUDIENCE) else {
        return;
    };
    assert_eq!(answer["claims"]["sub"], SUBJECT, "{answer}");
    let answer = pyjwt(good.badly_signed().token(), &jwks, AUDIENCE).unwrap();
    assert_eq!(answer["error"], "InvalidSignatureError");
    let answer = pyjwt(good.token(), &jwks, "api://AzureADTokenExchange").unwrap();
    assert_eq!(answer["error"], "InvalidAudienceError");
}
