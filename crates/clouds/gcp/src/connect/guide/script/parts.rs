//! The parts of the scripts that stay the same.

use super::above;
use landfall_model::connection::Parent;

/// Everything runs in a subshell: pasted into a terminal, a failure then ends
/// the script and not the terminal.
pub(super) const HEAD: &str = "# shellcheck shell=sh
# The grant for Landfall. Running it again repairs what is there.
(
set -eu
export CLOUDSDK_CORE_DISABLE_PROMPTS=1
";

/// The second is the first of the troubles that customers really have.
const HELPERS: &str = r#"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What gcloud said, and what it means where that is known.
explain() {
  echo "$1" >&2
  case $1 in
    *'permitted customer'* | *'allowedPolicyMemberDomains'* | *'allowedPolicyMembers'*)
      cat >&2 <<'LANDFALL'

@SHARING@
If they cannot open or edit the policy, they lack that role: an organization administrator grants
it at IAM & Admin > their principal > pencil > add role > Organization Policy Administrator > save.
LANDFALL
      ;;
    *'KeyCreation'* | *'Key creation is not allowed'*)
      cat >&2 <<'LANDFALL'

An organization policy (iam.disableServiceAccountKeyCreation) forbids keys of service accounts.
Organizations made since May 2024 have it from the start. Connect by workload identity instead:
it needs no key, and this policy does not concern it.
LANDFALL
      ;;
    *'workloadIdentityPoolProviders'* | *'Org Policy violated'* | *'issuer is not allowed'*)
      cat >&2 <<'LANDFALL'

An organization policy (iam.workloadIdentityPoolProviders) limits the issuers that a pool may
trust. Somebody with the role Organization Policy Administrator adds the issuer that this script
names at its top.
LANDFALL
      ;;
    *'in a deleted state'* | *'has been deleted'*)
      cat >&2 <<'LANDFALL'

A custom role of this name was deleted more than a week ago. Google keeps its name for 37 days in
all. Wait until then, or disconnect in Landfall and connect anew: a new connection has new names.
LANDFALL
      ;;
    *[Bb]'illing'*)
      cat >&2 <<'LANDFALL'

The project has no billing account. Attach one in the console (Billing > Link a billing account),
then run this script again.
LANDFALL
      ;;
    *'PERMISSION_DENIED'* | *'denied'* | *'does not have permission'* | *'not have the permission'*)
@DENIED@      ;;
  esac
}

# Runs a command; ends with an explanation if it fails.
must() {
  if ! said=$("$@" 2>&1); then
    explain "$said"
    exit 1
  fi
}

# The same for what may come too early: what was made a moment ago is not known everywhere at once.
settled() {
  tries=0
  until said=$("$@" 2>&1); do
    tries=$((tries + 1))
    case $said in
      *'does not exist'* | *'NOT_FOUND'* | *'not found'* | *'concurrent'* | *'ABORTED'*) ;;
      *) tries=12 ;;
    esac
    if [ "$tries" -ge 12 ]; then
      explain "$said"
      exit 1
    fi
    sleep 5
  done
}

must gcloud projects describe "$project" --format='value(projectNumber)'
"#;

pub(super) const SHARING_OWN: &str = r#"The organization policy "Domain restricted sharing" refused a member. All members of this grant
are in your own project, so its allowed customers do not contain your own organization, or you
are signed in with another organization's account. Somebody with the role Organization Policy
Administrator adds the customer id of your organization to iam.allowedPolicyMemberDomains."#;

pub(super) const SHARING_OURS: &str = r#"The organization policy "Domain restricted sharing" refused a member: the service account of this
Landfall server, which is in another organization. Connect by workload identity instead: it binds
nobody from outside. Or somebody with the role Organization Policy Administrator allows, in this
project, the customer id of that server's organization in iam.allowedPolicyMemberDomains; ask the
server's operator for it."#;

const DENIED: &str = r#"      cat >&2 <<'LANDFALL'

You may not do this in the project, or are signed in with another Google account than you think
(gcloud auth list shows which). The script needs an owner of the project, or somebody with Service
Usage Admin, Service Account Admin, Role Administrator, IAM Workload Identity Pool Admin and
Project IAM Admin.
LANDFALL
"#;

