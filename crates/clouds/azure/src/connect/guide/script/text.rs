//! What the script says in the same words for everybody: nothing of it comes
//! from outside.

pub(super) const SHEBANG: &str = "#!/usr/bin/env bash\n";

pub(super) const OF_SUBSCRIPTION: &str = "\
# Lets Landfall into one Azure subscription: registers resource providers, makes
# custom roles, registers applications and gives them the roles. Nothing else is
# changed, and nothing is made that costs money. Running it again brings what it
# made up to date.
#
# You need, on the subscription: Owner, or Contributor and User Access
# Administrator. And you must be allowed to register applications.
";

/// Microsoft Learn, "Azure custom roles", limits: a custom role can have one
/// management group among its assignable scopes, and none with data actions can
/// be assigned at one. Ours are made at the one group and have none.
pub(super) const OF_GROUP: &str = "\
# Lets Landfall into an Azure management group and all subscriptions below it:
# makes custom roles at the group, registers applications and gives them the
# roles there, and registers resource providers in one subscription. Nothing else
# is changed, and nothing is made that costs money. Running it again brings what
# it made up to date.
#
# You need, on the management group: Owner, or User Access Administrator; on the
# subscription, which must be below the group: Contributor. And you must be
# allowed to register applications.
";

pub(super) const USAGE: &str = r#"#
# Paste it into Cloud Shell (bash), or save and run it:
#   bash connect.sh [SUBJECT [ISSUER [SUBSCRIPTION]]]

"#;

/// Without a value from outside.
pub(super) const FUNCTIONS: &str = r#"landfall_connect() (
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

  # What a refusal of Azure's means for whoever runs this. Not every step needs
  # the same.
  needed="Owner, or User Access Administrator, on $scope"
  explain() { # what az said, what was tried
    case $1 in
      *AuthorizationFailed* | *'does not have authorization'*)
        stop "you may not $2." \
          "You need $needed: ask whoever has it, or have them run this."
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
"#;

/// Where every assignment has a condition.
pub(super) const CONDITIONED: &str = r#"  assign() { # its name, object id, role, condition, description
    local tries=0
    until az role assignment create --name "$1" --role "$3" --scope "$scope" \
      --assignee-object-id "$2" --assignee-principal-type ServicePrincipal \
      --condition "$4" --condition-version 2.0 --description "$5" \
"#;

/// Where one may have none.
pub(super) const MAYBE_CONDITIONED: &str = r#"  assign() { # its name, object id, role, condition (may be empty), description
    local tries=0 limit=()
    if [ -n "$4" ]; then
      limit=(--condition "$4" --condition-version 2.0)
    fi
    until az role assignment create --name "$1" --role "$3" --scope "$scope" \
      --assignee-object-id "$2" --assignee-principal-type ServicePrincipal \
      ${limit[@]+"${limit[@]}"} --description "$5" \
"#;

pub(super) const UNTIL_ASSIGNED: &str = r#"      --output none --only-show-errors 2>"$work/said"; do
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
pub(super) const APPROVED: &str = r#"
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
pub(super) const REGISTER: &str = r#"
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
pub(super) const TRUST: &str = r#"
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
pub(super) const ROTATION: &str = r#"
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

pub(super) const BEGIN: &str = r#"
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

/// Where the grant is at a management group. By the API's own address, because
/// the command of az for it registers a resource provider first.
pub(super) const BELOW: &str = r#"
  # A mistyped group would let Landfall into somebody else's subscriptions.
  try "look at the management group $group" rest --method get --headers Cache-Control=no-cache \
    --url "/providers/Microsoft.Management/managementGroups/$group?api-version=2020-05-01&\$expand=children&\$recurse=true" \
    --output json >"$work/below.json"
  if ! grep -qiF "\"/subscriptions/$subscription\"" "$work/below.json"; then
    stop "the subscription $subscription is not below the management group $group. Nothing was made." \
      'The page of the subscription in the portal names the group that it is in: connect with that one, or with one above it. If it was moved just now, run this again in some minutes.'
  fi
"#;
