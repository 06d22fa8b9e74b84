//! Networks: what lies where, and what stands in the way of taking it down.

mod cloud;
mod support;

use cloud::{Cloud, GROUP, SUBNET, VPC, failure, still};
use serde_json::json;

const BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";

#[tokio::test]
async fn subnets_lie_inside_their_network_and_apart() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let vpc = &network["vpc"];
    for (desired, code, message) in [
        (
            json!({"VpcId": vpc, "CidrBlock": "10.1.0.0/24"}),
            "InvalidRequest",
            "The CIDR '10.1.0.0/24' is invalid.",
        ),
        (
            json!({"VpcId": vpc, "CidrBlock": "10.0.0.128/25"}),
            "InvalidRequest",
            "The CIDR '10.0.0.128/25' conflicts with another subnet",
        ),
        (
            json!({"VpcId": vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": "eu-west-1z"}),
            "InvalidRequest",
            "Value (eu-west-1z) for parameter availabilityZone is invalid",
        ),
        (
            json!({"VpcId": "vpc-0", "CidrBlock": "10.0.9.0/24"}),
            "NotFound",
            "The vpc ID 'vpc-0' does not exist",
        ),
    ] {
        let (failed, text) = cloud.fails(SUBNET, desired).await;
        assert_eq!(failed, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
}

#[tokio::test]
async fn networks_are_taken_down_from_the_leaves() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let eip = cloud
        .create("AWS::EC2::EIP", json!({"Domain": "vpc"}))
        .await;
    let allocation = eip.split('|').nth(1).unwrap();
    let nat = cloud
        .create(
            "AWS::EC2::NatGateway",
            json!({"SubnetId": network["a"], "AllocationId": allocation}),
        )
        .await;
    let table = cloud
        .create("AWS::EC2::RouteTable", json!({"VpcId": network["vpc"]}))
        .await;
    let route = json!({
        "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat,
    });
    let route = cloud.create("AWS::EC2::Route", route).await;
    assert_eq!(route, format!("{table}|0.0.0.0/0"));
    let parent = json!({ "RouteTableId": table });
    assert_eq!(cloud.list("AWS::EC2::Route", Some(parent)).await, [route]);
    let association = json!({"RouteTableId": table, "SubnetId": network["b"]});
    cloud
        .create("AWS::EC2::SubnetRouteTableAssociation", association.clone())
        .await;
    let (code, _) = cloud
        .fails("AWS::EC2::SubnetRouteTableAssociation", association)
        .await;
    assert_eq!(code, "AlreadyExists");

    for (type_name, identifier, message) in [
        (VPC, network["vpc"].as_str(), "has dependencies"),
        (SUBNET, &network["a"], "has dependencies"),
        (
            "AWS::EC2::InternetGateway",
            &network["gateway"],
            "has dependencies",
        ),
        (
            "AWS::EC2::VPCGatewayAttachment",
            &network["attachment"],
            "mapped public address",
        ),
        ("AWS::EC2::EIP", &eip, "is in use"),
        ("AWS::EC2::RouteTable", &table, "has dependencies"),
    ] {
        let (code, text) = failure(&cloud.delete_event(type_name, identifier).await);
        assert_eq!(code, "InvalidRequest", "{type_name}: {text}");
        assert!(text.contains(message), "{type_name}: {text}");
    }

    cloud.delete("AWS::EC2::NatGateway", &nat).await;
    cloud.delete("AWS::EC2::EIP", &eip).await;
    // A subnet takes its association along, a table its routes.
    cloud.delete(SUBNET, &network["a"]).await;
    cloud.delete(SUBNET, &network["b"]).await;
    cloud.delete("AWS::EC2::RouteTable", &table).await;
    let attachment = &network["attachment"];
    cloud
        .delete("AWS::EC2::VPCGatewayAttachment", attachment)
        .await;
    cloud
        .delete("AWS::EC2::InternetGateway", &network["gateway"])
        .await;
    cloud.delete(GROUP, &network["group"]).await;
    cloud.delete(VPC, &network["vpc"]).await;
    let left = cloud.inventory().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn security_groups_know_who_uses_them() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let other = json!({"GroupDescription": "h", "GroupName": "h", "VpcId": network["vpc"]});
    let other = cloud.create(GROUP, other).await;
    let rule = json!({
        "GroupId": other, "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
        "SourceSecurityGroupId": network["group"],
    });
    let made = cloud
        .create("AWS::EC2::SecurityGroupIngress", rule.clone())
        .await;
    assert!(made.starts_with("sgr-0"));
    let (code, text) = cloud.fails("AWS::EC2::SecurityGroupIngress", rule).await;
    assert_eq!(code, "AlreadyExists", "{text}");
    let event = cloud.delete_event(GROUP, &network["group"]).await;
    assert!(failure(&event).1.contains("has a dependent object"));
    cloud.delete(GROUP, &other).await;
    assert!(!cloud.exists("AWS::EC2::SecurityGroupIngress", &made).await);
    cloud.delete(GROUP, &network["group"]).await;

    let ports = json!({
        "GroupId": "sg-0", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIp": "0.0.0.0/0",
    });
    let (code, text) = cloud.fails("AWS::EC2::SecurityGroupIngress", ports).await;
    assert_eq!(code, "NotFound", "{text}");
}

#[tokio::test]
async fn databases_and_balancers_want_two_zones() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let group = json!({
        "DBSubnetGroupName": "one", "DBSubnetGroupDescription": "d", "SubnetIds": [network["a"]],
    });
    let (code, text) = cloud.fails("AWS::RDS::DBSubnetGroup", group).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("cover at least 2 AZs"), "{text}");
    let balancer = json!({"Name": "one", "Subnets": [network["a"]]});
    let (code, text) = cloud.fails(BALANCER, balancer).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("two different Availability Zones"), "{text}");
}
