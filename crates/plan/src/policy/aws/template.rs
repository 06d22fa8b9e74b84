//! The CloudFormation template that makes a grant.

use super::{
    GRANT_VERSION, PolicyError,
    trust::{Trust, Trusted},
};
use landfall_model::{
    connection::AwsConnection,
    grant::{AWS_AUDIENCE, Identity, PolicyDocument, RoleSpec},
};
use serde_json::{Map, Value, json};

/// Bytes that `create-stack --template-body` takes (AWS docs: "CloudFormation
/// quotas").
const TEMPLATE_BODY: usize = 51_200;

/// Two roles, the boundary and the managed policies, all with the names of this
/// connection. Hardly an intrinsic function but `Ref` and `Fn::GetAtt`, so that
/// what a reviewer reads is what is made.
///
/// The boundary outlives the stack: workloads' roles go on standing under it,
/// and IAM refuses to delete a policy in use. A second stack must therefore not
/// make it again, which `ExistingBoundary` says.
pub(super) fn template(
    connection: AwsConnection<'_>,
    trust: &Trust<'_>,
    roles: &[RoleSpec],
    boundary: &PolicyDocument,
) -> Result<Value, PolicyError> {
    let mut resources = Map::new();
    let mut outputs = Map::new();
    let mut kept = managed_policy(boundary);
    kept["Condition"] = json!("MakeBoundary");
    // Not plainly "Retain": a creation that fails must be repeatable.
    kept["DeletionPolicy"] = json!("RetainExceptOnCreate");
    kept["UpdateReplacePolicy"] = json!("Retain");
    resources.insert("Boundary".into(), kept);
    outputs.insert(
        "BoundaryPolicyArn".into(),
        output(
            "Permissions boundary of workloads' roles",
            json!(connection.boundary_policy_arn()),
        ),
    );
    for role in roles {
        let id = logical_id(role.identity);
        let mut attached = Vec::new();
        for (index, policy) in role.policies.iter().enumerate() {
            let policy_id = format!("{id}Policy{}", index + 1);
            attached.push(json!({ "Ref": policy_id }));
            resources.insert(policy_id, managed_policy(policy));
        }
        let tags: Vec<Value> = role
            .tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        resources.insert(
            format!("{id}Role"),
            json!({
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": role.name,
                    "Description": role.description,
                    "MaxSessionDuration": role.max_session,
                    "AssumeRolePolicyDocument": trust.in_template(),
                    "ManagedPolicyArns": attached,
                    "Tags": tags,
                },
            }),
        );
        outputs.insert(
            format!("{id}RoleArn"),
            output(
                &role.description,
                json!({ "Fn::GetAtt": [format!("{id}Role"), "Arn"] }),
            ),
        );
    }
    let trusted = Parts::of(trust);
    resources.extend(trusted.resources);
    outputs.extend(trusted.outputs);
    let mut parameters = trusted.parameters;
    parameters.insert(
        "ExistingBoundary".into(),
        existing(&format!("policy {}", boundary.name)),
    );
    let mut labels = trusted.labels;
    labels.insert(
        "ExistingBoundary".into(),
        json!({ "default": "The boundary policy is there already" }),
    );
    let mut conditions = trusted.conditions;
    conditions.insert("MakeBoundary".into(), unless("ExistingBoundary"));
    let mut groups = trusted.groups;
    let mut kept = trusted.kept;
    kept.push("ExistingBoundary");
    groups.push(json!({
        "Label": { "default": "If access was granted before" },
        "Parameters": kept,
    }));
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!(
            "Landfall: access to account {} for the connection {}. \
             Creates IAM roles and policies only. Delete the stack to revoke the access; \
             the boundary of workloads' roles stays.",
            connection.account_id(), connection.id
        ),
        "Metadata": {
            "Landfall": {
                "GrantVersion": GRANT_VERSION,
                "Connection": connection.id.as_str(),
                "Account": connection.account_id().as_str(),
                "RequiredCapability": "CAPABILITY_NAMED_IAM",
                "Policies": roles
                    .iter()
                    .flat_map(|role| &role.policies)
                    .chain([boundary])
                    .map(|policy| (policy.name.clone(), Value::from(policy.purpose.as_str())))
                    .collect::<Map<String, Value>>(),
            },
            "AWS::CloudFormation::Interface": {
                "ParameterGroups": groups,
                "ParameterLabels": labels,
            },
        },
        "Parameters": parameters,
        "Conditions": conditions,
        "Resources": resources,
        "Outputs": outputs,
    });
    let size = template.to_string().len();
    if size > TEMPLATE_BODY {
        return Err(PolicyError::TooLarge {
            what: "CloudFormation template".to_owned(),
            size,
            limit: TEMPLATE_BODY,
        });
    }
    Ok(template)
}

