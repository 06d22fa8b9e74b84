//! Virtual networks, subnets and gateways.

use super::Rules;
use super::generic;
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::cloudcontrol::targets::noun;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;
use std::net::Ipv4Addr;

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

/// An IPv4 network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    first: u32,
    last: u32,
    bits: u32,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let size = 1u64 << (32 - bits);
        // AWS canonicalises host bits away; a caller that relies on it would
        // see another block than it asked for, so the sandbox refuses.
        if u64::from(address) % size != 0 {
            return None;
        }
        let last = u32::try_from(u64::from(address) + size - 1).ok()?;
        Some(Self {
            first: address,
            last,
            bits,
        })
    }

    fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// An address inside that AWS does not reserve.
    pub(super) fn host(self, offset: u64) -> Ipv4Addr {
        let usable = u64::from(self.last - self.first).saturating_sub(5).max(1);
        let step = u32::try_from(4 + offset % usable).unwrap_or(4);
        Ipv4Addr::from(self.first.saturating_add(step))
    }
}

fn block(text: Option<&str>) -> Option<Cidr> {
    Cidr::parse(text?)
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
            super::rds::uses_subnet(env, id) || super::elasticache::uses_subnet(env, id);
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

struct Address;

impl Rules for Address {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "AllocationId", new_id(env, "eipalloc"));
        // 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24 are for examples,
        // too few to be unique; 100.64.0.0/10 is routed nowhere either.
        let address = format!(
            "100.{}.{}.{}",
            64 + env.below(64),
            env.below(256),
            1 + env.below(254)
        );
        set_default(model, "PublicIp", address);
        set_default(model, "Domain", "vpc");
        set_default(model, "PublicIpv4Pool", "amazon");
        let border = env.place.region.clone();
        set_default(model, "NetworkBorderGroup", border);
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let allocation = text(&resource.properties, "AllocationId").unwrap_or_default();
        let used = [(NAT, "AllocationId"), (NAT, "SecondaryAllocationIds")];
        match env.user_of(allocation, &used) {
            Some(_) => Err(env.ec2_invalid(&format!(
                "You do not have permission to access the specified resource: the address with \
                 allocation id {allocation} is in use."
            ))),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, EIP, text(model, "AllocationId"))
    }
}

struct NatGateway;

impl Rules for NatGateway {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "NatGatewayId", format!("nat-0{}", env.hex(16)));
        set_default(model, "ConnectivityType", "public");
        if let Some(subnet) = text(model, "SubnetId").map(str::to_owned) {
            if let Some(vpc) = vpc_of_subnet(env, &subnet) {
                set_default(model, "VpcId", vpc);
            }
            let range = env
                .find(SUBNET, &subnet)
                .and_then(|subnet| block(text(&subnet.properties, "CidrBlock")));
            if let Some(range) = range {
                set_default(
                    model,
                    "PrivateIpAddress",
                    range.host(env.below(200)).to_string(),
                );
            }
        }
        set_default(model, "EniId", new_id(env, "eni"));
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let subnet = text(model, "SubnetId").unwrap_or_default();
        if !env.exists(SUBNET, subnet) {
            return Err(env.ec2_missing("subnet ID", subnet));
        }
        if text(model, "ConnectivityType") == Some("private") {
            return Ok(());
        }
        let Some(allocation) = text(model, "AllocationId") else {
            return Err(env.ec2_invalid("The request must contain the parameter allocationId"));
        };
        let known = env
            .all(EIP)
            .iter()
            .any(|address| text(&address.properties, "AllocationId") == Some(allocation));
        if !known {
            return Err(env.ec2_missing("allocation ID", allocation));
        }
        if env.user_of(allocation, &[(NAT, "AllocationId")]).is_some() {
            return Err(env.ec2_invalid(&format!(
                "Elastic IP address [{allocation}] is already associated"
            )));
        }
        let vpc = text(model, "VpcId").unwrap_or_default();
        if !has_gateway(env, vpc) {
            return Err(env.ec2_invalid(&format!("Network {vpc} has no Internet gateway attached")));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, NAT, text(model, "NatGatewayId"))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_and_overlap() {
        let network = Cidr::parse("10.0.0.0/16").unwrap();
        let inside = Cidr::parse("10.0.4.0/24").unwrap();
        let outside = Cidr::parse("10.1.0.0/24").unwrap();
        assert!(network.contains(inside) && !network.contains(outside));
        assert!(Cidr::parse("10.0.4.128/25").unwrap().overlaps(inside));
        assert!(!outside.overlaps(inside));
        assert_eq!(Cidr::parse("10.0.0.1/16"), None);
        assert_eq!(Cidr::parse("10.0.0.0/33"), None);
    }
}
