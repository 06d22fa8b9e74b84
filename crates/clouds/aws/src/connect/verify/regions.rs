//! Opt-in regions that are not enabled fail late and obscurely: asked first.

use super::{Account, Found, Question, Run, no_session};
use crate::error::{Effect, from_sdk};
use aws_config::SdkConfig;
use aws_sdk_account::types::RegionOptStatus;
use landfall_model::{check::Check, connector::Region, driver::Failure};
use std::collections::BTreeSet;

/// All regions of the account (AWS docs: Account Management API reference,
/// `ListRegions`).
pub(in crate::connect) async fn list(sdk: &SdkConfig) -> Result<Vec<Region>, Failure> {
    let account = aws_sdk_account::Client::new(sdk);
    let mut regions = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = account
            .list_regions()
            .max_results(50)
            .set_next_token(next.clone())
            .send()
            .await
            .map_err(|error| from_sdk(error, "account:ListRegions", Effect::Read))?;
        for region in page.regions.unwrap_or_default() {
            let Some(name) = region.region_name else {
                continue;
            };
            let status = region.region_opt_status;
            regions.push(Region {
                name,
                enabled: matches!(
                    status,
                    Some(RegionOptStatus::Enabled | RegionOptStatus::EnabledByDefault)
                ),
                changing: matches!(
                    status,
                    Some(RegionOptStatus::Enabling | RegionOptStatus::Disabling)
                ),
            });
        }
        match page.next_token.filter(|token| !token.is_empty()) {
            Some(token) if next.as_ref() != Some(&token) => next = Some(token),
            _ => break,
        }
    }
    regions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(regions)
}

pub(super) async fn check(run: &Run<'_>, account: Option<&Account>) -> Check {
    let wanted: BTreeSet<&String> = run
        .connection
        .regions
        .iter()
        .chain(&run.connection.default_region)
        .collect();
    let question = Question::new(
        "aws.regions-enabled",
        "The wanted regions are enabled in the account",
        "account:ListRegions as the provisioner",
    );
    run.recorder
        .record(question, async {
            let Some(account) = account else {
                return no_session();
            };
            let regions = match run.recorder.patiently(|| list(&account.sdk)).await {
                Ok(regions) => regions,
                Err(failure) => return run.recorder.failed(&failure, ""),
            };
            let (mut off, mut changing) = (Vec::new(), Vec::new());
            for name in &wanted {
                match regions.iter().find(|region| region.name == **name) {
                    Some(region) if region.enabled => {}
                    Some(region) if region.changing => changing.push(name.as_str()),
                    _ => off.push(name.as_str()),
                }
            }
            if !off.is_empty() {
                return Found::fail(
                    format!("not enabled in this account: {}", off.join(", ")),
                    format!(
                        "enable {} in the console under Account → AWS Regions (it takes minutes \
                         to hours), or choose other regions for this connection",
                        off.join(", ")
                    ),
                );
            }
            if !changing.is_empty() {
                return Found::warn(
                    format!("being switched on or off: {}", changing.join(", ")),
                    "wait until AWS has finished, then check again",
                );
            }
            let among = if wanted.is_empty() {
                String::new()
            } else {
                let names: Vec<_> = wanted.iter().map(|name| name.as_str()).collect();
                format!(", among them {}", names.join(", "))
            };
            Found::pass(format!(
                "{} of {} regions are enabled{among}",
                regions.iter().filter(|region| region.enabled).count(),
                regions.len(),
            ))
        })
        .await
}
