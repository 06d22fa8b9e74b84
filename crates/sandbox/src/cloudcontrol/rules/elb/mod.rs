//! Load balancers, target groups, listeners and their rules.

mod balancer;
mod listener;
mod target_group;

pub(super) use balancer::faces_internet;
pub(crate) use target_group::balancers_of;

use super::Rules;
use super::ec2::check_placement;
use crate::cloudcontrol::env::{Env, strings};
use crate::cloudcontrol::failure::Failure;
use crate::types::Model;
use balancer::LoadBalancer;
use listener::{Listener, ListenerRule};
use serde_json::{Value, json};
use target_group::TargetGroup;

pub(crate) const LOAD_BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";

pub(crate) const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

pub(crate) const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";

pub(crate) const LISTENER_RULE: &str = "AWS::ElasticLoadBalancingV2::ListenerRule";

/// Where actions name target groups.
pub(crate) const FORWARDS: [(&str, &str); 4] = [
    (LISTENER, "DefaultActions/*/TargetGroupArn"),
    (
        LISTENER,
        "DefaultActions/*/ForwardConfig/TargetGroups/*/TargetGroupArn",
    ),
    (LISTENER_RULE, "Actions/*/TargetGroupArn"),
    (
        LISTENER_RULE,
        "Actions/*/ForwardConfig/TargetGroups/*/TargetGroupArn",
    ),
];

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        LOAD_BALANCER => &LoadBalancer,
        TARGET_GROUP => &TargetGroup,
        LISTENER => &Listener,
        LISTENER_RULE => &ListenerRule,
        _ => return None,
    })
}

fn elb_invalid(env: &Env<'_>, message: &str) -> Failure {
    Failure::invalid(env.service_message("ElasticLoadBalancingV2", 400, message))
}

fn check_name(env: &Env<'_>, noun: &str, name: &str) -> Result<(), Failure> {
    let fine = name.len() <= 32
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fine {
        return Ok(());
    }
    Err(elb_invalid(
        env,
        &format!(
            "The {noun} name '{name}' is not valid: at most 32 alphanumeric characters or \
             hyphens, not beginning or ending with a hyphen"
        ),
    ))
}

/// Attributes as a read shows them: all of them, those given with their values.
fn merge_attributes(model: &mut Model, property: &str, defaults: &[(&str, &str)]) {
    let mut given: Vec<Value> = model
        .get(property)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for (key, value) in defaults {
        if !given.iter().any(|item| item["Key"] == **key) {
            given.push(json!({"Key": key, "Value": value}));
        }
    }
    model.insert(property.to_owned(), given.into());
}

fn attribute<'m>(model: &'m Model, property: &str, key: &str) -> Option<&'m str> {
    model
        .get(property)?
        .as_array()?
        .iter()
        .find(|item| item["Key"] == *key)?
        .get("Value")?
        .as_str()
}

/// Where a service puts its tasks.
pub(super) fn check_service_placement(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
    let place = "NetworkConfiguration/AwsvpcConfiguration";
    check_placement(
        env,
        &strings(model, &format!("{place}/Subnets")),
        &strings(model, &format!("{place}/SecurityGroups")),
    )
}
