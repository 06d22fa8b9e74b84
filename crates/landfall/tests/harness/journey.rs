//! The journey of a customer, step by step through the API.

use super::{
    PATIENCE,
    api::{Api, text},
    cloud::Cloud,
    customer,
};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

pub const REGION: &str = "eu-central-1";

const SCORE: &str = include_str!("../../../../examples/shop/web.score.yaml");

/// Connects the customer's account as a person at the console would.
pub async fn connect(api: &Api, cloud: &Cloud) -> anyhow::Result<String> {
    let account = cloud.customer()?;
    let body = json!({ "name": "customer", "account_id": account });
    let created = api.post("/connections", body).await?;
    let link = created["grant"]["ways"][0]["url"]
        .as_str()
        .context("the grant has no quick-create link")?;
    customer::aws::create_stack(link, &account).await?;
    let id = text(&created["connection"], "id")?.to_owned();
    let path = format!("/connections/{id}");
    let connection = api
        .until(&path, PATIENCE, |value| {
            !matches!(
                value["state"]["status"].as_str(),
                Some("pending" | "propagating")
            )
        })
        .await?;
    let state = text(&connection["state"], "status")?;
    if state != "connected" {
        let runs = api.items(&format!("{path}/checks")).await?;
        let failed: Vec<String> = runs
            .first()
            .and_then(|run| run["checks"].as_array())
            .into_iter()
            .flatten()
            .filter(|check| check["outcome"] != "pass")
            .map(Value::to_string)
            .collect();
        anyhow::bail!("the connection is {state}: {}", failed.join("\n"));
    }
    api.patch(&path, json!({ "default_region": REGION }))
        .await?;
    Ok(id)
}

/// The example application in an environment of its own; returns its id.
pub async fn environment(api: &Api, connection: &str) -> anyhow::Result<String> {
    let application = api.post("/applications", json!({ "name": "shop" })).await?;
    let application = text(&application, "id")?;
    api.put_score(application, "web", SCORE).await?;
    let environment = api
        .post(
            "/environments",
            json!({
                "application_id": application,
                "connection_id": connection,
                "name": "production",
                "kind": "production",
                "approval": "manual",
            }),
        )
        .await?;
    Ok(text(&environment, "id")?.to_owned())
}

/// Another image, and the bucket is no longer wanted.
pub async fn change_workload(api: &Api) -> anyhow::Result<()> {
    let applications = api.items("/applications").await?;
    let application = applications.first().context("there is no application")?;
    let without_bucket: Vec<&str> = SCORE
        .lines()
        .filter(|line| !line.contains("UPLOADS_BUCKET"))
        .collect();
    let changed = without_bucket
        .join("\n")
        .replace("shop:1.0", "shop:1.1")
        .replace("  uploads:\n    type: bucket\n", "");
    ensure!(
        changed.contains("shop:1.1") && !changed.contains("bucket"),
        "the example is not as this test knows it:\n{changed}"
    );
    api.put_score(text(application, "id")?, "web", &changed)
        .await?;
    Ok(())
}

/// An approved plan of at least so many changes; returns its id.
pub async fn approved_plan(api: &Api, environment: &str, least: u64) -> anyhow::Result<String> {
    let plan = api.plan(environment).await?;
    let summary = plan["summary"].as_object().context("no summary")?;
    let changes: u64 = summary
        .iter()
        .filter(|(kind, _)| *kind != "no_change")
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    ensure!(changes >= least, "the plan is only {summary:?}");
    let id = text(&plan, "id")?;
    api.post(
        &format!("/plans/{id}/approve"),
        json!({ "digest": plan["digest"] }),
    )
    .await?;
    Ok(id.to_owned())
}

/// Starts the plan's rollout and waits for its end, which must be a good one.
pub async fn roll_out(api: &Api, plan: &str) -> anyhow::Result<Value> {
    let rollout = api
        .post(&format!("/plans/{plan}/rollouts"), json!({}))
        .await?;
    let path = format!("/rollouts/{}", text(&rollout, "id")?);
    let progress = api
        .until(&path, PATIENCE, |value| is_over(&value["rollout"]))
        .await?;
    ensure!(
        progress["rollout"]["state"]["status"] == "succeeded",
        "the rollout ended as {}: {}",
        progress["rollout"]["state"],
        failures(&progress)
    );
    Ok(progress)
}

pub fn is_over(rollout: &Value) -> bool {
    matches!(
        rollout["state"]["status"].as_str(),
        Some("succeeded" | "failed" | "canceled")
    )
}

/// The nodes that did not come out well, for messages.
pub fn failures(progress: &Value) -> String {
    let nodes = progress["nodes"].as_object();
    nodes
        .into_iter()
        .flatten()
        .filter(|(_, state)| state["status"] != "done")
        .map(|(address, state)| format!("\n    {address}: {state}"))
        .collect()
}

/// Deletes the environment and returns what it left as retained.
pub async fn delete_environment(api: &Api, environment: &str) -> anyhow::Result<Vec<Value>> {
    api.delete(&format!("/environments/{environment}")).await?;
    api.items("/retained").await
}

/// The name that a person types to approve the destruction.
pub fn typed_name(retained: &Value) -> anyhow::Result<String> {
    let identifier = text(retained, "identifier")?;
    let last = identifier.rsplit(['/', '|']).next().unwrap_or(identifier);
    Ok(last.to_owned())
}
