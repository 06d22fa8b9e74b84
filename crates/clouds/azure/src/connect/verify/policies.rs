//! Azure Policy: assignments that will deny what Landfall makes.

use super::{Found, Question, Run, no_session};
use crate::client::Session;
use landfall_model::{check::Check, driver::Failure};
use serde_json::Value;

const API: (&str, &str) = ("api-version", "2023-04-01");
/// The built-in "Allowed locations", the one that most customers have.
const ALLOWED_LOCATIONS: &str = "e56962a6-4747-49cd-b67b-bf8b01975c4c";
/// A subscription with more has a landing zone whose owner knows them.
const MOST: usize = 40;

/// What one assignment means for us.
enum Meaning {
    Harmless,
    /// Denies a region that was chosen.
    Region(Vec<String>),
    /// Denies something; whether of ours, only a request tells.
    Denies,
    /// Its rule is not visible to us.
    Unknown,
}

pub(super) async fn check(run: &Run<'_>, session: Option<&Session<'_>>) -> Check {
    let question = Question::new(
        "azure.policies-allow",
        "No policy denies what Landfall will make",
        "Microsoft.Authorization/policyAssignments of the subscription, and their definitions",
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session();
            };
            let path = format!(
                "{}/providers/Microsoft.Authorization/policyAssignments",
                run.subscription()
            );
            let query = [API, ("$filter", "atScope()")];
            match run.recorder.patiently(|| session.list(&path, &query)).await {
                Ok(all) => judged(run, session, &all).await,
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

async fn judged(run: &Run<'_>, session: &Session<'_>, all: &[Value]) -> Found {
    let (mut regions, mut denies, mut unknown) = (Vec::new(), Vec::new(), 0);
    for assignment in all.iter().take(MOST) {
        let meaning = match meaning(run, session, assignment).await {
            Ok(meaning) => meaning,
            Err(failure) if failure.kind.is_retryable() => {
                return run.recorder.failed(&failure, "");
            }
            Err(_) => Meaning::Unknown,
        };
        let name = assignment["properties"]["displayName"]
            .as_str()
            .or_else(|| assignment["name"].as_str())
            .unwrap_or("?");
        match meaning {
            Meaning::Harmless => {}
            Meaning::Region(denied) => {
                regions.push(format!("\"{name}\" does not allow {}", denied.join(", ")));
            }
            Meaning::Denies => denies.push(format!("\"{name}\"")),
            Meaning::Unknown => unknown += 1,
        }
    }
    unknown += all.len().saturating_sub(MOST);
    let hidden = if unknown == 0 {
        String::new()
    } else {
        format!("; what {unknown} of them say is not visible to us")
    };
    if !regions.is_empty() {
        Found::fail(
            format!("{}{hidden}", regions.join("; ")),
            "choose an allowed region, or have whoever assigned the policy allow this one",
        )
    } else if !denies.is_empty() {
        Found::warn(
            format!("these deny something: {}{hidden}", denies.join(", ")),
            "look whether they concern what Landfall makes: Policy → Assignments in the portal; \
             exempt the resource groups landfall-* where they do",
        )
    } else {
        Found::pass(format!("{} assigned, none denies{hidden}", all.len()))
    }
}

async fn meaning(
    run: &Run<'_>,
    session: &Session<'_>,
    assignment: &Value,
) -> Result<Meaning, Failure> {
    let properties = &assignment["properties"];
    if properties["enforcementMode"].as_str() == Some("DoNotEnforce") {
        return Ok(Meaning::Harmless);
    }
    let id = properties["policyDefinitionId"]
        .as_str()
        .unwrap_or_default();
    let parameters = &properties["parameters"];
    if id.to_ascii_lowercase().ends_with(ALLOWED_LOCATIONS) {
        return Ok(locations(run, parameters));
    }
    // A set has dozens of members, each to be read by itself.
    if !id.starts_with('/') || id.to_ascii_lowercase().contains("/policysetdefinitions/") {
        return Ok(Meaning::Unknown);
    }
    let definition = run.recorder.patiently(|| session.get(id, &[API])).await?;
    let definition = &definition["properties"];
    let effect = &definition["policyRule"]["then"]["effect"];
    Ok(
        match resolved(effect, parameters, &definition["parameters"]) {
            Some(effect) if effect.eq_ignore_ascii_case("deny") => Meaning::Denies,
            Some(_) => Meaning::Harmless,
            None => Meaning::Unknown,
        },
    )
}

fn locations(run: &Run<'_>, parameters: &Value) -> Meaning {
    let allowed: Vec<String> = parameters["listOfAllowedLocations"]["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| name.replace(' ', "").to_lowercase())
        .collect();
    let denied: Vec<String> = run
        .azure
        .regions
        .iter()
        .filter(|region| !allowed.contains(&region.to_lowercase()))
        .cloned()
        .collect();
    if denied.is_empty() {
        Meaning::Harmless
    } else {
        Meaning::Region(denied)
    }
}

/// A literal, or `[parameters('effect')]`.
fn resolved(effect: &Value, given: &Value, declared: &Value) -> Option<String> {
    let text = effect.as_str()?;
    let Some(name) = text
        .strip_prefix("[parameters('")
        .and_then(|rest| rest.strip_suffix("')]"))
    else {
        return (!text.starts_with('[')).then(|| text.to_owned());
    };
    given[name]["value"]
        .as_str()
        .or_else(|| declared[name]["defaultValue"].as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_effect_may_be_a_parameter() {
        let declared = json!({"effect": {"defaultValue": "Audit"}});
        let by = |effect: &str, given: Value| resolved(&json!(effect), &given, &declared);
        assert_eq!(by("deny", json!({})).as_deref(), Some("deny"));
        let parameter = "[parameters('effect')]";
        assert_eq!(by(parameter, json!({})).as_deref(), Some("Audit"));
        let given = json!({"effect": {"value": "Deny"}});
        assert_eq!(by(parameter, given).as_deref(), Some("Deny"));
        assert_eq!(by("[concat('de','ny')]", json!({})), None);
    }
}
