//! The journey in bad weather, and what must never be seen of it: secrets.

mod harness;

use anyhow::Context as _;
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{
    PATIENCE,
    api::{Api, text},
    cloud::{Cloud, Weather},
    compare::{compare, nothing_left},
    journey,
    postgres::Database,
    process::landfall,
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
    let environment = deploy(installation).await?;
    take_down(installation, &environment).await
}

async fn deploy(installation: &Installation) -> anyhow::Result<String> {
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
    Ok(environment)
}

async fn take_down(installation: &Installation, environment: &str) -> anyhow::Result<()> {
    let Installation { cloud, api, .. } = installation;
    let retained = journey::delete_environment(api, environment).await?;
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
    let findings = compare(api, cloud, environment).await?;
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

/// What holds a secret's value where one is given to the cloud. Landfall lets
/// the cloud make them, so these are nowhere, whatever the value.
const GIVEN: [&str; 2] = ["\"SecretString\"", "\"MasterUserPassword\""];

/// Canaries: the operator's key, every session that was assumed, API tokens and
/// the session of a page appear in no log, no database, no answer, no page and
/// nothing that the command line prints.
#[tokio::test]
async fn secrets_are_seen_nowhere() {
    let installation = install(Weather::default(), Some("trace")).await.unwrap();
    let admin = admin_token(installation.folder.path()).unwrap();
    // Not through the client that listens: this one answer shows the secret.
    let quiet = Api::new(&installation.server.url, &admin);
    let made = json!({ "name": "canary", "role": "viewer" });
    let made = quiet.post("/tokens", made).await.unwrap();
    let token = text(&made, "secret").unwrap().to_owned();

    let mut places = Vec::new();
    let ended = async {
        let environment = deploy(&installation).await?;
        let entrusted = entrust(&installation).await?;
        let session = pages(&installation, &admin, &mut places).await?;
        commands(&installation, &admin, &mut places).await?;
        take_down(&installation, &environment).await?;
        pages(&installation, &admin, &mut places).await?;
        commands(&installation, &admin, &mut places).await?;
        anyhow::Ok((session, entrusted))
    };
    let (session, entrusted) = match ended.await {
        Ok(session) => session,
        Err(error) => panic!("{error:#}\n{}", installation.server.last_words()),
    };
    let mut secrets: BTreeSet<String> = installation.cloud.secrets().unwrap().into_iter().collect();
    assert!(secrets.len() > 3, "the sandbox gave no session out");
    secrets.extend([admin, token, session]);
    secrets.extend(entrusted);
    secrets.extend(GIVEN.map(str::to_owned));

    let log = std::fs::read(installation.folder.path().join("server.log")).unwrap();
    assert!(
        String::from_utf8_lossy(&log).contains("TRACE"),
        "the log is not at trace level"
    );
    places.push(("the log".to_owned(), log));
    for answer in installation.api.heard() {
        places.push(("an answer".to_owned(), answer.into_bytes()));
    }
    places.extend(files(&data(installation.folder.path())));
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            if let Some(at) = text.find(secret) {
                let before: String = text[..at].chars().rev().take(300).collect();
                let before: String = before.chars().rev().collect();
                // A few characters name the canary without repeating it here.
                panic!("the secret {}… is in {place}: {before}", &secret[..4]);
            }
        }
    }
}

/// Everything that a person can entrust to this server, in every field that
/// takes it, rightly and wrongly. Returns what must be seen nowhere.
async fn entrust(installation: &Installation) -> anyhow::Result<Vec<String>> {
    let api = &installation.api;
    let (file, body) = key_file("canary-project-1")?;
    let (other_file, other_body) = key_file("canary-project-1")?;
    let secret = |number: u32| format!("canary{number}8Q~5d41402abc4b2a76b9719d911017c592");
    let azure = |secret: &str| {
        json!({
            "name": "by secret", "cloud": "azure", "method": "client-secret",
            "tenant_id": "11111111-1111-4111-8111-111111111111",
            "subscription_id": "22222222-2222-4222-8222-222222222222",
            "client_id": "33333333-3333-4333-8333-333333333333",
            "client_secret": secret,
        })
    };
    let google = |file: &str| {
        json!({
            "name": "by key", "cloud": "gcp", "method": "service-account-key",
            "service_account_key": file,
        })
    };
    let made = api.post("/connections", azure(&secret(1))).await?;
    let by_secret = text(&made["connection"], "id")?;
    let path = format!("/connections/{by_secret}/rotation");
    api.post(&path, json!({ "client_secret": secret(2) }))
        .await?;
    let made = api.post("/connections", google(&file)).await?;
    let by_key = text(&made["connection"], "id")?;
    let path = format!("/connections/{by_key}/rotation");
    api.post(&path, json!({ "service_account_key": other_file }))
        .await?;

    // Refused: malformed, twice, of another project, and in fields that are not
    // there for it.
    let mut keyless = azure(&secret(3));
    keyless["method"] = "workload-identity".into();
    let mut elsewhere = google(&file);
    elsewhere["project_id"] = "another-project".into();
    let mut stray = azure(&secret(5));
    stray["password"] = secret(6).into();
    for body in [
        azure(&secret(1)),
        azure(&format!("{} {}", secret(4), secret(4))),
        google(&file.replace("PRIVATE", "PUBLIC")),
        google(&body),
        keyless,
        elsewhere,
        stray,
        json!({ "name": "x", "account_id": secret(7) }),
        json!({ "name": "x", "cloud": "azure", "client_id": secret(8), "tenant_id": secret(8) }),
    ] {
        anyhow::ensure!(
            api.post("/connections", body).await.is_err(),
            "what cannot be used was taken"
        );
    }
    // Not the first characters, which every key has.
    let mut secrets: Vec<String> = [body, other_body]
        .iter()
        .map(|body| body[400..460].to_owned())
        .collect();
    secrets.extend((1..=8).map(secret));
    Ok(secrets)
}

