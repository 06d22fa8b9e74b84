//! Steps for a person in the console.

use super::{Context, Trusted};
use crate::connect::principal::parse_iam_arn;
use landfall_model::grant::{AWS_AUDIENCE, Identity, RoleSpec};

pub(super) fn steps(context: &Context<'_>) -> Vec<String> {
    let connection = context.connection;
    let mut steps = vec![format!(
        "Sign in to the AWS console of account {} and open IAM.",
        connection.account_id()
    )];
    let boundary = &context.grant.boundary;
    steps.push(format!(
        "Policies → Create policy → JSON: paste the document of {name} from the template, name it \
         {name}. It bounds the roles that Landfall will create for your services.",
        name = boundary.name
    ));
    if let Some(url) = context.issuer() {
        steps.push(format!(
            "Identity providers: if {url} is not in the list, Add provider → OpenID Connect, \
             Provider URL {url}, Audience {AWS_AUDIENCE}. If it is, open it and see that \
             {AWS_AUDIENCE} is among its audiences. An account has one provider per URL."
        ));
    }
    for role in &context.grant.roles {
        let names: Vec<&str> = role.policies.iter().map(|p| p.name.as_str()).collect();
        let what = match role.identity {
            Identity::Provisioner => "creates and changes, and is refused every destruction",
            Identity::Reaper => "destroys, one approved resource at a time",
        };
        steps.push(format!(
            "In the same way create the policies of the {} ({what}): {}.",
            role.identity.as_str(),
            names.join(", ")
        ));
        steps.push(trusted(context));
        steps.push(format!(
            "Attach {}; name the role {}; add the tags {}; Create role.",
            names.join(", "),
            role.name,
            role.tags
                .iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
        steps.push(narrowed(context, role));
        if role.max_session != 3600 {
            steps.push(format!(
                "Open {} → Summary → Edit: set the maximum session duration to {} seconds.",
                role.name, role.max_session
            ));
        }
    }
    steps.push("Come back here: the roles are found within a minute.".to_owned());
    steps
}

/// How to choose whom a role trusts.
fn trusted(context: &Context<'_>) -> String {
    match context.trusted {
        Trusted::Principal(arn) => format!(
            "Roles → Create role → Trusted entity type: AWS account → Another AWS account: \
             {}. Tick \"Require external ID\" and enter {}. Leave \"Require MFA\" unticked.",
            account_of(arn),
            context.connection.external_id
        ),
        Trusted::Issuer(url) => format!(
            "Roles → Create role → Trusted entity type: Web identity → Identity provider: {}, \
             Audience: {AWS_AUDIENCE}. Add the condition {}:sub StringEquals {}: without it, \
             every connection of this server could use the role.",
            host_and_path(url),
            host_and_path(url),
            context.connection.subject()
        ),
    }
}

/// What the console's form cannot say and the trust policy must.
fn narrowed(context: &Context<'_>, role: &RoleSpec) -> String {
    match context.trusted {
        Trusted::Principal(arn) => format!(
            "Open {} → Trust relationships → Edit trust policy, and replace the principal \
             arn:{}:iam::{}:root by {arn}: only this server, not its whole account.",
            role.name,
            context.connection.partition().as_str(),
            account_of(arn),
        ),
        Trusted::Issuer(url) => format!(
            "Open {} → Trust relationships, and see that StringEquals names both {host}:aud and \
             {host}:sub.",
            role.name,
            host = host_and_path(url)
        ),
    }
}

fn account_of(arn: &str) -> &str {
    parse_iam_arn(arn).map_or("", |arn| arn.account)
}

fn host_and_path(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url)
}

pub(super) fn revoke(context: &Context<'_>) -> Vec<String> {
    let roles: Vec<&str> = context
        .grant
        .roles
        .iter()
        .map(|role| role.name.as_str())
        .collect();
    vec![
        "Delete what Landfall made first if you no longer want it: afterwards Landfall can \
         neither change nor delete it. What runs goes on running."
            .to_owned(),
        format!(
            "If you made the grant as a stack: aws cloudformation delete-stack --region {} \
             --stack-name {}, or delete it in the CloudFormation console.",
            context.region,
            context.connection.stack_name()
        ),
        format!(
            "Otherwise, in IAM: delete the role{} {}, then their policies.",
            if roles.len() == 1 { "" } else { "s" },
            roles.join(" and ")
        ),
        format!(
            "The policy {} stays when the stack is deleted, because it bounds the roles of your \
             services. Keep it as long as one of them uses it, and if you mean to grant again.",
            context.grant.boundary.name
        ),
        "To stop at once without deleting anything, edit the trust policies so that they no \
         longer name this server. Sessions that exist last up to an hour: IAM → the role → \
         Revoke sessions ends them."
            .to_owned(),
    ]
}
