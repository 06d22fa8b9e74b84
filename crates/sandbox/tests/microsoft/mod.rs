//! A small client of the sandbox's Azure, for what official ones cannot do.
#![allow(dead_code, reason = "each test file uses its part")]

use landfall_sandbox::{Config, Running, start};
use serde_json::{Value, json};

pub const GRAPH: &str = "https://graph.microsoft.com";
pub const ARM: &str = "https://management.azure.com";

pub struct Azure {
    pub running: Running,
    pub http: reqwest::Client,
}

impl Azure {
    pub async fn new(config: Config) -> Self {
        let running = start(config).await.unwrap();
        let pem = std::fs::read(running.ready["azure"]["ca_certificate"].as_str().unwrap());
        let authority = reqwest::Certificate::from_pem(&pem.unwrap()).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { running, http }
    }

    pub fn text(&self, pointer: &str) -> String {
        let value = self.running.ready["azure"].pointer(pointer).unwrap();
        value.as_str().unwrap().to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text("/authority"))
    }

    pub async fn token(&self, tenant: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self
            .http
            .post(self.url(&format!("/{tenant}/oauth2/v2.0/token")))
            .form(form)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A token of the first application of the tenant at this index.
    pub async fn first_token(&self, index: usize, resource: &str) -> String {
        let (status, answer) = self
            .token(
                &self.text(&format!("/tenants/{index}/id")),
                &[
                    ("grant_type", "client_credentials"),
                    (
                        "client_id",
                        &self.text(&format!("/tenants/{index}/client_id")),
                    ),
                    (
                        "client_secret",
                        &self.text(&format!("/tenants/{index}/client_secret")),
                    ),
                    ("scope", &format!("{resource}/.default")),
                ],
            )
            .await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn call(&self, method: &str, token: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .http
            .request(method.parse().unwrap(), self.url(path))
            .bearer_auth(token);
        if method != "GET" {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn admin(&self, what: &str, body: Value) -> Value {
        let url = format!("http://{}/_sandbox/{what}", self.running.addr);
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn users(&self, tenant: &str) -> (String, String) {
        let url = format!("http://{}/_sandbox/azure/inventory", self.running.addr);
        let seen: Value = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let tenants = seen["tenants"].as_array().unwrap();
        let found = tenants.iter().find(|one| one["id"] == tenant).unwrap();
        let user = |administrator: bool| {
            let users = found["users"].as_array().unwrap();
            let user = users
                .iter()
                .find(|user| user["global_administrator"] == administrator);
            user.unwrap()["id"].as_str().unwrap().to_owned()
        };
        (user(true), user(false))
    }

    /// A principal of the first customer's that may do nothing yet: its object
    /// id, and its token for Resource Manager.
    pub async fn principal(&self) -> (String, String) {
        let graph = self.first_token(1, GRAPH).await;
        let post = async |path: String, body: Value| {
            let (status, answer) = self.call("POST", &graph, &path, body).await;
            assert!(status < 300, "{path}: {answer}");
            answer
        };
        let name = json!({ "displayName": "somebody" });
        let application = post("/v1.0/applications".to_owned(), name).await;
        let app_id = application["appId"].as_str().unwrap();
        let id = json!({ "appId": app_id });
        let principal = post("/v1.0/servicePrincipals".to_owned(), id).await;
        let path = format!(
            "/v1.0/applications/{}/addPassword",
            application["id"].as_str().unwrap()
        );
        let secret = post(path, json!({})).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", app_id),
            ("client_secret", secret["secretText"].as_str().unwrap()),
            ("scope", "https://management.azure.com/.default"),
        ];
        let (status, answer) = self.token(&self.text("/tenants/1/id"), &form).await;
        assert_eq!(status, 200, "{answer}");
        (
            principal["id"].as_str().unwrap().to_owned(),
            answer["access_token"].as_str().unwrap().to_owned(),
        )
    }

    /// A resource group of the first customer's, by its id.
    pub async fn group(&self, name: &str) -> String {
        let owner = self.first_token(1, ARM).await;
        let subscription = self.text("/tenants/1/subscription_id");
        let id = format!("/subscriptions/{subscription}/resourceGroups/{name}");
        let path = format!("{id}?api-version=2021-04-01");
        let body = json!({ "location": "westeurope" });
        let (status, answer) = self.call("PUT", &owner, &path, body).await;
        assert_eq!(status, 201, "{answer}");
        id
    }

    /// Assigns a built-in role, at once.
    pub async fn assign(&self, scope: &str, principal: &str, role: &str) {
        let body = json!({ "scope": scope, "principal_id": principal, "role": role });
        self.admin("azure/role-assignments", body).await;
    }
}
