//! A server with an issuer that the clouds can ask, and the simulated clouds.

use super::{
    PATIENCE,
    api::{Api, text},
    cloud::{Cloud, Weather},
    customer::Asked,
    postgres::Database,
    process::landfall,
    server::{Launch, Server, Started, admin_token, data},
};
use landfall_model::{connection::Connection, grant::ServerPrincipal};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Reserved for examples: nothing but the sandbox resolves it.
pub const ISSUER: &str = "https://landfall.example";

pub struct Scene {
    pub folder: tempfile::TempDir,
    pub cloud: Cloud,
    pub server: Box<Server>,
    /// As the administrator of the first organization.
    pub api: Api,
}

impl Scene {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(folder.path(), Weather::default())
            .await
            .unwrap();
        let launch = Launch {
            issuer_url: Some(ISSUER.to_owned()),
            ..Launch::default()
        };
        let started = Server::start(folder.path(), &cloud, &Database::Sqlite, &launch)
            .await
            .unwrap();
        let Started::Answering(server) = started else {
            panic!("no boundary was set");
        };
        let token = admin_token(folder.path()).unwrap();
        let api = Api::new(&server.url, &token);
        let scene = Self {
            folder,
            cloud,
            server,
            api,
        };
        // What DNS and a certificate do for a real server.
        let served = json!({ "url": ISSUER, "served_at": scene.server.url });
        scene.cloud.post("issuers", served).await.unwrap();
        scene
    }

    pub fn token_file(&self) -> PathBuf {
        data(self.folder.path()).join("admin-token")
    }

    /// One more organization of this server, by its administrator.
    pub async fn organization(&self, name: &str) -> Api {
        let output = landfall()
            .args(["organizations", "create", name, "--output", "json"])
            .arg("--data-dir")
            .arg(data(self.folder.path()))
            .arg("--config")
            .arg(self.folder.path().join("server.toml"))
            .output()
            .await
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        let token = std::fs::read_to_string(text(&made, "token_file").unwrap()).unwrap();
        Api::new(&self.server.url, token.trim())
    }

    /// The newest checks of a connection.
    pub async fn checks(&self, connection: &str) -> Vec<Value> {
        let path = format!("/connections/{connection}/checks");
        let runs = self.api.items(&path).await.unwrap();
        runs[0]["checks"].as_array().unwrap().clone()
    }

    pub async fn connection(&self, id: &str, until: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/connections/{id}");
        self.api.until(&path, PATIENCE, until).await.unwrap()
    }

    /// Waits until it is decided what a connection is.
    pub async fn settled(&self, id: &str) -> Value {
        self.connection(id, |one| !matches!(status(one), "pending" | "propagating"))
            .await
    }
}

pub fn status(connection: &Value) -> &str {
    connection["state"]["status"].as_str().unwrap_or_default()
}

/// What a customer is asked for when a keyless connection was made: the guide
/// that the server wrote, and the grant that it must have been written from.
pub fn asked(created: &Value) -> Asked {
    let connection: Connection = serde_json::from_value(created["connection"].clone()).unwrap();
    let principal = ServerPrincipal::Issuer {
        url: ISSUER.to_owned(),
    };
    let spec = landfall_plan::policy::grant(&connection, &principal).unwrap();
    let asked = Asked {
        connection,
        guide: serde_json::from_value(created["grant"].clone()).unwrap(),
        spec,
    };
    assert_eq!(asked.guide.digest, asked.spec.digest());
    asked
}
