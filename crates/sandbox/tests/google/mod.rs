//! A small client of the sandbox's Google Cloud, and an OIDC issuer: they
//! share no code with what they test.
#![allow(dead_code, reason = "each test file uses its part")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use landfall_sandbox::{Config, Running, start};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub const ISSUER: &str = "https://landfall.example";
pub const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

pub struct Google {
    pub running: Running,
    pub http: reqwest::Client,
}

#[derive(Debug)]
pub struct Said {
    pub status: u16,
    pub body: Value,
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The canonical code, or the OAuth error code, or `OK`.
    pub fn code(&self) -> String {
        let error = &self.body["error"];
        error["status"]
            .as_str()
            .or_else(|| error.as_str())
            .unwrap_or("OK")
            .to_owned()
    }

    pub fn message(&self) -> String {
        let text = self.body["error"]["message"]
            .as_str()
            .or_else(|| self.body["error_description"].as_str());
        text.unwrap_or_default().to_owned()
    }

    pub fn reason(&self) -> String {
        let details = self.body["error"]["details"].as_array();
        let reason = details
            .into_iter()
            .flatten()
            .find_map(|d| d["reason"].as_str());
        reason.unwrap_or_default().to_owned()
    }
}

/// Somebody's project, as the ready JSON gives it.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: String,
    pub number: String,
    pub token: String,
    pub folder: String,
    pub organization: String,
}

impl Google {
    pub async fn new(config: Config) -> Self {
        Self {
            running: start(config).await.expect("the sandbox starts"),
            http: reqwest::Client::new(),
        }
    }

    pub async fn plain() -> Self {
        Self::new(Config::default()).await
    }

    /// 0 is the operator, then come the customers.
    pub fn place(&self, index: usize) -> Place {
        let project = &self.running.ready["gcp"]["projects"][index];
        let field = |name: &str| project[name].as_str().unwrap().to_owned();
        Place {
            id: field("id"),
            number: field("number"),
            token: field("access_token"),
            folder: field("folder"),
            organization: field("organization"),
        }
    }

    pub fn url(&self, service: &str, path: &str) -> String {
        let template = self.running.ready["gcp"]["endpoint_template"]
            .as_str()
            .unwrap();
        format!("{}/{path}", template.replace("{service}", service))
    }

    pub async fn call(
        &self,
        token: &str,
        method: &str,
        service: &str,
        path: &str,
        body: Option<Value>,
    ) -> Said {
        let mut request = self
            .http
            .request(method.parse().unwrap(), self.url(service, path))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        said(request).await
    }

    pub async fn get(&self, token: &str, service: &str, path: &str) -> Said {
        self.call(token, "GET", service, path, None).await
    }

    pub async fn post(&self, token: &str, service: &str, path: &str, body: Value) -> Said {
        self.call(token, "POST", service, path, Some(body)).await
    }

    /// What has no Authorization header.
    pub async fn form(&self, service: &str, path: &str, fields: &[(&str, &str)]) -> Said {
        said(self.http.post(self.url(service, path)).form(fields)).await
    }

    pub async fn admin(&self, what: &str, body: Value) {
        let url = format!("http://{}/_sandbox/{what}", self.running.addr);
        let said = said(self.http.post(url).json(&body)).await;
        assert_eq!(said.status, 200, "{}", said.body);
    }

    pub async fn advance(&self, by: Duration) {
        self.admin("clock", json!({ "advance_seconds": by.as_secs_f64() }))
            .await;
    }

    /// Switches on what setting up takes, as the customer's administrator.
    pub async fn enable(&self, place: &Place, apis: &[&str]) {
        for api in apis {
            let service = format!("{api}.googleapis.com");
            let body = json!({ "project": place.id, "service": service, "enabled": true });
            self.admin("gcp/services", body).await;
        }
    }

    pub async fn bootstrap(&self, place: &Place) {
        self.enable(
            place,
            &["iam", "iamcredentials", "sts", "cloudresourcemanager"],
        )
        .await;
    }

