//! The grant as a module for OpenTofu or Terraform.

use super::{Context, condition, quote::hcl};
use landfall_model::grant::{AzureRole, Identity, azure::CLIENT_MARK};
use std::fmt::Write;

pub(super) fn write(context: &Context<'_>) -> String {
    let azure = context.azure;
    let mut text = format!(
        "# Lets Landfall into one Azure subscription. Save as main.tf in a folder of its
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
    for role in context.roles() {
        text.push_str(&identity(context, role));
    }
    text.push_str(&outputs(context));
    text
}

fn identity(context: &Context<'_>, role: &AzureRole) -> String {
    let who = role.identity.as_str();
    let name = hcl(&role.name);
    let mut text = format!(
        "
resource \"azuread_application\" \"{who}\" {{
  display_name     = {name}
  sign_in_audience = \"AzureADMyOrg\"
}}

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
        write!(
            text,
            "
# Also kept in the state file: guard it.
resource \"azuread_application_password\" \"{who}\" {{
  application_id    = azuread_application.{who}.id
  display_name      = \"landfall\"
  end_date_relative = \"8760h\"
}}
"
        )
        .expect("writing to a String");
    }
    let actions = role.actions.iter().fold(String::new(), |text, action| {
        text + &format!("      {},\n", hcl(action))
    });
    write!(
        text,
        "
resource \"azurerm_role_definition\" \"{who}\" {{
  name              = {name}
  description       = {description}
  scope             = {scope}
  assignable_scopes = [{scope}]
  permissions {{
    actions = [
{actions}    ]
  }}
}}

resource \"azurerm_role_assignment\" \"{who}\" {{
  scope              = {scope}
  role_definition_id = azurerm_role_definition.{who}.role_definition_resource_id
  principal_id       = azuread_service_principal.{who}.object_id
  principal_type     = \"ServicePrincipal\"
  description        = {assignment}
  condition_version  = \"2.0\"
  condition          = {condition}
}}
",
        description = hcl(&role.description),
        scope = hcl(&context.spec.scope),
        assignment = with_reference(
            &format!("{} {CLIENT_MARK}", role.assignment),
            &format!("azuread_application.{who}.client_id"),
        ),
        condition = condition_expression(context, role),
    )
    .expect("writing to a String");
    text
}

/// A text, then what is known only when it is applied.
fn with_reference(text: &str, reference: &str) -> String {
    format!("join(\"\", [{}, {reference}])", hcl(text))
}

fn condition_expression(context: &Context<'_>, role: &AzureRole) -> String {
    let marker = |identity: Identity| format!("@{}@", identity.as_str().to_uppercase());
    let text = hcl(&condition(context, role, marker));
    context.roles().fold(text, |text, other| {
        format!(
            "replace({text}, {}, azuread_service_principal.{}.object_id)",
            hcl(&marker(other.identity)),
            other.identity.as_str()
        )
    })
}

fn outputs(context: &Context<'_>) -> String {
    let mut text = "
output \"client_id\" {
  description = \"Enter this in Landfall\"
  value       = azuread_application.provisioner.client_id
}
"
    .to_owned();
    if context.by_secret {
        text.push_str(
            "
output \"client_secret\" {
  description = \"Enter this in Landfall: tofu output -raw client_secret\"
  value       = azuread_application_password.provisioner.value
  sensitive   = true
}
",
        );
    }
    text
}
