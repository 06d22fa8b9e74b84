//! The vault and the issuer, beside no server: what an operator sees of them,
//! in both forms, when all is well and when something is damaged or lost.

use crate::{
    harness::process::{Process, landfall},
    local::run,
    run::{Form, Ran},
};
use landfall_model::{
    Clock, Timestamp,
    connection::Connection,
    entropy::SystemEntropy,
    id::{ConnectionId, OrganizationId, SecretId},
    secret::{Purpose, Secret},
    store::Write,
    vault::Sealed,
};
use serde_json::{Value, json};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// Nobody answers there by https.
const CONFIG: &str = "\
listen = \"127.0.0.1:0\"
public_url = \"https://localhost\"

[clouds.aws]
endpoint_url = \"http://127.0.0.1:9\"

[clouds.aws.identity]
kind = \"static\"
access_key_id = \"AKIAIOSFODNN7EXAMPLE\"
secret_access_key = \"unused\"
";

struct Operator {
    folder: TempDir,
}

impl Operator {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.toml"), CONFIG).unwrap();
        Self { folder }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("data/vault.key")
    }

    async fn run(&self, form: Form, args: &[&str]) -> Ran {
        let mut args = [args, &["--config", "server.toml"]].concat();
        if form == Form::Json {
            args.extend(["--output", "json"]);
        }
        run(&args, self.folder.path()).await
    }

    async fn json(&self, args: &[&str]) -> Value {
        self.run(Form::Json, args).await.exits(0).json()
    }

    /// What the doctor found, by its id, and whether something must be set
    /// right.
    async fn doctor(&self, code: i32) -> impl Fn(&str) -> Value {
        let found = self.run(Form::Json, &["doctor"]).await.exits(code).json();
        move |id: &str| {
            let mut findings = found.as_array().unwrap().iter();
            let one = findings.find(|one| one["id"] == id);
            one.unwrap_or_else(|| panic!("no {id} in {found}")).clone()
        }
    }

    /// A secret under version 1 that nothing opens; says its record.
    async fn damage(&self) -> String {
        let made = self.json(&["organizations", "create", "Acme"]).await;
        let id = made["organization"]["id"].as_str().unwrap();
        let secret = Secret {
            id: SecretId::generate(&Epoch, &SystemEntropy),
            organization_id: id.parse::<OrganizationId>().unwrap(),
            connection_id: None,
            purpose: Purpose::AzureClientSecret,
            sealed: Sealed::parse("lf1.1.AAAA.BBBB").unwrap(),
            expires_at: None,
            created_at: Epoch.now(),
            version: 1,
        };
        let record = secret.record();
        self.write(Write::PutSecret(secret)).await;
        record
    }

    /// Past the server, into its database.
    async fn write(&self, write: Write) {
        let database = self.folder.path().join("data/landfall.db");
        let url = format!("sqlite:{}", database.display());
        let store = landfall_store::open(&url, Arc::new(Epoch)).await.unwrap();
        store.commit(vec![write]).await.unwrap();
    }
}

struct Epoch;

#[async_trait::async_trait]
impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    async fn sleep(&self, _: Duration) {}
}

