//! Route tables, routes, and the EC2 types that only need an id of their own.

use super::Rules;
use super::ec2::{
    ATTACHMENT, GATEWAY, NAT, SUBNET, VPC, ec2_arn, fill_with_id, new_id, vpc_of_subnet,
};
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};

const ROUTE_TABLE: &str = "AWS::EC2::RouteTable";
const ROUTE: &str = "AWS::EC2::Route";
const ASSOCIATION: &str = "AWS::EC2::SubnetRouteTableAssociation";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        ROUTE_TABLE => &RouteTable,
        ROUTE => &Route,
        ASSOCIATION => &Association,
        "AWS::EC2::VPCEndpoint" => &ENDPOINT,
        "AWS::EC2::LaunchTemplate" => &LAUNCH_TEMPLATE,
        "AWS::EC2::NetworkAcl" => &NETWORK_ACL,
        "AWS::EC2::FlowLog" => &FLOW_LOG,
        _ => return None,
    })
}

struct RouteTable;

impl Rules for RouteTable {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "RouteTableId", new_id(env, "rtb"));
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let vpc = text(model, "VpcId").unwrap_or_default();
        if env.exists(VPC, vpc) {
            Ok(())
        } else {
            Err(env.ec2_missing("vpc ID", vpc))
        }
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let id = resource.identifier.as_str();
        match env.user_of(id, &[(ASSOCIATION, "RouteTableId")]) {
            Some(_) => Err(super::ec2::dependency(env, "routeTable", id)),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, ROUTE_TABLE, text(model, "RouteTableId"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(ROUTE, "RouteTableId")]
    }
}

struct Route;

const TARGETS: [&str; 10] = [
    "GatewayId",
    "NatGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
];

impl Route {
    fn check_target(env: &Env<'_>, model: &Model, table_vpc: &str) -> Result<(), Failure> {
        let given = TARGETS
            .iter()
            .filter(|name| model.contains_key(**name))
            .count()
            + usize::from(model.contains_key("VpcEndpointId"));
        if given != 1 {
            return Err(env.ec2_invalid("Exactly one route target must be specified"));
        }
        if let Some(gateway) = text(model, "GatewayId").filter(|id| id.starts_with("igw-")) {
            if !env.exists(GATEWAY, gateway) {
                return Err(env.ec2_missing("gateway ID", gateway));
            }
            let attached = env.all(ATTACHMENT).iter().any(|attachment| {
                text(&attachment.properties, "InternetGatewayId") == Some(gateway)
                    && text(&attachment.properties, "VpcId") == Some(table_vpc)
            });
            if !attached {
                let table = text(model, "RouteTableId").unwrap_or_default();
                return Err(env.ec2_invalid(&format!(
                    "route table {table} and network gateway {gateway} belong to different networks"
                )));
            }
        }
        if let Some(nat) = text(model, "NatGatewayId")
            && !env.exists(NAT, nat)
        {
            return Err(env.ec2_missing("natGateway ID", nat));
        }
        Ok(())
    }
}

impl Rules for Route {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let destination = [
            "DestinationCidrBlock",
            "DestinationIpv6CidrBlock",
            "DestinationPrefixListId",
        ]
        .iter()
        .find_map(|name| text(model, name))
        .unwrap_or_default()
        .to_owned();
        set_default(model, "CidrBlock", destination);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let id = text(model, "RouteTableId").unwrap_or_default();
        let Some(table) = env
            .find(ROUTE_TABLE, id)
            .filter(|_| env.exists(ROUTE_TABLE, id))
        else {
            return Err(env.ec2_missing("routeTable ID", id));
        };
        if text(model, "CidrBlock").is_none_or(str::is_empty) {
            return Err(env.ec2_invalid(
                "Either DestinationCidrBlock or DestinationIpv6CidrBlock must be specified",
            ));
        }
        Self::check_target(
            env,
            model,
            text(&table.properties, "VpcId").unwrap_or_default(),
        )
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        let id = text(after, "RouteTableId").unwrap_or_default();
        let vpc = env
            .find(ROUTE_TABLE, id)
            .and_then(|table| text(&table.properties, "VpcId").map(str::to_owned))
            .unwrap_or_default();
        Self::check_target(env, after, &vpc)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, ROUTE_TABLE, text(model, "RouteTableId"))
    }
}

struct Association;

impl Rules for Association {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "Id", new_id(env, "rtbassoc"));
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let table = text(model, "RouteTableId").unwrap_or_default();
        let subnet = text(model, "SubnetId").unwrap_or_default();
        if !env.exists(ROUTE_TABLE, table) {
            return Err(env.ec2_missing("routeTable ID", table));
        }
        if !env.exists(SUBNET, subnet) {
            return Err(env.ec2_missing("subnet ID", subnet));
        }
        let network = env
            .find(ROUTE_TABLE, table)
            .and_then(|table| text(&table.properties, "VpcId").map(str::to_owned));
        if network != vpc_of_subnet(env, subnet) {
            return Err(env.ec2_invalid(&format!(
                "route table {table} and subnet {subnet} belong to different networks"
            )));
        }
        if env.user_of(subnet, &[(ASSOCIATION, "SubnetId")]).is_some() {
            return Err(Failure::exists(env.service_message(
                "Ec2",
                400,
                &format!(
                    "the specified association for route table {table} conflicts with an \
                     existing association"
                ),
            )));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, ROUTE_TABLE, text(model, "RouteTableId"))
    }
}

/// A type of which only the id's shape is particular.
struct WithId {
    type_name: &'static str,
    property: &'static str,
    prefix: &'static str,
    /// Where the resource lies.
    subnets: Option<&'static str>,
}

const ENDPOINT: WithId = WithId {
    type_name: "AWS::EC2::VPCEndpoint",
    property: "Id",
    prefix: "vpce",
    subnets: Some("SubnetIds"),
};
const LAUNCH_TEMPLATE: WithId = WithId {
    type_name: "AWS::EC2::LaunchTemplate",
    property: "LaunchTemplateId",
    prefix: "lt",
    subnets: None,
};
const NETWORK_ACL: WithId = WithId {
    type_name: "AWS::EC2::NetworkAcl",
    property: "Id",
    prefix: "acl",
    subnets: None,
};
const FLOW_LOG: WithId = WithId {
    type_name: "AWS::EC2::FlowLog",
    property: "Id",
    prefix: "fl",
    subnets: None,
};

impl Rules for WithId {
    fn fill(&self, env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &mut Model) {
        fill_with_id(env, type_name, info, model, self.property, self.prefix);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if let Some(vpc) = text(model, "VpcId")
            && !env.exists(VPC, vpc)
        {
            return Err(env.ec2_missing("vpc ID", vpc));
        }
        let subnets = self
            .subnets
            .map(|path| crate::cloudcontrol::env::strings(model, path))
            .unwrap_or_default();
        super::ec2::check_placement(env, &subnets, &[])
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        ec2_arn(env, self.type_name, text(model, self.property))
    }
}
