//! The ways to make the grant, written out for a person.

mod commands;
mod console;
mod link;

use super::bucket::Bucket;
use crate::config::AwsConfig;
use landfall_model::{
    connection::Connection,
    digest::Digest,
    grant::{GrantGuide, GrantSpec, QuickCreate, ServerPrincipal},
};

pub(crate) fn write(
    config: &AwsConfig,
    bucket: Option<&Bucket>,
    connection: &Connection,
    spec: &GrantSpec,
    principal: &ServerPrincipal,
) -> GrantGuide {
    let region = connection
        .default_region
        .as_deref()
        .or(connection.regions.first().map(String::as_str))
        .unwrap_or(config.home_region());
    let context = Context {
        connection,
        spec,
        principal,
        region,
        template_url: bucket.map(|bucket| bucket.template_url(connection, spec.version)),
    };
    let quick_create = match &context.template_url {
        Some(template_url) => QuickCreate::Link {
            url: link::quick_create(
                &config.console(connection.partition, region),
                &context,
                template_url,
            ),
        },
        None => QuickCreate::Unavailable {
            reason: "CloudFormation reads quick-create templates from S3 only, and the operator \
                     of this server has not named a bucket (clouds.aws.template_bucket)"
                .to_owned(),
        },
    };
    GrantGuide {
        version: spec.version,
        digest: Digest::of_json(spec).expect("a grant is strings, numbers and JSON values"),
        principal_arn: match principal {
            ServerPrincipal::Aws { arn } => arn.clone(),
            ServerPrincipal::Issuer { url } => connection.oidc_provider_arn(url),
        },
        external_id: connection.external_id.clone(),
        quick_create,
        template_path: format!("/api/v1/connections/{}/template", connection.id),
        cloudformation_commands: commands::cloudformation(&context),
        iam_commands: commands::iam(&context),
        console_steps: console::steps(&context),
        revoke_steps: console::revoke(&context),
    }
}

/// The template's parameter that says whether the boundary policy stands there
/// already, left by a stack that was deleted.
const EXISTING_BOUNDARY: &str = "ExistingBoundary";

/// The same of the OpenID Connect provider, which all connections of an account
/// share.
const EXISTING_PROVIDER: &str = "ExistingProvider";

/// What every way needs to know.
struct Context<'a> {
    connection: &'a Connection,
    spec: &'a GrantSpec,
    principal: &'a ServerPrincipal,
    /// Where the stack is made. The roles themselves are global.
    region: &'a str,
    template_url: Option<String>,
}

impl Context<'_> {
    /// The issuer's URL, where the roles trust one.
    fn issuer(&self) -> Option<&str> {
        match self.principal {
            ServerPrincipal::Issuer { url } => Some(url),
            ServerPrincipal::Aws { .. } => None,
        }
    }

    /// The template's parameters that need a value from us: those without a
    /// default, as far as we know what they mean.
    fn parameters(&self) -> Vec<(String, String)> {
        let Some(declared) = self
            .spec
            .template
            .get("Parameters")
            .and_then(|parameters| parameters.as_object())
        else {
            return Vec::new();
        };
        declared
            .iter()
            .filter_map(|(name, declaration)| {
                let value = match name.as_str() {
                    "ExternalId" => self.connection.external_id.clone(),
                    "PrincipalArn" => self.principal.as_str().to_owned(),
                    "RoleSuffix" => self.connection.role_suffix().to_owned(),
                    EXISTING_BOUNDARY | EXISTING_PROVIDER
                        if self.connection.grant_version.is_some() =>
                    {
                        "yes".to_owned()
                    }
                    _ => return None,
                };
                // What the template says already need not be said again.
                let default = declaration.get("Default").and_then(|text| text.as_str());
                (default != Some(value.as_str())).then(|| (name.clone(), value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
