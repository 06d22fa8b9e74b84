use super::{Change, find};
use crate::{Actor, App, Permission, audit};
use landfall_model::{
    Code, Error,
    connection::{Connection, Partition, Target},
    connector::Region,
    error::Result,
    id::ConnectionId,
};
use std::collections::BTreeSet;

/// Regions of a request; more is a mistake.
const MOST: usize = 64;

/// The account's regions and whether they are enabled.
pub async fn regions(app: &App, actor: &Actor, id: &ConnectionId) -> Result<Vec<Region>> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    let connection = find(app, actor.organization_id(), id).await?;
    super::require_connected(&connection)?;
    in_account(app, &connection).await
}

async fn in_account(app: &App, connection: &Connection) -> Result<Vec<Region>> {
    let connector = app.connector(connection.method())?;
    app.ask(
        connection,
        app.settings.detection.timeout,
        connector.regions(connection),
    )
    .await
    .map_err(|silence| {
        silence.into_error(&format!("listing the regions of {}", connection.scope()))
    })
}

/// Sorted, each once.
pub(super) fn tidy(regions: &[String]) -> Vec<String> {
    let unique: BTreeSet<_> = regions.iter().cloned().collect();
    unique.into_iter().collect()
}

/// Whether they look like regions of the cloud. Which of them exist is asked of
/// the account, once there is access.
pub(super) fn check_form(target: &Target, regions: &[String]) -> Result<()> {
    if regions.len() > MOST {
        return Err(unknown(&format!("more than {MOST} regions")));
    }
    let fits = |region: &&String| match target {
        Target::Aws(aws) => is_region(aws.partition, region),
        Target::Gcp(_) => is_gcp_region(region),
        Target::Azure(_) => is_azure_region(region),
    };
    match regions.iter().find(|region| !fits(region)) {
        Some(wrong) => {
            let shown: String = wrong
                .chars()
                .filter(|one| !one.is_control())
                .take(40)
                .collect();
            let of = match target {
                Target::Aws(aws) => format!("the partition '{}'", aws.partition.as_str()),
                other => other.cloud().title().to_owned(),
            };
            Err(unknown(&format!("'{shown}' is not a region of {of}")))
        }
        None => Ok(()),
    }
}

/// `europe-west3`: words, and a number at the end.
fn is_gcp_region(region: &str) -> bool {
    let Some((area, place)) = region.split_once('-') else {
        return false;
    };
    let name = place.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    is_word(area) && is_word(name) && name.len() < place.len() && region.len() <= 32
}

/// `westeurope`, `eastus2`.
fn is_azure_region(region: &str) -> bool {
    (4..=32).contains(&region.len())
        && region.starts_with(|c: char| c.is_ascii_lowercase())
        && region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// `us-east-1`, `us-gov-west-1`: two letters, words, a number.
fn is_region(partition: Partition, region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let [area, words @ .., number] = &parts[..] else {
        return false;
    };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let well_formed = area.len() == 2
        && is_word(area)
        && !words.is_empty()
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit());
    let belongs = match partition {
        Partition::AwsUsGov => region.starts_with("us-gov-"),
        Partition::AwsCn => region.starts_with("cn-"),
        Partition::Aws => !region.starts_with("us-gov-") && !region.starts_with("cn-"),
    };
    well_formed && belongs
}

fn unknown(detail: &str) -> Error {
    Error::new(
        Code::ConnectionRegionUnknown,
        detail,
        "choose an enabled region of the account",
    )
    .with_violation("regions", detail, None)
}

/// Checks a person's choice of regions.
pub(super) async fn check_choice(
    app: &App,
    connection: &Connection,
    change: &Change,
) -> Result<()> {
    let regions = change.regions.as_deref();
    if let Some(regions) = regions {
        check_form(&connection.target, regions)?;
    }
    if let Some(default) = &change.default_region {
        super::require_connected(connection)?;
        let wanted = regions.unwrap_or(&connection.regions);
        require_wanted(wanted, default)?;
    }
    let chosen: Vec<&String> = regions
        .into_iter()
        .flatten()
        .chain(&change.default_region)
        .collect();
    if chosen.is_empty() || !connection.state.can_provision() {
        return Ok(());
    }
    let enabled = in_account(app, connection).await?;
    chosen
        .into_iter()
        .try_for_each(|region| require_enabled(&enabled, region))
}

/// The region of a new environment: the one asked for or the connection's
/// default, enabled in the account.
pub(crate) async fn for_environment(
    app: &App,
    connection: &Connection,
    asked: Option<&str>,
) -> Result<String> {
    let only = match &connection.regions[..] {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let region = asked
        .or(connection.default_region.as_deref())
        .or(only)
        .ok_or_else(|| {
            Error::new(
                Code::ConnectionRegionUnknown,
                "neither the environment nor its connection names a region",
                "choose a default region for the connection, or name one for the environment",
            )
            .with_violation("region", "is missing", None)
        })?;
    check_form(&connection.target, &[region.to_owned()])?;
    require_wanted(&connection.regions, region)?;
    require_enabled(&in_account(app, connection).await?, region)?;
    Ok(region.to_owned())
}

/// No wanted regions means all.
fn require_wanted(wanted: &[String], region: &str) -> Result<()> {
    if wanted.is_empty() || wanted.iter().any(|one| one == region) {
        return Ok(());
    }
    Err(unknown(&format!(
        "'{region}' is not one of the connection's regions ({})",
        wanted.join(", ")
    )))
}

fn require_enabled(enabled: &[Region], region: &str) -> Result<()> {
    match enabled.iter().find(|one| one.name == region) {
        Some(one) if one.enabled => Ok(()),
        Some(_) => Err(unknown(&format!(
            "'{region}' is not enabled in the account"
        ))),
        None => Err(unknown(&format!("the account has no region '{region}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_writes_regions_in_its_own_way() {
        assert!(is_gcp_region("europe-west3") && is_gcp_region("northamerica-northeast1"));
        for wrong in [
            "",
            "europe",
            "europe-west",
            "eu-central-1",
            "Europe-west3",
            "europe-3",
        ] {
            assert!(!is_gcp_region(wrong), "{wrong}");
        }
        assert!(is_azure_region("westeurope") && is_azure_region("eastus2"));
        for wrong in ["", "west-europe", "West Europe", "1eastus", "eastus2\n"] {
            assert!(!is_azure_region(wrong), "{wrong}");
        }
    }

    #[test]
    fn regions_belong_to_their_partition() {
        let ok = |partition, region: &str| is_region(partition, region);
        assert!(ok(Partition::Aws, "eu-central-1"));
        assert!(ok(Partition::Aws, "ap-southeast-2"));
        assert!(ok(Partition::AwsUsGov, "us-gov-west-1"));
        assert!(ok(Partition::AwsCn, "cn-north-1"));
        assert!(!ok(Partition::Aws, "us-gov-west-1"));
        assert!(!ok(Partition::AwsCn, "us-east-1"));
        for wrong in [
            "",
            "us",
            "us-1",
            "US-EAST-1",
            "us-east-",
            "us--1",
            "us-east-1\n",
            "us-east-1a",
            "../x-1",
        ] {
            assert!(!ok(Partition::Aws, wrong), "{wrong}");
        }
    }
}