/// What the template has because of whom the roles trust.
#[derive(Default)]
struct Parts {
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    parameters: Map<String, Value>,
    labels: Map<String, Value>,
    conditions: Map<String, Value>,
    groups: Vec<Value>,
    /// Parameters that say what is there already.
    kept: Vec<&'static str>,
}

impl Parts {
    fn of(trust: &Trust<'_>) -> Self {
        let mut all = Self::default();
        for trusted in trust.trusted() {
            let parts = match trusted {
                Trusted::Principal { arn, external_id } => Self::principal(arn, external_id),
                Trusted::Issuer {
                    url, provider_arn, ..
                } => Self::issuer(url, provider_arn),
            };
            all.resources.extend(parts.resources);
            all.outputs.extend(parts.outputs);
            all.parameters.extend(parts.parameters);
            all.labels.extend(parts.labels);
            all.conditions.extend(parts.conditions);
            all.groups.extend(parts.groups);
            all.kept.extend(parts.kept);
        }
        all
    }

    fn principal(arn: &str, external_id: &str) -> Self {
        Self {
            parameters: members(json!({
                "PrincipalArn": {
                    "Type": "String",
                    "Description": "The role or user of the Landfall server that may assume the roles.",
                    "Default": arn,
                    "AllowedPattern": r"^arn:aws(-us-gov|-cn)?:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$",
                    "ConstraintDescription":
                        "the ARN of one IAM role or user: not of a session, not of a whole account",
                },
                "ExternalId": {
                    "Type": "String",
                    "Description": "Made by Landfall for this connection. With another one the checks fail.",
                    "Default": external_id,
                    "MinLength": 2,
                    "MaxLength": 1224,
                    "AllowedPattern": r"^[A-Za-z0-9_+=,.@:/-]+$",
                    "ConstraintDescription":
                        "the external id that Landfall shows for this connection",
                },
            })),
            labels: members(json!({
                "PrincipalArn": { "default": "The Landfall server" },
                "ExternalId": { "default": "External id of this connection" },
            })),
            groups: vec![json!({
                "Label": { "default": "Who gets access (leave as it is)" },
                "Parameters": ["PrincipalArn", "ExternalId"],
            })],
            ..Self::default()
        }
    }

    /// IAM has one provider per account and URL, so the stacks of all
    /// connections share it: the first makes it, the others are told by
    /// `ExistingProvider`, and deleting any of them keeps it for the rest.
    fn issuer(url: &str, provider_arn: &str) -> Self {
        Self {
            resources: members(json!({
                "Provider": {
                    "Type": "AWS::IAM::OIDCProvider",
                    "Condition": "MakeProvider",
                    "DeletionPolicy": "RetainExceptOnCreate",
                    "UpdateReplacePolicy": "Retain",
                    "Properties": { "Url": url, "ClientIdList": [AWS_AUDIENCE] },
                },
            })),
            outputs: members(json!({
                "ProviderArn": output("The issuer of Landfall's tokens", json!(provider_arn)),
            })),
            parameters: members(json!({
                "ExistingProvider": existing(&format!("OpenID Connect provider {url}")),
            })),
            labels: members(json!({
                "ExistingProvider": {
                    "default": "The OpenID Connect provider is there already"
                },
            })),
            conditions: members(json!({ "MakeProvider": unless("ExistingProvider") })),
            groups: Vec::new(),
            kept: vec!["ExistingProvider"],
        }
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A parameter that says whether something is left from an earlier stack.
fn existing(what: &str) -> Value {
    json!({
        "Type": "String",
        "Description": format!(
            "Is the {what} left from an earlier stack? Deleting a stack keeps it."
        ),
        "Default": "no",
        "AllowedValues": ["no", "yes"],
    })
}

fn unless(parameter: &str) -> Value {
    json!({ "Fn::Equals": [{ "Ref": parameter }, "no"] })
}

const fn logical_id(identity: Identity) -> &'static str {
    match identity {
        Identity::Provisioner => "Provisioner",
        Identity::Reaper => "Reaper",
    }
}

fn managed_policy(policy: &PolicyDocument) -> Value {
    json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "ManagedPolicyName": policy.name,
            "Description": policy.purpose,
            "PolicyDocument": policy.document,
        },
    })
}

fn output(description: &str, value: Value) -> Value {
    json!({ "Description": description, "Value": value })
}
