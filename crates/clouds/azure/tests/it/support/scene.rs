//! A sandbox, an issuer that it can fetch from, and a connector.

use super::{Kept, TestClock, connection};
use axum::{Json, Router, routing::get};
use landfall_azure::{Application, AzureConfig, AzureConnector};
use landfall_issuer::{IssuerUrl, KeyIssuer};
use landfall_model::{
    Clock as _,
    connection::{AzureAccess, Connection},
    connector::{Connector, Silent, Verification},
    entropy::SystemEntropy,
    grant::GrantSpec,
    issuer::Issuer,
};
use landfall_vault::{Envelope, FileKeys, Missing};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) const URL: &str = "https://id.landfall.example/acme";

pub(crate) struct Scene {
    pub(crate) running: landfall_sandbox::Running,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) issuer: Arc<KeyIssuer>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) config: AzureConfig,
    /// The customer's.
    pub(crate) tenant: String,
    pub(crate) subscription: String,
    served_at: String,
    http: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let running = landfall_sandbox::start(landfall_sandbox::Config::default())
            .await
            .expect("the sandbox starts");
        let azure = running.ready["azure"].clone();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let url = |name: &str| text(&azure[name]).parse().expect("a URL");
        let config = AzureConfig {
            authority: url("authority"),
            resource_manager: url("resource_manager"),
            graph: url("graph"),
            ca_certificate: Some(PathBuf::from(text(&azure["ca_certificate"]))),
            ..AzureConfig::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let issuer = issuer(folder.path()).await;
        let served_at = serve(issuer.clone()).await;
        let connector: Arc<dyn Connector> = Arc::new(
            AzureConnector::workload_identity(
                config.clone(),
                issuer.clone(),
                Arc::new(TestClock),
                Arc::new(SystemEntropy),
            )
            .expect("a usable configuration"),
        );
        let customer = azure["tenants"]
            .as_array()
            .expect("tenants")
            .iter()
            .find(|tenant| tenant["role"] == "customer")
            .expect("a customer");
        let scene = Self {
            tenant: text(&customer["id"]),
            subscription: text(&customer["subscription_id"]),
            connector,
            issuer,
            kept: Arc::default(),
            config,
            served_at,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            running,
            folder,
        };
        scene.serve_issuer(true).await;
        scene.lags(0).await;
        scene
    }

    /// `POST /_sandbox/<path>`.
    pub(crate) async fn admin(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}/_sandbox/{path}", self.running.addr);
        let answer = self
            .http
            .post(url)
            .json(body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn serve_issuer(&self, on: bool) {
        let served_at = on.then_some(&self.served_at);
        self.admin("issuers", &json!({ "url": URL, "served_at": served_at }))
            .await;
    }

    pub(crate) async fn lags(&self, seconds: u64) {
        let lags = json!({
            "role_assignment_lag_seconds": seconds,
            "federated_credential_lag_seconds": seconds,
            "consent_lag_seconds": 0,
            "secret_lag_seconds": seconds,
            "provider_registration_seconds": 0,
        });
        self.admin("azure/settings", &lags).await;
    }

    pub(crate) async fn fault(&self, kind: &str, service: &str, times: u32) {
        let fault = json!({"kind": kind, "match": {"service": service}, "times": times});
        self.admin("faults", &fault).await;
    }

    pub(crate) async fn no_faults(&self) {
        let url = format!("http://{}/_sandbox/faults", self.running.addr);
        let answer = self.http.delete(url).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }

    /// `GET /_sandbox/azure/inventory`.
    pub(crate) async fn inventory(&self) -> Value {
        let url = format!("http://{}/_sandbox/azure/inventory", self.running.addr);
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// The field of a tenant in the ready JSON: of the customer at this place.
    pub(crate) fn of_customer(&self, index: usize, field: &str) -> String {
        let tenants = self.running.ready["azure"]["tenants"].as_array().unwrap();
        let mut customers = tenants.iter().filter(|one| one["role"] == "customer");
        let customer = customers.nth(index).unwrap();
        customer[field].as_str().unwrap().to_owned()
    }

    pub(crate) fn connection(&self) -> Connection {
        connection(
            &self.tenant,
            &self.subscription,
            AzureAccess::WorkloadIdentity { client_id: None },
        )
    }

    /// A connector by secret.
    pub(crate) fn by_secret(&self, with_issuer: bool) -> Arc<dyn Connector> {
        let issuer = with_issuer.then(|| self.issuer.clone() as Arc<dyn Issuer>);
        Arc::new(
            AzureConnector::client_secret(
                self.config.clone(),
                self.kept.clone(),
                issuer,
                Arc::new(TestClock),
                Arc::new(SystemEntropy),
            )
            .unwrap(),
        )
    }

    /// The operator's application, as the ready JSON gives it.
    pub(crate) fn operator(&self, field: &str) -> String {
        let tenants = self.running.ready["azure"]["tenants"].as_array().unwrap();
        let operator = tenants
            .iter()
            .find(|one| one["role"] == "operator")
            .unwrap();
        operator[field].as_str().unwrap().to_owned()
    }

    /// The operator's configuration, with the application's secret in a file.
    pub(crate) fn with_application(&self) -> AzureConfig {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("application-secret");
        std::fs::write(&path, self.operator("client_secret")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        AzureConfig {
            application: Some(Application {
                client_id: self.operator("client_id").parse().unwrap(),
                name: "Landfall".to_owned(),
                client_secret_file: Some(path),
            }),
            ..self.config.clone()
        }
    }

    /// A connector by consent.
    pub(crate) fn by_consent(&self, config: AzureConfig) -> Arc<dyn Connector> {
        Arc::new(
            AzureConnector::admin_consent(
                config,
                self.issuer.clone(),
                Arc::new(TestClock),
                Arc::new(SystemEntropy),
            )
            .unwrap(),
        )
    }

    pub(crate) async fn verify(&self, connection: &Connection) -> Verification {
        let connector = self.connector.as_ref();
        verify(connector, connection).await
    }
}

pub(crate) fn spec(connection: &Connection) -> GrantSpec {
    GrantSpec::Azure(landfall_plan::policy::azure::grant(
        connection.azure().unwrap(),
    ))
}

pub(crate) async fn verify(connector: &dyn Connector, connection: &Connection) -> Verification {
    let spec = spec(connection);
    let found = connector
        .verify(connection, &spec, TestClock.now(), &Silent)
        .await
        .unwrap();
    for check in &found.checks {
        let all = format!("{check:?}");
        // A JWT; a key id may begin with the same letters.
        assert!(!all.contains(".eyJ"), "a token is shown: {all}");
        assert!(check.id.starts_with("azure."), "{all}");
        let good = matches!(
            check.outcome,
            landfall_model::check::Outcome::Pass | landfall_model::check::Outcome::Skipped
        );
        assert!(good || !check.remedy.is_empty(), "no remedy: {all}");
        assert!(!check.evidence.is_empty(), "no evidence: {all}");
    }
    found
}

/// An issuer of the real kind, with a key that is new.
pub(crate) async fn issuer(folder: &Path) -> Arc<KeyIssuer> {
    let clock = Arc::new(TestClock);
    let store = landfall_store::open("sqlite::memory:", clock.clone())
        .await
        .expect("a store");
    let entropy = Arc::new(SystemEntropy);
    let keys = FileKeys::new(
        folder.join("vault.key"),
        Missing::Make(store.clone()),
        clock.clone(),
        entropy.clone(),
    );
    Arc::new(KeyIssuer::new(
        store,
        Arc::new(Envelope::new(Arc::new(keys), entropy.clone())),
        clock,
        entropy,
        Some(IssuerUrl::parse(URL).expect("a URL")),
        Vec::new(),
    ))
}

/// Its documents, at paths under its URL.
pub(crate) fn documents(issuer: Arc<KeyIssuer>) -> Router {
    let discovery = issuer.discovery().unwrap();
    let jwks = discovery["jwks_uri"].as_str().unwrap();
    let path = jwks.strip_prefix(URL).unwrap().to_owned();
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(async move || Json(discovery)),
        )
        .route(&path, get(async move || Json(issuer.jwks().await.unwrap())))
}

/// Serves the issuer's documents on loopback.
async fn serve(issuer: Arc<KeyIssuer>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served_at = format!("http://{}", listener.local_addr().unwrap());
    let router = documents(issuer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    served_at
}
