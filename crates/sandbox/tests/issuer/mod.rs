//! A token issuer on loopback that signs for itself.
#![allow(dead_code, reason = "each test uses its part")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub struct Issuer {
    pub url: String,
    pub served_at: String,
    key: KeyPair,
    /// What is served; tests change it.
    pub discovery: Arc<Mutex<Value>>,
    pub keys: Arc<Mutex<Value>>,
    server: tokio::task::JoinHandle<()>,
}

impl Issuer {
    pub async fn start(url: &str) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let discovery = Arc::new(Mutex::new(json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys.json"),
            "id_token_signing_alg_values_supported": ["RS256"],
        })));
        let keys = Arc::new(Mutex::new(json!({ "keys": [public(&key, "k1")] })));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let served_at = format!("http://{}", listener.local_addr().unwrap());
        let (shown, set) = (Arc::clone(&discovery), Arc::clone(&keys));
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(shown.lock().unwrap().clone())),
            )
            .route(
                "/keys.json",
                get(async move || Json(set.lock().unwrap().clone())),
            );
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            url: url.to_owned(),
            served_at,
            key,
            discovery,
            keys,
            server,
        }
    }

    pub fn stop(&self) {
        self.server.abort();
    }

    /// Good claims for a subject; `change` replaces or, with null, removes some.
    pub fn claims(&self, subject: &str, now: i64, change: &Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "sub": subject, "aud": "sts.amazonaws.com",
            "iat": now, "nbf": now, "exp": now + 300, "jti": "j",
        });
        for (name, value) in change.as_object().into_iter().flatten() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(
            &json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }),
            claims,
        )
    }

    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The public half as a JSON Web Key, from its PKCS #1 encoding: a sequence of
/// two integers.
fn public(key: &KeyPair, id: &str) -> Value {
    let der = key.public_key().as_ref();
    let (_, numbers) = element(der);
    let (n, rest) = element_and_rest(numbers);
    let (_, e) = element(rest);
    let encode = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(0);
        URL_SAFE_NO_PAD.encode(&number[start..])
    };
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": encode(n), "e": encode(e) })
}

fn element(der: &[u8]) -> (u8, &[u8]) {
    (der[0], element_and_rest(der).0)
}

fn element_and_rest(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let bytes = usize::from(long & 0x7f);
            let length = der[2..2 + bytes]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, 2 + bytes)
        }
    };
    der[start..].split_at(length)
}
