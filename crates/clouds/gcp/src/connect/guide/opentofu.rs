//! The setup as a module for OpenTofu, and for Terraform.

use super::{Context, script::Key};
use landfall_model::{
    grant::{GcpAccount, GcpBinding, GcpPlace, GcpRole, GcpTrust},
    quote::hcl,
};
use std::fmt::Write;

const HEAD: &str = r#"# The grant for Landfall. State of its own: nothing here depends on your other resources.
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0"
    }
  }
}

"#;

pub(super) fn module(context: &Context<'_>) -> String {
    let mut text = HEAD.to_owned();
    let federated = matches!(context.grant.trust, GcpTrust::Federation { .. });
    begin(
        &mut text,
        Some(context.grant.project_id.as_str()),
        &context.grant.bootstrap_apis,
        federated,
    );
    let trust = match &context.grant.trust {
        GcpTrust::Federation { subject, role, .. } => {
            pool(&mut text, context);
            Trust {
                role,
                member: format!(
                    "\"principal://iam.googleapis.com/${{google_iam_workload_identity_pool.\
                     landfall.name}}/subject/{}\"",
                    inner(subject)
                ),
            }
        }
        GcpTrust::Account { email, role } => Trust {
            role,
            member: hcl(&format!("serviceAccount:{email}")),
        },
    };
    let place = context.grant.place();
    for account in context.accounts() {
        make_account(&mut text, place, account, &trust);
    }
    for role in &context.grant.roles {
        make_role(&mut text, place, role);
    }
    for (index, binding) in context.grant.bindings.iter().enumerate() {
        // Landfall binds the others by itself.
        if !binding.by_bootstrap {
            bind(&mut text, context, index, binding);
        }
    }
    if federated {
        text.push_str(
            r#"
output "project_number" {
  description = "Enter it in Landfall."
  value       = data.google_project.this.number
}
"#,
        );
    }
    text
}

/// Whom each account lets in.
struct Trust<'a> {
    role: &'a str,
    /// An expression.
    member: String,
}

fn begin(text: &mut String, project: Option<&str>, apis: &[String], number: bool) {
    let apis: Vec<String> = apis
        .iter()
        .map(|api| format!("    {},\n", hcl(api)))
        .collect();
    write!(
        text,
        "locals {{\n  project = {}\n}}\n",
        project.map_or_else(|| "var.project".to_owned(), hcl)
    )
    .expect("writing to a String");
    if number {
        text.push_str(
            r#"
data "google_project" "this" {
  project_id = local.project
}
"#,
        );
    }
    write!(
        text,
        r#"
resource "google_project_service" "this" {{
  for_each = toset([
{apis}  ])
  project            = local.project
  service            = each.value
  disable_on_destroy = false
}}
"#,
        apis = apis.concat(),
    )
    .expect("writing to a String");
}

fn pool(text: &mut String, context: &Context<'_>) {
    let GcpTrust::Federation {
        pool_id,
        provider_id,
        issuer_url,
        condition,
        ..
    } = &context.grant.trust
    else {
        return;
    };
    // Aligned as `tofu fmt` wants it.
    let oidc = match context.uploads {
        None => format!("    issuer_uri = {}", hcl(issuer_url)),
        Some(keys) => format!(
            "    issuer_uri = {}\n    jwks_json  = {}",
            hcl(issuer_url),
            hcl(&keys.to_string())
        ),
    };
    write!(
        text,
        r#"
resource "google_iam_workload_identity_pool" "landfall" {{
  project                   = local.project
  workload_identity_pool_id = {pool}
  display_name              = "Landfall"
  depends_on                = [google_project_service.this]
}}

resource "google_iam_workload_identity_pool_provider" "landfall" {{
  project                            = local.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.landfall.workload_identity_pool_id
  workload_identity_pool_provider_id = {provider}
  # Keeps out every other connection of the same server.
  attribute_condition = {condition}
  attribute_mapping = {{
    "google.subject" = "assertion.sub"
  }}
  oidc {{
{oidc}
  }}
}}
"#,
        pool = hcl(pool_id),
        provider = hcl(provider_id),
        condition = hcl(condition),
    )
    .expect("writing to a String");
}

