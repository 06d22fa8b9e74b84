//! The setup by hand, and how to take it back.

use super::{Context, script::Key};
use crate::config::GcpConfig;
use landfall_model::{
    connection::{GcpAccess, Parent},
    grant::{GcpBinding, GcpIdentity, GcpPlace, GcpRole, GcpTrust},
};

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
    let mut steps = vec![
        opening(context.config, Some(context.grant.project_id.as_str())),
        enabling(&context.grant.bootstrap_apis),
    ];
    if let Some(parent) = &context.grant.parent {
        steps.insert(1, being_below(context, parent));
    }
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
    let principal = format!(
        "principal://iam.googleapis.com/projects/<project number>/locations/global/\
         workloadIdentityPools/{pool_id}/subject/{subject}"
    );
    identities(context, &mut steps, role, &principal);
    steps.push(
        "Enter the project number in Landfall: it is on the project's welcome page, beside the \
         project id."
            .to_owned(),
    );
    steps
}

pub(super) fn for_an_account(context: &Context<'_>) -> Vec<String> {
    let GcpTrust::Account { email, role } = &context.grant.trust else {
        return Vec::new();
    };
    let mut steps = vec![
        opening(context.config, Some(context.grant.project_id.as_str())),
        enabling(&context.grant.bootstrap_apis),
    ];
    if let Some(parent) = &context.grant.parent {
        steps.insert(1, being_below(context, parent));
    }
    identities(context, &mut steps, role, email);
    steps.push(format!(
        "If granting to {email} is refused because it does \"not belong to a permitted \
         customer\": Domain restricted sharing keeps accounts of other organizations out. Connect \
         by workload-identity instead, or let an Organization Policy Administrator allow it. \
         Otherwise there is nothing to enter: Landfall sees the grant by itself."
    ));
    steps
}

pub(super) fn for_a_key(config: &GcpConfig, key: &Key<'_>) -> Vec<String> {
    let account = key.account.unwrap_or("landfall-setup");
    let mut steps = vec![
        opening(config, key.project),
        enabling(key.apis),
        format!(
            "IAM & Admin → Service accounts → Create service account, if it is not there. Name: \
             any, for instance {account}. Grant it the role Project IAM Admin \
             (roles/resourcemanager.projectIamAdmin), without a condition and nothing else. \
             Landfall takes it away again when everything is made."
        ),
    ];
    steps.push(match key.known {
        Some(known) => format!(
            "Nothing has to be uploaded as long as the key {known} is listed under {account} → \
             Keys. Otherwise: Add key → Create new key → JSON, and upload the file to Landfall."
        ),
        None => "Open the account → Keys → Add key → Create new key → JSON. Upload the file to \
                 Landfall, then delete it. If creating a key is refused, your organization forbids \
                 keys (iam.disableServiceAccountKeyCreation): connect by workload-identity, which \
                 needs none."
            .to_owned(),
    });
    steps
}

/// Roles and accounts, and who is let in.
fn identities(context: &Context<'_>, steps: &mut Vec<String>, role: &str, principal: &str) {
    let parent = context.grant.parent.as_ref();
    if let Some(parent) = parent {
        steps.push(format!(
            "Select {} at the top: custom roles that can be bound there are the organization's. \
             That takes the role Organization Role Administrator.",
            parent.organization()
        ));
        for custom in &context.grant.roles {
            steps.push(make_role(custom));
        }
        steps.push("Select the project again at the top.".to_owned());
    }
    for (account, custom) in context.accounts().zip(&context.grant.roles) {
        if parent.is_none() {
            steps.push(make_role(custom));
        }
        let bindings: Vec<String> = context
            .grant
            .bindings
            .iter()
            .filter(|binding| binding.identity == account.identity && !binding.by_bootstrap)
            .map(one)
            .collect();
        let roles = match parent {
            Some(_) => "no role (that comes below)".to_owned(),
            None if bindings.is_empty() => "no role (Landfall binds it by itself)".to_owned(),
            None => bindings.join("; and "),
        };
        let description = match parent {
            // Its end says of which version the grant is.
            Some(_) => format!(", description: {}", account.description),
            None => String::new(),
        };
        steps.push(format!(
            "IAM & Admin → Service accounts → Create service account. Name {}, ID \
             {}{description}. Grant it {roles}. Then open it → Principals with access → Grant \
             access: role {} to the principal {principal}",
            account.display_name,
            account.id,
            titled(role),
        ));
    }
    if let Some(parent) = parent {
        bind_above(context, steps, parent);
    }
}

