//! EC2: a call is decided on every resource that it touches.

use super::{Ask, Asked};
use crate::cloudcontrol::env::text;

const VPC: &str = "AWS::EC2::VPC";
const SUBNET: &str = "AWS::EC2::Subnet";
const GATEWAY: &str = "AWS::EC2::InternetGateway";
const ROUTE_TABLE: &str = "AWS::EC2::RouteTable";
const SECURITY_GROUP: &str = "AWS::EC2::SecurityGroup";

/// The noun of a type in EC2's ARNs.
pub(in crate::cloudcontrol) fn noun(type_name: &str) -> &'static str {
    match type_name {
        VPC => "vpc",
        SUBNET => "subnet",
        GATEWAY => "internet-gateway",
        ROUTE_TABLE => "route-table",
        "AWS::EC2::EIP" => "elastic-ip",
        "AWS::EC2::NatGateway" => "natgateway",
        SECURITY_GROUP => "security-group",
        "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => "security-group-rule",
        "AWS::EC2::VPCEndpoint" => "vpc-endpoint",
        "AWS::EC2::FlowLog" => "vpc-flow-log",
        "AWS::EC2::LaunchTemplate" => "launch-template",
        "AWS::EC2::NetworkAcl" => "network-acl",
        _ => "network-interface",
    }
}

pub(super) fn asks(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let existing = |type_name: &str, property: &str| -> Option<Ask> {
        let identifier = text(asked.model(), property)?;
        let mut context = asked.existing_context(type_name, identifier);
        if let Some(vpc) = asked
            .env
            .find(type_name, identifier)
            .and_then(|resource| text(&resource.properties, "VpcId").map(str::to_owned))
        {
            context.set("ec2:Vpc", asked.env.arn("ec2", &format!("vpc/{vpc}")));
        }
        let noun = noun(type_name);
        Some((
            asked.env.arn("ec2", &format!("{noun}/{identifier}")),
            context,
        ))
    };
    let new = || -> Option<Ask> {
        let noun = noun(asked.subject.type_name);
        Some((asked.env.arn("ec2", &format!("{noun}/*")), asked.context()))
    };
    let asks: Vec<Option<Ask>> = match asked.verb {
        "CreateVpc" | "CreateInternetGateway" | "AllocateAddress" => vec![new()],
        "CreateSubnet" | "CreateRouteTable" | "CreateSecurityGroup" => {
            vec![new(), existing(VPC, "VpcId")]
        }
        "CreateNatGateway" => vec![new(), existing(SUBNET, "SubnetId"), address(asked)],
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => {
            vec![existing(ROUTE_TABLE, "RouteTableId")]
        }
        "AssociateRouteTable" | "DisassociateRouteTable" => vec![
            existing(ROUTE_TABLE, "RouteTableId"),
            existing(SUBNET, "SubnetId"),
        ],
        "AttachInternetGateway" | "DetachInternetGateway" => vec![
            existing(GATEWAY, "InternetGatewayId"),
            existing(VPC, "VpcId"),
        ],
        verb if verb.contains("SecurityGroup")
            && asked.subject.type_name != SECURITY_GROUP
            && asked
                .subject
                .type_name
                .starts_with("AWS::EC2::SecurityGroup") =>
        {
            vec![existing(SECURITY_GROUP, "GroupId")]
        }
        "CreateVpcEndpoint" => vec![new(), existing(VPC, "VpcId")],
        verb if verb.starts_with("Create") && asked.makes_it() => vec![new()],
        _ => vec![Some(asked.own())],
    };
    asks.into_iter().flatten().collect()
}

/// The address of a NAT gateway, known by half of its identifier.
fn address(asked: &Asked<'_, '_>) -> Option<Ask> {
    let allocation = text(asked.model(), "AllocationId")?;
    let suffix = format!("|{allocation}");
    let identifier = asked
        .env
        .all("AWS::EC2::EIP")
        .into_iter()
        .map(|address| address.identifier.clone())
        .find(|identifier| identifier.ends_with(&suffix))
        .unwrap_or_default();
    Some((
        asked.env.arn("ec2", &format!("elastic-ip/{allocation}")),
        asked.existing_context("AWS::EC2::EIP", &identifier),
    ))
}
