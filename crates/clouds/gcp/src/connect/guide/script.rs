//! The setup as a script for Cloud Shell: POSIX sh with gcloud. Values are set
//! once at its top, quoted; everything below only names them.

use super::{Context, quote::shell};
use landfall_model::grant::{GcpAccount, GcpBinding, GcpRole, GcpTrust};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

/// Everything runs in a subshell: pasted into a terminal, a failure then ends
/// the script and not the terminal.
const HEAD: &str = "# shellcheck shell=sh
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

The organization policy "Domain restricted sharing" refused a member. All members of this grant
are in your own project, so its allowed customers do not contain your own organization, or you
are signed in with another organization's account. Somebody with the role Organization Policy
Administrator adds the customer id of your organization to iam.allowedPolicyMemberDomains.
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
      cat >&2 <<'LANDFALL'

You may not do this in the project, or are signed in with another Google account than you think
(gcloud auth list shows which). The script needs an owner of the project, or somebody with Service
Usage Admin, Service Account Admin, Role Administrator, IAM Workload Identity Pool Admin and
Project IAM Admin.
LANDFALL
      ;;
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

const ACCOUNT: &str = r#"
account() { # id, address, name, what it does
  if ! gcloud iam service-accounts describe "$2" --project="$project" >/dev/null 2>&1; then
    must gcloud iam service-accounts create "$1" --project="$project" \
      --display-name="$3" --description="$4"
  fi
  settled gcloud iam service-accounts enable "$2" --project="$project"
  echo "service account $2"
}
"#;

const ROLE: &str = r#"
custom_role() { # id, file
  state=$(gcloud iam roles describe "$1" --project="$project" \
    --format='csv[no-heading](name,deleted)' 2>/dev/null || true)
  case $state in
    '')
      must gcloud iam roles create "$1" --project="$project" --file="$2"
      ;;
    *,True)
      must gcloud iam roles undelete "$1" --project="$project"
      settled gcloud iam roles update "$1" --project="$project" --file="$2"
      ;;
    *)
      must gcloud iam roles update "$1" --project="$project" --file="$2"
      ;;
  esac
  echo "custom role $1"
}
"#;

const BIND: &str = r#"
bind() { # address, role
  settled gcloud projects add-iam-policy-binding "$project" \
    --member="serviceAccount:$1" --role="$2" --condition=None
  echo "bound $2"
}
"#;

const BIND_IF: &str = r#"
bind_if() { # address, role, file with the condition
  settled gcloud projects add-iam-policy-binding "$project" \
    --member="serviceAccount:$1" --role="$2" --condition-from-file="$3"
  echo "bound $2, under a condition"
}
"#;

const POOL: &str = r#"
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

const TRUST: &str = r#"
trust() { # address
  settled gcloud iam service-accounts add-iam-policy-binding "$1" --project="$project" \
    --role="$trust_role" --condition=None \
    --member="principal://iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/$pool/subject/$subject"
  echo "Landfall may act as $1"
}
"#;

pub(super) fn for_a_pool(context: &Context<'_>) -> String {
    let GcpTrust::Federation {
        pool_id,
        provider_id,
        issuer_url,
        subject,
        condition,
        role,
    } = &context.grant.trust
    else {
        return String::new();
    };
    let mut text = HEAD.to_owned();
    variables(
        &mut text,
        &[
            ("project", context.grant.project_id.as_str()),
            ("pool", pool_id),
            ("provider", provider_id),
            ("issuer", issuer_url),
            ("subject", subject),
            ("condition", condition),
            ("trust_role", role),
        ],
    );
    text.push_str(HELPERS);
    line(&mut text, "number=$said");
    enable(&mut text, &context.grant.bootstrap_apis);
    text.push_str(POOL);
    if let Some(keys) = context.uploads {
        // The continuation of the command above.
        text.push_str(" \\\n  --jwk-json-path=\"$work/keys.json\"\n");
        // Google cannot fetch them, so they are here; public keys, no secrets.
        let at = text.find("\nstate=").unwrap_or(text.len());
        text.insert_str(at, &format!("\n{}", heredoc("keys.json", keys)));
    } else {
        text.push('\n');
    }
    text.push_str("echo \"provider $provider\"\n");
    for maker in [ACCOUNT, ROLE, BIND, BIND_IF] {
        text.push_str(maker);
    }
    text.push('\n');
    for account in context.accounts() {
        make_account(&mut text, account);
    }
    text.push('\n');
    for role in &context.grant.roles {
        make_role(&mut text, role);
    }
    text.push('\n');
    for binding in &context.grant.bindings {
        bind(&mut text, context, binding);
    }
    text.push_str(TRUST);
    for account in context.accounts() {
        line(&mut text, &format!("trust {}", shell(&account.email)));
    }
    text.push_str(
        r#"
echo
echo "Done. Enter this project number in Landfall: $number"
)
"#,
    );
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn variables(text: &mut String, all: &[(&str, &str)]) {
    for (name, value) in all {
        line(text, &format!("{name}={}", shell(value)));
    }
}

fn enable(text: &mut String, apis: &[String]) {
    let apis: Vec<String> = apis.iter().map(|api| shell(api)).collect();
    write!(
        text,
        "\nmust gcloud services enable --project=\"$project\" \\\n  {}\necho 'APIs enabled'\n",
        apis.join(" \\\n  ")
    )
    .expect("writing to a String");
}

/// A file with a JSON document, which gcloud reads as YAML. The quoted delimiter
/// keeps the shell away from it, and no line of pretty JSON can be the
/// delimiter: line breaks inside of texts are escaped.
fn heredoc(file: &str, document: &Value) -> String {
    format!(
        "cat > \"$work/{file}\" <<'LANDFALL'\n{:#}\nLANDFALL\n",
        sorted(document)
    )
}

/// With its keys in order: whether `serde_json` sorts by itself depends on
/// features that other crates switch on, and people compare these texts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().collect();
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}

fn make_account(text: &mut String, account: &GcpAccount) {
    line(
        text,
        &format!(
            "account {} {} \\\n  {} {}",
            shell(&account.id),
            shell(&account.email),
            shell(&account.display_name),
            shell(&account.description)
        ),
    );
}

fn make_role(text: &mut String, role: &GcpRole) {
    let file = format!("{}.json", role.identity.as_str());
    text.push_str(&heredoc(
        &file,
        &json!({
            "title": role.title,
            "description": role.description,
            "stage": "GA",
            "includedPermissions": role.permissions,
        }),
    ));
    line(
        text,
        &format!("custom_role {} \"$work/{file}\"", shell(&role.id)),
    );
}

fn bind(text: &mut String, context: &Context<'_>, binding: &GcpBinding) {
    let Some(account) = context.grant.account(binding.identity) else {
        return;
    };
    if binding.by_bootstrap {
        // Landfall binds it by itself: that is what the bootstrap is for.
        return;
    }
    let (email, role) = (shell(&account.email), shell(&binding.role));
    match &binding.condition {
        None => line(text, &format!("bind {email} {role}")),
        Some(condition) => {
            let file = format!("{}-condition.json", binding.identity.as_str());
            text.push_str(&heredoc(
                &file,
                &json!({
                    "title": condition.title,
                    "description": condition.description,
                    "expression": condition.expression,
                }),
            ));
            line(text, &format!("bind_if {email} {role} \"$work/{file}\""));
        }
    }
}
