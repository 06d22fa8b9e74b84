//! The grant as one script for bash with the Azure CLI, as Cloud Shell has it.
//!
//! Everything runs in a function with a body of its own process: pasted into a
//! terminal, a failure ends the script and not the terminal. What comes from
//! outside stands at the end as quoted words, or inside JSON documents; nothing
//! of it is part of a command.

use super::{Context, Provisioner, condition, quote::shell};
use landfall_model::{
    connection::ManagementGroup,
    grant::{AzureRole, Identity, azure::CLIENT_MARK},
};
use serde_json::json;
use std::fmt::Write;

pub(super) fn write(context: &Context<'_>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(FUNCTIONS);
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

const HEAD: &str = r#"#!/usr/bin/env bash
# Lets Landfall into one Azure subscription: registers resource providers, makes
# custom roles, registers applications and gives them the roles. Nothing else is
# changed, and nothing is made that costs money. Running it again brings what it
# made up to date.
#
# You need, on the subscription: Owner, or Contributor and User Access
# Administrator. And you must be allowed to register applications.
#
# Paste it into Cloud Shell (bash), or save and run it:
#   bash connect.sh [SUBJECT [ISSUER [SUBSCRIPTION]]]

"#;

/// Without a value from outside.
const FUNCTIONS: &str = r#"landfall_connect() (
  set -euo pipefail
  subject=$1
  issuer=$2
  subscription=$3
  tenant=$4
  audience=$5
  group=$6
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT

  say() {
    printf '%s\n' "$@"
  }
  stop() { # what is wrong, what to do
    printf '\n%s\n' "Landfall is not connected: $1" >&2
    printf '%s\n' "${2:-}" >&2
    exit 1
  }
  must_match() { # what it is, the value, the form
    if ! [[ $2 =~ $3 ]]; then
      stop "the $1 '$2' has not the form that it must have." 'Copy it again from Landfall.'
    fi
  }
  guid='^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
  must_match 'subscription id' "$subscription" "$guid"
  must_match 'tenant id' "$tenant" "$guid"
  must_match 'subject' "$subject" '^[A-Za-z0-9:._-]*$'
  must_match 'issuer' "$issuer" '^(https://[A-Za-z0-9/:._~-]+)?$'
  must_match 'audience' "$audience" '^api://[A-Za-z0-9._-]+$'
  must_match 'management group' "$group" '^[A-Za-z0-9._()-]*$'
  scope="/subscriptions/$subscription"
  if [ -n "$group" ]; then
    scope="/providers/Microsoft.Management/managementGroups/$group"
  fi

  # What a refusal of Azure's means for whoever runs this.
  explain() { # what az said, what was tried
    case $1 in
      *AuthorizationFailed* | *'does not have authorization'*)
        stop "you may not $2." \
          "You need Owner, or User Access Administrator, on $scope: ask whoever has it, or have them run this."
        ;;
      *'Insufficient privileges'* | *Authorization_RequestDenied*)
        stop "you may not $2 in this tenant." \
          'Your organization lets only some people register applications (Entra ID > Users > User settings). Ask for the role Application Developer, or have somebody who has it run this.'
        ;;
      *RequestDisallowedByPolicy* | *'disallowed by policy'*)
        stop "a policy of your organization does not let you $2." \
          'It is named above. Ask whoever assigned it for an exemption.'
        ;;
      *CredentialTypeNotAllowedAsPerAppPolicy* | *'app management policy'*)
        stop "an application management policy of your organization does not let you $2." \
          'Ask an administrator of Entra ID to allow it for this application.'
        ;;
      *RoleDefinitionLimitExceeded*)
        stop 'the tenant has as many custom roles as it may have.' 'Delete one that nobody uses.'
        ;;
      *ReadOnlyDisabledSubscription*)
        stop 'the subscription is disabled.' 'Its page in the portal says what is due.'
        ;;
      *)
        stop "az could not $2." 'What it said is above. Running this again is harmless.'
        ;;
    esac
  }
  try() { # what is tried, then what to ask of az
    local what=$1
    shift
    if ! az "$@" --only-show-errors 2>"$work/said"; then
      cat "$work/said" >&2
      explain "$(cat "$work/said")" "$what"
    fi
  }

  put_role() { # name; its definition lies in the file of that name
    local known
    sed "s|@SCOPE@|$scope|" "$work/$1.template" >"$work/$1.json"
    known=$(try "look for the role $1" role definition list --custom-role-only true --name "$1" --scope "$scope" --query '[0].name' --output tsv)
    if [ -n "$known" ]; then
      try "change the role $1" role definition update --role-definition "$work/$1.json" --output none
    else
      try "make the role $1" role definition create --role-definition "$work/$1.json" --output none
    fi
    say "role $1"
  }
  assign() { # its name, object id, role, condition, description
    local tries=0
    until az role assignment create --name "$1" --role "$3" --scope "$scope" \
      --assignee-object-id "$2" --assignee-principal-type ServicePrincipal \
      --condition "$4" --condition-version 2.0 --description "$5" \
      --output none --only-show-errors 2>"$work/said"; do
      tries=$((tries + 1))
      case $(cat "$work/said") in
        *PrincipalNotFound* | *'does not exist in the directory'* | *RoleDefinitionDoesNotExist* | *"doesn't exist"*)
          # What is new is not known everywhere at once.
          if [ "$tries" -lt 30 ]; then
            say "waiting until Azure knows it everywhere ($tries)"
            sleep "${LANDFALL_WAIT:-10}"
            continue
          fi
          ;;
      esac
      cat "$work/said" >&2
      explain "$(cat "$work/said")" "assign the role $3"
    done
    say "assigned $3"
  }
