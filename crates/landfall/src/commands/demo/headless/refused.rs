//! What the provisioner's own permissions refuse.

use super::{PATIENCE, REGION, report::RefusedLine};
use crate::{connectors, server::Server};
use anyhow::{Context as _, ensure};
use landfall_model::{
    connection::Connection,
    driver::{AttemptToken, Driver, Failure, FailureKind, PatchOperation, Status},
    resource::Resource,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Asks, as the provisioner, for what its own permissions must refuse.
pub async fn try_all(
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
            cloud: connection.cloud(),
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
