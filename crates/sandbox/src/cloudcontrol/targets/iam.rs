//! IAM: boundaries, passed roles and attached policies are condition keys.

use super::{Ask, Asked, via_cloud_control};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::iam_backed::{MANAGED_POLICY, ROLE, ROLE_POLICY};
use crate::iam::{Context, Role};
use crate::types::Change;

/// Properties that hand a role to a service, and to which.
const PASSED: [(&str, &str, &str); 17] = [
    (
        "AWS::ECS::TaskDefinition",
        "TaskRoleArn",
        "ecs-tasks.amazonaws.com",
    ),
    (
        "AWS::ECS::TaskDefinition",
        "ExecutionRoleArn",
        "ecs-tasks.amazonaws.com",
    ),
    ("AWS::ECS::Service", "Role", "ecs.amazonaws.com"),
    ("AWS::IAM::InstanceProfile", "Roles", "ec2.amazonaws.com"),
    (
        "AWS::RDS::DBInstance",
        "MonitoringRoleArn",
        "monitoring.rds.amazonaws.com",
    ),
    (
        "AWS::RDS::DBInstance",
        "AssociatedRoles/*/RoleArn",
        "rds.amazonaws.com",
    ),
    (
        "AWS::RDS::DBCluster",
        "MonitoringRoleArn",
        "monitoring.rds.amazonaws.com",
    ),
    (
        "AWS::S3::Bucket",
        "ReplicationConfiguration/Role",
        "s3.amazonaws.com",
    ),
    ("AWS::EKS::Cluster", "RoleArn", "eks.amazonaws.com"),
    ("AWS::EKS::Nodegroup", "NodeRole", "ec2.amazonaws.com"),
    (
        "AWS::EKS::FargateProfile",
        "PodExecutionRoleArn",
        "eks-fargate-pods.amazonaws.com",
    ),
    (
        "AWS::EKS::PodIdentityAssociation",
        "RoleArn",
        "pods.eks.amazonaws.com",
    ),
    (
        "AWS::EKS::Addon",
        "ServiceAccountRoleArn",
        "eks.amazonaws.com",
    ),
    (
        "AWS::Scheduler::Schedule",
        "Target/RoleArn",
        "scheduler.amazonaws.com",
    ),
    (
        "AWS::SNS::Subscription",
        "SubscriptionRoleArn",
        "sns.amazonaws.com",
    ),
    (
        "AWS::SNS::Topic",
        "DeliveryStatusLogging/*/SuccessFeedbackRoleArn",
        "sns.amazonaws.com",
    ),
    (
        "AWS::EC2::FlowLog",
        "DeliverLogsPermissionArn",
        "vpc-flow-logs.amazonaws.com",
    ),
];

pub(super) fn asks(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let type_name = asked.subject.type_name;
    match asked.verb {
        "PassRole" => passed(asked, true),
        "GetRole" if type_name != ROLE => passed(asked, false),
        "AttachRolePolicy" | "DetachRolePolicy" if type_name == ROLE => attached(asked),
        "AttachRolePolicy" | "DetachRolePolicy" if type_name == MANAGED_POLICY => {
            attached_to(asked)
        }
        _ if type_name == ROLE || type_name == ROLE_POLICY => vec![on_role(asked)],
        "CreateServiceLinkedRole" => {
            let (arn, mut context) = asked.own();
            context.set("iam:AWSServiceName", asked.text("AWSServiceName"));
            vec![(arn, context)]
        }
        _ => vec![asked.own()],
    }
}

fn role<'a>(env: &Env<'a>, name: &str) -> Option<&'a Role> {
    env.account()?.iam.role(name).ok()
}

/// The boundary that bears on the call: the one being set, or the role's own.
fn boundary(asked: &Asked<'_, '_>) -> Option<String> {
    if asked.is_creation() && asked.subject.type_name == ROLE
        || asked.verb == "PutRolePermissionsBoundary"
    {
        return text(asked.model(), "PermissionsBoundary").map(str::to_owned);
    }
    role(asked.env, &asked.text("RoleName"))?
        .grants
        .latest()
        .boundary
        .clone()
}

fn on_role(asked: &Asked<'_, '_>) -> Ask {
    let name = asked.text("RoleName");
    let (arn, mut context) = match role(asked.env, &name) {
        Some(role) if asked.subject.type_name == ROLE_POLICY => {
            let mut context = via_cloud_control(asked.env.place);
            asked.add_tags(&mut context, &role.tags);
            (role.arn.clone(), context)
        }
        _ if asked.subject.type_name == ROLE_POLICY => (
            asked.env.global_arn("iam", &format!("role/{name}")),
            via_cloud_control(asked.env.place),
        ),
        _ => asked.own(),
    };
    if let Some(boundary) = boundary(asked) {
        context.set("iam:PermissionsBoundary", boundary);
    }
    (arn, context)
}

/// One decision per policy that a role gains or loses.
fn attached(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let moved: Vec<String> = match asked.subject.change {
        Change::Update { before, after } => {
            let (before, after) = (
                strings(before, "ManagedPolicyArns"),
                strings(after, "ManagedPolicyArns"),
            );
            let (from, without) = if asked.verb == "AttachRolePolicy" {
                (after, before)
            } else {
                (before, after)
            };
            from.into_iter()
                .filter(|arn| !without.contains(arn))
                .map(str::to_owned)
                .collect()
        }
        _ => asked
            .strings("ManagedPolicyArns")
            .into_iter()
            .map(str::to_owned)
            .collect(),
    };
    moved
        .into_iter()
        .map(|policy| {
            let (arn, mut context) = on_role(asked);
            context.set("iam:PolicyARN", policy);
            (arn, context)
        })
        .collect()
}

/// One decision per role that a policy is attached to or detached from.
fn attached_to(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let (policy, _) = asked.own();
    let names: Vec<&str> = match asked.subject.change {
        Change::Update { before, .. } if asked.verb == "DetachRolePolicy" => {
            strings(before, "Roles")
        }
        _ => asked.strings("Roles"),
    };
    names
        .into_iter()
        .map(|name| {
            let mut context = via_cloud_control(asked.env.place);
            context.set("iam:PolicyARN", &policy);
            let arn = match role(asked.env, name) {
                Some(role) => {
                    asked.add_tags(&mut context, &role.tags);
                    if let Some(boundary) = &role.grants.latest().boundary {
                        context.set("iam:PermissionsBoundary", boundary);
                    }
                    role.arn.clone()
                }
                None => asked.env.global_arn("iam", &format!("role/{name}")),
            };
            (arn, context)
        })
        .collect()
}

/// The roles that the model hands to services.
fn passed(asked: &Asked<'_, '_>, with_service: bool) -> Vec<Ask> {
    PASSED
        .iter()
        .filter(|(type_name, _, _)| *type_name == asked.subject.type_name)
        .flat_map(|(_, path, service)| {
            asked
                .strings(path)
                .into_iter()
                .map(move |given| (given, *service))
        })
        .map(|(given, service)| {
            let mut context: Context = via_cloud_control(asked.env.place);
            let name = given.rsplit('/').next().unwrap_or(given);
            let found = role(asked.env, name);
            if let Some(found) = found {
                asked.add_tags(&mut context, &found.tags);
            }
            if with_service {
                context.set("iam:PassedToService", service);
            }
            let arn = match found {
                _ if given.starts_with("arn:") => given.to_owned(),
                Some(found) => found.arn.clone(),
                None => asked.env.global_arn("iam", &format!("role/{name}")),
            };
            (arn, context)
        })
        .collect()
}
