//! Load balancers, target groups, listeners and their rules.

use super::Rules;
use super::ec2::{SUBNET, VPC, check_placement, has_gateway, vpc_of_subnet, zones};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::{Failure, HandlerErrorCode};
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};
use serde_json::{Value, json};

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

struct LoadBalancer;

const LOAD_BALANCER_ATTRIBUTES: [(&str, &str); 10] = [
    ("access_logs.s3.enabled", "false"),
    ("client_keep_alive.seconds", "3600"),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("load_balancing.cross_zone.enabled", "true"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
];

/// Whether a load balancer of this network has public addresses.
pub(super) fn faces_internet(env: &Env<'_>, vpc: &str) -> bool {
    env.all(LOAD_BALANCER).iter().any(|balancer| {
        text(&balancer.properties, "Scheme") == Some("internet-facing")
            && balancer_vpc(env, &balancer.properties).as_deref() == Some(vpc)
    })
}

fn balancer_subnets(model: &Model) -> Vec<&str> {
    let mut subnets = strings(model, "Subnets");
    subnets.extend(strings(model, "SubnetMappings/*/SubnetId"));
    subnets
}

fn balancer_vpc(env: &Env<'_>, model: &Model) -> Option<String> {
    vpc_of_subnet(env, balancer_subnets(model).first()?)
}

impl Rules for LoadBalancer {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "Name", format!("lb-{}", env.hex(12)));
        set_default(model, "Type", "application");
        set_default(model, "Scheme", "internet-facing");
        set_default(model, "IpAddressType", "ipv4");
        let name = text(model, "Name").unwrap_or_default().to_owned();
        let kind = match text(model, "Type") {
            Some("network") => "net",
            Some("gateway") => "gwy",
            _ => "app",
        };
        let full = format!("{kind}/{name}/{}", env.hex(16));
        let internal = if text(model, "Scheme") == Some("internal") {
            "internal-"
        } else {
            ""
        };
        let dns = format!(
            "{internal}{name}-{}.{}.elb.amazonaws.com",
            1_000_000 + env.below(2_000_000_000),
            env.place.region
        );
        let arn = env.arn("elasticloadbalancing", &format!("loadbalancer/{full}"));
        set_default(model, "LoadBalancerName", name);
        set_default(model, "LoadBalancerFullName", full);
        set_default(model, "LoadBalancerArn", arn);
        set_default(model, "DNSName", dns.to_ascii_lowercase());
        set_default(model, "CanonicalHostedZoneID", "Z32O12XQLNTSW2");
        if !model.contains_key("SecurityGroups")
            && let Some(group) = balancer_vpc(env, model)
                .and_then(|vpc| env.find(VPC, &vpc))
                .and_then(|vpc| vpc.properties.get("DefaultSecurityGroup").cloned())
        {
            model.insert("SecurityGroups".into(), json!([group]));
        }
        merge_attributes(model, "LoadBalancerAttributes", &LOAD_BALANCER_ATTRIBUTES);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "Name").unwrap_or_default();
        check_name(env, "load balancer", name)?;
        self.check_update(env, model, model)?;
        if text(model, "Scheme") == Some("internet-facing")
            && let Some(vpc) = balancer_vpc(env, model)
            && !has_gateway(env, &vpc)
        {
            return Err(elb_invalid(
                env,
                &format!("VPC {vpc} has no internet gateway"),
            ));
        }
        let taken = env
            .all(LOAD_BALANCER)
            .iter()
            .any(|other| text(&other.properties, "Name") == Some(name));
        if taken {
            return Err(Failure::exists(env.service_message(
                "ElasticLoadBalancingV2",
                400,
                &format!("A load balancer with the same name '{name}' exists, but with different settings"),
            )));
        }
        Ok(())
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        let subnets = balancer_subnets(after);
        for subnet in &subnets {
            if !env.exists(SUBNET, subnet) {
                return Err(elb_invalid(
                    env,
                    &format!("The subnet ID '{subnet}' is not valid"),
                ));
            }
        }
        if text(after, "Type") == Some("application") && zones(env, &subnets).len() < 2 {
            return Err(elb_invalid(
                env,
                "At least two subnets in two different Availability Zones must be specified",
            ));
        }
        for group in strings(after, "SecurityGroups") {
            if !super::security_groups::exists(env, group) {
                return Err(elb_invalid(
                    env,
                    &format!("The security group '{group}' does not exist"),
                ));
            }
        }
        Ok(())
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let protected = attribute(
            &resource.properties,
            "LoadBalancerAttributes",
            "deletion_protection.enabled",
        );
        if protected == Some("true") {
            return Err(elb_invalid(
                env,
                &format!(
                    "Load balancer '{}' cannot be deleted because deletion protection is enabled",
                    resource.identifier
                ),
            ));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "LoadBalancerArn").map_or_else(
            || {
                let name = text(model, "Name").unwrap_or("*");
                env.arn(
                    "elasticloadbalancing",
                    &format!("loadbalancer/app/{name}/*"),
                )
            },
            str::to_owned,
        )
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(LISTENER, "LoadBalancerArn")]
    }
}

struct TargetGroup;

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

struct Listener;

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

struct ListenerRule;

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

/// Where a service puts its tasks.
pub(super) fn check_service_placement(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
    let place = "NetworkConfiguration/AwsvpcConfiguration";
    check_placement(
        env,
        &strings(model, &format!("{place}/Subnets")),
        &strings(model, &format!("{place}/SecurityGroups")),
    )
}
