//! The environment's load balancer.

use super::{
    access::{Egress, ingress_public, security_group},
    build::{Builder, Draft, Find, output, wait_for},
    network::Network,
    prices,
};
use crate::score::Workload;
use landfall_model::{Error, graph::Address};
use serde_json::json;

pub(super) struct Balancer {
    pub address: Address,
    pub group: Address,
}

/// None when no workload is public.
pub(super) fn balancer(
    b: &mut Builder<'_>,
    network: &Network,
    public: &[&Workload],
) -> Result<Option<Balancer>, Error> {
    if public.is_empty() {
        return Ok(None);
    }
    let title = "Access to the load balancer".to_owned();
    let group = security_group(b, network, "balancer", "balancer", title, &Egress::Network)?;
    for port in public.iter().filter_map(|it| it.service.ports.first()) {
        let name = format!("balancer.ingress-{}", port.port);
        let title = format!("The internet to port {} of the load balancer", port.port);
        ingress_public(b, name, title, &group, port.port)?;
    }
    let zones = u32::try_from(network.public.len()).unwrap_or(2);
    let node = b.add(Draft {
        address: "balancer".to_owned(),
        type_name: "AWS::ElasticLoadBalancingV2::LoadBalancer",
        title: "Load balancer".to_owned(),
        properties: json!({
            "Name": b.names.name("", 32),
            "Type": "application",
            "Scheme": "internet-facing",
            "IpAddressType": "ipv4",
            "Subnets": Network::subnet_ids(&network.public),
            "SecurityGroups": [output(&group, "/GroupId")],
            "LoadBalancerAttributes": [
                {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            ],
        }),
        find: Find::Tags {
            scope: None,
            name: Some("/Name"),
        },
    })?;
    // AWS docs: an internet-facing load balancer needs a network with an
    // internet gateway.
    wait_for(node, &network.public_ways);
    node.monthly_cents = Some(prices::LOAD_BALANCER + zones * prices::PUBLIC_ADDRESS);
    Ok(Some(Balancer {
        address: node.address.clone(),
        group,
    }))
}
