//! What is granted in the tests.
//!
//! The small grant has everything that the real one has (two roles, policies, a
//! boundary, tags, questions of both kinds), but may also do what the driver's
//! contract needs and the real one refuses.

use landfall_model::{
    connection::Connection,
    grant::{
        AWS_AUDIENCE, AwsGrant, GrantSpec, Identity, PermissionGroup, PermissionQuestion,
        PolicyDocument, RoleSpec, ServerPrincipal,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Small,
    /// What customers are shown.
    Real,
}

impl Grant {
    pub(crate) fn spec(self, connection: &Connection, principal: &ServerPrincipal) -> GrantSpec {
        match self {
            Self::Small => spec(connection, principal),
            Self::Real => landfall_plan::policy::grant(connection, principal)
                .expect("the connection is well formed"),
        }
    }
}

const VERSION: u32 = 3;

fn spec(connection: &Connection, principal: &ServerPrincipal) -> GrantSpec {
    let trust = trust(connection, principal);
    let mut roles = vec![provisioner(connection, &trust)];
    if connection.with_reaper {
        roles.push(reaper(connection, &trust));
    }
    let boundary = policy(
        connection.aws().unwrap().boundary_policy_name(),
        "Bounds the roles that are made for services",
        json!([{"Effect": "Allow", "Action": ["s3:GetObject", "logs:PutLogEvents"], "Resource": "*"}]),
    );
    let template = template(&roles, &boundary);
    GrantSpec::Aws(AwsGrant {
        version: VERSION,
        boundary,
        roles,
        permissions: permissions(connection),
        template,
    })
}

/// The trust policy as it should be.
fn trust(connection: &Connection, principal: &ServerPrincipal) -> Value {
    let (action, trusted, condition) = match principal {
        ServerPrincipal::Issuer { url } => {
            let host = url.trim_start_matches("https://");
            let provider = connection.aws().unwrap().oidc_provider_arn(url);
            (
                "sts:AssumeRoleWithWebIdentity",
                json!({"Federated": provider}),
                json!({"StringEquals": {
                    format!("{host}:aud"): AWS_AUDIENCE,
                    format!("{host}:sub"): connection.subject(),
                }}),
            )
        }
        principal => (
            "sts:AssumeRole",
            json!({"AWS": principal.as_str()}),
            json!({"StringEquals": {"sts:ExternalId": connection.external_id}}),
        ),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": trusted,
            "Action": action,
            "Condition": condition,
        }],
    })
}

fn policy(name: String, purpose: &str, statements: Value) -> PolicyDocument {
    PolicyDocument {
        name,
        purpose: purpose.to_owned(),
        document: json!({"Version": "2012-10-17", "Statement": statements}),
    }
}

fn role(
    connection: &Connection,
    identity: Identity,
    name: String,
    trust: &Value,
    policies: Vec<PolicyDocument>,
) -> RoleSpec {
    RoleSpec {
        identity,
        name,
        description: format!("The {} of a test", identity.as_str()),
        max_session: 3600,
        trust: trust.clone(),
        policies,
        tags: BTreeMap::from([
            ("landfall:grant-version".to_owned(), VERSION.to_string()),
            ("landfall:connection".to_owned(), connection.id.to_string()),
        ]),
    }
}

fn provisioner(connection: &Connection, trust: &Value) -> RoleSpec {
    let suffix = connection.suffix();
    let account = connection.scope();
    role(
        connection,
        Identity::Provisioner,
        connection.aws().unwrap().provisioner_role_name(),
        trust,
        vec![
            policy(
                format!("landfall-verify-{suffix}"),
                "Reads what was granted",
                json!([
                    {"Effect": "Allow", "Action": "account:ListRegions", "Resource": "*"},
                    {"Effect": "Allow",
                     "Action": [
                        "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
                        "iam:GetRolePolicy", "iam:SimulatePrincipalPolicy", "iam:GetPolicy",
                        "iam:GetPolicyVersion",
                     ],
                     "Resource": [
                        format!("arn:aws:iam::{account}:role/landfall-*"),
                        format!("arn:aws:iam::{account}:policy/landfall-*"),
                     ]},
                ]),
            ),
            policy(
                format!("landfall-provision-{suffix}"),
                "Makes networks, logs and buckets",
                json!([{"Effect": "Allow",
                    "Action": [
                        "cloudformation:CreateResource", "cloudformation:GetResource",
                        "cloudformation:UpdateResource", "cloudformation:DeleteResource",
                        "cloudformation:ListResources",
                        "cloudformation:GetResourceRequestStatus",
                        "ec2:*", "logs:*", "s3:*",
                    ],
                    "Resource": "*"}]),
            ),
            policy(
                format!("landfall-refuse-{suffix}"),
                "Refuses destruction and changes of either role",
                json!([
                    {"Effect": "Deny", "Action": ["s3:DeleteBucket", "s3:DeleteObject"],
                     "Resource": "*"},
                    {"Effect": "Deny",
                     "Action": [
                        "iam:PutRolePolicy", "iam:AttachRolePolicy",
                        "iam:UpdateAssumeRolePolicy", "iam:DeleteRole",
                     ],
                     "Resource": [
                        format!("arn:aws:iam::{account}:role/landfall-provisioner-*"),
                        format!("arn:aws:iam::{account}:role/landfall-reaper-*"),
                     ]},
                ]),
            ),
        ],
    )
}

