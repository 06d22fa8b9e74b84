//! The script of the guide, run by a shell with a stand-in for gcloud that
//! makes the REST calls of gcloud.

use crate::support::{Above, Scene, check, gcp, ways::Way, worse};
use landfall_gcp::{GcpConfig, IssuerKeys, key_setup};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Connection, ProjectId},
    connector::{Connector as _, Detection},
    grant::{GrantSpec, How},
    secret::parse_key,
};
use landfall_sandbox::Config;
use serde_json::json;
use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

/// Operations of APIs take twenty simulated seconds.
pub(crate) fn fast() -> Config {
    Config {
        speed: 600.0,
        ..Config::default()
    }
}

pub(crate) async fn script(scene: &Scene, connection: &Connection, spec: &GrantSpec) -> String {
    let principal = scene.connector.principal().await.unwrap();
    let guide = scene
        .connector
        .guide(connection, &[], spec, &principal)
        .unwrap();
    guide.commands("script").unwrap().to_owned()
}

pub(crate) async fn shell(scene: &Scene, script: String, log: &Path) -> Output {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("PATH", path)
        .env("GCLOUD_TEMPLATE", &scene.template)
        .env("GCLOUD_TOKEN", &scene.customer.token)
        .env("GCLOUD_PROJECT", &scene.customer.project)
        .current_dir(log.parent().unwrap())
        .env("GCLOUD_LOG", log);
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

pub(crate) fn said(output: &Output) -> String {
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
    for way in [
        Way::Federation(IssuerKeys::Fetched),
        Way::Federation(IssuerKeys::Uploaded),
        Way::Key,
        Way::Account,
    ] {
        let scene = Scene::by(way, Config::default()).await;
        let connection = scene.pending().await;
        let spec = scene.spec(&connection).await;
        assert_clean(&script(&scene, &connection, &spec).await);
        if way == Way::Key {
            // Nothing above a project is granted by a key.
            continue;
        }
        for above in [Above::Folder, Above::Organization] {
            let scene = Scene::above(way, above, Config::default()).await;
            let connection = scene.pending().await;
            let spec = scene.spec(&connection).await;
            assert_clean(&script(&scene, &connection, &spec).await);
        }
    }
    for project in [None, Some("my-project-123".parse().unwrap())] {
        assert_clean(&key_script(project.as_ref()));
    }
}

fn assert_clean(script: &str) {
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

fn key_script(project: Option<&ProjectId>) -> String {
    let ways = key_setup(&GcpConfig::default(), project);
    ways.into_iter()
        .find_map(|way| match way.how {
            How::Commands { commands } if way.id == "script" => Some(commands),
            _ => None,
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_for_a_key_makes_one_and_no_second() {
    let scene = Scene::by(Way::Key, fast()).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let file = folder
        .path()
        .join(format!("landfall-key-{}.json", scene.customer.project));
    // Without a project: the one that gcloud is set to. Twice: one key.
    for last in ["Upload landfall-key-", "is in landfall-key-"] {
        let output = shell(&scene, key_script(None), &log).await;
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(last), "{}", said(&output));
    }
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let key = parse_key(&std::fs::read(&file).unwrap(), None).unwrap();
    let email = scene.customer.email("landfall-setup");
    assert_eq!(key.service_account, email);
    assert_eq!(
        scene.customer.roles_of(&email).await,
        ["roles/resourcemanager.projectIamAdmin"]
    );
    let connection = scene.by_key(&key);
    let spec = scene.spec(&connection).await;
    scene.clock.sleep(Duration::from_secs(30)).await;
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));

    // Broken; the connection's own script gives Project IAM Admin again, and
    // makes no key, as there is one.
    std::fs::remove_file(&file).unwrap();
    let provisioner = scene
        .customer
        .account(gcp(&spec), landfall_model::grant::GcpIdentity::Provisioner);
    scene.customer.delete("iam", &provisioner).await.ok();
    let again = script(&scene, &connection, &spec).await;
    let output = shell(&scene, again, &log).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&key.key_id), "{}", said(&output));
    assert!(!file.exists());
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_forbids_keys_is_told_the_way_without() {
    for constraint in [
        "iam.disableServiceAccountKeyCreation",
        "iam.managed.disableServiceAccountKeyCreation",
    ] {
        let scene = Scene::by(Way::Key, fast()).await;
        let folder = tempfile::tempdir().unwrap();
        let body = json!({
            "resource": scene.customer.organization, "constraint": constraint,
            "spec": { "rules": [{ "enforce": true }] },
        });
        scene.admin("gcp/org-policy", body).await;
        let output = shell(&scene, key_script(None), &folder.path().join("log")).await;
        assert!(!output.status.success());
        let said = said(&output);
        assert!(
            said.contains("Connect by workload identity instead"),
            "{said}"
        );
        assert!(!said.contains("Done."), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_for_an_account_of_ours_makes_the_grant_and_repairs_it() {
    let scene = Scene::by(Way::Account, fast()).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    let script = script(&scene, &connection, &spec).await;
    for _ in 0..2 {
        let output = shell(&scene, script.clone(), &log).await;
        assert!(output.status.success(), "{}", said(&output));
        scene.clock.sleep(Duration::from_secs(30)).await;
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
        for role in &gcp(&spec).roles {
            let path = format!("v1/{}", role.name);
            scene.customer.delete("iam", &path).await.ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn domain_restricted_sharing_is_told_the_way_without_outsiders() {
    let scene = Scene::by(Way::Account, fast()).await;
    let folder = tempfile::tempdir().unwrap();
    let body = json!({
        "resource": scene.customer.organization, "constraint": "iam.allowedPolicyMemberDomains",
        // Its own members are let in, ours are not.
        "spec": { "rules": [{ "values": { "allowedValues": [
            format!("is:principalSet://iam.googleapis.com/{}", scene.customer.organization),
        ] } }] },
    });
    scene.admin("gcp/org-policy", body).await;
    let connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    let script = script(&scene, &connection, &spec).await;
    let output = shell(&scene, script, &folder.path().join("log")).await;
    assert!(!output.status.success());
    let said = said(&output);
    assert!(
        said.contains("Connect by workload identity instead"),
        "{said}"
    );
    assert!(said.contains("another organization"), "{said}");
}
