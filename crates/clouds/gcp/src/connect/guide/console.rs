//! The setup by hand, and how to take it back.

use super::Context;
use landfall_model::grant::{GcpBinding, GcpIdentity, GcpTrust};

pub(super) fn for_a_pool(context: &Context<'_>) -> Vec<String> {
    let GcpTrust::Federation {
        pool_id,
        provider_id,
        issuer_url,
        subject,
        condition,
        role,
    } = &context.grant.trust
    else {
        return Vec::new();
    };
    let mut steps = vec![opening(context), enabling(&context.grant.bootstrap_apis)];
    let keys = match context.uploads {
        None => "Leave JWK file empty: Google fetches the keys.".to_owned(),
        Some(keys) => format!("JWK file (JSON): upload a file with this text: {keys}"),
    };
    steps.push(format!(
        "IAM & Admin → Workload Identity Federation → Create pool. Name and pool ID: {pool_id}. \
         Add a provider: OpenID Connect (OIDC), name and provider ID {provider_id}, issuer \
         {issuer_url}. {keys} Audiences: Default audience. Attribute mapping: google.subject = \
         assertion.sub. Attribute condition: {condition} (without it, every connection of this \
         server could get in). Save. If the pool was deleted in the last 30 days: Show deleted \
         pools → Restore."
    ));
    for (account, custom) in context.accounts().zip(&context.grant.roles) {
        steps.push(format!(
            "IAM & Admin → Roles → Create role. Title {}, ID {}, stage General availability, \
             description: {} Add these permissions: {}",
            custom.title,
            custom.id,
            custom.description,
            custom
                .permissions
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        ));
        let bindings: Vec<String> = context
            .grant
            .bindings
            .iter()
            .filter(|binding| binding.identity == account.identity && !binding.by_bootstrap)
            .map(one)
            .collect();
        let roles = if bindings.is_empty() {
            "no role (Landfall binds it by itself)".to_owned()
        } else {
            bindings.join("; and ")
        };
        steps.push(format!(
            "IAM & Admin → Service accounts → Create service account. Name {}, ID {}. Grant it \
             {roles}. Then open it → Principals with access → Grant access: role {} to the \
             principal principal://iam.googleapis.com/projects/<project number>/locations/global/\
             workloadIdentityPools/{pool_id}/subject/{subject}",
            account.display_name,
            account.id,
            titled(role),
        ));
    }
    steps.push(
        "Enter the project number in Landfall: it is on the project's welcome page, beside the \
         project id."
            .to_owned(),
    );
    steps
}

fn opening(context: &Context<'_>) -> String {
    format!(
        "Open {}/welcome?project={}. At the top, see that the right Google account, organization \
         and project are selected; if a grant is refused later, it is mostly one of these.",
        context.config.console_url.trim_end_matches('/'),
        context.grant.project_id
    )
}

fn enabling(apis: &[String]) -> String {
    format!(
        "APIs & Services → Library: enable {}.",
        apis.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

fn one(binding: &GcpBinding) -> String {
    match &binding.condition {
        None => format!("the role {}", binding.role),
        Some(condition) => format!(
            "the role {} with an IAM condition: title {}, condition editor: {}",
            titled(&binding.role),
            condition.title,
            condition.expression
        ),
    }
}

/// The name that the console shows.
fn titled(role: &str) -> &str {
    match role {
        "roles/iam.workloadIdentityUser" => {
            "Workload Identity User (roles/iam.workloadIdentityUser)"
        }
        "roles/iam.serviceAccountTokenCreator" => {
            "Service Account Token Creator (roles/iam.serviceAccountTokenCreator)"
        }
        "roles/resourcemanager.projectIamAdmin" => {
            "Project IAM Admin (roles/resourcemanager.projectIamAdmin)"
        }
        other => other,
    }
}

pub(super) fn revoke(context: &Context<'_>) -> Vec<String> {
    let project = &context.grant.project_id;
    let mut steps = vec![
        "Delete what Landfall made first if you no longer want it: afterwards Landfall can \
         neither change nor delete it. What runs goes on running."
            .to_owned(),
    ];
    match &context.grant.trust {
        GcpTrust::Federation { pool_id, .. } => steps.push(format!(
            "To stop Landfall, delete the pool: gcloud iam workload-identity-pools delete \
             {pool_id} --location=global --project={project}. No new token is issued from then \
             on; those that exist last up to 15 minutes."
        )),
        GcpTrust::Account { email, .. } => steps.push(format!(
            "To stop Landfall, delete the key: IAM & Admin → Service accounts → {email} → Keys → \
             the bin beside it. Tokens that exist last up to an hour."
        )),
    }
    let emails: Vec<&str> = context
        .accounts()
        .map(|account| account.email.as_str())
        .collect();
    steps.push(format!(
        "To remove what is left, delete the service accounts {}, and then the custom roles {} \
         (IAM & Admin → Roles).",
        emails.join(", "),
        context
            .grant
            .roles
            .iter()
            .map(|role| role.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    ));
    if context.grant.account(GcpIdentity::Bootstrap).is_some() {
        steps.push(format!(
            "Deleting the accounts leaves their bindings in the project's policy, marked as \
             deleted; they give nothing to anybody. The APIs that were switched on stay on \
             (project {project})."
        ));
    }
    steps
}
