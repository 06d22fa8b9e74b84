//! `landfall demo --headless` as a newcomer runs it: what it prints is what was
//! promised, and what the simulated account says agrees.

mod harness;

use harness::{
    SPEED,
    api::text,
    cloud::{Cloud, Weather},
    process::{Process, landfall},
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path, time::Duration};

/// The promise is two minutes; a machine that does ten things at once may take
/// longer without the demo being wrong.
const PATIENCE: Duration = Duration::from_secs(400);

async fn demo(folder: &Path, sandbox: Option<&Path>) -> Value {
    let mut command = landfall();
    command.args(["demo", "--headless", "--output", "json"]);
    command.args(["--speed", &SPEED.to_string()]);
    if let Some(file) = sandbox {
        command.arg("--sandbox").arg(file);
    }
    let mut process = Process::start(command, folder, "demo").unwrap();
    let status = process.wait(PATIENCE).await.unwrap();
    let log = process.log().unwrap();
    assert!(status.success(), "{status}: {log}");
    let output = process.output().unwrap();
    let mut objects = serde_json::Deserializer::from_str(&output).into_iter::<Value>();
    let report = objects.next().expect("one object").expect("JSON");
    assert!(objects.next().is_none(), "stdout holds more: {output}");
    report
}

fn list<'a>(report: &'a Value, name: &str) -> &'a [Value] {
    report[name]
        .as_array()
        .unwrap_or_else(|| panic!("no list {name} in {report}"))
}

fn texts<'a>(list: &'a [Value], field: &str) -> BTreeSet<&'a str> {
    list.iter().map(|one| text(one, field).unwrap()).collect()
}

/// What the acceptance of the journey asks of the one JSON object.
fn assert_promised(report: &Value) {
    assert_eq!(report["ok"], true);
    let fields: BTreeSet<&str> = report
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let promised = [
        "ok",
        "checks",
        "created",
        "urls",
        "retained",
        "refused",
        "destroyed",
        "remaining_after_disconnect",
        "seconds",
    ];
    assert!(promised.iter().all(|field| fields.contains(field)));

    let checks = list(report, "checks");
    assert!(texts(checks, "id").len() >= 15, "{checks:?}");
    let methods: Vec<_> = texts(checks, "method").into_iter().collect();
    assert_eq!(methods, ["assume-role", "oidc"]);
    for check in checks {
        assert_eq!(check["cloud"], "aws");
        let outcome = text(check, "outcome").unwrap();
        assert!(["pass", "warn", "skipped"].contains(&outcome), "{check}");
    }
    assert!(report["created"].as_u64().unwrap() >= 35);

    let urls = list(report, "urls");
    assert!(!urls.is_empty());
    for url in urls {
        assert_eq!(url["status"], 200, "{url}");
        assert_eq!(url["cloud"], "aws");
    }

    let retained = list(report, "retained");
    for one in retained {
        assert!(!text(one, "id").unwrap().is_empty());
        assert_eq!(one["reason"], "environment-deleted", "{one}");
    }
    let database = retained
        .iter()
        .find(|one| one["type"] == "AWS::RDS::DBInstance")
        .expect("the database is retained");

    let refused = list(report, "refused");
    assert!(texts(refused, "action").len() >= 5, "{refused:?}");

    let destroyed = list(report, "destroyed");
    assert_eq!(destroyed.len(), 1);
    assert_eq!(destroyed[0]["type"], "AWS::RDS::DBInstance");
    assert_eq!(destroyed[0]["id"], database["id"]);
    assert_eq!(
        report["remaining_after_disconnect"].as_u64().unwrap(),
        retained.len() as u64 - 1
    );
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn the_demo_prints_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let report = demo(folder.path(), None).await;
    assert_promised(&report);
}

#[tokio::test]
async fn a_separate_sandbox_agrees_with_what_the_demo_prints() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path(), Weather::default())
        .await
        .unwrap();
    let file = folder.path().join("sandbox.json");
    std::fs::write(&file, cloud.ready.to_string()).unwrap();
    let report = demo(folder.path(), Some(&file)).await;
    assert_promised(&report);

    let inventory = cloud.inventory().await.unwrap();
    let made: BTreeSet<(&str, &str)> = inventory
        .iter()
        .filter(|one| one["created_by"]["kind"] == "request")
        .map(|one| (text(one, "type").unwrap(), text(one, "identifier").unwrap()))
        .collect();
    let keys = |name: &str| -> BTreeSet<(&str, &str)> {
        list(&report, name)
            .iter()
            .map(|one| (text(one, "type").unwrap(), text(one, "id").unwrap()))
            .collect()
    };
    let (retained, destroyed) = (keys("retained"), keys("destroyed"));
    let remaining: BTreeSet<_> = retained.difference(&destroyed).copied().collect();
    assert_eq!(made, remaining);
    assert_eq!(
        report["created"].as_u64().unwrap(),
        (made.len() + destroyed.len()) as u64
    );

    everything_was_asked_for(&cloud, &report).await;
}

/// The request log holds each creation once, each refusal, and one deletion by
/// the reaper.
async fn everything_was_asked_for(cloud: &Cloud, report: &Value) {
    let all = cloud.requests("service=cloudcontrolapi").await.unwrap();
    let asked = |operation: &'static str| {
        all.iter()
            .filter(move |entry| entry["operation"] == operation)
    };
    let accepted: BTreeSet<&str> = asked("CreateResource")
        .filter(|entry| entry["error"].is_null())
        .filter_map(|entry| entry["request_token"].as_str())
        .collect();
    let created = usize::try_from(report["created"].as_u64().unwrap()).unwrap();
    assert!(accepted.len() >= created, "{} < {created}", accepted.len());

    // Refused at once, or by the handler once the operation was under way.
    let refused_later: BTreeSet<&str> = all
        .iter()
        .filter(|entry| entry["handler_error"] == "AccessDenied")
        .filter_map(|entry| entry["request_token"].as_str())
        .collect();
    for one in list(report, "refused") {
        let resource = text(one, "resource").unwrap();
        let found = all.iter().any(|entry| {
            let later = entry["request_token"]
                .as_str()
                .is_some_and(|token| refused_later.contains(token));
            let by = entry["principal"].as_str().unwrap_or_default();
            entry["identifier"] == resource
                && by.contains(":role/landfall-provisioner-")
                && (later || entry["error"] == "AccessDeniedException")
        });
        assert!(found, "the sandbox refused nothing about {one}");
    }

    let by_reaper: Vec<&Value> = asked("DeleteResource")
        .filter(|entry| entry["error"].is_null())
        .filter(|entry| {
            let principal = entry["principal"].as_str().unwrap_or_default();
            principal.contains(":role/landfall-reaper-")
        })
        .collect();
    assert!(!by_reaper.is_empty());
    let destroyed = &list(report, "destroyed")[0];
    for entry in by_reaper {
        assert_eq!(entry["identifier"], destroyed["id"], "{entry}");
    }
}
