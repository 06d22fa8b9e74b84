//! Listeners and their rules.

use super::target_group::balancers_of;
use super::{LISTENER, LISTENER_RULE, LOAD_BALANCER, TARGET_GROUP, elb_invalid};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::{Failure, HandlerErrorCode};
use crate::cloudcontrol::rules::Rules;
use crate::types::{Model, TypeInfo, set_default};

fn check_actions(
    env: &Env<'_>,
    model: &Model,
    property: &str,
    balancer: &str,
) -> Result<(), Failure> {
    let direct = format!("{property}/*/TargetGroupArn");
    let weighted = format!("{property}/*/ForwardConfig/TargetGroups/*/TargetGroupArn");
    let mut groups = strings(model, &direct);
    groups.extend(strings(model, &weighted));
    for group in groups {
        if !env.exists(TARGET_GROUP, group) {
            return Err(Failure::not_found(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                &format!("Target groups '{group}' not found"),
            )));
        }
        if balancers_of(env, group)
            .iter()
            .any(|other| other != balancer)
        {
            return Err(Failure::new(
                HandlerErrorCode::ServiceLimitExceeded,
                env.service_message(
                    "ElasticLoadBalancingV2",
                    400,
                    &format!(
                        "The following target groups cannot be associated with more than one \
                         load balancer: {group}"
                    ),
                ),
            ));
        }
    }
    Ok(())
}

pub(super) struct Listener;

impl Rules for Listener {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let balancer = text(model, "LoadBalancerArn").unwrap_or_default();
        let full = balancer
            .split_once("loadbalancer/")
            .map_or("app/x/x", |(_, full)| full);
        let arn = env.arn(
            "elasticloadbalancing",
            &format!("listener/{full}/{}", env.hex(16)),
        );
        set_default(model, "ListenerArn", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let balancer = text(model, "LoadBalancerArn").unwrap_or_default();
        if !env.exists(LOAD_BALANCER, balancer) {
            return Err(Failure::not_found(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                &format!("Load balancer '{balancer}' not found"),
            )));
        }
        if !model.contains_key("Port") || !model.contains_key("Protocol") {
            return Err(elb_invalid(env, "A port and a protocol must be specified"));
        }
        let taken = env.all(LISTENER).iter().any(|other| {
            text(&other.properties, "LoadBalancerArn") == Some(balancer)
                && other.properties.get("Port") == model.get("Port")
        });
        if taken {
            return Err(Failure::exists(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                "A listener already exists on this port for this load balancer",
            )));
        }
        self.check_update(env, model, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        let secure = matches!(text(after, "Protocol"), Some("HTTPS" | "TLS"));
        if secure && !after.contains_key("Certificates") {
            return Err(elb_invalid(
                env,
                "A certificate must be specified for HTTPS listeners",
            ));
        }
        let balancer = text(after, "LoadBalancerArn").unwrap_or_default();
        check_actions(env, after, "DefaultActions", balancer)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "ListenerArn").map_or_else(
            || env.arn("elasticloadbalancing", "listener/*"),
            str::to_owned,
        )
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(LISTENER_RULE, "ListenerArn")]
    }
}

pub(super) struct ListenerRule;

impl Rules for ListenerRule {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let listener = text(model, "ListenerArn").unwrap_or_default();
        let full = listener
            .split_once("listener/")
            .map_or("app/x/x/x", |(_, full)| full);
        let arn = env.arn(
            "elasticloadbalancing",
            &format!("listener-rule/{full}/{}", env.hex(16)),
        );
        set_default(model, "RuleArn", arn);
        set_default(model, "IsDefault", false);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let listener = text(model, "ListenerArn").unwrap_or_default();
        let Some(found) = env
            .find(LISTENER, listener)
            .filter(|_| env.exists(LISTENER, listener))
        else {
            return Err(Failure::not_found(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                &format!("One or more listeners not found: '{listener}'"),
            )));
        };
        let taken = env.all(LISTENER_RULE).iter().any(|other| {
            text(&other.hidden, "ListenerArn") == Some(listener)
                && other.properties.get("Priority") == model.get("Priority")
        });
        if taken {
            return Err(Failure::exists(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                "The specified priority is currently in use",
            )));
        }
        let balancer = text(&found.properties, "LoadBalancerArn").unwrap_or_default();
        check_actions(env, model, "Actions", balancer)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "RuleArn").map_or_else(
            || env.arn("elasticloadbalancing", "listener-rule/*"),
            str::to_owned,
        )
    }
}
