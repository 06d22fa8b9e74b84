//! Virtual networks, subnets and gateways.

use super::Rules;
use super::addresses::{Address, NatGateway};
use super::cidr::{Cidr, block};
use super::generic;
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::cloudcontrol::targets::noun;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;

pub(super) const VPC: &str = "AWS::EC2::VPC";

pub(super) const SUBNET: &str = "AWS::EC2::Subnet";

pub(super) const GATEWAY: &str = "AWS::EC2::InternetGateway";

pub(super) const ATTACHMENT: &str = "AWS::EC2::VPCGatewayAttachment";

pub(super) const NAT: &str = "AWS::EC2::NatGateway";

pub(super) const EIP: &str = "AWS::EC2::EIP";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        VPC => &Vpc,
        SUBNET => &Subnet,
        GATEWAY => &InternetGateway,
        ATTACHMENT => &Attachment,
        EIP => &Address,
        NAT => &NatGateway,
        _ => return None,
    })
}

/// `arn:aws:ec2:…:vpc/vpc-1`, or `…/*` before the id is known.
pub(super) fn ec2_arn(env: &Env<'_>, type_name: &str, identifier: Option<&str>) -> String {
    let identifier = identifier.unwrap_or("*");
    env.arn("ec2", &format!("{}/{identifier}", noun(type_name)))
}

pub(super) fn new_id(env: &Env<'_>, prefix: &str) -> String {
    format!("{prefix}-0{}", env.hex(16))
}

struct Vpc;

impl Rules for Vpc {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "VpcId", new_id(env, "vpc"));
        set_default(model, "InstanceTenancy", "default");
        set_default(model, "EnableDnsSupport", true);
        set_default(model, "EnableDnsHostnames", false);
        let association = new_id(env, "vpc-cidr-assoc");
        set_default(model, "CidrBlockAssociations", json!([association]));
        set_default(model, "DefaultNetworkAcl", new_id(env, "acl"));
        set_default(model, "DefaultSecurityGroup", new_id(env, "sg"));
        set_default(model, "Ipv6CidrBlocks", json!([]));
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let given = text(model, "CidrBlock").unwrap_or_default();
        match Cidr::parse(given) {
            Some(block) if (16..=28).contains(&block.bits) => Ok(()),
            Some(_) => Err(env.ec2_invalid(&format!("The CIDR '{given}' is invalid."))),
            None if model.contains_key("Ipv4IpamPoolId") => {
                Err(env.ec2_missing("ipamPool ID", text(model, "Ipv4IpamPoolId").unwrap_or("")))
            }
            None => Err(env.ec2_invalid(&format!(
                "Value ({given}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
            ))),
        }
    }

    fn may_change(&self, _: &str, before: &Model, after: &Model) -> bool {
        // ModifyVpcTenancy only knows the way from dedicated to default.
        text(before, "InstanceTenancy") == Some("dedicated")
            && text(after, "InstanceTenancy") == Some("default")
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let blocking = [
            (SUBNET, "VpcId"),
            (ATTACHMENT, "VpcId"),
            ("AWS::EC2::SecurityGroup", "VpcId"),
            ("AWS::EC2::RouteTable", "VpcId"),
            ("AWS::EC2::VPCEndpoint", "VpcId"),
            ("AWS::EC2::NetworkAcl", "VpcId"),
            (NAT, "VpcId"),
        ];
        match env.user_of(&resource.identifier, &blocking) {
            Some(_) => Err(dependency(env, "vpc", &resource.identifier)),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, VPC, text(model, "VpcId"))
    }
}

/// DependencyViolation.
pub(super) fn dependency(env: &Env<'_>, noun: &str, identifier: &str) -> Failure {
    env.ec2_invalid(&format!(
        "The {noun} '{identifier}' has dependencies and cannot be deleted."
    ))
}

struct Subnet;