/// What every script can do; `sharing` explains whom that policy refused.
pub(super) fn helpers(text: &mut String, sharing: &str, parent: Option<&Parent>) {
    let denied = parent.map_or_else(|| DENIED.to_owned(), above::denied);
    let helpers = HELPERS.replace("@DENIED@", &denied);
    text.push_str(&helpers.replace("@SHARING@", sharing));
}

pub(super) const ACCOUNT: &str = r#"
account() { # id, address, name, what it does
  if ! gcloud iam service-accounts describe "$2" --project="$project" >/dev/null 2>&1; then
    must gcloud iam service-accounts create "$1" --project="$project" \
      --display-name="$3" --description="$4"
  fi
  settled gcloud iam service-accounts enable "$2" --project="$project"
  echo "service account $2"
}
"#;

pub(super) const ROLE: &str = r#"
custom_role() { # id, file
@MAKING@  state=$(gcloud iam roles describe "$1" @ROLES@ \
    --format='csv[no-heading](name,deleted)' 2>/dev/null || true)
  case $state in
    '')
      must gcloud iam roles create "$1" @ROLES@ --file="$2"
      ;;
    *,True)
      must gcloud iam roles undelete "$1" @ROLES@
      settled gcloud iam roles update "$1" @ROLES@ --file="$2"
      ;;
    *)
      must gcloud iam roles update "$1" @ROLES@ --file="$2"
      ;;
  esac
  echo "custom role $1"
}
"#;

pub(super) const BIND: &str = r#"
bind() { # address, role
@BINDING@  settled gcloud @BIND@ \
    --member="serviceAccount:$1" --role="$2" --condition=None
  echo "bound $2"
}
"#;

pub(super) const BIND_IF: &str = r#"
bind_if() { # address, role, file with the condition
@BINDING@  settled gcloud @BIND@ \
    --member="serviceAccount:$1" --role="$2" --condition-from-file="$3"
  echo "bound $2, under a condition"
}
"#;

pub(super) const POOL: &str = r#"
state=$(gcloud iam workload-identity-pools describe "$pool" --project="$project" \
  --location=global --format='value(state)' 2>/dev/null || true)
case $state in
  '')
    must gcloud iam workload-identity-pools create "$pool" --project="$project" \
      --location=global --display-name=Landfall \
      --description='Lets one connection of a Landfall server in'
    ;;
  DELETED) # Its id stays taken for 30 days.
    must gcloud iam workload-identity-pools undelete "$pool" --project="$project" --location=global
    ;;
esac
settled gcloud iam workload-identity-pools update "$pool" --project="$project" \
  --location=global --no-disabled
echo "workload identity pool $pool"

state=$(gcloud iam workload-identity-pools providers describe "$provider" --project="$project" \
  --location=global --workload-identity-pool="$pool" --format='value(state)' 2>/dev/null || true)
verb=update-oidc
case $state in
  '')
    verb=create-oidc
    ;;
  DELETED)
    must gcloud iam workload-identity-pools providers undelete "$provider" --project="$project" \
      --location=global --workload-identity-pool="$pool"
    ;;
esac
# The condition keeps out every other connection of the same server.
settled gcloud iam workload-identity-pools providers "$verb" "$provider" --project="$project" \
  --location=global --workload-identity-pool="$pool" --no-disabled \
  --issuer-uri="$issuer" --allowed-audiences= \
  --attribute-mapping=google.subject=assertion.sub --attribute-condition="$condition""#;

pub(super) const TRUST: &str = r#"
trust() { # address
  settled gcloud iam service-accounts add-iam-policy-binding "$1" --project="$project" \
    --role="$trust_role" --condition=None \
    --member="principal://iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/$pool/subject/$subject"
  echo "Landfall may act as $1"
}
"#;

pub(super) const TRUST_ACCOUNT: &str = r#"
trust() { # address
  settled gcloud iam service-accounts add-iam-policy-binding "$1" --project="$project" \
    --role="$trust_role" --condition=None --member="serviceAccount:$trusted"
  echo "Landfall may act as $1"
}
"#;
