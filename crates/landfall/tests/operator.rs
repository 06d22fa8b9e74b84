//! What only who has the server's machine may do, with the real binary.

mod harness;

use harness::{
    PATIENCE,
    api::Api,
    process::{Process, landfall},
};
use serde_json::{Value, json};
use std::{os::unix::fs::PermissionsExt, path::Path};

const CONFIG: &str = "\
listen = \"127.0.0.1:0\"
public_url = \"https://landfall.example.com\"

[clouds.aws]
endpoint_url = \"http://127.0.0.1:9\"

[clouds.aws.identity]
kind = \"static\"
access_key_id = \"AKIAIOSFODNN7EXAMPLE\"
secret_access_key = \"unused\"
";

/// Where the clouds would find the documents; here they are asked for on
/// loopback.
const ISSUER: &str = "https://landfall.example.com";

fn command(folder: &Path, args: &[&str]) -> tokio::process::Command {
    let config = folder.join("server.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let mut command = landfall();
    command
        .args(args)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .arg("--config")
        .arg(config);
    command
}

/// The JSON that a command prints, or how it failed.
async fn asked(folder: &Path, args: &[&str]) -> Result<Value, (i32, String)> {
    let output = command(folder, args)
        .args(["--output", "json"])
        .output()
        .await
        .unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Err((output.status.code().unwrap(), log))
}

async fn serving(folder: &Path) -> (Process, String) {
    let mut process = Process::start(command(folder, &["server"]), folder, "server").unwrap();
    let url = process
        .says(PATIENCE, |_, log| {
            let (_, rest) = log.split_once("Landfall answers on ")?;
            Some(rest.split_once('\n')?.0.trim().to_owned())
        })
        .await
        .unwrap();
    (process, url.expect("it answers"))
}

/// Signs in with a file that only its owner can read.
async fn entering(url: &str, file: &str) -> (Api, Value) {
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{file}");
    let token = std::fs::read_to_string(file).unwrap();
    let api = Api::new(url, token.trim());
    let me = api.get("/me").await.unwrap();
    (api, me)
}

#[tokio::test]
async fn an_operator_gets_back_in_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, url) = serving(folder.path()).await;
    let first = folder.path().join("data/admin-token");
    std::fs::remove_file(&first).unwrap();

    let recovered = asked(folder.path(), &["server", "--recover-admin"])
        .await
        .unwrap();
    assert_eq!(recovered["token_file"], first.to_str().unwrap());
    let (api, me) = entering(&url, first.to_str().unwrap()).await;
    assert_eq!(me["role"], "admin");
    assert_eq!(me["organization"]["id"], recovered["organization"]["id"]);
    let audit = api.get("/audit").await.unwrap();
    let rows = audit["items"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["action"] == "organization.recover"),
        "{audit}"
    );

    let unknown = asked(folder.path(), &["server", "--recover-admin", "Nobody"]).await;
    let (exit, log) = unknown.unwrap_err();
    assert_eq!(exit, 3, "{log}");
    assert!(log.contains("default"), "it says which there are: {log}");
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_second_organization_has_its_own_way_in_and_sees_nothing_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, url) = serving(folder.path()).await;
    let create = ["organizations", "create", "Acme", "--admin", "Ada"];
    let made = asked(folder.path(), &create).await.unwrap();
    let file = made["token_file"].as_str().unwrap();
    let (api, me) = entering(&url, file).await;
    assert_eq!(me["organization"]["id"], made["organization"]["id"]);
    assert_eq!(me["member"]["name"], "Ada");
    let members = api.get("/members").await.unwrap();
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members}");
    let (_, first) = entering(
        &url,
        folder.path().join("data/admin-token").to_str().unwrap(),
    )
    .await;
    assert_ne!(first["organization"]["id"], me["organization"]["id"]);

    let (exit, log) = asked(folder.path(), &create).await.unwrap_err();
    assert_eq!(exit, 5, "{log}");
    assert!(log.contains("name-taken"), "{log}");
    let list = asked(folder.path(), &["organizations", "list"])
        .await
        .unwrap();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "a refusal leaves nothing: {names:?}");

    // Its token is written anew where it was.
    let old = std::fs::read_to_string(file).unwrap();
    let recovered = asked(folder.path(), &["server", "--recover-admin", "Acme"])
        .await
        .unwrap();
    assert_eq!(recovered["token_file"], file);
    assert_ne!(std::fs::read_to_string(file).unwrap(), old);
    entering(&url, file).await;
    server.kill().await.unwrap();
}

/// The vault and the issuer beside a server that runs: the first secret makes
/// the key, a rotation leaves everything readable, what is exported is what is
/// served.
#[tokio::test]
async fn the_vault_and_the_issuer_are_kept_by_whoever_has_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key_file = folder.join("data/vault.key");
    let (mut server, url) = serving(folder).await;
    let shown = asked(folder, &["vault", "show"]).await.unwrap();
    assert_eq!(shown["versions"], json!([]));
    assert!(!key_file.exists(), "looking makes no key");

    let fetch = async |path: &str| -> Value {
        let response = reqwest::get(format!("{url}{path}")).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["cache-control"], "public, max-age=900");
        response.json().await.unwrap()
    };
    let discovery = fetch("/.well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], ISSUER);
    let first = fetch("/.well-known/jwks.json").await;
    let mode = std::fs::metadata(&key_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let rotated = asked(folder, &["vault", "rotate"]).await.unwrap();
    assert_eq!(
        (&rotated["version"], &rotated["resealed"]),
        (&json!(2), &json!(1))
    );
    let shown = asked(folder, &["vault", "show"]).await.unwrap();
    assert_eq!(shown["versions"][1]["signing_keys"], 1);
    assert_eq!(fetch("/.well-known/jwks.json").await, first);

    let new = asked(folder, &["issuer", "rotate"]).await.unwrap();
    assert_eq!(new["state"], "published");
    let (_, said) = asked(folder, &["issuer", "rotate"]).await.unwrap_err();
    assert!(said.contains("under way"), "{said}");
    let served = fetch("/.well-known/jwks.json").await;
    assert_eq!(served["keys"].as_array().unwrap().len(), 2);
    let public = folder.join("public");
    let export = ["issuer", "export", public.to_str().unwrap()];
    asked(folder, &export).await.unwrap();
    let exported = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(public.join(path)).unwrap()).unwrap()
    };
    assert_eq!(exported(".well-known/jwks.json"), served);
    assert_eq!(exported(".well-known/openid-configuration"), discovery);
    let shown = asked(folder, &["issuer", "show"]).await.unwrap();
    assert_eq!(shown["keys"][1]["id"], new["id"]);

    // Without its key, nothing is made up in its place.
    server.kill().await.unwrap();
    std::fs::rename(&key_file, folder.join("elsewhere")).unwrap();
    let shown = asked(folder, &["vault", "show"]).await.unwrap();
    let newest = shown["versions"].as_array().unwrap().last().unwrap();
    assert_eq!(newest["available"], false, "{shown}");
    for command in [&["vault", "rotate"][..], &["server"]] {
        let (_, said) = asked(folder, command).await.unwrap_err();
        assert!(said.contains("restore"), "{command:?}: {said}");
        assert!(!key_file.exists());
    }
    std::fs::rename(folder.join("elsewhere"), &key_file).unwrap();
    asked(folder, &["vault", "rotate"]).await.unwrap();

    // A key file that others can read is no key.
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, said) = asked(folder, &["vault", "show"]).await.unwrap_err();
    assert!(said.contains("chmod 600"), "{said}");
}
