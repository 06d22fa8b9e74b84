//! A sandbox in this process and a small client that signs for itself: it
//! shares no code with the sandbox's own verification.
#![allow(dead_code, reason = "each test file uses its part")]

use aws_lc_rs::{digest, hmac};
use landfall_sandbox::{Config, Running, start};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub struct Sandbox {
    pub running: Running,
    pub http: reqwest::Client,
}

#[derive(Clone, Debug)]
pub struct Keys {
    pub account: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

/// Who asks, where, and how far the clock that it signs by is off.
#[derive(Clone, Debug)]
pub struct As {
    pub keys: Keys,
    pub region: &'static str,
    pub clock_offset: i64,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The text of the first element with this name.
    pub fn text(&self, element: &str) -> String {
        texts(&self.body, element)
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("no <{element}> in {}", self.body))
    }

    pub fn texts(&self, element: &str) -> Vec<String> {
        texts(&self.body, element)
    }

    /// The error code, whatever the protocol, or `ok`.
    pub fn code(&self) -> String {
        if self.status == 200 {
            return "ok".to_owned();
        }
        if self.body.starts_with('<') {
            return self.text("Code");
        }
        if let Some(kind) = self.headers.get("x-amzn-errortype") {
            return kind.to_str().unwrap().to_owned();
        }
        let kind = self.json()["__type"].as_str().unwrap().to_owned();
        kind.rsplit('#').next().unwrap().to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub fn expect_ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }
}

fn texts(body: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    body.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split(&close).next().map(str::to_owned))
        .collect()
}

impl Sandbox {
    pub async fn new(config: Config) -> Self {
        let running = start(config).await.expect("the sandbox starts");
        Self {
            running,
            http: reqwest::Client::new(),
        }
    }

    pub async fn plain() -> Self {
        Self::new(Config::default()).await
    }

    fn account(&self, index: usize) -> As {
        let account = &self.running.ready["aws"]["accounts"][index];
        let field = |name: &str| account[name].as_str().unwrap().to_owned();
        As {
            keys: Keys {
                account: field("id"),
                access_key_id: field("access_key_id"),
                secret_access_key: field("secret_access_key"),
                session_token: None,
            },
            region: "eu-west-1",
            clock_offset: 0,
        }
    }

    pub fn operator(&self) -> As {
        self.account(0)
    }

    pub fn customer(&self) -> As {
        self.account(1)
    }

    pub fn other_customer(&self) -> As {
        self.account(2)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    pub async fn sts(&self, who: &As, action: &str, params: &[(&str, &str)]) -> Answer {
        self.query(who, "sts", "2011-06-15", action, params).await
    }

    pub async fn iam(&self, who: &As, action: &str, params: &[(&str, &str)]) -> Answer {
        self.query(who, "iam", "2010-05-08", action, params).await
    }

    pub async fn query(
        &self,
        who: &As,
        service: &str,
        version: &str,
        action: &str,
        params: &[(&str, &str)],
    ) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish();
        let request = Signable {
            method: "POST",
            service,
            path: "/",
            headers: vec![(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
            )],
            body,
        };
        self.send(who, request).await.expect("an answer")
    }

    /// A call of the account service.
    pub async fn account_api(&self, who: &As, path: &str, body: Value) -> Answer {
        let request = Signable {
            method: "POST",
            service: "account",
            path,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        };
        self.send(who, request).await.expect("an answer")
    }

    /// A call of Cloud Control; an error when the connection closes unanswered.
    pub async fn cloud_control(
        &self,
        who: &As,
        operation: &str,
        body: Value,
    ) -> Result<Answer, reqwest::Error> {
        let request = Signable {
            method: "POST",
            service: "cloudcontrolapi",
            path: "/",
            headers: vec![
                ("content-type", "application/x-amz-json-1.0".to_owned()),
                ("x-amz-target", format!("CloudApiService.{operation}")),
            ],
            body: body.to_string(),
        };
        self.send(who, request).await
    }

    /// Puts or deletes a template object. The path is signed as it is, which is
    /// S3's way.
    pub async fn object(&self, who: &As, method: &str, path: &str, body: &str) -> Answer {
        let request = Signable {
            method,
            service: "s3",
            path,
            headers: vec![("x-amz-content-sha256", sha256(body.as_bytes()))],
            body: body.to_owned(),
        };
        self.send(who, request).await.expect("an answer")
    }

