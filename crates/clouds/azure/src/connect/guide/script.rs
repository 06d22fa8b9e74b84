//! The grant as one script for bash with the Azure CLI, as Cloud Shell has it.
//!
//! Everything runs in a function with a body of its own process: pasted into a
//! terminal, a failure ends the script and not the terminal. What comes from
//! outside stands at the end as quoted words, or inside JSON documents; nothing
//! of it is part of a command.

mod text;

use super::{Context, Provisioner, condition};
use landfall_model::{
    connection::ManagementGroup,
    grant::{AzureRole, Identity, azure::CLIENT_MARK},
    quote::shell,
};
use serde_json::json;
use std::fmt::Write;
use text::{
    APPROVED, BEGIN, BELOW, CONDITIONED, FUNCTIONS, MAYBE_CONDITIONED, OF_GROUP, OF_SUBSCRIPTION,
    REGISTER, ROTATION, SHEBANG, TRUST, UNTIL_ASSIGNED, USAGE,
};

pub(super) fn write(context: &Context<'_>) -> String {
    let about = match context.azure.management_group() {
        None => OF_SUBSCRIPTION,
        Some(_) => OF_GROUP,
    };
    let mut text = [SHEBANG, about, USAGE, FUNCTIONS].concat();
    text.push_str(&assign(context));
    // What is not called is not written: the script is there to be read.
    let registers = |role: &AzureRole| context.approved(role.identity).is_none();
    if context.roles().any(|role| !registers(role)) {
        text.push_str(APPROVED);
    }
    if context.roles().any(registers) {
        text.push_str(REGISTER);
    }
    if context.roles().any(|role| context.federated(role.identity)) {
        text.push_str(TRUST);
    }
    if context.by_secret() {
        text.push_str(ROTATION);
    }
    text.push_str(BEGIN);
    if context.azure.management_group().is_some() {
        text.push_str(BELOW);
    }
    push(&mut text, &providers(context));
    for role in context.roles() {
        push(&mut text, &definition(role));
    }
    for role in context.roles() {
        push(&mut text, &application(context, role));
    }
    for role in context.roles() {
        push(&mut text, &assignment(context, role));
    }
    push(&mut text, &end(context));
    text.push_str(&call(context));
    text
}

fn push(text: &mut String, part: &str) {
    text.push('\n');
    text.push_str(part);
}

fn assign(context: &Context<'_>) -> String {
    let begin = if context.roles().all(|role| role.condition.is_some()) {
        CONDITIONED
    } else {
        MAYBE_CONDITIONED
    };
    [begin, UNTIL_ASSIGNED].concat()
}

fn providers(context: &Context<'_>) -> String {
    let names: Vec<String> = context
        .spec
        .providers
        .iter()
        .map(|provider| shell(&provider.namespace))
        .collect();
    format!(
        "  usual=$needed
  needed=\"Contributor on /subscriptions/$subscription\"
  for namespace in {}; do
    try \"register the resource provider $namespace\" provider register --namespace \"$namespace\" --output none
    say \"provider $namespace\"
  done
  needed=$usual
",
        names.join(" ")
    )
}

fn variable(identity: Identity) -> &'static str {
    identity.as_str()
}

fn definition(role: &AzureRole) -> String {
    // As `az role definition` reads it.
    let document = json!({
        "Name": role.name,
        "IsCustom": true,
        "Description": role.description,
        "Actions": role.actions,
        "NotActions": role.not_actions,
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": ["@SCOPE@"],
    });
    let name = shell(&role.name);
    format!(
        "  # The {}
  cat >\"$work/\"{name}.template <<'LANDFALL'
{document:#}
LANDFALL
  put_role {name}
",
        role.identity.as_str()
    )
}

fn application(context: &Context<'_>, role: &AzureRole) -> String {
    let who = variable(role.identity);
    let federated = context.federated(role.identity);
    let secrets = if federated { "keyless" } else { "secrets" };
    let found = match context.approved(role.identity) {
        Some(application) => format!("approved {}", shell(application.client_id.as_str())),
        None => format!("put_application {} {secrets}", shell(&role.name)),
    };
    let mut text = format!(
        "  {found}
  {who}=$object
  {who}_client=$client
"
    );
    if federated {
        text.push_str("  trust \"$client\"\n");
    }
    text
}

fn assignment(context: &Context<'_>, role: &AzureRole) -> String {
    let who = variable(role.identity);
    let marker = |identity: Identity| format!("@{}@", identity.as_str().to_uppercase());
    let limit = condition(context, role, marker);
    let mut text = format!(
        "  condition={}\n",
        shell(limit.as_deref().unwrap_or_default())
    );
    for other in context.roles().filter(|_| limit.is_some()) {
        let (from, to) = (marker(other.identity), variable(other.identity));
        writeln!(text, "  condition=${{condition//{from}/${to}}}").expect("writing to a String");
    }
    // So that running it again finds and updates it: named like its holder, or,
    // where a holder has several, like the connection.
    let name = match context.approved(role.identity) {
        Some(_) => shell(&context.assignment_id()),
        None => format!("\"${who}\""),
    };
    writeln!(
        text,
        "  assign {name} \"${who}\" {} \"$condition\" {}\" {CLIENT_MARK}${who}_client\"",
        shell(&role.name),
        shell(&role.assignment),
    )
    .expect("writing to a String");
    text
}

fn end(context: &Context<'_>) -> String {
    let (prepare, say) = match context.provisioner {
        Provisioner::Approved(_) => (
            String::new(),
            "  say '' 'Done. Landfall sees it by itself, within some minutes; nothing is to be entered.'
",
        ),
        Provisioner::Keyless => (
            String::new(),
            "  say '' 'Done. Enter this in Landfall:' \\
    \"  Subscription id: $subscription\" \\
    \"  Tenant id:       $tenant\" \\
    \"  Client id:       $provisioner_client\"
",
        ),
        Provisioner::Secret => (
            format!(
                "  may_rotate \"$provisioner\" \"$provisioner_client\" {}
  secret=$(try 'make a client secret' ad app credential reset --id \"$provisioner_client\" --append --display-name landfall --years 1 --query password --output tsv)
  expires=$(try 'look when the secret expires' ad app credential list --id \"$provisioner_client\" --query 'max([].endDateTime)' --output tsv)
",
                shell(context.config.graph.as_str().trim_end_matches('/')),
            ),
            "  say '' 'Done. Enter this in Landfall:' \\
    \"  Subscription id: $subscription\" \\
    \"  Tenant id:       $tenant\" \\
    \"  Client id:       $provisioner_client\" \\
    \"  Client secret:   $secret\" \\
    \"  Expires:         $expires\" '' \\
    'The secret is not shown again.'
",
        ),
    };
    format!("{prepare}{say})\n")
}

/// The values, each as one word.
fn call(context: &Context<'_>) -> String {
    let azure = context.azure;
    format!(
        "
subject={}
issuer={}
subscription={}
landfall_connect \"${{1:-$subject}}\" \"${{2:-$issuer}}\" \"${{3:-$subscription}}\" {} {} {}
",
        shell(&azure.subject()),
        shell(context.issuer.unwrap_or_default()),
        shell(azure.subscription_id().as_str()),
        shell(azure.tenant_id().as_str()),
        shell(&context.config.token_exchange_audience),
        shell(azure.management_group().map_or("", ManagementGroup::as_str)),
    )
}
