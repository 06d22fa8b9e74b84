//! The two roles of a workload: one that starts its tasks, one that it runs as.
//! Each can do what its policy names, and never more than the boundary.

use super::build::{Builder, Draft, Find, concat, output, wait_for};
use landfall_model::{
    Error,
    graph::{Address, identifier_of},
};
use serde_json::{Value, json};

pub(super) struct Roles {
    pub execution: Address,
    pub task: Address,
    /// The policies: a task must not start before it may do what it needs.
    pub policies: Vec<Address>,
}

/// What starting the tasks takes.
pub(super) struct Starting<'a> {
    pub repository: &'a Address,
    pub logs: &'a Address,
    /// ARNs of secrets that go into containers.
    pub secrets: Vec<Value>,
    /// ARNs of repositories of the same cloud that images come from.
    pub repositories: Vec<String>,
}

pub(super) fn roles(
    b: &mut Builder<'_>,
    workload: &str,
    starting: &Starting<'_>,
    grants: Vec<Value>,
) -> Result<Roles, Error> {
    let trust = |condition: Option<Value>| {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        });
        if let (Some(condition), Some(members)) = (condition, statement.as_object_mut()) {
            members.insert("Condition".to_owned(), condition);
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    // AWS docs, task IAM role: only tasks of this account may be given the role.
    let own = json!({
        "StringEquals": {"aws:SourceAccount": b.input.account.id},
        "ArnLike": {"aws:SourceArn": b.arn("ecs", "*")},
    });
    let title = format!("Role that starts tasks of {workload}");
    let execution = role(b, workload, "execution", title, trust(None))?;
    let title = format!("Role that {workload} runs as");
    let task = role(b, workload, "task", title, trust(Some(own)))?;

    let mut policies = Vec::new();
    let title = format!("What starting {workload} takes");
    let statements = execution_statements(starting);
    policies.push(policy(
        b,
        workload,
        "execution",
        title,
        &execution,
        statements,
    )?);
    // There even when it grants nothing: when the last resource is taken out of
    // the Score file, the policy must lose its statements, and a policy that is
    // no longer wanted would be retained with them.
    let mut statements = vec![json!({
        "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*",
    })];
    statements.extend(grants);
    let title = format!("What {workload} may do");
    policies.push(policy(b, workload, "task", title, &task, statements)?);
    Ok(Roles {
        execution,
        task,
        policies,
    })
}

fn role(
    b: &mut Builder<'_>,
    workload: &str,
    which: &str,
    title: String,
    trust: Value,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("workload.{workload}.{which}-role"),
        type_name: "AWS::IAM::Role",
        properties: json!({
            "RoleName": b.names.name(&format!("{workload}-{which}"), 64),
            "Description": format!("Landfall: {title}"),
            "AssumeRolePolicyDocument": trust,
            "PermissionsBoundary": b.input.account.permissions_boundary,
        }),
        title,
        find: Find::Name("/RoleName"),
    })?;
    Ok(node.address.clone())
}

fn policy(
    b: &mut Builder<'_>,
    workload: &str,
    which: &str,
    title: String,
    role: &Address,
    statements: Vec<Value>,
) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("workload.{workload}.{which}-policy"),
        type_name: "AWS::IAM::RolePolicy",
        title,
        properties: json!({
            "PolicyName": POLICY,
            "RoleName": identifier_of(role),
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        }),
        find: Find::Identifier(concat(vec![json!(POLICY), json!("|"), identifier_of(role)])),
    })?;
    wait_for(node, [role]);
    Ok(node.address.clone())
}

const POLICY: &str = "landfall";

fn execution_statements(starting: &Starting<'_>) -> Vec<Value> {
    let mut repositories = vec![output(starting.repository, "/Arn")];
    repositories.extend(starting.repositories.iter().map(|arn| json!(arn)));
    let logs = output(starting.logs, "/Arn");
    let mut statements = vec![
        // The token says nothing about which repository.
        json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}),
        json!({
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
            ],
            "Resource": repositories,
        }),
        json!({
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            // The group's ARN is told with or without ":*" at its end.
            "Resource": [logs, concat(vec![logs.clone(), json!(":*")])],
        }),
    ];
    if !starting.secrets.is_empty() {
        statements.push(json!({
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": starting.secrets,
        }));
    }
    statements
}

/// The ARN of the ECR repository that an image is in, if it is in one:
/// `123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app:1`.
pub(super) fn ecr_repository(partition: &str, image: &str) -> Option<String> {
    let (host, rest) = image.split_once('/')?;
    let (account, rest_of_host) = host.split_once(".dkr.ecr.")?;
    let (region, domain) = rest_of_host.split_once('.')?;
    let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if !digits || !matches!(domain, "amazonaws.com" | "amazonaws.com.cn") {
        return None;
    }
    let name = rest.split(['@', ':']).next()?;
    Some(format!(
        "arn:{partition}:ecr:{region}:{account}:repository/{name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_in_ecr_names_its_repository() {
        let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app:1.0";
        assert_eq!(
            ecr_repository("aws", image).as_deref(),
            Some("arn:aws:ecr:eu-central-1:123456789012:repository/team/app")
        );
        assert_eq!(ecr_repository("aws", "ghcr.io/example/shop:1.0"), None);
        assert_eq!(ecr_repository("aws", "nginx"), None);
        assert_eq!(
            ecr_repository("aws", "123456789012.dkr.ecr.eu-central-1.evil.example/app"),
            None
        );
    }
}
