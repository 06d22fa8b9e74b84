//! What the project may have, and where.

use super::{Found, Question, Run, Sessions, no_session};
use crate::http::Session;
use landfall_model::{check::Check, connection::ProjectId, driver::Failure, grant::GcpIdentity};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the default environment takes at most: service, quota, how much, and
/// what of it. A production environment with one database.
const NEEDED: [(&str, &str, i64, &str); 4] = [
    ("compute", "NETWORKS-per-project", 1, "a network"),
    (
        "compute",
        "STATIC-ADDRESSES-per-project-region",
        2,
        "two addresses for NAT",
    ),
    (
        "run",
        "CpuAllocPerProjectRegion",
        10_000,
        "ten CPUs of Cloud Run, in thousandths",
    ),
    ("sqladmin", "InstancesPerProject", 1, "a database instance"),
];

/// The quota that every region has, by which regions are known: the list of
/// Compute Engine itself would need its API, which may not be on yet.
const OF_EVERY_REGION: (&str, &str) = ("compute", "CPUS-per-project-region");

fn path(project: &ProjectId, service: &str, quota: &str) -> String {
    format!(
        "v1/projects/{project}/locations/global/services/{service}.googleapis.com/quotaInfos/{quota}"
    )
}

/// The regions that the project can use.
pub(in crate::connect) async fn regions(
    session: &Session,
    project: &ProjectId,
) -> Result<Vec<String>, Failure> {
    let (service, quota) = OF_EVERY_REGION;
    let answer = session
        .get("cloudquotas", &path(project, service, quota))
        .await?;
    let names: BTreeSet<String> = infos(&answer)
        .filter_map(|info| info["dimensions"]["region"].as_str())
        .map(str::to_owned)
        .collect();
    Ok(names.into_iter().collect())
}

fn infos(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["dimensionsInfos"].as_array().into_iter().flatten()
}

pub(super) async fn check(run: &Run<'_>, sessions: &Sessions) -> Vec<Check> {
    let session = sessions.provisioner.as_ref();
    let (regions, quotas) = futures::join!(
        chosen_regions(run, session),
        futures::future::join_all(NEEDED.map(|needed| quota(run, session, needed)))
    );
    let mut checks = vec![regions];
    checks.extend(quotas);
    checks
}

async fn chosen_regions(run: &Run<'_>, session: Option<&Session>) -> Check {
    let question = Question::new(
        "gcp.regions-available",
        "The chosen regions exist for this project",
        "the regions that Cloud Quotas lists",
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Provisioner);
            };
            let known = run
                .recorder
                .patiently(|| regions(session, run.connection.project_id()))
                .await;
            let known = match known {
                Ok(known) => known,
                Err(failure) => return run.recorder.failed(&failure, ""),
            };
            let missing: Vec<&str> = run
                .connection
                .regions
                .iter()
                .map(String::as_str)
                .filter(|region| !known.iter().any(|name| name == region))
                .collect();
            if missing.is_empty() {
                Found::pass(format!("{} regions", known.len()))
            } else {
                Found::fail(
                    format!("not for this project: {}", missing.join(", ")),
                    format!("choose among {}", known.join(", ")),
                )
            }
        })
        .await
}

async fn quota(
    run: &Run<'_>,
    session: Option<&Session>,
    (service, quota, needed, what): (&str, &str, i64, &str),
) -> Check {
    let question = Question::new(
        format!("gcp.quota.{}", quota.to_ascii_lowercase()),
        format!("The quota allows {what}"),
        format!("cloudquotas quotaInfos.get of {quota} of {service}.googleapis.com"),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Provisioner);
            };
            let path = path(run.connection.project_id(), service, quota);
            let answer = run
                .recorder
                .patiently(|| session.get("cloudquotas", &path))
                .await;
            match answer {
                Ok(answer) => enough(run, quota, needed, &answer),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

fn enough(run: &Run<'_>, quota: &str, needed: i64, answer: &Value) -> Found {
    let chosen = &run.connection.regions;
    let mut said = Vec::new();
    let mut short = Vec::new();
    for info in infos(answer) {
        let region = info["dimensions"]["region"].as_str();
        if region.is_some_and(|region| !chosen.is_empty() && !chosen.iter().any(|c| c == region)) {
            continue;
        }
        let Some(limit) = info["details"]["value"]
            .as_str()
            .and_then(|value| value.parse::<i64>().ok())
        else {
            continue;
        };
        // Google writes "no limit" as -1.
        let text = match region {
            Some(region) => format!("{limit} in {region}"),
            None => limit.to_string(),
        };
        if limit != -1 && limit < needed {
            short.push(text);
        } else {
            said.push(text);
        }
    }
    if short.is_empty() {
        // Some quotas are listed only once something was used.
        let said = if said.is_empty() {
            "Google lists no limit yet".to_owned()
        } else {
            format!("the limit is {}", said.join(", "))
        };
        return Found::pass(said);
    }
    Found::warn(
        format!("the limit is {}, and {needed} are needed", short.join(", ")),
        format!("ask for more: IAM & Admin → Quotas & System Limits → {quota} → Edit"),
    )
}