/// What puts a network interface into a subnet.
const IN_SUBNET: [(&str, &str); 8] = [
    (NAT, "SubnetId"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Subnets"),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "SubnetMappings/*/SubnetId",
    ),
    (
        "AWS::ECS::Service",
        "NetworkConfiguration/AwsvpcConfiguration/Subnets",
    ),
    ("AWS::EC2::VPCEndpoint", "SubnetIds"),
    ("AWS::EKS::Cluster", "ResourcesVpcConfig/SubnetIds"),
    ("AWS::EKS::Nodegroup", "Subnets"),
    ("AWS::ElastiCache::ServerlessCache", "SubnetIds"),
];

impl Rules for Subnet {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "SubnetId", new_id(env, "subnet"));
        if !model.contains_key("AvailabilityZoneId") {
            let zone = format!("{}a", env.place.region);
            set_default(model, "AvailabilityZone", zone);
        }
        set_default(model, "MapPublicIpOnLaunch", false);
        set_default(model, "AssignIpv6AddressOnCreation", false);
        set_default(model, "EnableDns64", false);
        set_default(model, "Ipv6Native", false);
        set_default(model, "Ipv6CidrBlocks", json!([]));
        set_default(
            model,
            "PrivateDnsNameOptionsOnLaunch",
            json!({
                "HostnameType": "ip-name",
                "EnableResourceNameDnsARecord": false,
                "EnableResourceNameDnsAAAARecord": false,
            }),
        );
        set_default(
            model,
            "BlockPublicAccessStates",
            json!({"InternetGatewayBlockMode": "off"}),
        );
        set_default(model, "NetworkAclAssociationId", new_id(env, "aclassoc"));
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let vpc = text(model, "VpcId").unwrap_or_default();
        if !env.exists(VPC, vpc) {
            return Err(env.ec2_missing("vpc ID", vpc));
        }
        if let Some(zone) = text(model, "AvailabilityZone") {
            let region = env.place.region.as_str();
            let zones: Vec<String> = ["a", "b", "c"].map(|z| format!("{region}{z}")).into();
            if !zones.iter().any(|known| known == zone) {
                return Err(env.ec2_invalid(&format!(
                    "Value ({zone}) for parameter availabilityZone is invalid. Subnets can \
                     currently only be created in the following availability zones: {}.",
                    zones.join(", ")
                )));
            }
        }
        let given = text(model, "CidrBlock").unwrap_or_default();
        let network = env
            .find(VPC, vpc)
            .and_then(|vpc| block(text(&vpc.properties, "CidrBlock")));
        let wanted = Cidr::parse(given).filter(|wanted| {
            (16..=28).contains(&wanted.bits)
                && network.is_none_or(|network| network.contains(*wanted))
        });
        let Some(wanted) = wanted else {
            return Err(env.ec2_invalid(&format!("The CIDR '{given}' is invalid.")));
        };
        let conflict = env.all(SUBNET).iter().any(|other| {
            text(&other.properties, "VpcId") == Some(vpc)
                && block(text(&other.properties, "CidrBlock"))
                    .is_some_and(|other| other.overlaps(wanted))
        });
        if conflict {
            return Err(
                env.ec2_invalid(&format!("The CIDR '{given}' conflicts with another subnet"))
            );
        }
        Ok(())
    }

    fn may_change(&self, _: &str, _: &Model, _: &Model) -> bool {
        true
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let id = resource.identifier.as_str();
        let in_groups =
            super::rds_groups::uses_subnet(env, id) || super::elasticache::uses_subnet(env, id);
        if in_groups || env.user_of(id, &IN_SUBNET).is_some() {
            return Err(dependency(env, "subnet", id));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, SUBNET, text(model, "SubnetId"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[("AWS::EC2::SubnetRouteTableAssociation", "SubnetId")]
    }
}

struct InternetGateway;

impl Rules for InternetGateway {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "InternetGatewayId", new_id(env, "igw"));
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let id = resource.identifier.as_str();
        match env.user_of(id, &[(ATTACHMENT, "InternetGatewayId")]) {
            Some(_) => Err(dependency(env, "internetGateway", id)),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, GATEWAY, text(model, "InternetGatewayId"))
    }
}

struct Attachment;

impl Rules for Attachment {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let kind = if model.contains_key("InternetGatewayId") {
            "IGW"
        } else {
            "VGW"
        };
        set_default(model, "AttachmentType", kind);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let vpc = text(model, "VpcId").unwrap_or_default();
        if !env.exists(VPC, vpc) {
            return Err(env.ec2_missing("vpc ID", vpc));
        }
        let Some(gateway) = text(model, "InternetGatewayId") else {
            let gateway = text(model, "VpnGatewayId").unwrap_or_default();
            return Err(env.ec2_missing("vpnGateway ID", gateway));
        };
        if !env.exists(GATEWAY, gateway) {
            return Err(env.ec2_missing("internetGateway ID", gateway));
        }
        for other in env.all(ATTACHMENT) {
            if text(&other.properties, "InternetGatewayId") == Some(gateway) {
                let network = text(&other.properties, "VpcId").unwrap_or_default();
                return Err(Failure::exists(env.service_message(
                    "Ec2",
                    400,
                    &format!("resource {gateway} is already attached to network {network}"),
                )));
            }
        }
        Ok(())
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let vpc = text(&resource.properties, "VpcId").unwrap_or_default();
        let mapped = env.all(NAT).iter().any(|nat| {
            text(&nat.properties, "VpcId") == Some(vpc)
                && text(&nat.properties, "ConnectivityType") != Some("private")
        }) || super::elb::faces_internet(env, vpc);
        if mapped {
            return Err(env.ec2_invalid(&format!(
                "Network {vpc} has some mapped public address(es). Please unmap those public \
                 address(es) before detaching the gateway."
            )));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, GATEWAY, text(model, "InternetGatewayId"))
    }
}

/// Whether a network has a way out.
pub(super) fn has_gateway(env: &Env<'_>, vpc: &str) -> bool {
    env.all(ATTACHMENT)
        .iter()
        .any(|attachment| text(&attachment.properties, "VpcId") == Some(vpc))
}

/// The network that a subnet lies in.
pub(super) fn vpc_of_subnet(env: &Env<'_>, subnet: &str) -> Option<String> {
    let found = env.find(SUBNET, subnet)?;
    text(&found.properties, "VpcId").map(str::to_owned)
}

/// The zones of subnets that exist, each once.
pub(super) fn zones(env: &Env<'_>, subnets: &[&str]) -> Vec<String> {
    let mut zones: Vec<String> = subnets
        .iter()
        .filter_map(|subnet| env.find(SUBNET, subnet))
        .filter_map(|subnet| text(&subnet.properties, "AvailabilityZone").map(str::to_owned))
        .collect();
    zones.sort();
    zones.dedup();
    zones
}

/// Checks that subnets and security groups exist, as most services do.
pub(super) fn check_placement(
    env: &Env<'_>,
    subnets: &[&str],
    groups: &[&str],
) -> Result<(), Failure> {
    for subnet in subnets {
        if !env.exists(SUBNET, subnet) {
            return Err(env.ec2_missing("subnet ID", subnet));
        }
    }
    for group in groups {
        if !super::security_groups::exists(env, group) {
            return Err(env.ec2_missing("security group", group));
        }
    }
    Ok(())
}

/// The rules that only the table gives, with an EC2 id in the usual shape.
pub(super) fn fill_with_id(
    env: &Env<'_>,
    type_name: &str,
    info: &TypeInfo,
    model: &mut Model,
    property: &str,
    prefix: &str,
) {
    set_default(model, property, new_id(env, prefix));
    generic::fill(env, type_name, info, model);
}
