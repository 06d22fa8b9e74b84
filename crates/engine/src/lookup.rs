//! Finding a resource whose identifier was lost, or that exists already.

use crate::{
    attempt::patiently,
    engine::{Engine, Trouble},
    hands::{Hands, Provisioner},
};
use landfall_model::{
    driver::{Failure, FailureKind, Observed},
    graph::{self, Address, Lookup, Node, TAG_ADDRESS, TAG_ENVIRONMENT},
    id::EnvironmentId,
    owned,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What to look for: a node with its references resolved.
pub(crate) struct Wanted<'a> {
    pub environment_id: &'a EnvironmentId,
    pub address: &'a Address,
    pub node: &'a Node,
    pub desired: &'a Value,
    /// The lookup's scope or identifier, resolved.
    pub place: Option<Value>,
    /// Identifiers that are known to be something else: an older generation, a
    /// retained resource, another address.
    pub exclude: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Found {
    pub observed: Observed,
    /// Carries our tags for this address; or has none by type, and stands where
    /// only ours can.
    pub ours: bool,
}

/// Whose attempt named a resource, and with what it was to be made.
pub(crate) struct Maker<'a> {
    pub environment_id: &'a EnvironmentId,
    pub address: &'a Address,
    pub node: &'a Node,
    pub properties: &'a Value,
}

impl Maker<'_> {
    /// Whether what a failed attempt named is its own work. An identifier that
    /// the cloud made up is; a name may be somebody else's, who had it first.
    pub fn made(&self, observed: &Observed, failure: Option<&Failure>) -> bool {
        let Lookup::Name { .. } = self.node.lookup else {
            return true;
        };
        let tags = graph::tags(&observed.properties);
        match tags.get(TAG_ADDRESS) {
            Some(address) => {
                address == self.address.as_str()
                    && tags.get(TAG_ENVIRONMENT).map(String::as_str)
                        == Some(self.environment_id.as_str())
            }
            // Perhaps half made, before it was tagged; but after a refusal it
            // is likelier to have been there before.
            None => {
                !graph::tags(self.properties).contains_key(TAG_ADDRESS)
                    || failure.is_none_or(|failure| failure.kind.is_retryable())
            }
        }
    }
}

/// Ours first, if several match.
pub(crate) async fn find(
    engine: &Engine,
    hands: &Provisioner,
    wanted: &Wanted<'_>,
) -> Result<Option<Found>, Trouble> {
    let type_name = wanted.node.type_name.as_str();
    let seen: Vec<Observed> = match &wanted.node.lookup {
        Lookup::Name { .. } => {
            let identifier = name(wanted)?;
            if wanted.exclude.contains(&identifier) {
                return Ok(None);
            }
            let seen = patiently(engine, || hands.read(type_name, &identifier)).await?;
            seen.into_iter().collect()
        }
        Lookup::Tags { .. } => {
            // A list may leave tags out, but if it shows some it shows ours.
            let worth = |observed: &Observed| {
                graph::tags(&observed.properties).is_empty()
                    || matches(wanted, &observed.properties)
            };
            candidates(engine, hands, wanted, worth).await?
        }
        Lookup::Properties { .. } => candidates(engine, hands, wanted, |_| true).await?,
    };
    let by_name = matches!(wanted.node.lookup, Lookup::Name { .. });
    let mut found: Vec<Found> = seen
        .into_iter()
        .filter(|observed| by_name || matches(wanted, &observed.properties))
        .map(|observed| Found {
            ours: is_ours(wanted, &observed),
            observed,
        })
        .collect();
    found.sort_by(|a, b| (!a.ours, &a.observed.identifier).cmp(&(!b.ours, &b.observed.identifier)));
    if found.iter().filter(|found| found.ours).count() > 1 {
        tracing::warn!(address = %wanted.address, type_name, "several resources carry this address");
    }
    Ok(found.into_iter().next())
}

fn name(wanted: &Wanted<'_>) -> Result<String, Failure> {
    match wanted.place.as_ref().and_then(Value::as_str) {
        Some(identifier) => Ok(identifier.to_owned()),
        None => Err(Failure::new(
            FailureKind::Invalid,
            "LookupName",
            format!("the identifier of {} is not text", wanted.address),
        )),
    }
}

/// Lists, then reads each one whole: a list may leave properties out.
async fn candidates(
    engine: &Engine,
    hands: &Provisioner,
    wanted: &Wanted<'_>,
    worth_reading: impl Fn(&Observed) -> bool,
) -> Result<Vec<Observed>, Trouble> {
    let type_name = wanted.node.type_name.as_str();
    let listed = patiently(engine, || hands.list(type_name, wanted.place.as_ref())).await?;
    let reads = listed
        .into_iter()
        .filter(|observed| !wanted.exclude.contains(&observed.identifier))
        .filter(|observed| worth_reading(observed))
        .map(|observed| async move {
            patiently(engine, || hands.read(type_name, &observed.identifier)).await
        });
    // All at once: the limiter spreads them.
    let read = futures::future::try_join_all(reads).await?;
    Ok(read.into_iter().flatten().collect())
}

fn matches(wanted: &Wanted<'_>, properties: &Value) -> bool {
    graph::matches(
        wanted.node,
        wanted.desired,
        wanted.environment_id,
        properties,
    )
}

/// What we made carries our tags, if its type can: a name alone proves nothing,
/// for anybody may have taken it. Without tags, standing at the same place with
/// the same fixed properties is all that can be asked.
fn is_ours(wanted: &Wanted<'_>, observed: &Observed) -> bool {
    let ours = graph::tags(wanted.desired);
    if ours.contains_key(TAG_ADDRESS) {
        let theirs = graph::tags(&observed.properties);
        [TAG_ENVIRONMENT, TAG_ADDRESS]
            .iter()
            .all(|key| theirs.get(*key) == ours.get(*key))
    } else {
        owned::differences(wanted.node, wanted.desired, &observed.properties)
            .fixed
            .is_empty()
    }
}