fn document(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn every_command_of_the_vault_and_the_issuer_speaks_to_programs() {
    let operator = Operator::new();
    let shown = operator.json(&["vault", "show"]).await;
    assert_eq!(shown["versions"], json!([]));
    let issuer = operator.json(&["issuer", "show"]).await;
    assert_eq!(issuer["url"], "https://localhost");
    assert_eq!(issuer["keys"][0]["state"], "active");
    let rotated = operator.json(&["vault", "rotate"]).await;
    assert_eq!(rotated["version"], 2);
    let shown = operator.json(&["vault", "show"]).await;
    assert_eq!(shown["versions"][1]["signing_keys"], 1);
    let new = operator.json(&["issuer", "rotate"]).await;
    assert_eq!(new["state"], "published");
    let written = operator.json(&["issuer", "export", "public"]).await;
    assert_eq!(written[0], "public/.well-known/jwks.json");
    let public = operator.folder.path().join("public/.well-known");
    let keys = document(&public.join("jwks.json"));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(
        document(&public.join("openid-configuration"))["issuer"],
        "https://localhost"
    );
}

#[tokio::test]
async fn every_command_of_the_vault_and_the_issuer_speaks_to_people() {
    let operator = Operator::new();
    for (args, says) in [
        (&["vault", "show"][..], "None yet"),
        (&["issuer", "show"], "Issuer https://localhost"),
        (&["vault", "rotate"], "under version 2 of the master key"),
        (&["vault", "show"], "version 2: 0 secrets, 1 signing keys"),
        (&["issuer", "rotate"], "Published the key"),
        (&["issuer", "show"], "published since"),
        (&["issuer", "export", "public"], "Upload both below"),
    ] {
        let ran = operator.run(Form::Human, args).await.exits(0).says(says);
        assert!(
            serde_json::from_str::<Value>(&ran.stdout).is_err(),
            "{args:?}"
        );
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

/// Until they have it, the old one signs, and the operator sees for whom that is.
#[tokio::test]
async fn a_new_key_waits_for_customers_who_upload_it() {
    let operator = Operator::new();
    let config = format!("{CONFIG}\n[clouds.gcp]\nissuer_keys = \"uploaded\"\n");
    std::fs::write(operator.folder.path().join("server.toml"), config).unwrap();
    let made = operator.json(&["organizations", "create", "Acme"]).await;
    let now = Epoch.now();
    let id = ConnectionId::generate(&Epoch, &SystemEntropy);
    let connection: Connection = serde_json::from_value(json!({
        "id": id, "organization_id": made["organization"]["id"], "name": "shop",
        "cloud": "gcp", "method": "workload-identity", "project_id": "acme-shop",
        "project_number": "123456789", "external_id": id, "regions": [],
        "with_reaper": true, "state": { "status": "connected", "since": now },
        "created_at": now, "updated_at": now, "version": 1,
    }))
    .unwrap();
    operator.write(Write::PutConnection(connection)).await;
    operator.json(&["issuer", "rotate"]).await;
    let shown = operator.json(&["issuer", "show"]).await;
    let mut keys = shown["keys"].as_array().unwrap().iter();
    let new = keys.find(|key| key["state"] == "published").unwrap();
    let evidence = new["unseen"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("shop"), "{shown}");
    operator
        .run(Form::Human, &["issuer", "show"])
        .await
        .exits(0)
        .says("not before it is seen by the providers of Google Cloud")
        .says("Acme/shop (con_");
    // Not even then before the clouds must have it.
    operator
        .run(Form::Human, &["issuer", "rotate", "--do-not-wait"])
        .await
        .exits(1)
        .says("may sign from");
}

/// It stays under the version from which nothing else is left.
#[tokio::test]
async fn one_damaged_secret_keeps_nobody_from_the_others() {
    let operator = Operator::new();
    operator.json(&["issuer", "show"]).await;
    let record = operator.damage().await;
    operator.json(&["issuer", "show"]).await;
    let rotated = operator
        .run(Form::Json, &["vault", "rotate"])
        .await
        .exits(6);
    assert_eq!(rotated.json()["unreadable"], json!([record]));
    operator
        .run(Form::Human, &["vault", "rotate"])
        .await
        .exits(6)
        .says(&format!("does not open: {record}"));

    let shown = operator.json(&["vault", "show"]).await;
    assert_eq!(shown["versions"][0]["secrets"], 1);
    let ran = operator.run(Form::Json, &["issuer", "show"]).await.exits(0);
    assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
    ran.json();
    operator.json(&["issuer", "export", "public"]).await;
    operator.json(&["issuer", "rotate"]).await;

    let found = operator.doctor(0).await;
    let secrets = found("vault.secrets");
    assert_eq!(secrets["outcome"], "warn");
    assert!(secrets["found"].as_str().unwrap().contains(&record));

    let mut server = landfall();
    server
        .current_dir(operator.folder.path())
        .env("LANDFALL_DATA", operator.folder.path().join("data"))
        .args(["server", "--config", "server.toml"]);
    let mut server = Process::start(server, operator.folder.path(), "server").unwrap();
    let answers = |_: &str, log: &str| log.contains("Landfall answers on ").then_some(());
    let started = server.says(Duration::from_secs(60), answers).await.unwrap();
    assert!(started.is_some(), "{}", server.log().unwrap());
    server.kill().await.unwrap();
}

#[tokio::test]
async fn the_doctor_knows_the_vault_and_the_issuer() {
    let operator = Operator::new();
    let found = operator.doctor(0).await;
    assert_eq!(found("vault.keys")["outcome"], "missing");
    assert_eq!(found("issuer.url")["outcome"], "ok");
    operator.json(&["organizations", "list"]).await;
    let found = operator.doctor(0).await;
    assert_eq!(found("vault.keys")["outcome"], "missing");
    assert_eq!(found("issuer.key")["outcome"], "missing");
    assert!(!operator.key_file().exists(), "looking makes no key");

    let issuer = operator.json(&["issuer", "show"]).await;
    operator.json(&["vault", "rotate"]).await;
    let found = operator.doctor(0).await;
    let keys = found("vault.keys");
    assert_eq!(keys["outcome"], "ok");
    let said = keys["found"].as_str().unwrap();
    assert!(
        said.contains(operator.key_file().to_str().unwrap()),
        "{said}"
    );
    assert!(said.ends_with("version 2 seals"), "{said}");
    assert_eq!(found("vault.secrets")["outcome"], "ok");
    let key = found("issuer.key");
    let said = key["found"].as_str().unwrap();
    assert_eq!(key["outcome"], "ok");
    assert!(said.contains(issuer["keys"][0]["id"].as_str().unwrap()));
    assert!(said.contains("no rotation is under way"), "{said}");
    let served = found("issuer.served");
    assert_eq!(served["outcome"], "warn");
    assert!(
        served["next_step"]
            .as_str()
            .unwrap()
            .contains("/.well-known/")
    );

    let new = operator.json(&["issuer", "rotate"]).await;
    operator
        .run(Form::Human, &["doctor"])
        .await
        .exits(0)
        .says(&format!(
            "the key {} follows at",
            new["id"].as_str().unwrap()
        ))
        .says("! issuer.served");
}

/// One can look, and a rotation makes it no worse.
#[tokio::test]
async fn lost_and_wrong_keys_are_found_and_nothing_is_put_in_their_place() {
    let operator = Operator::new();
    operator.json(&["issuer", "show"]).await;
    let (key_file, kept) = (operator.key_file(), operator.folder.path().join("kept"));
    std::fs::rename(&key_file, &kept).unwrap();
    let shown = operator.json(&["vault", "show"]).await;
    assert_eq!(shown["versions"][0]["available"], false);
    operator
        .run(Form::Human, &["vault", "rotate"])
        .await
        .exits(1)
        .says("restore");
    let found = operator.doctor(6).await;
    assert_eq!(found("vault.keys")["outcome"], "fail");
    assert_eq!(found("issuer.key")["outcome"], "fail");
    assert!(!key_file.exists());

    let other = Operator::new();
    other.json(&["issuer", "show"]).await;
    std::fs::copy(other.key_file(), &key_file).unwrap();
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    operator.json(&["vault", "show"]).await;
    operator
        .run(Form::Human, &["vault", "rotate"])
        .await
        .exits(1)
        .says("nothing that is stored opens");
    operator
        .run(Form::Human, &["issuer", "show"])
        .await
        .exits(1)
        .says("cannot use the key file");
    let found = operator.doctor(6).await;
    assert_eq!(found("vault.keys")["outcome"], "ok");
    assert_eq!(found("vault.secrets")["outcome"], "fail");

    std::fs::rename(&kept, &key_file).unwrap();
    operator.json(&["issuer", "show"]).await;
    let found = operator.doctor(0).await;
    assert_eq!(found("vault.secrets")["outcome"], "ok");
}
