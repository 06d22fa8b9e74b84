//! SIGKILL at arbitrary instants, in the middle of concurrent changes.

mod support;

use landfall_sandbox::{Config, start};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{As, Keys, Sandbox, Signable, trust};
use tokio::process::{Child, Command};

const SNAPSHOT: &str = "LANDFALL_SANDBOX_TEST_SNAPSHOT";

fn config(snapshot: PathBuf) -> Config {
    Config {
        snapshot: Some(snapshot),
        ..Config::default()
    }
}

/// Not a test of its own: what the child process of the test below runs.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(snapshot) = std::env::var_os(SNAPSHOT).map(PathBuf::from) else {
        return;
    };
    let running = start(config(snapshot.clone())).await.unwrap();
    let ready = snapshot.with_extension("ready");
    let unfinished = snapshot.with_extension("ready.new");
    std::fs::write(&unfinished, running.ready.to_string()).unwrap();
    std::fs::rename(unfinished, ready).unwrap();
    std::future::pending::<()>().await;
}

async fn spawn(snapshot: &Path) -> (Child, serde_json::Value) {
    let ready = snapshot.with_extension("ready");
    let _ = std::fs::remove_file(&ready);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(SNAPSHOT, snapshot)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..1_500 {
        if let Ok(text) = std::fs::read_to_string(&ready) {
            return (child, serde_json::from_str(&text).unwrap());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the child did not get ready");
}

/// Creates roles until the connection breaks; notes those that were answered.
async fn create_until_killed(
    endpoint: String,
    who: As,
    prefix: String,
    answered: Arc<Mutex<BTreeSet<String>>>,
) {
    let http = reqwest::Client::new();
    let host = endpoint.trim_start_matches("http://").to_owned();
    for i in 0.. {
        let name = format!("{prefix}-{i}");
        let request = Signable {
            method: "POST",
            service: "iam",
            path: "/",
            headers: Vec::new(),
            body: form_urlencoded::Serializer::new(String::new())
                .append_pair("Action", "CreateRole")
                .append_pair("Version", "2010-05-08")
                .append_pair("RoleName", &name)
                .append_pair("AssumeRolePolicyDocument", &trust("111122223333", "lf-1"))
                .finish(),
        };
        let mut sending = http.post(format!("{endpoint}/")).body(request.body.clone());
        for (key, value) in request.signed_headers(&who, &host) {
            sending = sending.header(key, value);
        }
        match sending.send().await {
            Ok(response) if response.status() == 200 => {
                answered.lock().unwrap().insert(name);
            }
            Ok(response) => panic!("{}", response.text().await.unwrap()),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("cloud.json");
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    // Rounds differ in how much was going on when the signal came.
    for (round, enough) in [1_usize, 7, 20, 40].into_iter().enumerate() {
        let before = answered.lock().unwrap().len();
        let (mut child, ready) = spawn(&snapshot).await;
        let account = &ready["aws"]["accounts"][1];
        let field = |name: &str| account[name].as_str().unwrap().to_owned();
        let who = As {
            keys: Keys {
                account: field("id"),
                access_key_id: field("access_key_id"),
                secret_access_key: field("secret_access_key"),
                session_token: None,
            },
            region: "eu-west-1",
            clock_offset: 0,
        };
        let endpoint = ready["aws"]["endpoint_url"].as_str().unwrap();
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..4 {
            clients.spawn(create_until_killed(
                endpoint.to_owned(),
                who.clone(),
                format!("r{round}-{client}"),
                Arc::clone(&answered),
            ));
        }
        while answered.lock().unwrap().len() < before + enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        clients.join_all().await;
    }
    let sandbox = Sandbox::new(config(snapshot)).await;
    let mut kept = BTreeSet::new();
    let mut marker = None::<String>;
    loop {
        let mut params = vec![("MaxItems", "1000")];
        params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = sandbox
            .iam(&sandbox.customer(), "ListRoles", &params)
            .await
            .expect_ok();
        kept.extend(page.texts("RoleName"));
        if page.text("IsTruncated") == "false" {
            break;
        }
        marker = Some(page.text("Marker"));
    }
    let answered = answered.lock().unwrap();
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "answered but forgotten: {lost:?}");
    assert!(answered.len() >= 68);
}
