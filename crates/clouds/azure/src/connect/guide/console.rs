//! Steps for a person in the portal.

use super::{Context, Provisioner, condition};
use crate::{config::Application, connect::secrets::OWNED};
use landfall_model::grant::{AzureRole, Identity, azure::CLIENT_MARK};

/// What an administrator of the tenant does first, on Microsoft's page.
pub(super) fn consent(context: &Context<'_>, application: &Application) -> Vec<String> {
    vec![
        "On this connection's page in Landfall, press \"Approve on Microsoft's page\".".to_owned(),
        format!(
            "Sign in as an administrator of the tenant {} (Privileged Role Administrator or \
             Global Administrator) and accept. The page names the application {}, \
             client id {}; what it asks for is the name of the tenant, to show it.",
            context.azure.tenant_id(),
            application.name,
            application.client_id,
        ),
        "You come back here. Give the application its role next, by one of the ways below."
            .to_owned(),
    ]
}

pub(super) fn steps(context: &Context<'_>) -> Vec<String> {
    let mut steps = vec![
        sign_in(context),
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
        if context.approved(role.identity).is_none() {
            steps.extend(application(context, role));
        }
    }
    for role in context.roles() {
        steps.push(format!(
            "{} → Access control (IAM) → Add → Add custom role → Start from scratch. Name {}; \
             description: {}. Under JSON → Edit, paste into \"actions\": {}{}. Assignable scope: {} \
             alone. Create.",
            place(context),
            role.name,
            role.description,
            list(&role.actions),
            if role.not_actions.is_empty() {
                String::new()
            } else {
                format!(", and into \"notActions\": {}", list(&role.not_actions))
            },
            context.spec.scope,
        ));
    }
    for role in context.roles() {
        steps.push(assignment(context, role));
    }
    steps.push(
        match context.provisioner {
            Provisioner::Secret => {
                "Come back here and enter the client id of the provisioner, the secret's value and \
                 the day on which it expires."
            }
            Provisioner::Keyless => {
                "Come back here and enter the client id of the provisioner; Landfall looks every \
                 few seconds, and Azure may need ten minutes."
            }
            Provisioner::Approved(_) => {
                "Come back here: Landfall looks every few seconds, and Azure may need ten minutes."
            }
        }
        .to_owned(),
    );
    steps
}

fn list(actions: &[String]) -> String {
    serde_json::to_string(actions).unwrap_or_default()
}

fn sign_in(context: &Context<'_>) -> String {
    let azure = context.azure;
    let portal = context.config.portal_url.as_str().trim_end_matches('/');
    let (tenant, subscription) = (azure.tenant_id(), azure.subscription_id());
    match azure.management_group() {
        None => format!(
            "Sign in to {portal} in the tenant {tenant} and open Subscriptions → {subscription}. \
             You need to be Owner there, or User Access Administrator and Contributor.",
        ),
        Some(group) => format!(
            "Sign in to {portal} in the tenant {tenant}, open Management groups and unfold them: \
             the subscription {subscription} must be below the group with the id {group}. If you \
             do not see it there, make nothing: the roles would count in other subscriptions. You \
             need to be Owner of the group, or User Access Administrator, and Contributor in the \
             subscription. Then open Subscriptions → {subscription}.",
        ),
    }
}

fn place(context: &Context<'_>) -> String {
    match context.azure.management_group() {
        Some(group) => format!("Management groups → {group}"),
        None => "The subscription".to_owned(),
    }
}

fn application(context: &Context<'_>, role: &AzureRole) -> Vec<String> {
    let what = match role.identity {
        Identity::Provisioner if !role.not_actions.is_empty() => {
            "does everything but a few things, as was chosen"
        }
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
    if context.by_secret() && role.identity == Identity::Provisioner {
        steps.push(format!(
            "If Landfall shall renew the secret by itself (else leave this out): in it, API \
             permissions → Add a permission → Microsoft Graph → Application permissions → {OWNED}, \
             then Grant admin consent. And make it an owner of itself, which the portal cannot do: \
             az ad app owner add --id <its client id> --owner-object-id <its object id>."
        ));
    }
    steps
}

fn assignment(context: &Context<'_>, role: &AzureRole) -> String {
    let object_id = |identity: Identity| match identity {
        Identity::Provisioner => "<object id of the provisioner>".to_owned(),
        Identity::Reaper => "<object id of the reaper>".to_owned(),
    };
    let name = &role.name;
    let approved = context.approved(role.identity);
    let member = approved.map_or(name, |application| &application.name);
    let client = approved.map_or_else(
        || "<its client id>".to_owned(),
        |application| application.client_id.to_string(),
    );
    let mut text = format!(
        "{} → Access control (IAM) → Add role assignment: the role {name}, the member {member} \
         (User, group, or service principal; it is found only by typing its whole name). \
         Description: {} {CLIENT_MARK}{client}. {}",
        place(context),
        role.assignment,
        match condition(context, role, object_id) {
            Some(condition) => format!(
                "Conditions → Add condition → Code editor, with the object ids of your enterprise \
                 applications: {condition}"
            ),
            None => "Conditions: none; where the portal asks what the member may assign, choose \
                     all roles"
                .to_owned(),
        },
    );
    if approved.is_some() {
        text.push_str(
            ". The description is what proves that this is your connection: without it Landfall \
             refuses, for another customer could have entered your ids. The role Owner is accepted \
             instead, with the same description and without a condition; the checks then say \"two \
             keys: no\"",
        );
    }
    text
}

pub(super) fn revoke(context: &Context<'_>) -> Vec<String> {
    let names: Vec<&str> = context.roles().map(|role| role.name.as_str()).collect();
    let both = names.join(" and ");
    let registered: Vec<&str> = context
        .roles()
        .filter(|role| context.approved(role.identity).is_none())
        .map(|role| role.name.as_str())
        .collect();
    let mut steps = vec![
        "Delete what Landfall made first if you no longer want it: afterwards Landfall can \
         neither change nor delete it. What runs goes on running."
            .to_owned(),
    ];
    if let Provisioner::Approved(application) = context.provisioner {
        steps.push(format!(
            "Microsoft Entra ID → Enterprise applications: delete {} (client id {}). That ends all \
             access at once, that of your other connections to this Landfall server too; to end \
             this one alone, remove its role assignment, below.",
            application.name, application.client_id
        ));
    }
    if !registered.is_empty() {
        steps.push(format!(
            "Microsoft Entra ID → App registrations: delete {}. That ends all access at once, but \
             for tokens that exist, which last up to 90 minutes. Entra keeps a deleted \
             registration for 30 days: delete it under Deleted applications too.",
            registered.join(" and ")
        ));
    }
    steps.extend([
        format!(
            "{} → Access control (IAM) → Role assignments: remove what is left of {both} (\"Identity \
             not found\"); then Roles: delete the custom roles {both}.",
            place(context)
        ),
        "The locks that Landfall put on what holds data stay, and so do resource providers: both \
         cost nothing."
            .to_owned(),
    ]);
    steps.push(
        match context.provisioner {
            Provisioner::Secret => {
                "To stop at once without deleting anything, remove the client secret of the \
                 provisioner: App registrations → Certificates & secrets."
            }
            Provisioner::Keyless => {
                "To stop at once without deleting anything, remove the federated credentials: App \
                 registrations → Certificates & secrets."
            }
            Provisioner::Approved(_) => {
                "To stop at once without deleting anything, switch off \"Enabled for users to sign \
                 in\": Enterprise applications → the application → Properties."
            }
        }
        .to_owned(),
    );
    steps
}
