//! Policy definitions and assignments; those that deny are enforced.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::Cloud;
use super::{Ask, not_found, rbac, scope_of_text};
use serde_json::{Value, json};

/// "Allowed locations", the built-in policy that customers use most.
const ALLOWED_LOCATIONS: &str =
    "/providers/microsoft.authorization/policydefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c";

fn written(kind: &str) -> &'static str {
    if kind == "policyassignments" {
        "policyAssignments"
    } else {
        "policyDefinitions"
    }
}

fn key(scope: &str, kind: &str, name: &str) -> String {
    format!("{scope}/providers/microsoft.authorization/{kind}/{name}")
}

pub(super) fn get(
    cloud: &Cloud,
    ask: &Ask<'_>,
    scope: &str,
    kind: &str,
    name: Option<&str>,
) -> Outcome {
    let action = format!("Microsoft.Authorization/{}/read", written(kind));
    ask.authorize(cloud, &action, scope)?;
    if let Some(name) = name {
        let found = cloud.resources.get(&key(scope, kind, name));
        return found
            .map(|found| Answer::ok(found.clone()))
            .ok_or_else(|| not_found(name));
    }
    let chain = rbac::chain(cloud, scope);
    let middle = format!("/providers/microsoft.authorization/{kind}/");
    let below = format!("{scope}/");
    let found: Vec<&Value> = cloud
        .resources
        .iter()
        .filter(|(id, _)| {
            id.rfind(&middle).is_some_and(|at| {
                let on = &id[..at];
                chain.iter().any(|above| above == on) || on.starts_with(&below)
            })
        })
        .map(|(_, value)| value)
        .collect();
    Ok(Answer::ok(json!({ "value": found })))
}

pub(super) fn put(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    scope: &str,
    kind: &str,
    name: &str,
) -> Outcome {
    let action = format!("Microsoft.Authorization/{}/write", written(kind));
    ask.authorize(cloud, &action, scope)?;
    let mut body = ask.request.json()?;
    if kind == "policyassignments" {
        let id = body["properties"]["policyDefinitionId"]
            .as_str()
            .unwrap_or_default();
        let id = scope_of_text(id);
        if id != ALLOWED_LOCATIONS && !cloud.resources.contains_key(&id) {
            return Err(Failure::new(
                404,
                "PolicyDefinitionNotFound",
                format!("The policy definition '{id}' could not be found."),
            ));
        }
        body["properties"]["scope"] = json!(if scope.is_empty() { "/" } else { scope });
    } else if !body["properties"]["policyRule"].is_object() {
        return Err(Failure::new(
            400,
            "InvalidPolicyRule",
            "The policy definition has no policyRule.",
        ));
    }
    body["id"] = json!(ask.request.id());
    body["name"] = json!(ask.request.segments.last());
    body["type"] = json!(format!("Microsoft.Authorization/{}", written(kind)));
    cloud.resources.insert(key(scope, kind, name), body.clone());
    Ok(Answer::json(201, body))
}

pub(super) fn delete(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    scope: &str,
    kind: &str,
    name: &str,
) -> Outcome {
    let action = format!("Microsoft.Authorization/{}/delete", written(kind));
    ask.authorize(cloud, &action, scope)?;
    let removed = cloud.resources.remove(&key(scope, kind, name));
    Ok(removed.map_or(Answer::empty(204), Answer::ok))
}

