//! The grant as a module for OpenTofu or Terraform.

use super::{Context, Provisioner, condition};
use landfall_model::{
    connection::{Guid, ManagementGroup},
    grant::{AzureRole, Identity, azure::CLIENT_MARK},
    quote::hcl,
};
use std::fmt::Write;

pub(super) fn write(context: &Context<'_>) -> String {
    let azure = context.azure;
    let mut text = format!(
        "{about}
# own; then: tofu init && tofu apply

terraform {{
  required_providers {{
    azuread = {{
      source  = \"hashicorp/azuread\"
      version = \"~> 3.0\"
    }}
    azurerm = {{
      source  = \"hashicorp/azurerm\"
      version = \"~> 4.0\"
    }}
  }}
}}

provider \"azuread\" {{
  tenant_id = {tenant}
}}

provider \"azurerm\" {{
  features {{}}
  tenant_id                       = {tenant}
  subscription_id                 = {subscription}
  resource_provider_registrations = \"none\"
  resource_providers_to_register = [
{providers}  ]
}}
",
        about = match azure.management_group() {
            None =>
                "# Lets Landfall into one Azure subscription. Save as main.tf in a folder of its",
            Some(_) => GROUP,
        },
        tenant = hcl(azure.tenant_id().as_str()),
        subscription = hcl(azure.subscription_id().as_str()),
        providers = context
            .spec
            .providers
            .iter()
            .fold(String::new(), |text, provider| {
                text + &format!("    {},\n", hcl(&provider.namespace))
            }),
    );
    if let Some(group) = azure.management_group() {
        text.push_str(&below(group, azure.subscription_id()));
    }
    for role in context.roles() {
        text.push_str(&identity(context, role));
    }
    text.push_str(outputs(context));
    text
}

const GROUP: &str = "# Lets Landfall into an Azure management group and all subscriptions below it;
# resource providers are registered in one of them. Save as main.tf in a folder of its";

/// Read when it is planned, so that nothing is made if it does not hold.
fn below(group: &ManagementGroup, subscription: &Guid) -> String {
    format!(
        "
# A mistyped group would let Landfall into somebody else's subscriptions.
data \"azurerm_management_group\" \"granted\" {{
  name = {name}

  lifecycle {{
    postcondition {{
      condition     = anytrue([for id in self.all_subscription_ids : endswith(lower(id), {id})])
      error_message = {message}
    }}
  }}
}}
",
        name = hcl(group.as_str()),
        id = hcl(&subscription.as_str().to_lowercase()),
        message = hcl(&format!(
            "The subscription {subscription} is not below the management group {group}."
        )),
    )
}

/// How the module refers to an identity's service principal.
fn principal(context: &Context<'_>, identity: Identity) -> String {
    let data = match context.approved(identity) {
        Some(_) => "data.",
        None => "",
    };
    format!("{data}azuread_service_principal.{}", identity.as_str())
}

fn identity(context: &Context<'_>, role: &AzureRole) -> String {
    let mut text = match context.approved(role.identity) {
        Some(application) => format!(
            "
# This server's application, which an administrator has approved before.
data \"azuread_service_principal\" \"{}\" {{
  client_id = {}
}}
",
            role.identity.as_str(),
            hcl(application.client_id.as_str()),
        ),
        None => registered(context, role),
    };
    text.push_str(&granted(context, role));
    text
}

fn registered(context: &Context<'_>, role: &AzureRole) -> String {
    let who = role.identity.as_str();
    let name = hcl(&role.name);
    // Ownership is a resource of its own, where there is any.
    let owners = if context.federated(role.identity) {
        ""
    } else {
        "
  lifecycle {
    ignore_changes = [owners]
  }
"
    };
    let mut text = format!(
        "
resource \"azuread_application\" \"{who}\" {{
  display_name     = {name}
  sign_in_audience = \"AzureADMyOrg\"
{owners}}}

resource \"azuread_service_principal\" \"{who}\" {{
  client_id = azuread_application.{who}.client_id
}}
"
    );
    if context.federated(role.identity) {
        write!(
            text,
            "
resource \"azuread_application_federated_identity_credential\" \"{who}\" {{
  application_id = azuread_application.{who}.id
  display_name   = \"landfall\"
  issuer         = {}
  subject        = {}
  audiences      = [{}]
}}
",
            hcl(context.issuer.unwrap_or_default()),
            hcl(&context.azure.subject()),
            hcl(&context.config.token_exchange_audience),
        )
        .expect("writing to a String");
    } else {
        text.push_str(SECRET);
    }
    text
}

