//! An environment's life: planned, rolled out, opened, deleted, and one of its
//! resources destroyed by name.

use super::{
    PATIENCE,
    report::{DestroyedLine, UrlLine},
    steps::Steps,
};
use crate::commands::demo::journey::Api;
use anyhow::{Context as _, ensure};
use landfall_model::{
    connection::{Cloud, Connection},
    plan::Plan,
    resource::Resource,
    retained::Retained,
    rollout::{Rollout, RolloutProgress},
};
use serde_json::{Value, json};

const SCORE: &str = include_str!("../../../../../../examples/shop/web.score.yaml");

/// Returns the environment's id and its approved plan.
pub async fn plan(api: &Api, connection: &Connection) -> anyhow::Result<(String, Plan)> {
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

pub async fn roll_out(api: &Api, plan: &Plan, steps: &Steps) -> anyhow::Result<RolloutProgress> {
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

pub async fn open(progress: &RolloutProgress) -> anyhow::Result<Vec<UrlLine>> {
    let mut urls = Vec::new();
    for url in progress.endpoints.values() {
        let answer = reqwest::get(url)
            .await
            .with_context(|| format!("{url} does not answer"))?;
        let status = answer.status().as_u16();
        ensure!(status == 200, "{url} answers {status}");
        urls.push(UrlLine {
            cloud: Cloud::Aws,
            url: url.clone(),
            status,
        });
    }
    ensure!(!urls.is_empty(), "the environment offers no address");
    Ok(urls)
}

pub async fn retain(
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

pub async fn destroy(api: &Api, retained: &[Retained]) -> anyhow::Result<Vec<DestroyedLine>> {
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
        cloud: Cloud::Aws,
        type_name: database.type_name.clone(),
        id: database.identifier.clone(),
    }])
}
