//! The account that a grant is for, and what stands for it in the tables.

use super::PolicyError;
use landfall_model::connection::{AwsConnection, Partition};
use serde_json::Value;

/// Values of the placeholders: `{partition}`, `{account}`, `{region}` (in
/// examples only), `{boundary}`, `{provisioner}`, `{reaper}`.
pub(super) struct Place {
    values: [(&'static str, String); 6],
    regions: Vec<String>,
}

impl Place {
    pub(super) fn of(connection: AwsConnection<'_>) -> Result<Self, PolicyError> {
        for region in connection.regions.iter().chain(&connection.default_region) {
            if !is_region(region) {
                return Err(PolicyError::Region {
                    region: region.clone(),
                });
            }
        }
        let partition = connection.partition().as_str().to_owned();
        let account = connection.account_id().to_string();
        let boundary = connection.boundary_policy_arn();
        let region = connection
            .regions
            .first()
            .or(connection.default_region.as_ref())
            .cloned()
            .unwrap_or_else(|| usual_region(connection.partition()).to_owned());
        // The same set of regions makes the same documents.
        let mut regions = connection.regions.clone();
        if !regions.is_empty() {
            regions.extend(connection.default_region.clone());
        }
        regions.sort_unstable();
        regions.dedup();
        Ok(Self {
            values: [
                ("{partition}", partition),
                ("{account}", account),
                ("{region}", region),
                ("{boundary}", boundary),
                ("{provisioner}", connection.provisioner_role_arn()),
                ("{reaper}", connection.reaper_role_arn()),
            ],
            regions,
        })
    }

    /// The regions that the provisioner is limited to; empty: not limited.
    pub(super) fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The region that examples are in.
    pub(super) fn region(&self) -> &str {
        &self.values[2].1
    }

    /// Chosen regions that examples are not in.
    pub(super) fn other_regions(&self) -> impl Iterator<Item = &str> {
        self.regions
            .iter()
            .map(String::as_str)
            .filter(|region| *region != self.region())
    }

    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (placeholder, value) in &self.values {
            if filled.contains(placeholder) {
                filled = filled.replace(placeholder, value);
            }
        }
        filled
    }

    pub(super) fn fill_all(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.fill(text)).collect()
    }

    pub(super) fn fill_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(key, item)| (self.fill(key), self.fill_json(item)))
                .collect(),
            plain => plain.clone(),
        }
    }
}

/// Goes into policies and ARNs: nothing but what a region's name is made of.
pub(super) fn is_region(text: &str) -> bool {
    (5..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

const fn usual_region(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => "us-east-1",
        Partition::AwsUsGov => "us-gov-west-1",
        Partition::AwsCn => "cn-north-1",
    }
}
