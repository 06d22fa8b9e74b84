//! The whole journey without a person. What it prints is what it saw; what must
//! be so and is not ends it with an error.

use super::{customer, journey::Api, provider::Provider};
use crate::{connectors, server::Server};
use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use landfall_cli::Output;
use landfall_model::{
    check::CheckRun,
    connection::Connection,
    driver::{AttemptToken, Driver, Failure, FailureKind, PatchOperation, Status},
    grant::GrantGuide,
    plan::Plan,
    resource::Resource,
    retained::Retained,
    rollout::{Rollout, RolloutProgress},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const SCORE: &str = include_str!("../../../../../examples/shop/web.score.yaml");
const REGION: &str = "eu-central-1";
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<CheckLine>,
    created: usize,
    urls: Vec<UrlLine>,
    retained: Vec<RetainedLine>,
    refused: Vec<RefusedLine>,
    destroyed: Vec<DestroyedLine>,
    remaining_after_disconnect: usize,
    seconds: f64,
}

#[derive(Serialize)]
struct CheckLine {
    cloud: &'static str,
    method: &'static str,
    id: String,
    outcome: &'static str,
}

#[derive(Serialize)]
struct UrlLine {
    cloud: &'static str,
    url: String,
    status: u16,
}

#[derive(Serialize)]
struct RetainedLine {
    cloud: &'static str,
    #[serde(rename = "type")]
    type_name: String,
    id: String,
    reason: &'static str,
}

#[derive(Serialize)]
struct RefusedLine {
    cloud: &'static str,
    action: String,
    resource: String,
}

#[derive(Serialize)]
struct DestroyedLine {
    cloud: &'static str,
    #[serde(rename = "type")]
    type_name: String,
    id: String,
}

