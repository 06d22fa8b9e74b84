//! The journey in bad weather, and what must never be seen of it: secrets.

mod harness;

use anyhow::Context as _;
use harness::{
    PATIENCE,
    api::{Api, text},
    cloud::{Cloud, Weather},
    compare::{compare, nothing_left},
    journey,
    postgres::Database,
    server::{Launch, Server, Started, admin_token, data},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};
use tempfile::TempDir;

struct Installation {
    folder: TempDir,
    cloud: Cloud,
    server: Server,
    api: Api,
}

async fn install(weather: Weather, log: Option<&str>) -> anyhow::Result<Installation> {
    let folder = tempfile::tempdir()?;
    let cloud = Cloud::start(folder.path(), weather).await?;
    let launch = Launch {
        log: log.map(str::to_owned),
        ..Launch::default()
    };
    let started = Server::start(folder.path(), &cloud, &Database::Sqlite, &launch).await?;
    let Started::Answering(server) = started else {
        anyhow::bail!("the server died");
    };
    let api = Api::listening(&server.url, &admin_token(folder.path())?);
    Ok(Installation {
        folder,
        cloud,
        server: *server,
        api,
    })
}

/// From connecting to destroying the database, with a comparison at each end.
async fn whole_journey(installation: &Installation) -> anyhow::Result<()> {
    let Installation { cloud, api, .. } = installation;
    let connection = journey::connect(api, cloud).await?;
    let environment = journey::environment(api, &connection).await?;
    let plan = journey::approved_plan(api, &environment, 35).await?;
    let progress = journey::roll_out(api, &plan).await?;
    let mut findings = compare(api, cloud, &environment).await?;
    findings.absorb(nothing_left(api, &environment).await?);
    anyhow::ensure!(findings.is_clean(), "after the rollout:\n{findings}");

    let url = progress["endpoints"]
        .as_object()
        .and_then(|endpoints| endpoints.values().next()?.as_str())
        .context("the environment offers no address")?;
    let status = reqwest::get(url).await?.status();
    anyhow::ensure!(status == 200, "{url} answers {status}");

    let retained = journey::delete_environment(api, &environment).await?;
    let database = retained
        .iter()
        .find(|one| one["type_name"] == "AWS::RDS::DBInstance")
        .context("the database was not retained")?;
    let path = format!("/retained/{}", text(database, "id")?);
    let typed = json!({ "typed_name": journey::typed_name(database)? });
    api.post(&format!("{path}/destroy"), typed).await?;
    let ended = api
        .until(&path, PATIENCE, |value| {
            value["state"]["status"] != "destroying"
        })
        .await?;
    anyhow::ensure!(
        ended["state"]["status"] == "destroyed",
        "the database is {}",
        ended["state"]
    );
    let findings = compare(api, cloud, &environment).await?;
    anyhow::ensure!(findings.is_clean(), "after the destruction:\n{findings}");
    Ok(())
}

async fn survives(weather: Weather, expected: impl Fn(&[Value]) -> bool) {
    let installation = install(weather, None).await.unwrap();
    if let Err(error) = whole_journey(&installation).await {
        panic!("{error:#}\n{}", installation.server.last_words());
    }
    // The weather was bad indeed: a storm that never came proves nothing.
    let requests = installation.cloud.requests("").await.unwrap();
    assert!(expected(&requests), "the weather was fine");
}

fn hit_by(requests: &[Value], fault: &str) -> usize {
    let hit = |entry: &&Value| entry["fault"] == fault;
    requests.iter().filter(hit).count()
}

/// One call in ten. At three in ten a check may still give up after its five
/// tries, and then the connection is degraded until the next verification.
#[tokio::test]
async fn a_throttle_storm() {
    let weather = Weather {
        throttle: 0.1,
        ..Weather::default()
    };
    survives(weather, |requests| hit_by(requests, "throttle") > 20).await;
}

#[tokio::test]
async fn five_percent_server_errors() {
    let weather = Weather {
        error_rate: 0.05,
        ..Weather::default()
    };
    survives(weather, |requests| hit_by(requests, "http_500") > 5).await;
}

/// Twenty real seconds, at this speed; a new role's rights arrive long after
/// its creation was answered.
#[tokio::test]
async fn identity_that_settles_late() {
    let weather = Weather {
        // As much slower as the lag shall be felt.
        speed: harness::SPEED,
        iam_lag: 20.0 * harness::SPEED / 8.0,
        ..Weather::default()
    };
    survives(weather, |requests| {
        requests
            .iter()
            .any(|entry| entry["operation"] == "AssumeRole" && entry["error"] == "AccessDenied")
    })
    .await;
}

/// Canaries: the operator's key, every session that was assumed, and the admin
/// token appear in no log, in no database and in no answer.
#[tokio::test]
async fn secrets_are_seen_nowhere() {
    let installation = install(Weather::default(), Some("trace")).await.unwrap();
    if let Err(error) = whole_journey(&installation).await {
        panic!("{error:#}\n{}", installation.server.last_words());
    }
    let mut secrets: BTreeSet<String> = installation.cloud.secrets().unwrap().into_iter().collect();
    secrets.insert(admin_token(installation.folder.path()).unwrap());
    assert!(secrets.len() > 4, "the sandbox gave no session out");

    let log = std::fs::read(installation.folder.path().join("server.log")).unwrap();
    assert!(
        String::from_utf8_lossy(&log).contains("TRACE"),
        "the log is not at trace level"
    );
    let mut places = vec![("the log".to_owned(), log)];
    for answer in installation.api.heard() {
        places.push(("an answer".to_owned(), answer.into_bytes()));
    }
    places.extend(files(&data(installation.folder.path())));
    for (place, bytes) in &places {
        for secret in &secrets {
            // Four characters name the canary without repeating it here.
            let at = bytes
                .windows(secret.len())
                .position(|w| w == secret.as_bytes());
            if let Some(at) = at {
                let line = around(bytes, at);
                panic!("the secret {}… is in {place}: {line}", &secret[..4]);
            }
        }
    }
}

/// Everything in the data folder but the one file that is there to hold a
/// secret.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("admin-token"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

fn around(bytes: &[u8], at: usize) -> String {
    let start = at.saturating_sub(300);
    String::from_utf8_lossy(&bytes[start..at]).into_owned()
}
