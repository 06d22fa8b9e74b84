//! Security groups, and what they let in and out.

use super::{
    build::{Builder, Draft, Find, output},
    network::Network,
};
use landfall_model::{Error, graph::Address};
use serde_json::{Value, json};

/// A security group and what it lets out. AWS adds "everything" when nothing is
/// said.
pub(super) fn security_group(
    b: &mut Builder<'_>,
    net: &Network,
    prefix: &str,
    part: &str,
    title: String,
    egress: &Egress,
) -> Result<Address, Error> {
    let name = b.names.name(part, 255);
    let rule = match egress {
        // AWS docs: an outbound rule to the loopback range stands for "none".
        Egress::Nothing => json!({
            "IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "nothing goes out",
        }),
        Egress::Network => json!({
            "IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "CidrIp": net.cidr,
            "Description": "to the workloads",
        }),
        Egress::Everywhere => json!({
            "IpProtocol": "-1", "CidrIp": "0.0.0.0/0", "Description": "to everywhere",
        }),
    };
    // It can never change, so it says nothing that could.
    let description = format!("Landfall: {prefix}");
    let node = b.add(Draft {
        address: format!("{prefix}.security-group"),
        type_name: "AWS::EC2::SecurityGroup",
        properties: json!({
            "GroupName": name,
            "GroupDescription": description,
            "VpcId": net.vpc_id(),
            "SecurityGroupEgress": [rule],
        }),
        title,
        find: Find::Tags {
            scope: None,
            name: Some("/GroupName"),
        },
    })?;
    Ok(node.address.clone())
}

pub(super) enum Egress {
    Nothing,
    Network,
    Everywhere,
}

/// Lets TCP to one port of a group in, from another group.
pub(super) fn ingress_from(
    b: &mut Builder<'_>,
    address: String,
    title: String,
    group: &Address,
    from: &Address,
    port: Value,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address,
        type_name: "AWS::EC2::SecurityGroupIngress",
        properties: json!({
            "GroupId": output(group, "/GroupId"),
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "SourceSecurityGroupId": output(from, "/GroupId"),
            "Description": title,
        }),
        title,
        find: Find::Properties(&[
            "/GroupId",
            "/IpProtocol",
            "/FromPort",
            "/ToPort",
            "/SourceSecurityGroupId",
        ]),
    })?;
    Ok(node.address.clone())
}

/// Lets TCP to one port of a group in, from everywhere.
pub(super) fn ingress_public(
    b: &mut Builder<'_>,
    address: String,
    title: String,
    group: &Address,
    port: u16,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address,
        type_name: "AWS::EC2::SecurityGroupIngress",
        properties: json!({
            "GroupId": output(group, "/GroupId"),
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "CidrIp": "0.0.0.0/0",
            "Description": title,
        }),
        title,
        find: Find::Properties(&["/GroupId", "/IpProtocol", "/FromPort", "/ToPort", "/CidrIp"]),
    })?;
    Ok(node.address.clone())
}