"#;

/// Where an application of the operator's is used.
const APPROVED: &str = r#"
  approved() { # client id; sets client and object
    client=$1
    object=$(try "look for the application $client" ad sp list --filter "appId eq '$client'" --query '[0].id' --output tsv)
    if [ -z "$object" ]; then
      stop "the application $client was not approved in the tenant $tenant yet." \
        "An administrator does that first: \"Approve on Microsoft's page\", on the connection's page in Landfall."
    fi
    say "application $client"
  }
"#;

/// Where applications are registered.
const REGISTER: &str = r#"
  # A name is free to whoever may register applications: somebody else's must
  # not be given a role.
  must_be_ours() { # client id, name, whether it may have secrets
    local owners owner me itself secrets
    if [ "${LANDFALL_REUSE:-no}" = yes ]; then
      return
    fi
    me=$(az ad signed-in-user show --query id --output tsv --only-show-errors 2>/dev/null || true)
    owners=$(try "look who owns the application $2" ad app owner list --id "$1" --query '[].id' --output tsv)
    # It owns itself where it renews its own secret.
    itself=$(try "look for the service principal of $2" ad sp list --filter "appId eq '$1'" --query '[0].id' --output tsv)
    for owner in $owners; do
      if [ "$owner" != "$me" ] && [ "$owner" != "$itself" ]; then
        stop "the application $2 ($1) is there already and belongs to $owner, not to you." \
          'If a colleague ran this before: set LANDFALL_REUSE=yes and run it again. Else delete that application.'
      fi
    done
    if [ "$3" = secrets ]; then
      return
    fi
    secrets=$(try "look at the application $2" ad app show --id "$1" --query 'length(passwordCredentials)' --output tsv)
    if [ "$secrets" != 0 ]; then
      stop "the application $2 ($1) is there already and has a client secret, which this script did not make." \
        'If it is the one that you are moving away from: set LANDFALL_REUSE=yes and run this again; Landfall says when to delete it. Else remove the secret first.'
    fi
  }
  put_application() { # name, whether it may have secrets; sets client and object
    client=$(try "look for the application $1" ad app list --filter "displayName eq '$1'" --query '[].appId' --output tsv)
    case $client in
      '')
        client=$(try "register the application $1" ad app create --display-name "$1" --sign-in-audience AzureADMyOrg --query appId --output tsv)
        ;;
      *[[:space:]]*)
        stop "several applications are named $1." 'Delete those that are not yours, and run this again.'
        ;;
      *)
        must_be_ours "$client" "$1" "$2"
        ;;
    esac
    object=$(try "look for the service principal of $1" ad sp list --filter "appId eq '$client'" --query '[0].id' --output tsv)
    if [ -z "$object" ]; then
      object=$(try "make the service principal of $1" ad sp create --id "$client" --query id --output tsv)
    fi
    say "application $1: $client"
  }
