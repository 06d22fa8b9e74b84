//! Policy documents, parsed and validated as IAM validates them.

use super::checks::{check_actions, check_principals, check_resources};
use super::condition::{Condition, Operator};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Why IAM calls a document malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    pub message: String,
}

impl PolicyError {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// What a document is for, which decides what it must and must not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Attached to an identity, a boundary, a session or an organization.
    Identity,
    /// Who may assume a role.
    Trust,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Version 2012-10-17 knows policy variables, 2008-10-17 does not.
    pub variables: bool,
    pub statements: Vec<Statement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub actions: Set,
    /// Absent in trust policies.
    pub resources: Option<Set>,
    /// Absent in identity policies.
    pub principals: Option<Principals>,
    pub conditions: Vec<Condition>,
}

/// Patterns that must match, or for the `Not…` forms must not.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub negated: bool,
    pub patterns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Principals {
    pub negated: bool,
    /// Accounts, users, roles and sessions; `*` is everyone.
    pub aws: Vec<String>,
    pub services: Vec<String>,
    pub federated: Vec<String>,
}

impl Policy {
    pub fn parse(text: &str, form: Form) -> Result<Self, PolicyError> {
        let value: Value =
            serde_json::from_str(text).map_err(|_| PolicyError::new("Syntax errors in policy."))?;
        let Value::Object(document) = value else {
            return Err(PolicyError::new("Syntax errors in policy."));
        };
        only_known(&document, &["Version", "Id", "Statement"])?;
        let variables = match document.get("Version") {
            Some(Value::String(version)) if version == "2012-10-17" => true,
            None => false,
            Some(Value::String(version)) if version == "2008-10-17" => false,
            Some(_) => {
                return Err(PolicyError::new(
                    "The policy must contain a valid version string.",
                ));
            }
        };
        let statements = match document.get("Statement") {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(item @ Value::Object(_)) => vec![item],
            _ => return Err(PolicyError::new("Syntax errors in policy.")),
        };
        if statements.is_empty() {
            return Err(PolicyError::new(
                "Policy document must contain at least one statement.",
            ));
        }
        let statements = statements
            .into_iter()
            .map(|statement| Statement::parse(statement, form))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sids = BTreeSet::new();
        if !statements
            .iter()
            .filter_map(|s| s.sid.as_deref())
            .all(|sid| sids.insert(sid))
        {
            return Err(PolicyError::new(
                "Statement IDs (SID) in a single policy must be unique.",
            ));
        }
        Ok(Self {
            variables,
            statements,
        })
    }
}

impl Statement {
    fn parse(value: &Value, form: Form) -> Result<Self, PolicyError> {
        let Value::Object(fields) = value else {
            return Err(PolicyError::new("Syntax errors in policy."));
        };
        only_known(
            fields,
            &[
                "Sid",
                "Effect",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Principal",
                "NotPrincipal",
                "Condition",
            ],
        )?;
        let sid = match fields.get("Sid") {
            None => None,
            Some(Value::String(sid)) if sid.is_empty() => None,
            Some(Value::String(sid)) if sid.chars().all(|c| c.is_ascii_alphanumeric()) => {
                Some(sid.clone())
            }
            Some(_) => {
                return Err(PolicyError::new(
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies \
                     the regular expression [0-9A-Za-z]*",
                ));
            }
        };
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(PolicyError::new("Syntax errors in policy.")),
        };
        let actions = set(fields, "Action", "NotAction")?
            .ok_or_else(|| PolicyError::new("Policy statement must contain actions."))?;
        check_actions(&actions, form)?;
        let resources = set(fields, "Resource", "NotResource")?;
        let principals = principals(fields)?;
        match form {
            Form::Identity => {
                if principals.is_some() {
                    return Err(PolicyError::new(
                        "Policy document should not specify a principal.",
                    ));
                }
                let resources = resources
                    .as_ref()
                    .ok_or_else(|| PolicyError::new("Policy statement must contain resources."))?;
                check_resources(resources)?;
            }
            Form::Trust => {
                if resources.is_some() {
                    return Err(PolicyError::new("Has prohibited field Resource"));
                }
                let principals = principals
                    .as_ref()
                    .ok_or_else(|| PolicyError::new("Missing required field Principal"))?;
                check_principals(principals)?;
            }
        }
        Ok(Self {
            sid,
            effect,
            actions,
            resources,
            principals,
            conditions: conditions(fields.get("Condition"))?,
        })
    }
}

fn only_known(fields: &Map<String, Value>, known: &[&str]) -> Result<(), PolicyError> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(_) => Err(PolicyError::new("Syntax errors in policy.")),
        None => Ok(()),
    }
}

fn strings(value: &Value) -> Result<Vec<String>, PolicyError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        // Condition values may be bare booleans and numbers.
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(PolicyError::new("Syntax errors in policy.")),
    };
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

fn set(
    fields: &Map<String, Value>,
    positive: &str,
    negative: &str,
) -> Result<Option<Set>, PolicyError> {
    let (negated, value) = match (fields.get(positive), fields.get(negative)) {
        (Some(_), Some(_)) => return Err(PolicyError::new("Syntax errors in policy.")),
        (Some(value), None) => (false, value),
        (None, Some(value)) => (true, value),
        (None, None) => return Ok(None),
    };
    let patterns = strings(value)?;
    Ok((!patterns.is_empty()).then_some(Set { negated, patterns }))
}

fn principals(fields: &Map<String, Value>) -> Result<Option<Principals>, PolicyError> {
    let (negated, value) = match (fields.get("Principal"), fields.get("NotPrincipal")) {
        (Some(_), Some(_)) => return Err(PolicyError::new("Syntax errors in policy.")),
        (Some(value), None) => (false, value),
        (None, Some(value)) => (true, value),
        (None, None) => return Ok(None),
    };
    let mut principals = Principals {
        negated,
        aws: Vec::new(),
        services: Vec::new(),
        federated: Vec::new(),
    };
    match value {
        Value::String(all) if all == "*" => principals.aws.push("*".to_owned()),
        Value::Object(kinds) if !kinds.is_empty() => {
            for (kind, value) in kinds {
                let list = strings(value)?;
                match kind.as_str() {
                    "AWS" => principals.aws = list,
                    "Service" => principals.services = list,
                    "Federated" => principals.federated = list,
                    "CanonicalUser" => {}
                    _ => {
                        return Err(PolicyError::new(format!(
                            "Invalid principal in policy: \"{kind}\""
                        )));
                    }
                }
            }
        }
        _ => return Err(PolicyError::new("Invalid principal in policy.")),
    }
    Ok(Some(principals))
}

fn conditions(value: Option<&Value>) -> Result<Vec<Condition>, PolicyError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let Value::Object(operators) = value else {
        return Err(PolicyError::new("Syntax errors in policy."));
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::parse(name)?;
        let Value::Object(keys) = keys else {
            return Err(PolicyError::new("Syntax errors in policy."));
        };
        for (key, values) in keys {
            if !key.contains(':') {
                return Err(PolicyError::new(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                ));
            }
            conditions.push(Condition {
                operator,
                key: key.clone(),
                values: strings(values)?,
            });
        }
    }
    Ok(conditions)
}
