//! The network: in every zone a public, a compute and a storage subnet. Only
//! load balancers and NAT gateways stand in public ones; storage has no way out.

use super::{
    build::{Builder, Draft, Find, address, concat, output, wait_for},
    prices,
    settings::Settled,
};
use landfall_model::{Error, graph::Address};
use serde_json::{Value, json};

/// What others need of the network.
pub(super) struct Network {
    pub vpc: Address,
    pub cidr: String,
    pub public: Vec<Address>,
    pub compute: Vec<Address>,
    pub storage: Vec<Address>,
    /// Public subnets reach the internet once these are there.
    pub public_ways: Vec<Address>,
    /// Compute subnets reach the internet once these are there.
    pub compute_ways: Vec<Address>,
}

impl Network {
    pub fn vpc_id(&self) -> Value {
        output(&self.vpc, "/VpcId")
    }

    pub fn subnet_ids(subnets: &[Address]) -> Value {
        subnets.iter().map(|it| output(it, "/SubnetId")).collect()
    }
}

/// The letter of a zone: addresses and address ranges follow it, so that
/// exchanging a zone makes new subnets that do not overlap with the old.
fn letter(zone: &str) -> char {
    zone.chars().next_back().unwrap_or('a')
}

/// Subnets are /21: eight in each quarter of the network's /16.
fn subnet_cidr(second: u8, quarter: u8, zone: char) -> String {
    let index = (zone as u32).saturating_sub('a' as u32) % 8;
    format!("10.{second}.{}.0/21", u32::from(quarter) * 64 + index * 8)
}