fn make_role(custom: &GcpRole) -> String {
    format!(
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
    )
}

fn bind_above(context: &Context<'_>, steps: &mut Vec<String>, parent: &Parent) {
    let who = if parent.is_folder() {
        "Folder IAM Admin"
    } else {
        "Organization Administrator"
    };
    steps.push(format!(
        "Select {} at the top. What follows takes the role {who}.",
        parent.resource()
    ));
    for account in context.accounts() {
        for binding in &context.grant.bindings {
            if binding.identity == account.identity {
                steps.push(format!(
                    "IAM & Admin → IAM → Grant access: {} to the principal {}.",
                    one(binding),
                    account.email
                ));
            }
        }
    }
}

fn opening(config: &GcpConfig, project: Option<&str>) -> String {
    format!(
        "Open {}/welcome{}. At the top, see that the right Google account, organization and \
         project are selected; if a grant is refused later, it is mostly one of these.",
        config.console_url.trim_end_matches('/'),
        project.map_or_else(String::new, |id| format!("?project={id}"))
    )
}

/// As the script does, before it makes anything.
fn being_below(context: &Context<'_>, parent: &Parent) -> String {
    let places = if parent.is_folder() {
        format!("{} and {}", parent.resource(), parent.organization())
    } else {
        parent.resource()
    };
    format!(
        "IAM & Admin → Manage resources: see that the project {} is below {places}. Otherwise make \
         nothing: connect with what is above the project.",
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

pub(super) fn revoke(context: &Context<'_>, access: &GcpAccess) -> Vec<String> {
    let project = &context.grant.project_id;
    let mut steps = vec![
        "Delete what Landfall made first if you no longer want it: afterwards Landfall can \
         neither change nor delete it. What runs goes on running."
            .to_owned(),
    ];
    match access {
        GcpAccess::WorkloadIdentity { .. } => {
            let pool_id = match &context.grant.trust {
                GcpTrust::Federation { pool_id, .. } => pool_id,
                GcpTrust::Account { email, .. } => email,
            };
            steps.push(format!(
                "To stop Landfall, delete the pool: gcloud iam workload-identity-pools delete \
                 {pool_id} --location=global --project={project}. No new token is issued from \
                 then on; those that exist last up to 15 minutes."
            ));
        }
        GcpAccess::Impersonation { .. } => steps.push(
            "To stop Landfall, delete the service accounts below, or take its account away from \
             each (IAM & Admin → Service accounts → Principals with access). Tokens that exist \
             last up to 15 minutes."
                .to_owned(),
        ),
        GcpAccess::ServiceAccountKey {
            service_account,
            key_id,
            ..
        } => steps.push(format!(
            "To stop Landfall, delete the key: gcloud iam service-accounts keys delete {key_id} \
             --iam-account={service_account} --project={project}. Tokens that exist last up to an \
             hour. If nothing else uses that account, delete it too."
        )),
    }
    let emails: Vec<&str> = context
        .accounts()
        .map(|account| account.email.as_str())
        .collect();
    let roles: Vec<&str> = context
        .grant
        .roles
        .iter()
        .map(|role| role.id.as_str())
        .collect();
    let place = context.grant.place();
    if let GcpPlace::Parent(parent) = place {
        let bindings: Vec<String> = context
            .grant
            .bindings
            .iter()
            .filter_map(|binding| {
                let email = &context.grant.account(binding.identity)?.email;
                Some(format!("{} of {email}", binding.role))
            })
            .collect();
        steps.push(format!(
            "To take back what reaches beyond the project alone, remove these roles on {} (select \
             it at the top: IAM & Admin → IAM): {}.",
            parent.resource(),
            bindings.join("; ")
        ));
    }
    let where_roles_are = match place {
        GcpPlace::Project(_) => String::new(),
        GcpPlace::Parent(parent) => format!(" of {}", parent.organization()),
    };
    steps.push(format!(
        "To remove what is left, delete the service accounts {}, and then the custom roles \
         {}{where_roles_are} (IAM & Admin → Roles).",
        emails.join(", "),
        roles.join(", ")
    ));
    if context.grant.account(GcpIdentity::Bootstrap).is_some() {
        steps.push(format!(
            "Deleting the accounts leaves their bindings in the {}'s policy, marked as deleted; \
             they give nothing to anybody. The APIs that were switched on stay on (project \
             {project}).",
            place.noun()
        ));
    }
    steps
}