fn reaper(connection: &Connection, trust: &Value) -> RoleSpec {
    role(
        connection,
        Identity::Reaper,
        connection.aws().unwrap().reaper_role_name(),
        trust,
        vec![policy(
            format!("landfall-reap-{}", connection.suffix()),
            "Destroys what was approved",
            json!([{"Effect": "Allow",
                "Action": [
                    "cloudformation:DeleteResource", "cloudformation:GetResource",
                    "cloudformation:GetResourceRequestStatus",
                    "s3:*", "logs:DeleteLogGroup", "logs:DescribeLogGroups",
                ],
                "Resource": "*"}]),
        )],
    )
}

fn permissions(connection: &Connection) -> Vec<PermissionGroup> {
    let ask = |identity, actions: &[&str], resource: String, expect_allowed| PermissionQuestion {
        identity,
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resource,
        context: BTreeMap::from([("aws:RequestedRegion".to_owned(), connection.regions.clone())]),
        expect_allowed,
    };
    let group = |id: &str, title: &str, questions| PermissionGroup {
        id: id.to_owned(),
        title: title.to_owned(),
        questions,
    };
    let account = connection.scope();
    let region = &connection.regions[0];
    vec![
        group(
            "network",
            "Networks can be made",
            vec![ask(
                Identity::Provisioner,
                &["ec2:CreateVpc", "ec2:CreateSubnet"],
                "*".to_owned(),
                true,
            )],
        ),
        group(
            "logs",
            "Logs can be made",
            vec![ask(
                Identity::Provisioner,
                &["logs:CreateLogGroup"],
                format!("arn:aws:logs:{region}:{account}:log-group:landfall-x"),
                true,
            )],
        ),
        group(
            "two-keys",
            "The provisioner is refused every destruction",
            vec![
                ask(
                    Identity::Provisioner,
                    &["s3:DeleteBucket"],
                    "arn:aws:s3:::landfall-x".to_owned(),
                    false,
                ),
                ask(
                    Identity::Provisioner,
                    &["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"],
                    connection.aws().unwrap().provisioner_role_arn(),
                    false,
                ),
            ],
        ),
        group(
            "reaper",
            "The reaper can destroy what is approved",
            vec![ask(
                Identity::Reaper,
                &["s3:DeleteBucket"],
                "arn:aws:s3:::landfall-x".to_owned(),
                true,
            )],
        ),
    ]
}

fn template(roles: &[RoleSpec], boundary: &PolicyDocument) -> Value {
    let mut resources = serde_json::Map::new();
    let managed = |policy: &PolicyDocument| {
        json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": policy.name, "PolicyDocument": policy.document}})
    };
    resources.insert("Boundary".to_owned(), managed(boundary));
    for role in roles {
        let mut attached = Vec::new();
        for (index, policy) in role.policies.iter().enumerate() {
            let id = format!("{}{index}", role.identity.as_str());
            attached.push(json!({"Ref": id}));
            resources.insert(id, managed(policy));
        }
        let tags: Vec<Value> = role
            .tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        resources.insert(
            role.identity.as_str().to_owned(),
            json!({"Type": "AWS::IAM::Role", "Properties": {
                "RoleName": role.name,
                "Description": role.description,
                "AssumeRolePolicyDocument": role.trust,
                "MaxSessionDuration": role.max_session,
                "ManagedPolicyArns": attached,
                "Tags": tags}}),
        );
    }
    json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
}
