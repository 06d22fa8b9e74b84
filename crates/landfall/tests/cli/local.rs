//! What needs no server.

use crate::{harness::process::landfall, run::Ran};
use serde_json::Value;
use std::path::Path;

pub async fn run(args: &[&str], folder: &Path) -> Ran {
    let mut command = landfall();
    command
        // Nobody answers there on a machine that is not in a cloud, slowly.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "*")
        .env("LANDFALL_DATA", folder.join("data"))
        .current_dir(folder)
        .args(args);
    Ran::of(command, args.join(" ")).await
}

#[tokio::test]
async fn error_codes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let all = run(&["explain", "-o", "json"], folder.path())
        .await
        .exits(0)
        .json();
    assert!(all.as_array().unwrap().len() > 40);
    run(&["explain"], folder.path())
        .await
        .exits(0)
        .says("plan-stale");
    let one = run(&["explain", "plan-stale", "-o", "json"], folder.path())
        .await
        .exits(0)
        .json();
    assert_eq!(one["code"], "plan-stale");
    assert!(!one["explanation"].as_str().unwrap().is_empty());
    run(&["explain", "plan-stale"], folder.path())
        .await
        .exits(0)
        .says("Next:");
    run(&["explain", "no-such-code"], folder.path())
        .await
        .exits(3);
}

#[tokio::test]
async fn the_doctor_says_what_is_missing_and_fails_only_when_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let found = run(&["doctor", "--output", "json"], folder.path())
        .await
        .exits(0)
        .json();
    let outcome = |id: &str| -> Value {
        let findings = found.as_array().unwrap().iter();
        let found = findings.clone().find(|one| one["id"] == id);
        found.unwrap_or_else(|| panic!("no {id}"))["outcome"].clone()
    };
    assert_eq!(outcome("configuration"), "ok");
    assert_eq!(outcome("data-folder"), "missing");
    assert_eq!(outcome("aws.identity"), "missing");
    assert_eq!(outcome("vault.keys"), "missing");
    assert_eq!(outcome("issuer.url"), "missing");
    assert_eq!(outcome("gcp.operator"), "missing");
    assert_eq!(outcome("azure.application"), "missing");
    run(&["doctor"], folder.path())
        .await
        .exits(0)
        .says("next: the first `landfall server` makes it")
        .says("leaves out aws/oidc and azure/workload-identity: 'http://127.0.0.1:7070'");

    let gone = folder.path().join("gone.json");
    let own = format!(
        "[clouds.gcp.operator]\nproject_id = \"our-project\"\ncredentials_file = {gone:?}\n\
         [clouds.azure.application]\nclient_id = \"33333333-3333-4333-8333-333333333333\"\n"
    );
    std::fs::write(folder.path().join("own.toml"), own).unwrap();
    let found = run(
        &["doctor", "--config", "own.toml", "--output", "json"],
        folder.path(),
    );
    let found = found.await.exits(0).json();
    let warned = found.as_array().unwrap().iter();
    let warned = warned.filter(|one| one["outcome"] == "warn");
    let warned: Vec<_> = warned.map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(warned, ["gcp.operator", "azure.application"]);
    let bad = "[clouds.azure]\nca_certificate = \"/no/such/file.pem\"\n";
    std::fs::write(folder.path().join("own-ca.toml"), bad).unwrap();
    run(&["doctor", "--config", "own-ca.toml"], folder.path())
        .await
        .exits(6)
        .says("correct [clouds.azure]");
    run(&["doctor", "--config", "own.toml"], folder.path())
        .await
        .exits(0)
        .says("leaves out gcp/impersonation: this server's Google identity does not work")
        .says("leaves out azure/admin-consent: its application has no secret");

    std::fs::write(folder.path().join("bad.toml"), "no_such_setting = 1").unwrap();
    let found = run(
        &["doctor", "--config", "bad.toml", "--output", "json"],
        folder.path(),
    )
    .await
    .exits(6)
    .json();
    assert_eq!(found[0]["outcome"], "fail");
}

#[tokio::test]
async fn shells_are_taught_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell], folder.path()).await.exits(0);
        assert_eq!(script.stderr, "");
        for command in ["connections", "rollouts", "disconnect"] {
            assert!(script.stdout.contains(command), "{shell} lacks {command}");
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_before_a_server_is_asked_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(&["no-such-command"], here).await.exits(2);
    run(&["apps", "list"], here)
        .await
        .exits(4)
        .says("there is no API token");
    let file = here.join("token");
    std::fs::write(&file, "lf_none").unwrap();
    let token = ["--token-file", file.to_str().unwrap()];
    let nobody = [&token[..], &["--server", "http://127.0.0.1:9"]].concat();
    run(&[&nobody[..], &["apps", "list"]].concat(), here)
        .await
        .exits(7)
        .says("start it with `landfall server`");
    run(&["apps", "list", "--server", "nonsense"], here)
        .await
        .exits(4);
    let nonsense = [&token[..], &["--server", "nonsense"]].concat();
    run(&[&nonsense[..], &["apps", "list"]].concat(), here)
        .await
        .exits(2);
    run(&["apps", "list", "--token-file", "no-such-file"], here)
        .await
        .exits(2);
}
