//! Target groups.

use super::{FORWARDS, LISTENER, TARGET_GROUP, check_name, elb_invalid, merge_attributes};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::{Failure, HandlerErrorCode};
use crate::cloudcontrol::rules::Rules;
use crate::cloudcontrol::rules::ec2::VPC;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;

pub(super) struct TargetGroup;

const TARGET_GROUP_ATTRIBUTES: [(&str, &str); 6] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.algorithm.type", "round_robin"),
    (
        "load_balancing.cross_zone.enabled",
        "use_load_balancer_configuration",
    ),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.enabled", "false"),
    ("stickiness.type", "lb_cookie"),
];

impl Rules for TargetGroup {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "Name", format!("tg-{}", env.hex(12)));
        let name = text(model, "Name").unwrap_or_default().to_owned();
        let full = format!("targetgroup/{name}/{}", env.hex(16));
        set_default(
            model,
            "TargetGroupArn",
            env.arn("elasticloadbalancing", &full),
        );
        set_default(model, "TargetGroupFullName", full);
        set_default(model, "TargetGroupName", name);
        set_default(model, "TargetType", "instance");
        if text(model, "TargetType") != Some("lambda") {
            set_default(model, "HealthCheckProtocol", "HTTP");
            set_default(model, "HealthCheckPort", "traffic-port");
            set_default(model, "HealthCheckEnabled", true);
            set_default(model, "ProtocolVersion", "HTTP1");
            set_default(model, "IpAddressType", "ipv4");
        }
        set_default(model, "HealthCheckPath", "/");
        set_default(model, "HealthCheckIntervalSeconds", 30);
        set_default(model, "HealthCheckTimeoutSeconds", 5);
        set_default(model, "HealthyThresholdCount", 5);
        set_default(model, "UnhealthyThresholdCount", 2);
        set_default(model, "Matcher", json!({"HttpCode": "200"}));
        set_default(model, "Targets", json!([]));
        merge_attributes(model, "TargetGroupAttributes", &TARGET_GROUP_ATTRIBUTES);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "Name").unwrap_or_default();
        check_name(env, "target group", name)?;
        if text(model, "TargetType") != Some("lambda") {
            let vpc = text(model, "VpcId").unwrap_or_default();
            if !env.exists(VPC, vpc) {
                return Err(elb_invalid(
                    env,
                    &format!("The VPC ID '{vpc}' is not found"),
                ));
            }
            if !model.contains_key("Port") || !model.contains_key("Protocol") {
                return Err(elb_invalid(env, "A port and a protocol must be specified"));
            }
        }
        let taken = env
            .all(TARGET_GROUP)
            .iter()
            .any(|other| text(&other.properties, "Name") == Some(name));
        if taken {
            return Err(Failure::exists(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                &format!(
                    "A target group with the same name '{name}' exists, but with different settings"
                ),
            )));
        }
        Ok(())
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let arn = resource.identifier.as_str();
        match env.user_of(arn, &FORWARDS) {
            Some(_) => Err(Failure::new(
                HandlerErrorCode::ResourceConflict,
                env.service_message(
                    "ElasticLoadBalancingV2",
                    400,
                    &format!("Target group '{arn}' is currently in use by a listener or a rule"),
                ),
            )),
            None => Ok(()),
        }
    }

    fn view(&self, env: &Env<'_>, resource: &Resource, model: &mut Model) {
        let balancers = balancers_of(env, &resource.identifier);
        model.insert("LoadBalancerArns".into(), json!(balancers));
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "TargetGroupArn").map_or_else(
            || {
                let name = text(model, "Name").unwrap_or("*");
                env.arn("elasticloadbalancing", &format!("targetgroup/{name}/*"))
            },
            str::to_owned,
        )
    }
}

/// The load balancers that forward to a target group.
pub(crate) fn balancers_of(env: &Env<'_>, target_group: &str) -> Vec<String> {
    let mut balancers: Vec<String> = FORWARDS
        .iter()
        .flat_map(|(type_name, path)| {
            env.all(type_name).into_iter().filter_map(move |from| {
                if !strings(&from.properties, path).contains(&target_group) {
                    return None;
                }
                let listener = text(&from.hidden, "ListenerArn");
                let listener = listener.and_then(|arn| env.find(LISTENER, arn));
                let holder = listener.as_ref().unwrap_or(&from);
                text(&holder.properties, "LoadBalancerArn").map(str::to_owned)
            })
        })
        .collect();
    balancers.sort();
    balancers.dedup();
    balancers
}