/// Of the provisioner alone: the reaper never has a secret.
const SECRET: &str = r#"
# Also kept in the state file: guard it.
resource "azuread_application_password" "provisioner" {
  application_id    = azuread_application.provisioner.id
  display_name      = "landfall"
  end_date_relative = "8760h"
}

variable "rotation" {
  description = "Let the application renew its own secret. It could also register new applications, which would have no rights anywhere. Whoever applies this must be allowed to approve permissions"
  type        = bool
  default     = true
}

data "azuread_service_principal" "graph" {
  client_id = "00000003-0000-0000-c000-000000000000"
}

# Application.ReadWrite.OwnedBy
resource "azuread_app_role_assignment" "rotation" {
  count               = var.rotation ? 1 : 0
  app_role_id         = "18a4783c-866b-4cc7-a460-3d5e5662c884"
  principal_object_id = azuread_service_principal.provisioner.object_id
  resource_object_id  = data.azuread_service_principal.graph.object_id
}

resource "azuread_application_owner" "rotation" {
  count           = var.rotation ? 1 : 0
  application_id  = azuread_application.provisioner.id
  owner_object_id = azuread_service_principal.provisioner.object_id
}
"#;

fn granted(context: &Context<'_>, role: &AzureRole) -> String {
    let who = role.identity.as_str();
    let (assignment, name) = match context.approved(role.identity) {
        Some(application) => (
            hcl(&format!(
                "{} {CLIENT_MARK}{}",
                role.assignment, application.client_id
            )),
            format!("  name               = {}\n", hcl(&context.assignment_id())),
        ),
        None => (
            with_reference(
                &format!("{} {CLIENT_MARK}", role.assignment),
                &format!("azuread_application.{who}.client_id"),
            ),
            String::new(),
        ),
    };
    let list = |name: &str, actions: &[String]| {
        let each = actions
            .iter()
            .map(|action| format!("      {},\n", hcl(action)));
        format!("    {name} = [\n{}    ]\n", each.collect::<String>())
    };
    let mut permissions = list("actions", &role.actions);
    if !role.not_actions.is_empty() {
        permissions.push_str(&list("not_actions", &role.not_actions));
    }
    let condition = condition_expression(context, role).map_or_else(String::new, |condition| {
        format!("  condition_version  = \"2.0\"\n  condition          = {condition}\n")
    });
    format!(
        "
resource \"azurerm_role_definition\" \"{who}\" {{
  name              = {role_name}
  description       = {description}
  scope             = {scope}
  assignable_scopes = [{scope}]
  permissions {{
{permissions}  }}
}}

resource \"azurerm_role_assignment\" \"{who}\" {{
{name}  scope              = {scope}
  role_definition_id = azurerm_role_definition.{who}.role_definition_resource_id
  principal_id       = {principal}.object_id
  principal_type     = \"ServicePrincipal\"
  description        = {assignment}
{condition}}}
",
        role_name = hcl(&role.name),
        description = hcl(&role.description),
        scope = hcl(&context.spec.scope),
        principal = principal(context, role.identity),
    )
}

/// A text, then what is known only when it is applied.
fn with_reference(text: &str, reference: &str) -> String {
    format!("join(\"\", [{}, {reference}])", hcl(text))
}

fn condition_expression(context: &Context<'_>, role: &AzureRole) -> Option<String> {
    let marker = |identity: Identity| format!("@{}@", identity.as_str().to_uppercase());
    let text = hcl(&condition(context, role, marker)?);
    Some(context.roles().fold(text, |text, other| {
        format!(
            "replace({text}, {}, {}.object_id)",
            hcl(&marker(other.identity)),
            principal(context, other.identity)
        )
    }))
}

fn outputs(context: &Context<'_>) -> &'static str {
    match context.provisioner {
        Provisioner::Approved(_) => "",
        Provisioner::Keyless => CLIENT_OUTPUT,
        Provisioner::Secret => SECRET_OUTPUT,
    }
}

const CLIENT_OUTPUT: &str = r#"
output "client_id" {
  description = "Enter this in Landfall"
  value       = azuread_application.provisioner.client_id
}
"#;

const SECRET_OUTPUT: &str = r#"
output "client_id" {
  description = "Enter this in Landfall"
  value       = azuread_application.provisioner.client_id
}

output "client_secret" {
  description = "Enter this in Landfall: tofu output -raw client_secret"
  value       = azuread_application_password.provisioner.value
  sensitive   = true
}

output "secret_expires_at" {
  value = azuread_application_password.provisioner.end_date
}
"#;
