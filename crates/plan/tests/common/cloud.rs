//! Values as AWS would give them, and resources as if a plan had been applied.

use landfall_model::graph::Node;
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";

/// A stable number for an address.
fn mark(node: &Node) -> String {
    let digest = landfall_model::digest::Digest::of_bytes(node.address.as_str().as_bytes());
    let generation = landfall_model::graph::tags(&node.properties)
        .get(landfall_model::graph::TAG_GENERATION)
        .cloned()
        .unwrap_or_default();
    format!("{}{generation}", digest.short())
        .chars()
        .rev()
        .collect::<String>()
}

fn text(node: &Node, pointer: &str) -> String {
    node.properties
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("unnamed")
        .to_owned()
}

fn hex(node: &Node) -> String {
    let mark = mark(node);
    format!("0{mark:0>16}").chars().take(17).collect()
}

/// What `attr` of `node` would be, in the shape that AWS gives it.
pub fn placeholder(node: &Node, attr: &str) -> Value {
    let region = super::REGION;
    let arn =
        |service: &str, rest: String| json!(format!("arn:aws:{service}:{region}:{ACCOUNT}:{rest}"));
    let id = |prefix: &str| json!(format!("{prefix}-{}", hex(node)));
    match (node.type_name.as_str(), attr) {
        ("AWS::EC2::VPC", _) => id("vpc"),
        ("AWS::EC2::InternetGateway", _) => id("igw"),
        ("AWS::EC2::VPCGatewayAttachment", _) => json!(format!("IGW|vpc-{}", hex(node))),
        ("AWS::EC2::Subnet", _) => id("subnet"),
        ("AWS::EC2::RouteTable", _) => id("rtb"),
        ("AWS::EC2::SubnetRouteTableAssociation", _) => id("rtbassoc"),
        ("AWS::EC2::SecurityGroup", _) => id("sg"),
        ("AWS::EC2::SecurityGroupIngress", _) => id("sgr"),
        ("AWS::EC2::EIP", "$id") => json!(format!("203.0.113.7|eipalloc-{}", hex(node))),
        ("AWS::EC2::EIP", "/PublicIp") => json!("203.0.113.7"),
        ("AWS::EC2::EIP", _) => id("eipalloc"),
        ("AWS::EC2::NatGateway", _) => id("nat"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "/DNSName") => {
            json!(format!(
                "{}.{region}.elb.amazonaws.com",
                text(node, "/Name")
            ))
        }
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", _) => arn(
            "elasticloadbalancing",
            format!("loadbalancer/app/{}/50dc6c495c0c9188", text(node, "/Name")),
        ),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", _) => arn(
            "elasticloadbalancing",
            format!("targetgroup/{}/73e2d6bc24d8a067", text(node, "/Name")),
        ),
        ("AWS::ElasticLoadBalancingV2::Listener", _) => arn(
            "elasticloadbalancing",
            format!("listener/app/x/50dc6c495c0c9188/{}", hex(node)),
        ),
        ("AWS::ECS::Cluster", "/Arn") => {
            arn("ecs", format!("cluster/{}", text(node, "/ClusterName")))
        }
        ("AWS::ECS::Cluster", _) => json!(text(node, "/ClusterName")),
        ("AWS::ECS::Service", _) => arn("ecs", format!("service/x/{}", text(node, "/ServiceName"))),
        ("AWS::ECS::TaskDefinition", _) => {
            let revision = landfall_model::graph::tags(&node.properties)
                .get(landfall_model::graph::TAG_GENERATION)
                .cloned()
                .unwrap_or_else(|| "1".to_owned());
            arn(
                "ecs",
                format!("task-definition/{}:{revision}", text(node, "/Family")),
            )
        }
        ("AWS::ECR::Repository", "/Arn") => arn(
            "ecr",
            format!("repository/{}", text(node, "/RepositoryName")),
        ),
        ("AWS::ECR::Repository", _) => json!(text(node, "/RepositoryName")),
        ("AWS::Logs::LogGroup", "/Arn") => arn(
            "logs",
            format!("log-group:{}:*", text(node, "/LogGroupName")),
        ),
        ("AWS::Logs::LogGroup", _) => json!(text(node, "/LogGroupName")),
        ("AWS::IAM::Role", "/Arn") => {
            json!(format!(
                "arn:aws:iam::{ACCOUNT}:role/{}",
                text(node, "/RoleName")
            ))
        }
        ("AWS::IAM::Role", _) => json!(text(node, "/RoleName")),
        ("AWS::RDS::DBInstance", "/Endpoint/Port") => json!("5432"),
        ("AWS::RDS::DBInstance", "/Endpoint/Address") => json!(format!(
            "{}.c9akciq32.{region}.rds.amazonaws.com",
            text(node, "/DBInstanceIdentifier")
        )),
        ("AWS::RDS::DBInstance", "/MasterUserSecret/SecretArn") => arn(
            "secretsmanager",
            format!("secret:rds!db-{}-AbCdEf", hex(node)),
        ),
        ("AWS::RDS::DBInstance", _) => json!(text(node, "/DBInstanceIdentifier")),
        ("AWS::RDS::DBSubnetGroup", _) => json!(text(node, "/DBSubnetGroupName")),
        ("AWS::S3::Bucket", "/Arn") => json!(format!("arn:aws:s3:::{}", text(node, "/BucketName"))),
        ("AWS::S3::Bucket", _) => json!(text(node, "/BucketName")),
        ("AWS::SecretsManager::Secret", "/Name") => json!(text(node, "/Name")),
        ("AWS::SecretsManager::Secret", _) => arn(
            "secretsmanager",
            format!("secret:{}-AbCdEf", text(node, "/Name")),
        ),
        (_, _) => id("other"),
    }
}