"#;

/// Only where something is federated.
const TRUST: &str = r#"
  trust() { # client id: it lets in whom the issuer calls by this subject
    local exact known
    exact=$(try 'look at the federated credentials' ad app federated-credential list --id "$1" \
      --query "[?issuer=='$issuer' && subject=='$subject' && audiences[0]=='$audience'].name" --output tsv)
    if [ -n "$exact" ]; then
      return
    fi
    printf '{"name": "landfall", "issuer": "%s", "subject": "%s", "audiences": ["%s"]}\n' \
      "$issuer" "$subject" "$audience" >"$work/credential.json"
    known=$(try 'look at the federated credentials' ad app federated-credential list --id "$1" \
      --query "[?name=='landfall'].name" --output tsv)
    if [ -n "$known" ]; then
      try 'change the federated credential' ad app federated-credential update --id "$1" \
        --federated-credential-id landfall --parameters "@$work/credential.json" --output none
    else
      try 'add a federated credential' ad app federated-credential create --id "$1" \
        --parameters "@$work/credential.json" --output none
    fi
  }
"#;

/// Only where there is a secret.
const ROTATION: &str = r#"
  # Lets the application renew its own secret before it expires, which takes a
  # permission of Microsoft Graph. With it the application could also register
  # new ones, which would have no rights anywhere. LANDFALL_ROTATION=no leaves it
  # out: then a person renews the secret once a year.
  may_rotate() { # object id, client id, Graph's address
    local held graph roles="$3/v1.0/servicePrincipals/$1/appRoleAssignments"
    if [ "${LANDFALL_ROTATION:-yes}" != yes ]; then
      return
    fi
    held=$(try 'look who owns the application' ad app owner list --id "$2" --query "[?id=='$1'].id" --output tsv)
    if [ -z "$held" ]; then
      try 'make the application an owner of itself' ad app owner add --id "$2" --owner-object-id "$1" --output none
    fi
    held=$(try 'look at the permissions of the application' rest --method get --url "$roles" \
      --query "value[?appRoleId=='18a4783c-866b-4cc7-a460-3d5e5662c884'].id" --output tsv)
    if [ -n "$held" ]; then
      return
    fi
    graph=$(try 'look for Microsoft Graph' ad sp list --filter "appId eq '00000003-0000-0000-c000-000000000000'" --query '[0].id' --output tsv)
    if az rest --method post --url "$roles" --output none --only-show-errors 2>"$work/said" \
      --body "{\"principalId\": \"$1\", \"resourceId\": \"$graph\", \"appRoleId\": \"18a4783c-866b-4cc7-a460-3d5e5662c884\"}"; then
      say 'permission Application.ReadWrite.OwnedBy, to renew its own secret'
    else
      cat "$work/said" >&2
      say '' 'You may not approve permissions of Microsoft Graph, so Landfall cannot renew the secret by itself.' \
        'Everything else works. A Privileged Role Administrator who runs this again changes that.'
    fi
  }
"#;

const BEGIN: &str = r#"
  if ! found=$(az account show --subscription "$subscription" --query tenantId --output tsv --only-show-errors 2>"$work/said"); then
    cat "$work/said" >&2
    stop "the subscription $subscription is not visible to you." "Sign in with: az login --tenant $tenant"
  fi
  if [ "$found" != "$tenant" ]; then
    stop "the subscription $subscription belongs to the tenant $found, not to $tenant." \
      'Correct the tenant id in Landfall, or sign in to the other tenant.'
  fi
  az account set --subscription "$subscription"
"#;

fn providers(context: &Context<'_>) -> String {
    let names: Vec<String> = context
        .spec
        .providers
        .iter()
        .map(|provider| shell(&provider.namespace))
        .collect();
    format!(
        "  for namespace in {}; do
    try \"register the resource provider $namespace\" provider register --namespace \"$namespace\" --output none
    say \"provider $namespace\"
  done
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
        "NotActions": [],
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
    let mut text = format!("  condition={}\n", shell(&condition(context, role, marker)));
    for other in context.roles() {
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
