//! A killed sandbox remembers whatever it answered for.

mod support;

use landfall_sandbox::{Config, StartError, start};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use support::{Sandbox, allow};

const ID: &str = "lf-0123456789";

fn config(snapshot: &Path) -> Config {
    Config {
        snapshot: Some(snapshot.to_owned()),
        ..Config::default()
    }
}

/// What a sandbox finds that starts from the file as it is at this instant:
/// what it would find after a SIGKILL now.
async fn as_if_killed_now(snapshot: &Path, into: &Path) -> Sandbox {
    std::fs::copy(snapshot, into).unwrap();
    let log = |path: &Path| format!("{}.requests", path.display());
    std::fs::copy(log(snapshot), log(into)).unwrap();
    Sandbox::new(config(into)).await
}

#[tokio::test]
async fn every_answered_change_survives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let sandbox = Sandbox::new(config(&file)).await;
    let role = sandbox.grant("r", ID, allow(&["iam:GetRole"])).await;
    let session = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID)],
        )
        .await
        .unwrap();
    let other = as_if_killed_now(&file, &folder.path().join("copy.json")).await;
    assert_eq!(
        other.running.ready["aws"]["accounts"],
        sandbox.running.ready["aws"]["accounts"]
    );
    other
        .iam(&session, "GetRole", &[("RoleName", "r")])
        .await
        .expect_ok();
    let log = other.see("/_sandbox/requests").await;
    let seqs: Vec<u64> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[tokio::test]
async fn concurrent_changes_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let sandbox = std::sync::Arc::new(Sandbox::new(config(&file)).await);
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..20 {
        let sandbox = std::sync::Arc::clone(&sandbox);
        tasks.spawn(async move {
            sandbox.grant(&format!("r{i}"), ID, allow(&["s3:*"])).await;
        });
    }
    tasks.join_all().await;
    let other = as_if_killed_now(&file, &folder.path().join("copy.json")).await;
    let roles = other
        .iam(&other.customer(), "ListRoles", &[])
        .await
        .texts("RoleName");
    assert_eq!(roles.len(), 20);
}

#[tokio::test]
async fn the_moved_clock_and_pending_faults_survive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let sandbox = Sandbox::new(Config {
        iam_lag: Duration::from_secs(3_600),
        ..config(&file)
    })
    .await;
    sandbox.grant("r", ID, allow(&["s3:*"])).await;
    sandbox.advance(Duration::from_secs(37 * 3_600)).await;
    sandbox
        .admin(
            "/_sandbox/faults",
            json!({"kind": "throttle", "match": {"service": "iam"}}),
        )
        .await;
    let other = as_if_killed_now(&file, &folder.path().join("copy.json")).await;
    let clock = other.see("/_sandbox/clock").await;
    assert_eq!(clock["moved_seconds"], 37.0 * 3_600.0);
    assert_eq!(
        other.iam(&other.customer(), "ListRoles", &[]).await.code(),
        "Throttling"
    );
}

#[tokio::test]
async fn a_snapshot_that_is_older_than_a_cloud_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let config = Config {
        customers: 3,
        seed: 7,
        ..config(&file)
    };
    let sandbox = Sandbox::new(config.clone()).await;
    let before = sandbox.running.ready.clone();
    sandbox.running.shutdown().await;
    let mut snapshot: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let world = snapshot["world"].as_object_mut().unwrap();
    assert!(world.remove("gcp").is_some() && world.remove("azure").is_some());
    std::fs::write(&file, snapshot.to_string()).unwrap();
    // What the snapshot says of its world counts, not the command line.
    let resumed = Sandbox::new(Config {
        customers: 1,
        seed: 1,
        ..config
    })
    .await;
    let after = &resumed.running.ready;
    let names = |ready: &Value| {
        let all = ready["gcp"]["projects"].as_array().unwrap();
        all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(after), names(&before));
    assert_eq!(names(after).len(), 4);
    assert_eq!(after["azure"]["tenants"], before["azure"]["tenants"]);
}

#[tokio::test]
async fn another_speed_continues_from_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let sandbox = Sandbox::new(Config {
        speed: 1e6,
        ..config(&file)
    })
    .await;
    sandbox.see("/_sandbox/clock").await;
    let before = sandbox.see("/_sandbox/clock").await["simulated"].clone();
    sandbox.running.shutdown().await;
    let slow = Sandbox::new(config(&file)).await;
    let after = slow.see("/_sandbox/clock").await["simulated"].clone();
    assert!(after.as_str() >= before.as_str(), "{before} then {after}");
}

#[tokio::test]
async fn a_file_that_is_no_snapshot_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    for content in ["not json", "{}", r#"{"format": 99, "world": {}}"#] {
        std::fs::write(&file, content).unwrap();
        let error = start(config(&file)).await.unwrap_err();
        assert!(matches!(error, StartError::Snapshot { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    for config in [
        Config {
            listen: "0.0.0.0:0".parse().unwrap(),
            ..Config::default()
        },
        Config {
            speed: 0.0,
            ..Config::default()
        },
        Config {
            speed: f64::NAN,
            ..Config::default()
        },
        Config {
            throttle: 1.5,
            ..Config::default()
        },
        Config {
            customers: 0,
            ..Config::default()
        },
        Config {
            snapshot: Some("/nonexistent/folder/file".into()),
            ..Config::default()
        },
    ] {
        assert!(start(config.clone()).await.is_err(), "{config:?}");
    }
}
