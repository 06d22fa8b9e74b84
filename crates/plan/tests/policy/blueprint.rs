//! The blueprint asks for nothing that the grant does not give.

use super::*;
use crate::common::{account, environment, everything, example, expand};
use landfall_model::{
    environment::Kind,
    graph::{Graph, Node, tags},
};
use landfall_plan::policy::{
    NAME_PREFIX, TAG_MANAGED, TAG_PROTECTED,
    aws::{Operation, refused_change},
};

fn graphs() -> Vec<Graph> {
    let shop = [example("web.score.yaml"), example("worker.score.yaml")];
    [Kind::Production, Kind::Development]
        .into_iter()
        .flat_map(|kind| {
            let environment = environment(kind.as_str(), kind);
            [
                expand(&environment, &shop).graph,
                expand(&environment, &[everything()]).graph,
            ]
        })
        .collect()
}

fn each_node(check: impl Fn(&Node)) {
    for graph in graphs() {
        assert!(graph.nodes.len() > 30);
        graph.nodes.values().for_each(&check);
    }
}

fn text<'n>(node: &'n Node, property: &str) -> Option<&'n str> {
    node.properties.get(property)?.as_str()
}

#[test]
fn the_grant_knows_every_type_and_the_blueprint_uses_each() {
    let supported: Vec<&str> = aws::supported_types().collect();
    each_node(|node| {
        assert!(
            supported.contains(&node.type_name.as_str()),
            "{}",
            node.type_name
        );
    });
}

#[test]
fn no_property_is_refused_to_the_provisioner() {
    each_node(|node| {
        let properties = node.properties.as_object().unwrap();
        let refused = refused_change(
            &node.type_name,
            Operation::Create,
            properties.keys().map(String::as_str),
        );
        assert_eq!(refused, None, "{}", node.address);
    });
}

/// What is scoped by tag carries it, and what is scoped by name is named so.
#[test]
fn every_resource_is_within_the_scope_of_its_permissions() {
    each_node(|node| {
        if node.properties.get("Tags").is_some() {
            assert_eq!(
                tags(&node.properties).get(TAG_MANAGED).map(String::as_str),
                Some("true"),
                "{}",
                node.address
            );
        }
        let name = match node.type_name.as_str() {
            "AWS::ElasticLoadBalancingV2::LoadBalancer"
            | "AWS::ElasticLoadBalancingV2::TargetGroup"
            | "AWS::SecretsManager::Secret" => text(node, "Name"),
            "AWS::ECS::Cluster" => text(node, "ClusterName"),
            "AWS::ECS::Service" => text(node, "ServiceName"),
            "AWS::ECS::TaskDefinition" => text(node, "Family"),
            "AWS::ECR::Repository" => text(node, "RepositoryName"),
            "AWS::Logs::LogGroup" => text(node, "LogGroupName"),
            "AWS::IAM::Role" => text(node, "RoleName"),
            "AWS::RDS::DBInstance" => text(node, "DBInstanceIdentifier"),
            "AWS::RDS::DBSubnetGroup" => text(node, "DBSubnetGroupName"),
            "AWS::S3::Bucket" => text(node, "BucketName"),
            _ => return,
        };
        assert!(
            name.is_some_and(|name| name.starts_with(NAME_PREFIX)),
            "{} {name:?}",
            node.address
        );
    });
}

#[test]
fn databases_are_tagged_as_protected() {
    each_node(|node| {
        if node.type_name == "AWS::RDS::DBInstance" {
            assert_eq!(node.properties["DeletionProtection"], true);
            assert_eq!(
                tags(&node.properties)
                    .get(TAG_PROTECTED)
                    .map(String::as_str),
                Some("true")
            );
        }
    });
}

#[test]
fn roles_carry_the_boundary_and_are_never_named_like_the_two_identities() {
    let grant = granted();
    assert!(
        account()
            .permissions_boundary
            .ends_with(&format!(":policy/{}", grant.boundary.name))
    );
    each_node(|node| {
        if node.type_name != "AWS::IAM::Role" {
            return;
        }
        assert_eq!(
            text(node, "PermissionsBoundary"),
            Some(account().permissions_boundary.as_str())
        );
        let name = text(node, "RoleName").unwrap();
        for identity in ["landfall-provisioner-", "landfall-reaper-"] {
            let denied = name
                .strip_prefix(identity)
                .is_some_and(|rest| rest.len() == 8);
            assert!(!denied, "{name}");
        }
        for arn in node.properties["ManagedPolicyArns"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert_eq!(
                arn,
                "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
            );
        }
    });
}

/// A statement that the boundary cuts off would look granted and not work.
#[test]
fn the_boundary_lets_workloads_do_what_their_policies_say() {
    let grant = granted();
    let bounded: Vec<&str> = statements(&grant.boundary.document)
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(|statement| texts(&statement["Action"]))
        .collect();
    each_node(|node| {
        if node.type_name != "AWS::IAM::RolePolicy" {
            return;
        }
        for statement in statements(&node.properties["PolicyDocument"]) {
            for action in texts(&statement["Action"]) {
                // Always allowed, whatever a policy or boundary says.
                if action == "sts:GetCallerIdentity" {
                    continue;
                }
                assert!(bounded.contains(&action), "{} {action}", node.address);
            }
        }
    });
}
