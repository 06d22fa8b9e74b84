//! Load balancers themselves.

use super::{LISTENER, LOAD_BALANCER, attribute, check_name, elb_invalid, merge_attributes};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::rules::Rules;
use crate::cloudcontrol::rules::ec2::{SUBNET, VPC, has_gateway, vpc_of_subnet, zones};
use crate::cloudcontrol::rules::security_groups;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;

pub(super) struct LoadBalancer;

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
pub(in crate::cloudcontrol::rules) fn faces_internet(env: &Env<'_>, vpc: &str) -> bool {
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
            if !security_groups::exists(env, group) {
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