/// A Google key file, and its private key in base64.
fn key_file(project: &str) -> anyhow::Result<(String, String)> {
    let pair = KeyPair::generate(KeySize::Rsa2048).context("no key")?;
    let der: Pkcs8V1Der<'_> = pair.as_der().context("no key")?;
    let body = STANDARD.encode(der.as_ref());
    let file = json!({
        "type": "service_account",
        "project_id": project,
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"),
        "client_email": format!("deployer@{project}.iam.gserviceaccount.com"),
    });
    Ok((file.to_string(), body))
}

/// Every page that can be reached by links, as an Admin sees it. Returns the
/// session's secret.
async fn pages(
    installation: &Installation,
    token: &str,
    places: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<String> {
    let url = &installation.server.url;
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let answer = http
        .post(format!("{url}/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"))
        .send()
        .await?;
    let cookie = answer
        .headers()
        .get("set-cookie")
        .context("no session")?
        .to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let mut left = vec!["/".to_owned(), "/settings".to_owned()];
    for rollout in installation.api.items("/rollouts").await? {
        left.push(format!("/rollouts/{}", text(&rollout, "id")?));
        left.push(format!("/plans/{}", text(&rollout, "plan_id")?));
    }
    let mut seen: BTreeSet<String> = left.iter().cloned().collect();
    while let Some(path) = left.pop() {
        let request = http.get(format!("{url}{path}")).header("cookie", &cookie);
        let answer = request.send().await?;
        // A plan's page goes with its environment.
        let status = answer.status();
        anyhow::ensure!(status == 200 || status == 404, "{path}: {status}");
        let html = answer.text().await?;
        for link in html.split("href=\"/").skip(1) {
            let link = format!("/{}", link.split(['"', '#', '?']).next().unwrap_or(""));
            if !link.starts_with("/assets") && seen.insert(link.clone()) {
                left.push(link);
            }
        }
        places.push((format!("the page {path}"), html.into_bytes()));
    }
    anyhow::ensure!(seen.len() > 10, "only {seen:?}");
    let (_, session) = cookie.split_once('=').context("no cookie")?;
    Ok(session.to_owned())
}

/// Everything that the command line reads, as people and as programs see it.
async fn commands(
    installation: &Installation,
    token: &str,
    places: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<()> {
    let rollouts = installation.api.items("/rollouts").await?;
    let rollout = text(rollouts.first().context("no rollout")?, "id")?;
    let asked = [
        vec!["connections", "list"],
        vec!["connections", "show", "customer"],
        vec!["connections", "show", "by secret", "--grant"],
        vec!["connections", "show", "by key", "--grant"],
        vec!["apps", "list"],
        vec!["apps", "show", "shop"],
        vec!["environments", "list"],
        vec!["rollouts", "list"],
        vec!["rollouts", "show", rollout],
        vec!["retained", "list", "--all"],
        vec!["members", "list"],
        vec!["tokens", "list"],
        vec!["audit", "list"],
        vec!["doctor"],
    ];
    for arguments in asked {
        for format in ["human", "json"] {
            let mut command = landfall();
            command
                .args(&arguments)
                .args(["--output", format])
                .args(["--server", &installation.server.url])
                .arg("--data-dir")
                .arg(data(installation.folder.path()))
                .env(
                    "LANDFALL_CONFIG",
                    installation.folder.path().join("server.toml"),
                )
                .env("LANDFALL_TOKEN", token);
            let output = command.output().await?;
            let what = format!("landfall {} --output {format}", arguments.join(" "));
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::ensure!(
                !output.stdout.is_empty() && (output.status.success() || arguments[0] == "doctor"),
                "{what}: {said}"
            );
            places.push((format!("what '{what}' says"), output.stderr));
            places.push((format!("what '{what}' prints"), output.stdout));
        }
    }
    Ok(())
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