/// Refuses what an assigned policy denies.
pub(super) fn check(
    cloud: &Cloud,
    scope: &str,
    kind: &str,
    location: &str,
    body: &Value,
) -> Result<(), Failure> {
    let chain = rbac::chain(cloud, scope);
    let middle = "/providers/microsoft.authorization/policyassignments/";
    for (id, assignment) in &cloud.resources {
        let Some(at) = id.rfind(middle) else { continue };
        let properties = &assignment["properties"];
        let excluded = properties["notScopes"].as_array().is_some_and(|list| {
            let mut scopes = list.iter().filter_map(Value::as_str).map(scope_of_text);
            scopes.any(|scope| chain.contains(&scope))
        });
        if !chain.iter().any(|above| *above == id[..at])
            || excluded
            || properties["enforcementMode"] == "DoNotEnforce"
        {
            continue;
        }
        let definition = scope_of_text(
            properties["policyDefinitionId"]
                .as_str()
                .unwrap_or_default(),
        );
        let subject = Subject {
            kind,
            location,
            body,
            parameters: &properties["parameters"],
            defaults: &Value::Null,
        };
        let denied = if definition == ALLOWED_LOCATIONS {
            // The built-in rule exempts what has no location, groups among it.
            let allowed = &properties["parameters"]["listOfAllowedLocations"]["value"];
            !kind.eq_ignore_ascii_case("Microsoft.Resources/subscriptions/resourceGroups")
                && !location.is_empty()
                && !contains(allowed, location)
        } else {
            cloud.resources.get(&definition).is_some_and(|definition| {
                let subject = Subject {
                    defaults: &definition["properties"]["parameters"],
                    ..subject
                };
                let rule = &definition["properties"]["policyRule"];
                let effect = subject.value(&rule["then"]["effect"]);
                effect
                    .as_str()
                    .is_some_and(|effect| effect.eq_ignore_ascii_case("deny"))
                    && subject.holds(&rule["if"])
            })
        };
        if denied {
            return Err(Failure::new(
                403,
                "RequestDisallowedByPolicy",
                format!(
                    "Resource '{scope}' was disallowed by policy. Policy identifiers: \
                     '[{{\"policyAssignment\":{{\"id\":\"{}\"}}}}]'.",
                    assignment["id"].as_str().unwrap_or_default()
                ),
            ));
        }
    }
    Ok(())
}

/// What a rule is evaluated on.
#[derive(Clone, Copy)]
struct Subject<'a> {
    kind: &'a str,
    location: &'a str,
    body: &'a Value,
    parameters: &'a Value,
    defaults: &'a Value,
}

fn contains(list: &Value, value: &str) -> bool {
    let mut all = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    all.any(|one| {
        one.replace(' ', "")
            .eq_ignore_ascii_case(&value.replace(' ', ""))
    })
}

impl Subject<'_> {
    /// A literal, or `[parameters('name')]`.
    fn value(&self, given: &Value) -> Value {
        let name = given
            .as_str()
            .and_then(|text| text.strip_prefix("[parameters('"))
            .and_then(|text| text.strip_suffix("')]"));
        let Some(name) = name else {
            return given.clone();
        };
        match &self.parameters[name]["value"] {
            Value::Null => self.defaults[name]["defaultValue"].clone(),
            value => value.clone(),
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        let text = match name {
            "type" => return Some(self.kind.to_owned()),
            "location" => return Some(self.location.to_owned()),
            _ => match name
                .strip_prefix("tags[")
                .map(|tag| tag.trim_matches(['\'', ']']))
            {
                Some(tag) => &self.body["tags"][tag],
                None => {
                    // An alias: `Microsoft.X/type/property.path`.
                    let path = name.rsplit('/').next().unwrap_or(name);
                    path.split('.')
                        .fold(&self.body["properties"], |at, part| &at[part])
                }
            },
        };
        match text {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn holds(&self, rule: &Value) -> bool {
        if let Some(all) = rule["allOf"].as_array() {
            return all.iter().all(|part| self.holds(part));
        }
        if let Some(any) = rule["anyOf"].as_array() {
            return any.iter().any(|part| self.holds(part));
        }
        if rule["not"].is_object() {
            return !self.holds(&rule["not"]);
        }
        let Some(name) = rule["field"].as_str() else {
            return false;
        };
        let is = self.field(name);
        let text = is.as_deref().unwrap_or_default();
        let wanted = |operator: &str| rule.get(operator).map(|value| self.value(value));
        let same = |value: &Value| match value {
            Value::String(value) => value.eq_ignore_ascii_case(text),
            other => other.to_string().eq_ignore_ascii_case(text),
        };
        if let Some(value) = wanted("equals") {
            same(&value)
        } else if let Some(value) = wanted("notEquals") {
            !same(&value)
        } else if let Some(value) = wanted("in") {
            contains(&value, text)
        } else if let Some(value) = wanted("notIn") {
            !contains(&value, text)
        } else if let Some(value) = wanted("like") {
            value
                .as_str()
                .is_some_and(|pattern| rbac::matches(pattern, text))
        } else if let Some(value) = wanted("exists") {
            let exists = value == true || value == "true";
            is.is_some() == exists
        } else {
            false
        }
    }
}