/// An account that may administer the project's IAM, and its key.
pub(super) fn for_a_key(key: &Key<'_>) -> String {
    let mut text = HEAD.to_owned();
    if key.project.is_none() {
        text.push_str(
            r#"variable "project" {
  type = string
}

"#,
        );
    }
    begin(&mut text, key.project, key.apis, false);
    // Of an address, what stands before the project.
    let id = key.account.unwrap_or("landfall-setup");
    let id = id.split_once('@').map_or(id, |(name, _)| name);
    write!(
        text,
        r#"
resource "google_service_account" "setup" {{
  project      = local.project
  account_id   = {id}
  display_name = "Landfall setup"
  description  = "Its key sets Landfall up"
  depends_on   = [google_project_service.this]
}}

# Landfall takes it away when everything is made: then remove this block, or the next plan wants
# to bind it again.
resource "google_project_iam_member" "setup" {{
  project = local.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.setup.member
}}
"#,
        id = hcl(id),
    )
    .expect("writing to a String");
    if key.known.is_none() {
        text.push_str(
            r#"
# The key is in the state too: keep that as safe as the key.
resource "google_service_account_key" "setup" {
  service_account_id = google_service_account.setup.name
}

output "key" {
  description = "tofu output -raw key | base64 -d > landfall-key.json, then upload that file."
  value       = google_service_account_key.setup.private_key
  sensitive   = true
}
"#,
        );
    }
    text
}

fn make_account(text: &mut String, place: GcpPlace<'_>, account: &GcpAccount, trust: &Trust<'_>) {
    let name = account.identity.as_str();
    let after = match place {
        GcpPlace::Project(_) => String::new(),
        // Its description says of which version the role is, so the role comes
        // first.
        GcpPlace::Parent(_) => format!(", {}.{name}", role_in(place).0),
    };
    write!(
        text,
        r#"
resource "google_service_account" "{name}" {{
  project      = local.project
  account_id   = {id}
  display_name = {display_name}
  description  = {description}
  depends_on   = [google_project_service.this{after}]
}}

resource "google_service_account_iam_member" "{name}" {{
  service_account_id = google_service_account.{name}.name
  role               = {role}
  member             = {member}
}}
"#,
        id = hcl(&account.id),
        display_name = hcl(&account.display_name),
        description = hcl(&account.description),
        role = hcl(trust.role),
        member = trust.member,
    )
    .expect("writing to a String");
}

/// A quoted text without its quotes, to stand inside another one.
fn inner(text: &str) -> String {
    let quoted = hcl(text);
    quoted[1..quoted.len() - 1].to_owned()
}

/// Where roles are made: the resource's kind, and its first line.
fn role_in(place: GcpPlace<'_>) -> (&'static str, String) {
    match place {
        GcpPlace::Project(_) => (
            "google_project_iam_custom_role",
            "project     = local.project".to_owned(),
        ),
        GcpPlace::Parent(parent) => (
            "google_organization_iam_custom_role",
            format!("org_id      = {}", hcl(number(&parent.organization()))),
        ),
    }
}

/// The same of where they are bound.
fn bound_on(place: GcpPlace<'_>) -> (&'static str, String) {
    match place {
        GcpPlace::Project(_) => (
            "google_project_iam_member",
            "project = local.project".to_owned(),
        ),
        GcpPlace::Parent(parent) if parent.is_folder() => (
            "google_folder_iam_member",
            format!("folder = {}", hcl(&parent.resource())),
        ),
        GcpPlace::Parent(parent) => (
            "google_organization_iam_member",
            format!("org_id = {}", hcl(number(&parent.organization()))),
        ),
    }
}

fn number(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or_default()
}

fn make_role(text: &mut String, place: GcpPlace<'_>, role: &GcpRole) {
    let permissions: Vec<String> = role
        .permissions
        .iter()
        .map(|permission| format!("    {},\n", hcl(permission)))
        .collect();
    let (kind, owner) = role_in(place);
    write!(
        text,
        r#"
resource "{kind}" "{name}" {{
  {owner}
  role_id     = {id}
  title       = {title}
  description = {description}
  depends_on  = [google_project_service.this]
  permissions = [
{permissions}  ]
}}
"#,
        name = role.identity.as_str(),
        id = hcl(&role.id),
        title = hcl(&role.title),
        description = hcl(&role.description),
        permissions = permissions.concat(),
    )
    .expect("writing to a String");
}

fn bind(text: &mut String, context: &Context<'_>, index: usize, binding: &GcpBinding) {
    let name = binding.identity.as_str();
    let place = context.grant.place();
    let custom = context
        .grant
        .role(binding.identity)
        .is_some_and(|role| role.name == binding.role);
    let role = if custom {
        format!("{}.{name}.name", role_in(place).0)
    } else {
        hcl(&binding.role)
    };
    let (kind, on) = bound_on(place);
    // Aligned as `tofu fmt` wants it.
    let pad = if on.starts_with("project") { " " } else { "" };
    write!(
        text,
        r#"
resource "{kind}" "{name}_{index}" {{
  {on}
  role   {pad}= {role}
  member {pad}= google_service_account.{name}.member
"#
    )
    .expect("writing to a String");
    if let Some(condition) = &binding.condition {
        write!(
            text,
            "  condition {{\n    title       = {}\n    description = {}\n    expression  = {}\n  }}\n",
            hcl(&condition.title),
            hcl(&condition.description),
            hcl(&condition.expression)
        )
        .expect("writing to a String");
    }
    text.push_str("}\n");
}
