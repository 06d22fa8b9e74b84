//! What the table alone says about a type.

use super::Rules;
use crate::cloudcontrol::env::{Env, text};
use crate::types::{Model, TypeInfo, names, set_default};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;

struct Generic {
    type_name: &'static str,
}

impl Rules for Generic {
    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        arn(env, self.type_name, model)
    }
}

/// The rules of a type without particular ones.
pub(super) fn of(type_name: &str) -> &'static dyn Rules {
    static ALL: OnceLock<BTreeMap<&'static str, Generic>> = OnceLock::new();
    static UNKNOWN: Generic = Generic { type_name: "" };
    ALL.get_or_init(|| {
        names()
            .map(|type_name| (type_name, Generic { type_name }))
            .collect()
    })
    .get(type_name)
    .unwrap_or(&UNKNOWN)
}

/// `sqs` for `AWS::SQS::Queue`, as ARNs and policies write it.
fn service(type_name: &str) -> String {
    let name = type_name.split("::").nth(1).unwrap_or_default();
    match name {
        "ApplicationAutoScaling" => "application-autoscaling".to_owned(),
        "CertificateManager" => "acm".to_owned(),
        "ElasticLoadBalancingV2" => "elasticloadbalancing".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

/// The ARN that a model carries, or one in the usual shape.
pub(super) fn arn(env: &Env<'_>, type_name: &str, model: &Model) -> String {
    let own = model
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("arn") || is_own_arn(type_name, name))
        .find_map(|(_, value)| value.as_str())
        .filter(|value| value.starts_with("arn:"));
    if let Some(own) = own {
        return own.to_owned();
    }
    let identifier = crate::types::lookup(type_name)
        .and_then(|info| info.identifier(model))
        .unwrap_or_else(|| "*".to_owned());
    if identifier.starts_with("arn:") {
        return identifier;
    }
    let noun = noun(type_name);
    match env.place.home(type_name).region.as_str() {
        super::super::env::GLOBAL => {
            env.global_arn(&service(type_name), &format!("{noun}/{identifier}"))
        }
        _ => env.arn(&service(type_name), &format!("{noun}/{identifier}")),
    }
}

fn noun(type_name: &str) -> String {
    type_name
        .rsplit("::")
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// `TopicArn` of a Topic, but not `RoleArn` of a Cluster.
fn is_own_arn(type_name: &str, property: &str) -> bool {
    property
        .to_ascii_lowercase()
        .strip_suffix("arn")
        .is_some_and(|stem| !stem.is_empty() && noun(type_name).ends_with(stem))
}

/// Names, ids, ARNs and schema defaults, from the table.
pub(super) fn fill(env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &mut Model) {
    let Some(properties) = info.shape.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, shape) in properties {
        if let Some(default) = shape.get("default")
            && !info.is_write_only(name)
            && !info.is_read_only(name)
        {
            set_default(model, name, default.clone());
        }
    }
    for part in &info.primary_identifier {
        if !model.contains_key(part) && !is_arn(part) {
            let value = if info.is_read_only(part) {
                format!("{}-{}", noun(type_name), env.hex(17))
            } else {
                env.name(&noun(type_name))
            };
            model.insert(part.clone(), value.into());
        }
    }
    // ARNs last: they contain the identifier.
    for name in properties.keys() {
        let computed = info.is_read_only(name) || info.primary_identifier.contains(name);
        if computed && is_arn(name) && !model.contains_key(name) && is_text(properties, name) {
            let value = new_arn(env, type_name, info, model);
            model.insert(name.clone(), value.into());
        }
    }
}

fn is_arn(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("arn")
}

fn is_text(properties: &serde_json::Map<String, Value>, name: &str) -> bool {
    properties
        .get(name)
        .and_then(|shape| shape.get("type"))
        .is_none_or(|kind| kind == "string")
}

fn new_arn(env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &Model) -> String {
    let known: Vec<&str> = info
        .primary_identifier
        .iter()
        .filter_map(|part| text(model, part))
        .filter(|part| !part.starts_with("arn:"))
        .collect();
    let tail = if known.is_empty() {
        env.uuid()
    } else {
        known.join("/")
    };
    let rest = format!("{}/{tail}", noun(type_name));
    if env.place.home(type_name).region == super::super::env::GLOBAL {
        env.global_arn(&service(type_name), &rest)
    } else {
        env.arn(&service(type_name), &rest)
    }
}