    pub async fn service_account(&self, place: &Place, id: &str) -> String {
        let path = format!("v1/projects/{}/serviceAccounts", place.id);
        let made = self
            .post(&place.token, "iam", &path, json!({ "accountId": id }))
            .await
            .ok();
        made["email"].as_str().unwrap().to_owned()
    }

    /// Adds bindings to the policy of a resource, read-modify-write.
    pub async fn bind(&self, place: &Place, resource: &str, bindings: Vec<Value>) -> Said {
        self.bind_as(&place.token, resource, bindings).await
    }

    pub async fn bind_as(&self, token: &str, resource: &str, bindings: Vec<Value>) -> Said {
        let service = if resource.contains("serviceAccounts") {
            "iam"
        } else {
            "cloudresourcemanager"
        };
        let version = if service == "iam" { "v1" } else { "v3" };
        let (path, options) = if service == "iam" {
            (
                format!("{version}/{resource}:getIamPolicy?options.requestedPolicyVersion=3"),
                json!({}),
            )
        } else {
            (
                format!("{version}/{resource}:getIamPolicy"),
                json!({ "options": { "requestedPolicyVersion": 3 } }),
            )
        };
        let read = self.post(token, service, &path, options).await;
        if read.status != 200 {
            return read;
        }
        let mut policy = read.body;
        policy["version"] = json!(3);
        let mut all = policy["bindings"].as_array().cloned().unwrap_or_default();
        all.extend(bindings);
        policy["bindings"] = json!(all);
        let path = format!("{version}/{resource}:setIamPolicy");
        self.post(token, service, &path, json!({ "policy": policy }))
            .await
    }

    pub async fn generate(&self, token: &str, email: &str) -> Said {
        let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        self.post(token, "iamcredentials", &path, json!({ "scope": [SCOPE] }))
            .await
    }
}

pub async fn said(request: reqwest::RequestBuilder) -> Said {
    let response = request.send().await.unwrap();
    Said {
        status: response.status().as_u16(),
        body: response.json().await.unwrap_or_default(),
    }
}

pub fn binding(role: &str, member: &str) -> Value {
    json!({ "role": role, "members": [member] })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client signs with the machine's time"
)]
pub fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    now.as_secs() as i64
}

/// A key that signs tokens.
pub struct Signer {
    pair: RsaKeyPair,
    pub kid: String,
}

impl Signer {
    pub fn generate(kid: &str) -> Self {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self {
            pair: RsaKeyPair::from_pkcs8(der.as_ref()).unwrap(),
            kid: kid.to_owned(),
        }
    }

    /// From what `keys.create` returned; also the file itself.
    pub fn of_key_file(answer: &Value) -> (Self, Value) {
        let text = STANDARD
            .decode(answer["privateKeyData"].as_str().unwrap())
            .unwrap();
        let file: Value = serde_json::from_slice(&text).unwrap();
        let pem: String = file["private_key"]
            .as_str()
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let signer = Self {
            pair: RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap(),
            kid: file["private_key_id"].as_str().unwrap().to_owned(),
        };
        (signer, file)
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn jwks(&self) -> Value {
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
        fn take(der: &[u8]) -> (&[u8], &[u8]) {
            let (length, rest) = match der[1] {
                0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), &der[4..]),
                0x81 => (usize::from(der[2]), &der[3..]),
                short => (usize::from(short), &der[2..]),
            };
            rest.split_at(length)
        }
        let (inner, _) = take(self.pair.public_key().as_ref());
        let (n, rest) = take(inner);
        let (e, _) = take(rest);
        let text = |number: &[u8]| {
            let start = number.iter().position(|byte| *byte != 0).unwrap();
            URL_SAFE_NO_PAD.encode(&number[start..])
        };
        json!({ "keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "n": text(n), "e": text(e),
        }] })
    }
}
