//! What the server knows against what the account holds.

use super::{
    api::{Api, ApiError, text},
    cloud::Cloud,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What must be empty after every kill and recovery.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The server says that it exists (or still has to make it), and it does
    /// not.
    pub lost: Vec<String>,
    /// One address of an environment, two live resources.
    pub duplicated: Vec<String>,
    /// Made by the server, and neither recorded nor listed as retained.
    pub orphaned: Vec<String>,
    /// Anything else that must not be: a rollout that failed, a plan that wants
    /// more, a deletion that nobody approved.
    pub wrong: Vec<String>,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.duplicated.is_empty()
            && self.orphaned.is_empty()
            && self.wrong.is_empty()
    }

    pub fn absorb(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.duplicated.extend(other.duplicated);
        self.orphaned.extend(other.orphaned);
        self.wrong.extend(other.wrong);
    }

    /// Each entry with the scenario's name.
    pub fn within(mut self, name: &str) -> Self {
        let groups = [
            &mut self.lost,
            &mut self.duplicated,
            &mut self.orphaned,
            &mut self.wrong,
        ];
        for entry in groups.into_iter().flatten() {
            *entry = format!("{name}: {entry}");
        }
        self
    }

    pub fn wrong(text: impl Into<String>) -> Self {
        Self {
            wrong: vec![text.into()],
            ..Self::default()
        }
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups = [
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("orphaned", &self.orphaned),
            ("wrong", &self.wrong),
        ];
        for (name, entries) in groups {
            for entry in entries {
                writeln!(f, "  {name}: {entry}")?;
            }
        }
        Ok(())
    }
}

/// Type and identifier.
type Key = (String, String);

fn key(value: &Value, type_field: &str) -> anyhow::Result<Key> {
    Ok((
        text(value, type_field)?.to_owned(),
        text(value, "identifier")?.to_owned(),
    ))
}

fn show((type_name, identifier): &Key) -> String {
    format!("{type_name} {identifier}")
}

/// Compares one environment, whose work is over, with the account.
pub async fn compare(api: &Api, cloud: &Cloud, environment: &str) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let inventory = cloud.inventory().await?;
    let path = format!("/environments/{environment}/resources");
    let recorded = match api.get(&path).await {
        Ok(answer) => answer["items"].as_array().cloned().unwrap_or_default(),
        // Deleted: all of it is on the retained list.
        Err(ApiError::Refused { status: 404, .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let retained = api.items("/retained?closed=true").await?;

    let mut known = BTreeSet::new();
    for resource in &recorded {
        known.insert(key(resource, "type_name")?);
    }
    let mut destroyed = BTreeSet::new();
    for one in &retained {
        let key = key(one, "type_name")?;
        match text(&one["state"], "status")? {
            "destroyed" => drop(destroyed.insert(key)),
            // Forgotten: in use again, or nobody's business any more.
            "forgotten" => {}
            _ => drop(known.insert(key)),
        }
    }

    let mut everything = BTreeSet::new();
    let mut made = Vec::new();
    for entry in &inventory {
        let key = key(entry, "type")?;
        everything.insert(key.clone());
        if entry["created_by"]["kind"] == "request" {
            made.push((key, entry));
        }
    }
    for missing in known.difference(&everything) {
        findings.lost.push(show(missing));
    }
    for (key, entry) in &made {
        if !known.contains(key) {
            findings.orphaned.push(show(key));
        }
        if entry["state"] != "available" {
            let what = format!("{} is {}", show(key), entry["state"]);
            findings.wrong.push(what);
        }
    }
    for still in destroyed.intersection(&everything) {
        let what = format!("{} is destroyed and still there", show(still));
        findings.wrong.push(what);
    }
    findings.duplicated = duplicates(&made)?;
    findings.wrong.extend(deletions(cloud, &retained).await?);

    if let Err(broken) = api.get("/audit/verify").await {
        findings.wrong.push(format!("the audit log: {broken}"));
    }
    Ok(findings)
}

/// Plans once more: nothing may be left to do.
pub async fn nothing_left(api: &Api, environment: &str) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let plan = api.plan(environment).await?;
    for action in plan["actions"].as_array().into_iter().flatten() {
        let change = &action["change"];
        let line = format!("{} {change}", action["address"]);
        match change["kind"].as_str() {
            Some("no-change") => {}
            Some("create") => findings.lost.push(format!("the next plan makes {line}")),
            _ => findings.wrong.push(format!("the next plan wants {line}")),
        }
    }
    Ok(findings)
}

/// By the tags of the environment and the address; for types that cannot have
/// any, by type and everything but the identifier.
fn duplicates(made: &[(Key, &Value)]) -> anyhow::Result<Vec<String>> {
    let mut groups: BTreeMap<String, Vec<&Key>> = BTreeMap::new();
    for (key, entry) in made {
        let tags = &entry["tags"];
        let place = match tags["landfall:address"].as_str() {
            Some(address) => format!(
                "{} {address} {}",
                tags["landfall:environment"], tags["landfall:generation"]
            ),
            None => format!("{} {}", key.0, without(&entry["properties"], &key.1)),
        };
        groups.entry(place).or_default().push(key);
    }
    Ok(groups
        .into_iter()
        .filter(|(_, keys)| keys.len() > 1)
        .map(|(place, keys)| {
            let keys: Vec<String> = keys.into_iter().map(show).collect();
            format!("{place}: {}", keys.join(", "))
        })
        .collect())
}

/// `properties` without what names this very resource.
fn without(properties: &Value, identifier: &str) -> Value {
    let mut rest = properties.clone();
    if let Some(members) = rest.as_object_mut() {
        members.retain(|_, value| value.as_str() != Some(identifier));
    }
    rest
}

/// Every deletion that was asked for was an approved one, by the reaper.
async fn deletions(cloud: &Cloud, retained: &[Value]) -> anyhow::Result<Vec<String>> {
    let mut approved = BTreeSet::new();
    for one in retained {
        let status = text(&one["state"], "status")?;
        if matches!(status, "destroying" | "destruction-failed" | "destroyed") {
            approved.insert(key(one, "type_name")?);
        }
    }
    let mut wrong = Vec::new();
    for request in cloud.requests("operation=DeleteResource").await? {
        let by = request["principal"].as_str().unwrap_or_default();
        let what = key(&request, "type")?;
        if !by.contains(":role/landfall-reaper-") || !approved.contains(&what) {
            wrong.push(format!("{by} asked to delete {}", show(&what)));
        }
    }
    Ok(wrong)
}
