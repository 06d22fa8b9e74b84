//! The setup as a module for OpenTofu, and for Terraform.

use super::{Context, quote::hcl};
use landfall_model::grant::{GcpAccount, GcpBinding, GcpRole, GcpTrust};
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
    let apis: Vec<String> = context
        .grant
        .bootstrap_apis
        .iter()
        .map(|api| format!("    {},\n", hcl(api)))
        .collect();
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
        r#"locals {{
  project = {project}
}}

data "google_project" "this" {{
  project_id = local.project
}}

resource "google_project_service" "this" {{
  for_each = toset([
{apis}  ])
  project            = local.project
  service            = each.value
  disable_on_destroy = false
}}

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
        project = hcl(context.grant.project_id.as_str()),
        apis = apis.concat(),
        pool = hcl(pool_id),
        provider = hcl(provider_id),
        condition = hcl(condition),
    )
    .expect("writing to a String");
    for account in context.accounts() {
        make_account(&mut text, account, subject, role);
    }
    for role in &context.grant.roles {
        make_role(&mut text, role);
    }
    for (index, binding) in context.grant.bindings.iter().enumerate() {
        // Landfall binds the others by itself.
        if !binding.by_bootstrap {
            bind(&mut text, context, index, binding);
        }
    }
    text.push_str(
        r#"
output "project_number" {
  description = "Enter it in Landfall."
  value       = data.google_project.this.number
}
"#,
    );
    text
}

fn make_account(text: &mut String, account: &GcpAccount, subject: &str, role: &str) {
    write!(
        text,
        r#"
resource "google_service_account" "{name}" {{
  project      = local.project
  account_id   = {id}
  display_name = {display_name}
  description  = {description}
  depends_on   = [google_project_service.this]
}}

resource "google_service_account_iam_member" "{name}" {{
  service_account_id = google_service_account.{name}.name
  role               = {role}
  member             = "principal://iam.googleapis.com/${{google_iam_workload_identity_pool.landfall.name}}/subject/{subject}"
}}
"#,
        name = account.identity.as_str(),
        id = hcl(&account.id),
        display_name = hcl(&account.display_name),
        description = hcl(&account.description),
        role = hcl(role),
        subject = inner(subject),
    )
    .expect("writing to a String");
}

/// A quoted text without its quotes, to stand inside another one.
fn inner(text: &str) -> String {
    let quoted = hcl(text);
    quoted[1..quoted.len() - 1].to_owned()
}

fn make_role(text: &mut String, role: &GcpRole) {
    let permissions: Vec<String> = role
        .permissions
        .iter()
        .map(|permission| format!("    {},\n", hcl(permission)))
        .collect();
    write!(
        text,
        r#"
resource "google_project_iam_custom_role" "{name}" {{
  project     = local.project
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
    let custom = context
        .grant
        .role(binding.identity)
        .is_some_and(|role| role.name == binding.role);
    let role = if custom {
        format!("google_project_iam_custom_role.{name}.name")
    } else {
        hcl(&binding.role)
    };
    write!(
        text,
        r#"
resource "google_project_iam_member" "{name}_{index}" {{
  project = local.project
  role    = {role}
  member  = google_service_account.{name}.member
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
