//! vCPU quotas of the chosen regions.

use super::{Found, Question, Run, no_session};
use crate::client::Session;
use landfall_model::{check::Check, driver::Failure};
use serde_json::Value;

/// What an environment of the default size may need at once, two revisions of
/// it side by side among it.
const NEEDED: i64 = 8;

pub(super) async fn check(run: &Run<'_>, session: Option<&Session<'_>>) -> Check {
    let question = Question::new(
        "azure.quota-vcpus",
        format!("There is quota for {NEEDED} vCPUs in each chosen region"),
        "Microsoft.Compute/locations/usages, \"Total Regional vCPUs\"",
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session();
            };
            if run.azure.regions.is_empty() {
                return Found::skipped("not asked: no region is chosen");
            }
            let mut free = Vec::new();
            for region in &run.azure.regions {
                match run.recorder.patiently(|| left(run, session, region)).await {
                    Ok(left) => free.push((region.as_str(), left)),
                    // Before the provider is registered nothing is counted; its
                    // own check says how that stands.
                    Err(failure) if failure.code == "MissingSubscriptionRegistration" => {
                        return Found::skipped(
                            "not visible to us until Microsoft.Compute is registered",
                        );
                    }
                    Err(failure) => return run.recorder.failed(&failure, ""),
                }
            }
            judged(&free)
        })
        .await
}

/// Of one region: what is left, if Azure counts it.
async fn left(run: &Run<'_>, session: &Session<'_>, region: &str) -> Result<Option<i64>, Failure> {
    let path = format!(
        "{}/providers/Microsoft.Compute/locations/{region}/usages",
        run.subscription()
    );
    let all = session
        .list(&path, &[("api-version", "2024-07-01")])
        .await?;
    let cores = all.iter().find(|one| one["name"]["value"] == "cores");
    Ok(cores
        .and_then(|cores: &Value| Some(cores["limit"].as_i64()? - cores["currentValue"].as_i64()?)))
}

fn judged(free: &[(&str, Option<i64>)]) -> Found {
    let shown: Vec<String> = free
        .iter()
        .map(|(region, left)| match left {
            Some(left) => format!("{region}: {left} left"),
            None => format!("{region}: not counted"),
        })
        .collect();
    let short = free
        .iter()
        .any(|(_, left)| left.is_some_and(|left| left < NEEDED));
    if short {
        Found::warn(
            shown.join("; "),
            "ask for more under Subscriptions → Usage + quotas → Total Regional vCPUs, or choose \
             another region",
        )
    } else {
        Found::pass(shown.join("; "))
    }
}