    /// Puts a template object as the operator and returns its URL.
    pub async fn template(&self, path: &str, body: &str) -> String {
        let operator = self.operator();
        self.object(&operator, "PUT", path, body).await.expect_ok();
        self.url(path)
    }

    pub async fn send(&self, who: &As, request: Signable<'_>) -> Result<Answer, reqwest::Error> {
        let headers = request.signed_headers(who, &self.running.addr.to_string());
        let mut sending = self
            .http
            .request(request.method.parse().unwrap(), self.url(request.path))
            .body(request.body.clone());
        for (name, value) in headers {
            sending = sending.header(name, value);
        }
        let response = sending.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await?,
        })
    }

    pub async fn admin(&self, path: &str, body: Value) -> Value {
        let response = self
            .http
            .post(self.url(path))
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    pub async fn see(&self, path: &str) -> Value {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        response.json().await.unwrap()
    }

    pub async fn advance(&self, by: Duration) {
        self.admin(
            "/_sandbox/clock",
            json!({ "advance_seconds": by.as_secs_f64() }),
        )
        .await;
    }

    /// Creates a role in the customer's account that trusts the operator's
    /// account under an external id, with one inline policy.
    pub async fn grant(&self, name: &str, external_id: &str, policy: Value) -> String {
        let customer = self.customer();
        let trust = trust(&self.operator().keys.account, external_id);
        let arn = self
            .iam(
                &customer,
                "CreateRole",
                &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
            )
            .await
            .expect_ok()
            .text("Arn");
        self.put_policy(&customer, name, policy).await;
        arn
    }

    pub async fn put_policy(&self, who: &As, role: &str, policy: Value) {
        self.iam(
            who,
            "PutRolePolicy",
            &[
                ("RoleName", role),
                ("PolicyName", "main"),
                ("PolicyDocument", &policy.to_string()),
            ],
        )
        .await
        .expect_ok();
    }

    pub async fn assume(&self, who: &As, params: &[(&str, &str)]) -> Result<As, Answer> {
        let mut all = vec![("RoleSessionName", "test")];
        all.extend(params);
        let answer = self.sts(who, "AssumeRole", &all).await;
        if answer.status != 200 {
            return Err(answer);
        }
        let arn = answer.text("Arn");
        Ok(As {
            keys: Keys {
                account: arn.split(':').nth(4).unwrap().to_owned(),
                access_key_id: answer.text("AccessKeyId"),
                secret_access_key: answer.text("SecretAccessKey"),
                session_token: Some(answer.text("SessionToken")),
            },
            ..who.clone()
        })
    }
}

/// A trust policy for an account's principals under an external id.
pub fn trust(account: &str, external_id: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }],
    })
    .to_string()
}

pub fn allow(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    })
}

/// What is to be signed and sent.
pub struct Signable<'a> {
    pub method: &'a str,
    pub service: &'a str,
    pub path: &'a str,
    /// In alphabetical order, before `host`.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Signable<'_> {
    pub fn signed_headers(&self, who: &As, host: &str) -> Vec<(&'static str, String)> {
        let date = amz_date(who.clock_offset);
        let mut headers = self.headers.clone();
        headers.push(("host", host.to_owned()));
        headers.push(("x-amz-date", date.clone()));
        if let Some(token) = &who.keys.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "{}\n{}\n\n{lines}\n{names}\n{}",
            self.method,
            self.path,
            sha256(self.body.as_bytes())
        );
        let scope = format!(
            "{}/{}/{}/aws4_request",
            &date[..8],
            who.region,
            self.service
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{}", who.keys.secret_access_key).into_bytes();
        for part in [&date[..8], who.region, self.service, "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        let signature = hex::encode(mac(&key, to_sign.as_bytes()));
        headers.push((
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                who.keys.access_key_id
            ),
        ));
        headers
    }
}

fn sha256(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
        .as_ref()
        .to_vec()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client signs with the machine's time"
)]
pub fn now_seconds() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    now.as_secs() as i64
}

fn amz_date(offset: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(now_seconds() + offset).unwrap();
    at.format(time::macros::format_description!(
        "[year][month][day]T[hour][minute][second]Z"
    ))
    .unwrap()
}