pub async fn walk(
    provider: &Provider,
    server: &Server,
    token: &str,
    started: Instant,
    output: Output,
) -> anyhow::Result<()> {
    let api = Api::new(&server.url, token)?;
    let steps = Steps::new();

    steps.next("connecting the account");
    let (connection, mut checks) = connect(&api, provider, "assume-role").await?;
    steps.next("connecting it without any key");
    let (keyless, found) = connect(&api, provider, "oidc").await?;
    checks.extend(found);
    steps.next("planning");
    let (environment, plan) = plan(&api, &connection).await?;
    steps.next("rolling out");
    let progress = roll_out(&api, &plan, &steps).await?;
    let resources: Vec<Resource> = api
        .items(&format!("/environments/{environment}/resources"))
        .await?;
    steps.next("opening the address");
    let urls = open(&progress).await?;
    steps.next("trying what must be refused");
    let refused = try_refused(server, &connection, &resources).await?;
    steps.next("deleting the environment");
    let retained = retain(&api, &environment, &resources).await?;
    steps.next("destroying the database by its name");
    let destroyed = destroy(&api, &retained).await?;
    steps.next("disconnecting");
    let answer: Value = api
        .post(
            &format!("/connections/{}/disconnect", connection.id),
            json!({}),
        )
        .await?;
    api.post::<Value>(
        &format!("/connections/{}/disconnect", keyless.id),
        json!({}),
    )
    .await?;
    let remaining = answer["remaining"].as_array().map_or(0, Vec::len);
    ensure!(
        remaining == retained.len() - 1,
        "{} were retained and one destroyed, but {remaining} remain",
        retained.len()
    );
    steps.finish();

    let report = Report {
        ok: true,
        checks,
        created: resources.len(),
        urls,
        retained: retained
            .iter()
            .map(|one| RetainedLine {
                cloud: "aws",
                type_name: one.type_name.clone(),
                id: one.identifier.clone(),
                reason: one.reason.as_str(),
            })
            .collect(),
        refused,
        destroyed,
        remaining_after_disconnect: remaining,
        seconds: (started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    };
    output.print(&report, |report| {
        format!(
            "It all went as it should in {} s: {} checks, {} resources made, {} answered, {} refusals, {} retained, {} destroyed by approval, {} remain in the account.",
            report.seconds,
            report.checks.len(),
            report.created,
            report.urls.first().map_or("nothing", |one| one.url.as_str()),
            report.refused.len(),
            report.retained.len(),
            report.destroyed.len(),
            report.remaining_after_disconnect
        )
    })?;
    Ok(())
}

async fn connect(
    api: &Api,
    provider: &Provider,
    method: &str,
) -> anyhow::Result<(Connection, Vec<CheckLine>)> {
    let account_id = &provider.customer.account_id;
    let created = api.create_connection(account_id, method).await?;
    let guide: GrantGuide = serde_json::from_value(created["grant"].clone())?;
    let link = guide.link().context("the grant has no quick-create link")?;
    customer::create_stack(link, account_id).await?;
    let id = created["connection"]["id"].as_str().unwrap_or_default();
    let path = format!("/connections/{id}");
    let connected = api
        .until(&path, PATIENCE, |value| {
            !matches!(
                value["state"]["status"].as_str(),
                Some("pending" | "propagating")
            )
        })
        .await?;
    let connection: Connection = serde_json::from_value(connected)?;
    let runs: Vec<CheckRun> = api.items(&format!("{path}/checks")).await?;
    let run = runs.into_iter().next().context("no check was made")?;
    if !connection.state.can_provision() {
        bail!(
            "the connection is {}: {:?}",
            connection.state.as_str(),
            run.checks
                .iter()
                .filter(|check| check.outcome.as_str() == "fail")
                .map(|check| format!("{}: {}", check.id, check.evidence))
                .collect::<Vec<_>>()
        );
    }
    let checks: Vec<CheckLine> = run
        .checks
        .iter()
        .map(|check| CheckLine {
            cloud: "aws",
            method: connection.method().as_str(),
            id: check.id.clone(),
            outcome: check.outcome.as_str(),
        })
        .collect();
    let distinct: BTreeSet<&str> = checks.iter().map(|check| check.id.as_str()).collect();
    ensure!(
        distinct.len() >= 15,
        "only {} checks were made",
        distinct.len()
    );
    let connection = api
        .patch(&path, json!({ "default_region": REGION }))
        .await?;
    Ok((connection, checks))
}

/// Returns the environment's id and its approved plan.
async fn plan(api: &Api, connection: &Connection) -> anyhow::Result<(String, Plan)> {
    let application: Value = api.post("/applications", json!({ "name": "shop" })).await?;
    let application = application["id"].as_str().unwrap_or_default();
    api.put_score(application, "web", SCORE).await?;
    let environment: Value = api
        .post(
            "/environments",
            json!({
                "application_id": application,
                "connection_id": connection.id,
                "name": "production",
                "kind": "production",
                "approval": "manual",
            }),
        )
        .await?;
    let environment = environment["id"].as_str().unwrap_or_default().to_owned();
    let plan: Plan = api
        .post(&format!("/environments/{environment}/plans"), json!({}))
        .await?;
    ensure!(
        plan.summary.create >= 35,
        "the plan makes only {} resources",
        plan.summary.create
    );
    let plan: Plan = api
        .post(
            &format!("/plans/{}/approve", plan.id),
            json!({ "digest": plan.digest }),
        )
        .await?;
    Ok((environment, plan))
}

async fn roll_out(api: &Api, plan: &Plan, steps: &Steps) -> anyhow::Result<RolloutProgress> {
    let rollout: Rollout = api
        .post(&format!("/plans/{}/rollouts", plan.id), json!({}))
        .await?;
    let path = format!("/rollouts/{}", rollout.id);
    let value = api
        .until(&path, PATIENCE, |value| {
            steps.count(&value["done"], &value["total"]);
            matches!(
                value["rollout"]["state"]["status"].as_str(),
                Some("succeeded" | "failed" | "canceled")
            )
        })
        .await?;
    let progress: RolloutProgress = serde_json::from_value(value)?;
    let status = progress.rollout.state.as_str();
    ensure!(
        status == "succeeded",
        "the rollout {status}: {:?}",
        progress
            .nodes
            .iter()
            .filter_map(|(address, node)| match node {
                landfall_model::rollout::NodeState::Failed { failure, .. } =>
                    Some(format!("{address}: {} {}", failure.code, failure.message)),
                _ => None,
            })
            .collect::<Vec<_>>()
    );
    Ok(progress)
}

async fn open(progress: &RolloutProgress) -> anyhow::Result<Vec<UrlLine>> {
    let mut urls = Vec::new();
    for url in progress.endpoints.values() {
        let answer = reqwest::get(url)
            .await
            .with_context(|| format!("{url} does not answer"))?;
        let status = answer.status().as_u16();
        ensure!(status == 200, "{url} answers {status}");
        urls.push(UrlLine {
            cloud: "aws",
            url: url.clone(),
            status,
        });
    }
    ensure!(!urls.is_empty(), "the environment offers no address");
    Ok(urls)
}

/// Asks, as the provisioner, for what its own permissions must refuse.
async fn try_refused(
    server: &Server,
    connection: &Connection,
    resources: &[Resource],
) -> anyhow::Result<Vec<RefusedLine>> {
    let connector = connectors::of(&server.connectors, connection.method())
        .context("the server has no connector for the connection")?;
    let driver = connector.provisioner(connection, REGION).await?;
    let aws = connection.aws()?;
    let find = |type_name: &str| {
        resources
            .iter()
            .find(|one| one.type_name == type_name)
            .map(|one| one.identifier.clone())
            .with_context(|| format!("no {type_name} was made"))
    };
    let database = find("AWS::RDS::DBInstance")?;
    let bucket = find("AWS::S3::Bucket")?;
    // Emptying by the back door: everything expires tomorrow.
    let expiry = json!({ "Rules": [{ "Status": "Enabled", "ExpirationInDays": 1 }] });
    let images = json!({ "LifecyclePolicyText": r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"# });
    let mut attempts: Vec<(&str, String, Attempt)> = vec![
        ("AWS::RDS::DBInstance", database.clone(), Attempt::Delete),
        ("AWS::S3::Bucket", bucket.clone(), Attempt::Delete),
        (
            "AWS::S3::Bucket",
            bucket,
            Attempt::Set("/LifecycleConfiguration", expiry),
        ),
        (
            "AWS::ECR::Repository",
            find("AWS::ECR::Repository")?,
            Attempt::Set("/LifecyclePolicy", images),
        ),
        (
            "AWS::SecretsManager::Secret",
            find("AWS::SecretsManager::Secret")?,
            Attempt::Delete,
        ),
        ("AWS::EC2::VPC", find("AWS::EC2::VPC")?, Attempt::Delete),
        (
            "AWS::RDS::DBInstance",
            database,
            Attempt::Set("/DeletionProtection", json!(false)),
        ),
        (
            "AWS::IAM::Role",
            aws.provisioner_role_name(),
            Attempt::Set("/MaxSessionDuration", json!(43200)),
        ),
        ("AWS::IAM::Role", aws.reaper_role_name(), Attempt::Delete),
    ];
    attempts.push((
        "AWS::IAM::Role",
        "landfall-demo-without-boundary".into(),
        Attempt::Create(json!({
            "RoleName": "landfall-demo-without-boundary",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": "ecs-tasks.amazonaws.com" },
                    "Action": "sts:AssumeRole",
                }],
            },
        })),
    ));
    let mut refused = Vec::new();
    for (number, (type_name, identifier, attempt)) in attempts.into_iter().enumerate() {
        let token = AttemptToken(format!("demo-refused-{}-{number}", connection.suffix()));
        let failure = attempt
            .run(&*driver, type_name, &identifier, &token)
            .await?
            .with_context(|| {
                format!("the provisioner was not refused: {type_name} {identifier}")
            })?;
        ensure!(
            failure.kind == FailureKind::Denied,
            "{type_name} {identifier} failed, but not for a missing permission: {}",
            failure.message
        );
        refused.push(RefusedLine {
            cloud: "aws",
            action: failure.action.unwrap_or(failure.code),
            resource: identifier,
        });
    }
    Ok(refused)
}

