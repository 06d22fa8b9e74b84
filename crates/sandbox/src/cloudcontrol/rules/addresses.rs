//! Public addresses and NAT gateways.

use super::Rules;
use super::cidr::block;
use super::ec2::{EIP, NAT, SUBNET, ec2_arn, has_gateway, new_id, vpc_of_subnet};
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};

pub(super) struct Address;

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

pub(super) struct NatGateway;

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
