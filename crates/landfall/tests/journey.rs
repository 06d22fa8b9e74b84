//! `landfall demo --headless` as a newcomer runs it: what it prints is what was
//! promised, and what the simulated account says agrees.

mod harness;

use harness::{
    SPEED,
    api::text,
    cloud::{Cloud, Weather},
    process::{Process, landfall},
};
use serde_json::{Value, json};
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

/// Every method that the demo connects by.
const WAYS: [(&str, &str); 8] = [
    ("aws", "assume-role"),
    ("aws", "oidc"),
    ("azure", "workload-identity"),
    ("azure", "admin-consent"),
    ("azure", "client-secret"),
    ("gcp", "workload-identity"),
    ("gcp", "impersonation"),
    ("gcp", "service-account-key"),
];

fn way(line: &Value) -> (&str, &str) {
    (text(line, "cloud").unwrap(), text(line, "method").unwrap())
}

fn ways(lines: &[Value]) -> BTreeSet<(&str, &str)> {
    lines.iter().map(way).collect()
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
        "migrated",
        "rotated",
        "revoked",
        "remaining_after_disconnect",
        "seconds",
    ];
    assert!(promised.iter().all(|field| fields.contains(field)));

    let checks = list(report, "checks");
    assert_eq!(ways(checks), WAYS.into());
    for way in WAYS {
        let of_way: Vec<Value> = checks
            .iter()
            .filter(|check| self::way(check) == way)
            .cloned()
            .collect();
        assert!(texts(&of_way, "id").len() >= 12, "{way:?}: {of_way:?}");
    }
    for check in checks {
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
    let migrated = json!([{
        "cloud": "gcp",
        "from": "service-account-key",
        "to": "workload-identity",
        "old_key_deleted": true,
    }]);
    assert_eq!(report["migrated"], migrated);
    let rotated = json!([{ "cloud": "azure", "method": "client-secret", "by": "landfall" }]);
    assert_eq!(report["rotated"], rotated);
    let revoked = list(report, "revoked");
    let clouds = texts(revoked, "cloud");
    assert_eq!(clouds, ["aws", "azure", "gcp"].into());
    for one in revoked {
        assert!(WAYS.contains(&way(one)), "{one}");
        assert_eq!(one["state"], "revoked");
        assert!(one["seconds"].as_f64().unwrap() >= 0.0);
    }
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
    what_was_taken_back_is_gone(&cloud).await;
}

/// What the clouds hold after the report was printed: no way in that was taken
/// back, no key that was moved away from, no secret but the new one.
async fn what_was_taken_back_is_gone(cloud: &Cloud) {
    let google = cloud.get("gcp/inventory").await.unwrap();
    let pools: Vec<&Value> = list(&google, "resources")
        .iter()
        .filter_map(|node| node["pools"].as_array())
        .flatten()
        .collect();
    // One was revoked; to the other a connection by key moved.
    let active = pools.iter().filter(|pool| pool["active"] == true).count();
    assert_eq!((pools.len(), active), (2, 1), "{pools:?}");
    let accounts: Vec<&Value> = list(&google, "resources")
        .iter()
        .filter_map(|node| node["service_accounts"].as_array())
        .flatten()
        .collect();
    // The operator's key is the server's own.
    let keyed: Vec<&str> = accounts
        .iter()
        .filter(|account| !list(account, "keys").is_empty())
        .map(|account| text(account, "email").unwrap())
        .collect();
    assert!(
        keyed.iter().all(|email| email.contains("@operator")),
        "{keyed:?}"
    );
    let of_customer =
        |account: &&&Value| text(account, "email").unwrap().starts_with("for-landfall@");
    assert_eq!(accounts.iter().filter(of_customer).count(), 1);

    let azure = cloud.get("azure/inventory").await.unwrap();
    let ready = cloud.ready["azure"]["tenants"].as_array().unwrap();
    let first = ready.iter().find(|one| one["role"] == "customer").unwrap();
    let mut passwords = Vec::new();
    for tenant in list(&azure, "tenants") {
        for application in list(tenant, "applications") {
            let name = text(application, "display_name").unwrap();
            let ours = name.starts_with("landfall-");
            assert!(!ours || tenant["id"] != first["id"], "{name} is left");
            if name == "landfall-by-secret" {
                passwords.extend(list(application, "secrets"));
            }
        }
    }
    assert_eq!(passwords.len(), 1, "{passwords:?}");
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
