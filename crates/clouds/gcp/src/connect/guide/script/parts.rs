//! The parts of the scripts that stay the same.

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

/// `doing` says which of the three the script was at. No value below but
/// numbers, which the shell puts in.
const DENIED_ABOVE: &str = r#"      case $doing in
        roles)
          cat >&2 <<LANDFALL

You may not make custom roles in organizations/$organization. It takes Organization Role
Administrator (roles/iam.organizationRoleAdmin) on the organization, which owners of a project do
not have. An organization administrator grants it to you, with the organization selected at the
top: IAM & Admin > IAM > Grant access. Then run this script again.
LANDFALL
          ;;
        bindings)
          cat >&2 <<LANDFALL

@BINDER@
A project's owner does not have it. An organization administrator grants it to you: IAM & Admin >
IAM > Grant access. Then run this script again.
LANDFALL
          ;;
        *)
          cat >&2 <<'LANDFALL'

You may not do this in the project, or are signed in with another Google account than you think
(gcloud auth list shows which). In the project, the script needs its owner, or somebody with
Service Usage Admin, Service Account Admin and IAM Workload Identity Pool Admin.
LANDFALL
          ;;
      esac
"#;

const BINDER_FOLDER: &str = r"You may not change who has which role in folders/$folder. It takes Folder IAM Admin
(roles/resourcemanager.folderIamAdmin) on the folder, or Organization Administrator.";

const BINDER_ORGANIZATION: &str = r"You may not change who has which role in organizations/$organization. It takes Organization
Administrator (roles/resourcemanager.organizationAdmin) on the organization.";

/// What every script can do; `sharing` explains whom that policy refused.
pub(super) fn helpers(text: &mut String, sharing: &str, parent: Option<&Parent>) {
    let denied = match parent {
        None => DENIED.to_owned(),
        Some(parent) if parent.is_folder() => DENIED_ABOVE.replace("@BINDER@", BINDER_FOLDER),
        Some(_) => DENIED_ABOVE.replace("@BINDER@", BINDER_ORGANIZATION),
    };
    let helpers = HELPERS.replace("@DENIED@", &denied);
    text.push_str(&helpers.replace("@SHARING@", sharing));
}

/// Before anything is made: a grant on what is not above the project would be
/// of no use, and would be one on something that nobody meant.
pub(super) const BELOW_FOLDER: &str = r#"
must gcloud projects get-ancestors "$project" --format='csv[no-heading](type,id)'
if ! printf '%s
' "$said" | grep -qxF "folder,$folder" ||
  ! printf '%s
' "$said" | grep -qxF "organization,$organization"; then
  cat >&2 <<LANDFALL
$project is not below folders/$folder of organizations/$organization. Above it are:
$said

Nothing was made. Connect anew with a project below that folder, or with a folder above the project.
LANDFALL
  exit 1
fi
"#;

pub(super) const BELOW_ORGANIZATION: &str = r#"
must gcloud projects get-ancestors "$project" --format='csv[no-heading](type,id)'
if ! printf '%s
' "$said" | grep -qxF "organization,$organization"; then
  cat >&2 <<LANDFALL
$project is not in organizations/$organization. Above it are:
$said

Nothing was made. Connect anew with a project of that organization, or with the project's own.
LANDFALL
  exit 1
fi
"#;

/// The parts in which roles are made and bound.
pub(super) fn at(parent: Option<&Parent>, part: &str) -> String {
    let (at, roles, bind) = match parent {
        None => (
            ["", ""],
            r#"--project="$project""#,
            r#"projects add-iam-policy-binding "$project""#,
        ),
        Some(parent) => (
            [
                "  doing=roles
",
                "  doing=bindings
",
            ],
            r#"--organization="$organization""#,
            if parent.is_folder() {
                r#"resource-manager folders add-iam-policy-binding "$folder""#
            } else {
                r#"organizations add-iam-policy-binding "$organization""#
            },
        ),
    };
    let [making, binding] = at;
    part.replace("@MAKING@", making)
        .replace("@BINDING@", binding)
        .replace("@ROLES@", roles)
        .replace("@BIND@", bind)
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

/// Where the roles may be out of Landfall's sight, their accounts say of which
/// version the setup was.
pub(super) const WRITTEN: &str = r#"
doing=project
written() { # address, what it does
  must gcloud iam service-accounts update "$1" --project="$project" --description="$2"
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