enum Attempt {
    Delete,
    Set(&'static str, Value),
    Create(Value),
}

impl Attempt {
    /// The refusal; `None` if it was done.
    async fn run(
        self,
        driver: &dyn Driver,
        type_name: &str,
        identifier: &str,
        token: &AttemptToken,
    ) -> anyhow::Result<Option<Failure>> {
        let first = match self {
            Self::Delete => driver.delete(type_name, identifier, token).await,
            Self::Create(properties) => driver.create(type_name, &properties, token).await,
            Self::Set(path, value) => {
                let path = path.to_owned();
                let patch = [PatchOperation::Add { path, value }];
                driver.update(type_name, identifier, &patch, token).await
            }
        };
        let mut progress = match first {
            Ok(progress) => progress,
            Err(failure) => return Ok(Some(failure)),
        };
        let started = Instant::now();
        loop {
            match progress.status {
                Status::Succeeded => return Ok(None),
                Status::Failed(failure) => return Ok(Some(failure)),
                Status::Running { .. } => {}
            }
            ensure!(started.elapsed() < PATIENCE, "{type_name} never ends");
            tokio::time::sleep(Duration::from_millis(50)).await;
            progress = driver.poll(&progress.operation).await?;
        }
    }
}

async fn retain(
    api: &Api,
    environment: &str,
    resources: &[Resource],
) -> anyhow::Result<Vec<Retained>> {
    let _: Value = api.delete(&format!("/environments/{environment}")).await?;
    let retained: Vec<Retained> = api.items("/retained").await?;
    ensure!(
        retained.len() == resources.len(),
        "{} resources were made, but {} are retained",
        resources.len(),
        retained.len()
    );
    Ok(retained)
}

async fn destroy(api: &Api, retained: &[Retained]) -> anyhow::Result<Vec<DestroyedLine>> {
    let database = retained
        .iter()
        .find(|one| one.type_name == "AWS::RDS::DBInstance")
        .context("the database was not retained")?;
    let path = format!("/retained/{}", database.id);
    let wrong: anyhow::Result<Value> = api
        .post(&format!("{path}/destroy"), json!({ "typed_name": "yes" }))
        .await;
    ensure!(wrong.is_err(), "a wrong name was accepted");
    let _: Value = api
        .post(
            &format!("{path}/destroy"),
            json!({ "typed_name": database.typed_name() }),
        )
        .await?;
    let value = api
        .until(&path, PATIENCE, |value| {
            value["state"]["status"] != "destroying"
        })
        .await?;
    ensure!(
        value["state"]["status"] == "destroyed",
        "the database is not destroyed: {}",
        value["state"]
    );
    Ok(vec![DestroyedLine {
        cloud: "aws",
        type_name: database.type_name.clone(),
        id: database.identifier.clone(),
    }])
}

/// Progress on stderr: stdout is for the report.
struct Steps(ProgressBar);

impl Steps {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    fn next(&self, text: &'static str) {
        if self.0.is_hidden() {
            eprintln!("{text} …");
        }
        self.0.set_message(text);
    }

    fn count(&self, done: &Value, total: &Value) {
        self.0
            .set_message(format!("rolling out: {done} of {total} resources"));
    }

    fn finish(self) {
        self.0.finish_and_clear();
    }
}