pub(super) fn network(b: &mut Builder<'_>, settled: &Settled) -> Result<Network, Error> {
    // Different for most environments, so that two can be peered.
    let id = b.input.environment.id.as_str();
    let last = &id[id.len().saturating_sub(2)..];
    let second = u8::from_str_radix(last, 16).unwrap_or(0);
    let cidr = format!("10.{second}.0.0/16");

    let vpc = address("network.vpc");
    b.add(Draft {
        address: vpc.to_string(),
        type_name: "AWS::EC2::VPC",
        title: format!("Network {cidr}"),
        properties: json!({
            "CidrBlock": cidr,
            "EnableDnsSupport": true,
            "EnableDnsHostnames": true,
        }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    let gateway = address("network.gateway");
    b.add(Draft {
        address: gateway.to_string(),
        type_name: "AWS::EC2::InternetGateway",
        title: "Internet gateway".to_owned(),
        properties: json!({}),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    let attachment = address("network.gateway-attachment");
    b.add(Draft {
        address: attachment.to_string(),
        type_name: "AWS::EC2::VPCGatewayAttachment",
        title: "Internet gateway of the network".to_owned(),
        properties: json!({
            "VpcId": output(&vpc, "/VpcId"),
            "InternetGatewayId": output(&gateway, "/InternetGatewayId"),
        }),
        find: Find::Identifier(concat(vec![json!("IGW|"), output(&vpc, "/VpcId")])),
    })?;

    let mut net = Network {
        vpc,
        cidr,
        public: Vec::new(),
        compute: Vec::new(),
        storage: Vec::new(),
        public_ways: Vec::new(),
        compute_ways: Vec::new(),
    };
    let public_table = route_table(b, &net, "public-routes", "Routes of public subnets")?;
    let public_route = route(
        b,
        "public-route",
        &public_table,
        "Public subnets to the internet",
        json!({
            "GatewayId": output(&gateway, "/InternetGatewayId"),
        }),
    )?;
    wait(b, &public_route, &attachment);
    let storage_table = route_table(
        b,
        &net,
        "storage-routes",
        "Routes of storage subnets: none out",
    )?;
    net.public_ways.push(public_route.clone());

    let mut nats: Vec<Address> = Vec::new();
    for zone in &settled.zones {
        let z = letter(zone);
        let public = subnet(b, &net, "public", zone, subnet_cidr(second, 0, z))?;
        let way = association(b, "public", zone, &public, &public_table)?;
        if nats.is_empty() || settled.nat_in_every_zone {
            nats.push(nat(b, zone, &public, [&attachment, &public_route, &way])?);
        }
        net.public_ways.push(way);
        net.public.push(public);
    }
    for (index, zone) in settled.zones.iter().enumerate() {
        let z = letter(zone);
        let compute = subnet(b, &net, "compute", zone, subnet_cidr(second, 1, z))?;
        let table = route_table(
            b,
            &net,
            &format!("compute-{z}-routes"),
            &format!("Routes of the compute subnet in {zone}"),
        )?;
        if let Some(nat) = nats.get(index).or(nats.first()) {
            let title = format!("Compute subnet in {zone} to the internet");
            let target = json!({ "NatGatewayId": output(nat, "/NatGatewayId") });
            let way = route(b, &format!("compute-{z}-route"), &table, &title, target)?;
            net.compute_ways.push(way);
        }
        let way = association(b, "compute", zone, &compute, &table)?;
        net.compute_ways.push(way);
        net.compute.push(compute);

        let storage = subnet(b, &net, "storage", zone, subnet_cidr(second, 2, z))?;
        association(b, "storage", zone, &storage, &storage_table)?;
        net.storage.push(storage);
    }
    Ok(net)
}

fn wait(b: &mut Builder<'_>, node: &Address, other: &Address) {
    if let Some(node) = b.graph.nodes.get_mut(node) {
        wait_for(node, [other]);
    }
}

fn subnet(
    b: &mut Builder<'_>,
    net: &Network,
    tier: &str,
    zone: &str,
    cidr: String,
) -> Result<Address, Error> {
    let name = match tier {
        "public" => "Public",
        "compute" => "Compute",
        _ => "Storage",
    };
    let node = b.add(Draft {
        address: format!("network.{tier}-{}", letter(zone)),
        type_name: "AWS::EC2::Subnet",
        title: format!("{name} subnet in {zone}"),
        properties: json!({
            "VpcId": net.vpc_id(),
            "CidrBlock": cidr,
            "AvailabilityZone": zone,
            // Load balancers and NAT gateways get public addresses anyway;
            // nothing else that starts here should.
            "MapPublicIpOnLaunch": false,
        }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    Ok(node.address.clone())
}

fn route_table(
    b: &mut Builder<'_>,
    net: &Network,
    name: &str,
    title: &str,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("network.{name}"),
        type_name: "AWS::EC2::RouteTable",
        title: title.to_owned(),
        properties: json!({ "VpcId": net.vpc_id() }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    Ok(node.address.clone())
}

/// A route to everywhere through `target`.
fn route(
    b: &mut Builder<'_>,
    name: &str,
    table: &Address,
    title: &str,
    target: Value,
) -> Result<Address, Error> {
    let mut properties = json!({
        "RouteTableId": output(table, "/RouteTableId"),
        "DestinationCidrBlock": "0.0.0.0/0",
    });
    if let (Some(all), Value::Object(target)) = (properties.as_object_mut(), target) {
        all.extend(target);
    }
    let identifier = concat(vec![output(table, "/RouteTableId"), json!("|0.0.0.0/0")]);
    let node = b.add(Draft {
        address: format!("network.{name}"),
        type_name: "AWS::EC2::Route",
        title: title.to_owned(),
        properties,
        find: Find::Identifier(identifier),
    })?;
    Ok(node.address.clone())
}

fn association(
    b: &mut Builder<'_>,
    tier: &str,
    zone: &str,
    subnet: &Address,
    table: &Address,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("network.{tier}-{}-association", letter(zone)),
        type_name: "AWS::EC2::SubnetRouteTableAssociation",
        title: format!("Routes for the {tier} subnet in {zone}"),
        properties: json!({
            "SubnetId": output(subnet, "/SubnetId"),
            "RouteTableId": output(table, "/RouteTableId"),
        }),
        find: Find::Properties(&["/SubnetId", "/RouteTableId"]),
    })?;
    Ok(node.address.clone())
}

fn nat(
    b: &mut Builder<'_>,
    zone: &str,
    subnet: &Address,
    ways: [&Address; 3],
) -> Result<Address, Error> {
    let z = letter(zone);
    let node = b.add(Draft {
        address: format!("network.nat-{z}-address"),
        type_name: "AWS::EC2::EIP",
        title: format!("Public address of the NAT gateway in {zone}"),
        properties: json!({ "Domain": "vpc" }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    // AWS docs: an address in a VPC may need the internet gateway first.
    let [attachment, ..] = ways;
    wait_for(node, [attachment]);
    node.monthly_cents = Some(prices::PUBLIC_ADDRESS);
    let eip = node.address.clone();
    let node = b.add(Draft {
        address: format!("network.nat-{z}"),
        type_name: "AWS::EC2::NatGateway",
        title: format!("NAT gateway in {zone}"),
        properties: json!({
            "AllocationId": output(&eip, "/AllocationId"),
            "SubnetId": output(subnet, "/SubnetId"),
            "ConnectivityType": "public",
        }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    wait_for(node, ways);
    node.monthly_cents = Some(prices::NAT_GATEWAY);
    Ok(node.address.clone())
}
