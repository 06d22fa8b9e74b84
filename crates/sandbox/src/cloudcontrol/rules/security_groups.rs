//! Security groups and their rules.

use super::Rules;
use super::ec2::{VPC, ec2_arn, new_id};
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::{Value, json};

pub(super) const GROUP: &str = "AWS::EC2::SecurityGroup";
const INGRESS: &str = "AWS::EC2::SecurityGroupIngress";
const EGRESS: &str = "AWS::EC2::SecurityGroupEgress";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        GROUP => &SecurityGroup,
        INGRESS => &Rule { type_name: INGRESS },
        EGRESS => &Rule { type_name: EGRESS },
        _ => return None,
    })
}

/// Also the default group of a network, which is no resource of its own here.
pub(super) fn exists(env: &Env<'_>, group: &str) -> bool {
    env.exists(GROUP, group)
        || env
            .user_of(group, &[(VPC, "DefaultSecurityGroup")])
            .is_some()
}

/// What a group is attached to.
const ATTACHED: [(&str, &str); 8] = [
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "SecurityGroups",
    ),
    (
        "AWS::ECS::Service",
        "NetworkConfiguration/AwsvpcConfiguration/SecurityGroups",
    ),
    ("AWS::RDS::DBInstance", "VPCSecurityGroups"),
    ("AWS::RDS::DBCluster", "VpcSecurityGroupIds"),
    ("AWS::ElastiCache::ReplicationGroup", "SecurityGroupIds"),
    ("AWS::ElastiCache::ServerlessCache", "SecurityGroupIds"),
    ("AWS::EC2::VPCEndpoint", "SecurityGroupIds"),
    ("AWS::EKS::Cluster", "ResourcesVpcConfig/SecurityGroupIds"),
];

/// Rules of other groups that name this one.
const NAMED_BY: [(&str, &str); 4] = [
    (INGRESS, "SourceSecurityGroupId"),
    (EGRESS, "DestinationSecurityGroupId"),
    (GROUP, "SecurityGroupIngress/*/SourceSecurityGroupId"),
    (GROUP, "SecurityGroupEgress/*/DestinationSecurityGroupId"),
];

struct SecurityGroup;

impl Rules for SecurityGroup {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let id = new_id(env, "sg");
        set_default(model, "Id", id.clone());
        set_default(model, "GroupId", id);
        if !model.contains_key("GroupName") {
            model.insert("GroupName".into(), env.name("SecurityGroup").into());
        }
        // A new group lets everything out unless it says otherwise.
        set_default(
            model,
            "SecurityGroupEgress",
            json!([{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1", "FromPort": -1, "ToPort": -1}]),
        );
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let Some(vpc) = text(model, "VpcId") else {
            return Err(env.ec2_invalid("No default VPC for this user"));
        };
        if !env.exists(VPC, vpc) {
            return Err(env.ec2_missing("vpc ID", vpc));
        }
        let name = text(model, "GroupName").unwrap_or_default();
        if name.starts_with("sg-") {
            return Err(env.ec2_invalid(&format!(
                "Invalid value '{name}' for groupName. Group names may not be in the format sg-*."
            )));
        }
        let taken = env.all(GROUP).iter().any(|other| {
            text(&other.properties, "GroupName") == Some(name)
                && text(&other.properties, "VpcId") == Some(vpc)
        });
        if taken {
            return Err(Failure::exists(env.service_message(
                "Ec2",
                400,
                &format!("The security group '{name}' already exists for VPC '{vpc}'"),
            )));
        }
        check_inline(env, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        check_inline(env, after)
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let id = resource.identifier.as_str();
        let named_elsewhere = NAMED_BY.iter().any(|place| {
            env.all(place.0).iter().any(|rule| {
                // A group's own rules go with it.
                text(&rule.properties, "GroupId") != Some(id)
                    && crate::cloudcontrol::env::strings(&rule.properties, place.1).contains(&id)
            })
        });
        if named_elsewhere || env.user_of(id, &ATTACHED).is_some() {
            return Err(env.ec2_invalid(&format!("resource {id} has a dependent object")));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, GROUP, text(model, "GroupId"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(INGRESS, "GroupId"), (EGRESS, "GroupId")]
    }
}

fn check_inline(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
    for (list, peer) in [
        ("SecurityGroupIngress", "SourceSecurityGroupId"),
        ("SecurityGroupEgress", "DestinationSecurityGroupId"),
    ] {
        for rule in model
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(group) = rule.get(peer).and_then(Value::as_str)
                && !exists(env, group)
            {
                return Err(env.ec2_missing("security group", group));
            }
            if let Some(rule) = rule.as_object() {
                check_ports(env, rule)?;
            }
        }
    }
    Ok(())
}

fn check_ports(env: &Env<'_>, rule: &Model) -> Result<(), Failure> {
    let port = |name: &str| rule.get(name).and_then(Value::as_i64);
    match text(rule, "IpProtocol") {
        Some("tcp" | "udp" | "6" | "17") => match (port("FromPort"), port("ToPort")) {
            (Some(from), Some(to)) if (0..=65_535).contains(&from) && from <= to => Ok(()),
            (Some(from), Some(to)) => {
                Err(env.ec2_invalid(&format!("Invalid TCP port range ({from}:{to})")))
            }
            _ => Err(env.ec2_invalid(
                "The request must contain the parameters fromPort and toPort for this protocol",
            )),
        },
        _ => Ok(()),
    }
}

struct Rule {
    type_name: &'static str,
}

impl Rule {
    fn peer(&self) -> &'static str {
        if self.type_name == INGRESS {
            "SourceSecurityGroupId"
        } else {
            "DestinationSecurityGroupId"
        }
    }

    /// What makes two rules of a group the same rule.
    fn signature(model: &Model) -> Vec<Option<&Value>> {
        [
            "GroupId",
            "IpProtocol",
            "FromPort",
            "ToPort",
            "CidrIp",
            "CidrIpv6",
            "SourceSecurityGroupId",
            "DestinationSecurityGroupId",
            "SourcePrefixListId",
            "DestinationPrefixListId",
        ]
        .map(|name| model.get(name))
        .into()
    }
}

impl Rules for Rule {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "Id", new_id(env, "sgr"));
        if text(model, "IpProtocol") == Some("-1") {
            set_default(model, "FromPort", -1);
            set_default(model, "ToPort", -1);
        }
        if self.type_name == INGRESS && model.contains_key("SourceSecurityGroupId") {
            let owner = env.place.account.clone();
            set_default(model, "SourceSecurityGroupOwnerId", owner);
        }
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let group = text(model, "GroupId").unwrap_or_default();
        for wanted in [Some(group), text(model, self.peer())]
            .into_iter()
            .flatten()
        {
            if !exists(env, wanted) {
                return Err(env.ec2_missing("security group", wanted));
            }
        }
        check_ports(env, model)?;
        let same = env
            .all(self.type_name)
            .iter()
            .any(|other| Self::signature(&other.properties) == Self::signature(model));
        if same {
            return Err(Failure::exists(env.service_message(
                "Ec2",
                400,
                &format!("the specified rule for {group} already exists"),
            )));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, GROUP, text(model, "GroupId"))
    }
}
