//! What the demo prints: what it saw.

use landfall_model::connection::{Cloud, Method};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize)]
pub struct Report {
    pub ok: bool,
    pub checks: Vec<CheckLine>,
    pub created: usize,
    pub urls: Vec<UrlLine>,
    pub retained: Vec<RetainedLine>,
    pub refused: Vec<RefusedLine>,
    pub destroyed: Vec<DestroyedLine>,
    pub migrated: Vec<MigratedLine>,
    pub rotated: Vec<RotatedLine>,
    pub revoked: Vec<RevokedLine>,
    pub remaining_after_disconnect: usize,
    pub seconds: f64,
}

#[derive(Serialize)]
pub struct CheckLine {
    pub cloud: Cloud,
    pub method: &'static str,
    pub id: String,
    pub outcome: &'static str,
}

#[derive(Serialize)]
pub struct UrlLine {
    pub cloud: Cloud,
    pub url: String,
    pub status: u16,
}

#[derive(Serialize)]
pub struct RetainedLine {
    pub cloud: Cloud,
    #[serde(rename = "type")]
    pub type_name: String,
    pub id: String,
    pub reason: &'static str,
}

#[derive(Serialize)]
pub struct RefusedLine {
    pub cloud: Cloud,
    pub action: String,
    pub resource: String,
}

#[derive(Serialize)]
pub struct DestroyedLine {
    pub cloud: Cloud,
    #[serde(rename = "type")]
    pub type_name: String,
    pub id: String,
}

/// A connection that needs no key any more.
#[derive(Serialize)]
pub struct MigratedLine {
    pub cloud: Cloud,
    pub from: &'static str,
    pub to: &'static str,
    /// Whether the cloud says that it is gone.
    pub old_key_deleted: bool,
}

/// A secret that was replaced while it was in use.
#[derive(Serialize)]
pub struct RotatedLine {
    pub cloud: Cloud,
    pub method: &'static str,
    pub by: &'static str,
}

/// A grant that its customer took back.
#[derive(Serialize)]
pub struct RevokedLine {
    pub cloud: Cloud,
    pub method: &'static str,
    /// What Landfall found.
    pub state: &'static str,
    /// From when it was taken back until Landfall knew.
    pub seconds: f64,
}

/// For people: a hundredth of a second is exact enough.
pub fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}

impl Report {
    /// The different checks of each cloud.
    pub fn distinct(&self) -> BTreeMap<Cloud, BTreeSet<&str>> {
        let mut distinct: BTreeMap<Cloud, BTreeSet<&str>> = BTreeMap::new();
        for check in &self.checks {
            distinct.entry(check.cloud).or_default().insert(&check.id);
        }
        distinct
    }

    pub fn in_words(&self) -> String {
        let methods: BTreeSet<(Cloud, &str)> = self
            .checks
            .iter()
            .map(|check| (check.cloud, check.method))
            .collect();
        format!(
            "It all went as it should in {} s: connected {} ways with {} checks, {} resources made, {} answered, {} refusals, {} retained, {} destroyed by approval, {} moved away from a key, {} secrets replaced, {} grants taken back and missed, {} remain in the account.",
            self.seconds,
            methods.len(),
            self.checks.len(),
            self.created,
            self.urls.first().map_or("nothing", |one| one.url.as_str()),
            self.refused.len(),
            self.retained.len(),
            self.destroyed.len(),
            self.migrated.len(),
            self.rotated.len(),
            self.revoked.len(),
            self.remaining_after_disconnect
        )
    }
}

/// What a line says of a connection.
pub fn name(method: Method) -> (Cloud, &'static str) {
    (method.cloud(), method.as_str())
}
