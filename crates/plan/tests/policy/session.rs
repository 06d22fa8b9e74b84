use super::*;
use landfall_plan::policy::aws::{PolicyError, reaper_session_policy};
use proptest::prelude::*;

/// Every type with an identifier as AWS gives it, as long as they come, and
/// what the session may reach.
const IDENTIFIERS: [(&str, &str, &[&str]); 27] = [
    (
        "AWS::EC2::VPC",
        "vpc-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:vpc/vpc-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::Subnet",
        "subnet-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:subnet/subnet-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::InternetGateway",
        "igw-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:internet-gateway/igw-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::VPCGatewayAttachment",
        "IGW|vpc-0123456789abcdef0",
        &[
            "ec2:eu-central-1:123456789012:vpc/vpc-0123456789abcdef0",
            "ec2:eu-central-1:123456789012:internet-gateway/*",
        ],
    ),
    (
        "AWS::EC2::RouteTable",
        "rtb-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:route-table/rtb-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::Route",
        "rtb-0123456789abcdef0|0.0.0.0/0",
        &["ec2:eu-central-1:123456789012:route-table/rtb-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::SubnetRouteTableAssociation",
        "rtbassoc-0123456789abcdef0",
        &[
            "ec2:eu-central-1:123456789012:route-table/*",
            "ec2:eu-central-1:123456789012:subnet/*",
        ],
    ),
    (
        "AWS::EC2::EIP",
        "203.0.113.17|eipalloc-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:elastic-ip/eipalloc-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::NatGateway",
        "nat-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:natgateway/nat-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::SecurityGroup",
        "sg-0123456789abcdef0",
        &["ec2:eu-central-1:123456789012:security-group/sg-0123456789abcdef0"],
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        "sgr-0123456789abcdef0",
        &[
            "ec2:eu-central-1:123456789012:security-group/*",
            "ec2:eu-central-1:123456789012:security-group-rule/sgr-0123456789abcdef0",
        ],
    ),
    (
        "AWS::EC2::SecurityGroupEgress",
        "sgr-0123456789abcdef0",
        &[
            "ec2:eu-central-1:123456789012:security-group/*",
            "ec2:eu-central-1:123456789012:security-group-rule/sgr-0123456789abcdef0",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/landfall-shop/50dc6c495c0c9188",
        &[
            "elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/landfall-shop/50dc6c495c0c9188",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/landfall-shop/50dc6c495c0c9188",
        &[
            "elasticloadbalancing:eu-central-1:123456789012:targetgroup/landfall-shop/50dc6c495c0c9188",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/landfall-shop/50dc6c495c0c9188/f2f7dc8efc522ab2",
        &[
            "elasticloadbalancing:eu-central-1:123456789012:listener/app/landfall-shop/50dc6c495c0c9188/f2f7dc8efc522ab2",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/landfall-shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
        &[
            "elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/landfall-shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
        ],
    ),
    (
        "AWS::ECS::Cluster",
        "landfall-shop",
        &["ecs:eu-central-1:123456789012:cluster/landfall-shop"],
    ),
    (
        "AWS::ECS::TaskDefinition",
        "arn:aws:ecs:eu-central-1:123456789012:task-definition/landfall-shop-web:7",
        &[],
    ),
    (
        "AWS::ECS::Service",
        "arn:aws:ecs:eu-central-1:123456789012:service/landfall-shop/landfall-web|landfall-shop",
        &["ecs:eu-central-1:123456789012:service/landfall-shop/landfall-web"],
    ),
    (
        "AWS::ECR::Repository",
        "landfall-shop-web",
        &["ecr:eu-central-1:123456789012:repository/landfall-shop-web"],
    ),
    (
        "AWS::Logs::LogGroup",
        "landfall-shop-web",
        &[
            "logs:eu-central-1:123456789012:log-group:landfall-shop-web",
            "logs:eu-central-1:123456789012:log-group:landfall-shop-web:*",
        ],
    ),
    (
        "AWS::IAM::Role",
        "landfall-shop-web-task",
        &["iam::123456789012:role/landfall-shop-web-task"],
    ),
    (
        "AWS::IAM::RolePolicy",
        "data|landfall-shop-web-task",
        &["iam::123456789012:role/landfall-shop-web-task"],
    ),
    (
        "AWS::RDS::DBInstance",
        "landfall-shop-db",
        &[
            "rds:eu-central-1:123456789012:db:landfall-shop-db",
            "rds:eu-central-1:123456789012:snapshot:*",
        ],
    ),
    (
        "AWS::RDS::DBSubnetGroup",
        "landfall-shop-db",
        &["rds:eu-central-1:123456789012:subgrp:landfall-shop-db"],
    ),
    (
        "AWS::S3::Bucket",
        "landfall-shop-production-uploads-0123456789abcdef0123456789abcd",
        &["s3:::landfall-shop-production-uploads-0123456789abcdef0123456789abcd"],
    ),
    (
        "AWS::SecretsManager::Secret",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:landfall-shop-api-key-a1b2c3",
        &["secretsmanager:eu-central-1:123456789012:secret:landfall-shop-api-key-a1b2c3"],
    ),
];

fn policy(type_name: &str, identifier: &str) -> Value {
    reaper_session_policy(&retained(type_name, identifier), Partition::Aws)
        .unwrap_or_else(|error| panic!("{type_name}: {error}"))
}

fn statement<'d>(document: &'d Value, sid: &str) -> Option<&'d Value> {
    statements(document)
        .iter()
        .find(|statement| statement["Sid"] == sid)
}

#[test]
fn every_supported_type_has_an_identifier_here() {
    let known: Vec<&str> = IDENTIFIERS.iter().map(|(name, ..)| *name).collect();
    for type_name in aws::supported_types() {
        assert!(known.contains(&type_name), "{type_name}");
    }
}

#[test]
fn a_session_reaches_its_resource_and_fits_the_limit() {
    for (type_name, identifier, expected) in IDENTIFIERS {
        let document = policy(type_name, identifier);
        assert!(
            document.to_string().len() <= 2_048,
            "{type_name}: {}",
            document.to_string().len()
        );
        let reached: Vec<String> = statement(&document, "Approved")
            .map(|approved| texts(&approved["Resource"]))
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|rest| format!("arn:aws:{rest}"))
            .collect();
        assert_eq!(reached, expected, "{type_name}");
    }
}

/// What a session allows on everything: looking, and the few calls that know no
/// finer resource.
#[test]
fn outside_its_resource_a_session_only_looks() {
    for (type_name, identifier, _) in IDENTIFIERS {
        let document = policy(type_name, identifier);
        for action in texts(&statement(&document, "Look").unwrap()["Action"]) {
            let looks = ["Describe", "List", "Get"]
                .iter()
                .any(|prefix| action.split_once(':').unwrap().1.starts_with(prefix));
            let knows_no_finer =
                action.starts_with("cloudformation:") || action == "ecs:DeregisterTaskDefinition";
            assert!(looks || knows_no_finer, "{type_name} {action}");
        }
    }
}

#[test]
fn a_session_never_allows_more_than_the_role() {
    let grant = granted();
    let role = allowed(&grant, Identity::Reaper);
    for (type_name, identifier, _) in IDENTIFIERS {
        for statement in statements(&policy(type_name, identifier)) {
            for action in texts(&statement["Action"]) {
                assert!(role.contains(&action.to_owned()), "{type_name} {action}");
            }
        }
    }
}

#[test]
fn only_types_with_protection_may_be_updated_before() {
    let updates = |type_name: &str, identifier: &str| {
        let document = policy(type_name, identifier);
        texts(&statement(&document, "Look").unwrap()["Action"])
            .contains(&"cloudformation:UpdateResource")
    };
    for (type_name, identifier, _) in IDENTIFIERS {
        let protected = [
            "AWS::RDS::DBInstance",
            "AWS::Logs::LogGroup",
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
        ]
        .contains(&type_name);
        assert_eq!(updates(type_name, identifier), protected, "{type_name}");
    }
}

#[test]
fn an_identifier_cannot_widen_the_session() {
    for identifier in [
        "",
        "*",
        "landfall-*",
        "landfall-?",
        "${aws:username}",
        "a\",\"b",
        "a b",
        "|",
        "a|",
    ] {
        let refused =
            reaper_session_policy(&retained("AWS::S3::Bucket", identifier), Partition::Aws);
        assert!(
            matches!(refused, Err(PolicyError::UnsafeIdentifier { .. })),
            "{identifier}"
        );
    }
}

#[test]
fn an_arn_of_another_place_is_refused() {
    for arn in [
        "arn:aws:secretsmanager:eu-central-1:999999999999:secret:landfall-a-b1c2d3",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:landfall-a-b1c2d3",
        "arn:aws-cn:secretsmanager:eu-central-1:123456789012:secret:landfall-a-b1c2d3",
        "arn:aws:secretsmanager",
        "arn:aws:secretsmanager:eu-central-1:123456789012:",
    ] {
        let refused = reaper_session_policy(
            &retained("AWS::SecretsManager::Secret", arn),
            Partition::Aws,
        );
        assert!(
            matches!(refused, Err(PolicyError::ForeignResource { .. })),
            "{arn}"
        );
    }
}

#[test]
fn a_record_with_a_broken_account_or_region_is_refused() {
    let mut broken = retained("AWS::S3::Bucket", "landfall-a");
    broken.account_id = "*".into();
    assert!(reaper_session_policy(&broken, Partition::Aws).is_err());
    let mut broken = retained("AWS::S3::Bucket", "landfall-a");
    broken.region = "*".into();
    assert!(reaper_session_policy(&broken, Partition::Aws).is_err());
}

#[test]
fn an_unknown_type_has_no_session() {
    let refused = reaper_session_policy(&retained("AWS::EKS::Cluster", "a"), Partition::Aws);
    assert_eq!(
        refused,
        Err(PolicyError::UnknownType {
            type_name: "AWS::EKS::Cluster".into()
        })
    );
}

proptest! {
    /// Whatever a store may hold as an identifier: the session names exactly
    /// one bucket, or there is none.
    #[test]
    fn no_identifier_makes_a_wildcard(identifier in "\\PC{0,60}") {
        let made = reaper_session_policy(&retained("AWS::S3::Bucket", &identifier), Partition::Aws);
        if let Ok(document) = made {
            let approved = statement(&document, "Approved").unwrap();
            for resource in texts(&approved["Resource"]) {
                prop_assert!(!resource.contains(['*', '?', '$']), "{}", resource);
            }
        }
    }
}
