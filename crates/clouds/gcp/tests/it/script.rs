//! The script of the guide, run by a shell with a stand-in for gcloud that
//! makes the REST calls of gcloud.

use crate::support::{Scene, check, gcp, worse};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::Connection,
    connector::{Connector as _, Detection},
    grant::GrantSpec,
};
use landfall_sandbox::Config;
use serde_json::json;
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

/// Operations of APIs take twenty simulated seconds.
fn fast() -> Config {
    Config {
        speed: 600.0,
        ..Config::default()
    }
}

async fn script(scene: &Scene, connection: &Connection, spec: &GrantSpec) -> String {
    let principal = scene.connector.principal().await.unwrap();
    let guide = scene
        .connector
        .guide(connection, &[], spec, &principal)
        .unwrap();
    guide.commands("script").unwrap().to_owned()
}

async fn shell(scene: &Scene, script: String, log: &Path) -> Output {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("PATH", path)
        .env("GCLOUD_TEMPLATE", &scene.template)
        .env("GCLOUD_TOKEN", &scene.customer.token)
        .env("GCLOUD_LOG", log);
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_the_grant_and_repairs_it() {
    for keys in [IssuerKeys::Fetched, IssuerKeys::Uploaded] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let scene = Scene::with(fast(), keys).await;
        let connection = scene.connection();
        let spec = scene.spec(&connection).await;
        let script = script(&scene, &connection, &spec).await;
        let output = shell(&scene, script.clone(), &log).await;
        assert!(output.status.success(), "{}", said(&output));
        let last = format!(
            "Enter this project number in Landfall: {}",
            scene.customer.number
        );
        assert!(said(&output).contains(&last), "{}", said(&output));
        scene.clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(
            scene.connector.detect(&connection).await,
            Detection::Granted
        );
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{:#?}", worse(&found));

        if keys == IssuerKeys::Uploaded {
            // What follows is the same.
            continue;
        }
        // Broken in several ways; running it again mends all of them.
        let grant = gcp(&spec);
        let customer = &scene.customer;
        let provider = customer.provider(grant);
        let pool = provider.split("/providers/").next().unwrap().to_owned();
        let condition = json!({ "attributeCondition": "", "disabled": true });
        let path = format!("{provider}?updateMask=attributeCondition,disabled");
        customer.patch("iam", &path, condition).await.ok();
        customer.delete("iam", &provider).await.ok();
        customer.delete("iam", &pool).await.ok();
        for role in &grant.roles {
            customer
                .delete("iam", &format!("v1/{}", role.name))
                .await
                .ok();
        }
        let reaper = customer.account(grant, landfall_model::grant::GcpIdentity::Reaper);
        customer
            .post("iam", &format!("{reaper}:disable"), json!({}))
            .await
            .ok();
        let found = scene.connector.detect(&connection).await;
        assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
        let output = shell(&scene, script, &log).await;
        assert!(output.status.success(), "{}", said(&output));
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
        let exact = check(&found, "gcp.provider-exact");
        assert_eq!(exact.outcome, Outcome::Pass);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_explains_what_an_organization_forbids() {
    let table = [
        (
            "iam.workloadIdentityPoolProviders",
            json!({ "rules": [{ "values": { "allowedValues": ["https://accounts.google.com"] } }] }),
            "adds the issuer",
        ),
        (
            "iam.allowedPolicyMemberDomains",
            json!({ "rules": [{ "values": { "allowedValues": ["C0another"] } }] }),
            "Domain restricted sharing",
        ),
        (
            "iam.managed.allowedPolicyMembers",
            json!({ "rules": [{ "enforce": true, "parameters": {} }] }),
            "Domain restricted sharing",
        ),
    ];
    for (constraint, policy, words) in table {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::with(fast(), IssuerKeys::Fetched).await;
        let body = json!({
            "resource": scene.customer.organization, "constraint": constraint, "spec": policy,
        });
        scene.admin("gcp/org-policy", body).await;
        let connection = scene.connection();
        let spec = scene.spec(&connection).await;
        let script = script(&scene, &connection, &spec).await;
        let output = shell(&scene, script, &folder.path().join("log")).await;
        assert!(!output.status.success());
        let said = said(&output);
        assert!(said.contains(words), "{constraint}: {said}");
        assert!(!said.contains("Enter this project number"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_explains_a_wrong_account() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::with(fast(), IssuerKeys::Fetched).await;
    let connection = scene.connection();
    let spec = scene.spec(&connection).await;
    let script = script(&scene, &connection, &spec).await;
    // A token of nobody here.
    scene.customer.token = "ya29.nobody".to_owned();
    let output = shell(&scene, script, &folder.path().join("log")).await;
    assert!(!output.status.success());
    assert!(
        said(&output).contains("UNAUTHENTICATED"),
        "{}",
        said(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shellcheck_finds_nothing() {
    let found = Command::new("shellcheck").arg("--version").output();
    if !found.is_ok_and(|found| found.status.success()) {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "shellcheck is not installed"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(std::io::stderr(), "skipped: shellcheck is not installed");
        return;
    }
    for keys in [IssuerKeys::Fetched, IssuerKeys::Uploaded] {
        let scene = Scene::with(Config::default(), keys).await;
        let connection = scene.connection();
        let spec = scene.spec(&connection).await;
        let script = script(&scene, &connection, &spec).await;
        let mut child = Command::new("shellcheck")
            .args(["--shell=sh", "--severity=style", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}
