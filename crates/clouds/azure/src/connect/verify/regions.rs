//! The regions that were chosen.

use super::{Found, Question, Run, no_session};
use crate::client::Session;
use landfall_model::{
    check::Check, connection::AzureConnection, connector::Region, driver::Failure,
};

/// Every subscription may use all physical regions that it lists.
pub(in crate::connect) async fn list(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
) -> Result<Vec<Region>, Failure> {
    let path = format!("/subscriptions/{}/locations", azure.subscription_id());
    let all = session
        .list(&path, &[("api-version", "2022-12-01")])
        .await?;
    let mut regions: Vec<Region> = all
        .iter()
        .filter(|one| one["metadata"]["regionType"].as_str().unwrap_or("Physical") == "Physical")
        .filter_map(|one| one["name"].as_str())
        .map(|name| Region {
            name: name.to_owned(),
            enabled: true,
            changing: false,
        })
        .collect();
    regions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(regions)
}

pub(super) async fn check(run: &Run<'_>, session: Option<&Session<'_>>) -> Check {
    let question = Question::new(
        "azure.regions-exist",
        "The chosen regions can be used",
        format!("GET {}/locations", run.subscription()),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session();
            };
            let known = match run.recorder.patiently(|| list(session, run.azure)).await {
                Ok(known) => known,
                Err(failure) => return run.recorder.failed(&failure, ""),
            };
            let unknown: Vec<&str> = run
                .azure
                .regions
                .iter()
                .map(String::as_str)
                .filter(|wanted| !known.iter().any(|region| region.name == *wanted))
                .collect();
            if unknown.is_empty() {
                Found::pass(format!(
                    "{} regions, {} chosen",
                    known.len(),
                    run.azure.regions.len()
                ))
            } else {
                Found::fail(
                    format!("the subscription does not list {}", unknown.join(", ")),
                    "choose other regions: 'az account list-locations' prints them",
                )
            }
        })
        .await
}
