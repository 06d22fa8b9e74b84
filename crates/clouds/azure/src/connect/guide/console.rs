//! Steps for a person in the portal.

use super::{Context, condition};
use landfall_model::grant::{AzureRole, Identity, azure::CLIENT_MARK};

pub(super) fn steps(context: &Context<'_>) -> Vec<String> {
    let azure = context.azure;
    let mut steps = vec![
        format!(
            "Sign in to {} in the tenant {} and open Subscriptions → {}. You need to be Owner \
             there, or User Access Administrator and Contributor.",
            context.config.portal_url.as_str().trim_end_matches('/'),
            azure.tenant_id(),
            azure.subscription_id()
        ),
        format!(
            "Settings → Resource providers: select and Register each of {}. Landfall registers \
             what is left out once it may.",
            context
                .spec
                .providers
                .iter()
                .map(|provider| provider.namespace.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    ];
    for role in context.roles() {
        steps.extend(application(context, role));
    }
    for role in context.roles() {
        steps.push(format!(
            "{} → Access control (IAM) → Add → Add custom role → Start from scratch. Name {}; \
             description: {}. Under JSON → Edit, paste into \"actions\": {}. Assignable scope: {} \
             alone. Create.",
            place(context),
            role.name,
            role.description,
            serde_json::to_string(&role.actions).unwrap_or_default(),
            context.spec.scope,
        ));
    }
    for role in context.roles() {
        steps.push(assignment(context, role));
    }
    steps.push(if context.by_secret {
        "Come back here and enter the client id of the provisioner and the secret's value."
            .to_owned()
    } else {
        "Come back here and enter the client id of the provisioner; Landfall looks every few \
         seconds, and Azure may need ten minutes."
            .to_owned()
    });
    steps
}

fn place(context: &Context<'_>) -> &'static str {
    if context.azure.management_group().is_some() {
        "Management groups → the group"
    } else {
        "The subscription"
    }
}

fn application(context: &Context<'_>, role: &AzureRole) -> Vec<String> {
    let what = match role.identity {
        Identity::Provisioner => "creates and changes, and deletes nothing",
        Identity::Reaper => "deletes, one approved resource at a time",
    };
    let mut steps = vec![format!(
        "Microsoft Entra ID → App registrations → New registration: the name {} (the {}: it \
         {what}), accounts in this organizational directory only, no redirect URI. Note the \
         Application (client) id, and the object id under Managed application in local directory.",
        role.name,
        role.identity.as_str(),
    )];
    steps.push(if context.federated(role.identity) {
        format!(
            "In it: Certificates & secrets → Federated credentials → Add credential → Other \
             issuer. Issuer {}, type Explicit subject identifier, value {}, name landfall, \
             audience {}. Entra takes a wrong subject without a word: copy all three.",
            context.issuer.unwrap_or_default(),
            context.azure.subject(),
            context.config.token_exchange_audience,
        )
    } else {
        "In it: Certificates & secrets → Client secrets → New client secret, 365 days. Copy what \
         the column Value shows (not Secret ID): it is shown once."
            .to_owned()
    });
    steps
}

fn assignment(context: &Context<'_>, role: &AzureRole) -> String {
    let object_id = |identity: Identity| match identity {
        Identity::Provisioner => "<object id of the provisioner>".to_owned(),
        Identity::Reaper => "<object id of the reaper>".to_owned(),
    };
    format!(
        "{} → Access control (IAM) → Add role assignment: the role {name}, the member {name} (User, \
         group, or service principal; it is found only by typing its whole name). Description: \
         {} {CLIENT_MARK}<its client id>. Conditions → Add condition → Code editor, with the \
         object ids of your enterprise applications: {}",
        place(context),
        role.assignment,
        condition(context, role, object_id),
        name = role.name,
    )
}

pub(super) fn revoke(context: &Context<'_>) -> Vec<String> {
    let names: Vec<&str> = context.roles().map(|role| role.name.as_str()).collect();
    let both = names.join(" and ");
    let mut steps = vec![
        "Delete what Landfall made first if you no longer want it: afterwards Landfall can \
         neither change nor delete it. What runs goes on running."
            .to_owned(),
        format!(
            "Microsoft Entra ID → App registrations: delete {both}. That ends all access at once, \
             but for tokens that exist, which last up to 90 minutes. Entra keeps a deleted \
             registration for 30 days: delete it under Deleted applications too."
        ),
        format!(
            "{} → Access control (IAM) → Role assignments: remove what is left of {both} (\"Identity \
             not found\"); then Roles: delete the custom roles {both}.",
            place(context)
        ),
        "The locks that Landfall put on what holds data stay, and so do resource providers: both \
         cost nothing."
            .to_owned(),
    ];
    if context.by_secret {
        steps.push(
            "To stop at once without deleting anything, remove the client secret of the \
             provisioner: App registrations → Certificates & secrets."
                .to_owned(),
        );
    } else {
        steps.push(
            "To stop at once without deleting anything, remove the federated credentials: App \
             registrations → Certificates & secrets."
                .to_owned(),
        );
    }
    steps
}
