//! From a recorded resource to the ARNs that a policy can name it by.

use super::{PolicyError, place::is_region};
use landfall_model::{connection::Partition, retained::Retained};

/// The ARNs that deleting `retained` is decided on. Where the cloud's identifier
/// does not name every resource that the call touches (an association does not
/// say its route table), the part that it leaves open is a wildcard: the reaper
/// role's own policy still asks for Landfall's tag there.
pub(super) fn targets(
    retained: &Retained,
    partition: Partition,
) -> Result<Vec<String>, PolicyError> {
    let identifier = retained.identifier.as_str();
    let unsafe_identifier = || PolicyError::UnsafeIdentifier {
        type_name: retained.type_name.clone(),
    };
    let account_is_plain =
        retained.account_id.len() == 12 && retained.account_id.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(identifier) || !is_region(&retained.region) || !account_is_plain {
        return Err(unsafe_identifier());
    }
    let namer = Namer {
        partition: partition.as_str(),
        region: &retained.region,
        account: &retained.account_id,
    };
    let first = identifier.split('|').next().unwrap_or_default();
    let last = identifier.rsplit('|').next().unwrap_or_default();
    if first.is_empty() || last.is_empty() {
        return Err(unsafe_identifier());
    }
    if first.starts_with("arn:") {
        namer.check(first)?;
        let mut arns = vec![first.to_owned()];
        arns.extend(namer.beside(&retained.type_name, first));
        return Ok(arns);
    }
    let ec2 = |rest: String| namer.regional("ec2", &rest);
    let one = match retained.type_name.as_str() {
        "AWS::EC2::VPC" => ec2(format!("vpc/{first}")),
        "AWS::EC2::Subnet" => ec2(format!("subnet/{first}")),
        "AWS::EC2::InternetGateway" => ec2(format!("internet-gateway/{first}")),
        "AWS::EC2::VPCGatewayAttachment" => {
            return Ok(vec![
                ec2(format!("vpc/{last}")),
                ec2("internet-gateway/*".into()),
            ]);
        }
        "AWS::EC2::RouteTable" | "AWS::EC2::Route" => ec2(format!("route-table/{first}")),
        "AWS::EC2::SubnetRouteTableAssociation" => {
            return Ok(vec![ec2("route-table/*".into()), ec2("subnet/*".into())]);
        }
        "AWS::EC2::EIP" => ec2(format!("elastic-ip/{last}")),
        "AWS::EC2::NatGateway" => ec2(format!("natgateway/{first}")),
        "AWS::EC2::SecurityGroup" => ec2(format!("security-group/{first}")),
        "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => {
            return Ok(vec![
                ec2("security-group/*".into()),
                ec2(format!("security-group-rule/{first}")),
            ]);
        }
        "AWS::ECS::Cluster" => namer.regional("ecs", &format!("cluster/{first}")),
        "AWS::ECR::Repository" => namer.regional("ecr", &format!("repository/{first}")),
        "AWS::Logs::LogGroup" => namer.regional("logs", &format!("log-group:{first}")),
        "AWS::IAM::Role" => namer.global("iam", &format!("role/{first}")),
        // The policy's name comes first; permissions are decided on the role.
        "AWS::IAM::RolePolicy" => namer.global("iam", &format!("role/{last}")),
        "AWS::RDS::DBInstance" => namer.regional("rds", &format!("db:{first}")),
        "AWS::RDS::DBSubnetGroup" => namer.regional("rds", &format!("subgrp:{first}")),
        "AWS::S3::Bucket" => format!("arn:{}:s3:::{first}", namer.partition),
        // Secrets Manager appends six characters to every name.
        "AWS::SecretsManager::Secret" => {
            namer.regional("secretsmanager", &format!("secret:{first}-??????"))
        }
        // Their identifiers are ARNs, so this one is none of AWS's.
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
        | "AWS::ElasticLoadBalancingV2::TargetGroup"
        | "AWS::ElasticLoadBalancingV2::Listener"
        | "AWS::ElasticLoadBalancingV2::ListenerRule"
        | "AWS::ECS::TaskDefinition"
        | "AWS::ECS::Service" => return Err(unsafe_identifier()),
        _ => {
            return Err(PolicyError::UnknownType {
                type_name: retained.type_name.clone(),
            });
        }
    };
    let mut arns = vec![one];
    let beside = namer.beside(&retained.type_name, &arns[0]);
    arns.extend(beside);
    Ok(arns)
}

struct Namer<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

impl Namer<'_> {
    fn regional(&self, service: &str, rest: &str) -> String {
        let Self {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }

    fn global(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}::{}:{rest}", self.partition, self.account)
    }

    /// What the deletion touches beside the resource itself.
    fn beside(&self, type_name: &str, arn: &str) -> Option<String> {
        match type_name {
            "AWS::RDS::DBInstance" => Some(self.regional("rds", "snapshot:*")),
            "AWS::Logs::LogGroup" if !arn.ends_with(":*") => Some(format!("{arn}:*")),
            _ => None,
        }
    }

    /// Refuses an ARN of another place: the record that was approved names the
    /// account and region, and a session must not reach beyond them.
    fn check(&self, arn: &str) -> Result<(), PolicyError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let here = match parts.as_slice() {
            [_, partition, service, region, account, rest] => {
                *partition == self.partition
                    && !service.is_empty()
                    && (region.is_empty() || *region == self.region)
                    && (account.is_empty() || *account == self.account)
                    && !rest.is_empty()
            }
            _ => false,
        };
        if here {
            Ok(())
        } else {
            Err(PolicyError::ForeignResource {
                arn: arn.to_owned(),
            })
        }
    }
}

/// No wildcard, no policy variable, nothing that would need escaping.
fn is_plain(identifier: &str) -> bool {
    (1..=1_024).contains(&identifier.len())
        && identifier
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:/|=+@,!#".contains(&b))
}
