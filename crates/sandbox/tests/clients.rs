//! Official clients, unmodified, on a running sandbox. They need Python with
//! boto3 and the AWS CLI, which `scripts/test` installs and names in
//! `LANDFALL_TEST_PYTHON`.

use landfall_sandbox::{Config, start};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use tokio::process::Command;

fn python() -> Option<PathBuf> {
    let python = std::env::var_os("LANDFALL_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "LANDFALL_TEST_PYTHON is not set"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON is not set (scripts/test sets it)"
        );
    }
    python
}

/// A running sandbox, and the file in which its ready JSON lies.
async fn sandbox(folder: &Path) -> (landfall_sandbox::Running, PathBuf) {
    let running = start(Config::default()).await.unwrap();
    let ready = folder.join("ready.json");
    std::fs::write(&ready, running.ready.to_string()).unwrap();
    (running, ready)
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn tour(script: &str) {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_running, ready) = sandbox(folder.path()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(ready)
        // One script imports another: leave no cache in the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await
        .unwrap();
    succeeded(&output);
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_tours_identity() {
    tour("tour_identity.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_tours_web_identity() {
    tour("tour_web_identity.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_works_with_only_the_endpoint_changed() {
    let Some(python) = python() else { return };
    let aws = python.with_file_name("aws");
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = sandbox(folder.path()).await;
    let account = &running.ready["aws"]["accounts"][1];
    let field = |name: &str| account[name].as_str().unwrap().to_owned();
    let run = async |arguments: &[&str]| {
        let output = Command::new(&aws)
            .args(arguments)
            .args(["--output", "json"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env(
                "AWS_ENDPOINT_URL",
                running.ready["aws"]["endpoint_url"].as_str().unwrap(),
            )
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", field("access_key_id"))
            .env("AWS_SECRET_ACCESS_KEY", field("secret_access_key"))
            .output()
            .await
            .unwrap();
        succeeded(&output);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()
    };
    let identity = run(&["sts", "get-caller-identity"]).await;
    assert_eq!(identity["Account"], field("id").as_str());
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}]}}"#,
        field("id")
    );
    run(&[
        "iam",
        "create-role",
        "--role-name",
        "cli",
        "--assume-role-policy-document",
        &trust,
    ])
    .await;
    let arn = format!("arn:aws:iam::{}:role/cli", field("id"));
    let assumed = run(&[
        "sts",
        "assume-role",
        "--role-arn",
        &arn,
        "--role-session-name",
        "cli",
    ])
    .await;
    assert_eq!(
        assumed["AssumedRoleUser"]["Arn"],
        format!("arn:aws:sts::{}:assumed-role/cli/cli", field("id"))
    );
    let regions = run(&["account", "list-regions"]).await;
    assert!(regions["Regions"].as_array().unwrap().len() >= 8);
}
