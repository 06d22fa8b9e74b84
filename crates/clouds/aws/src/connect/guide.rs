//! The ways to make the grant, written out for a person.

mod commands;
mod console;
mod link;

use super::bucket::Bucket;
use crate::config::AwsConfig;
use landfall_model::{
    connection::{AwsConnection, Connection, Method},
    driver::{Failure, FailureKind},
    grant::{AWS_AUDIENCE, AwsGrant, Fact, GrantGuide, GrantSpec, How, ServerPrincipal, Way},
};

/// What a guide is written from.
pub(crate) struct Source<'a> {
    pub(crate) config: &'a AwsConfig,
    pub(crate) bucket: Option<&'a Bucket>,
    pub(crate) connection: AwsConnection<'a>,
    /// Of the same account.
    pub(crate) others: &'a [Connection],
    pub(crate) spec: &'a GrantSpec,
    pub(crate) principal: &'a ServerPrincipal,
}

pub(crate) fn write(source: &Source<'_>) -> Result<GrantGuide, Failure> {
    let connection = source.connection;
    let grant = aws_of(source.spec)?;
    let trusted = match source.principal {
        ServerPrincipal::Aws { arn } => Trusted::Principal(arn),
        ServerPrincipal::Issuer { url } => Trusted::Issuer(url),
        other => {
            return Err(Failure::new(
                FailureKind::Invalid,
                "WrongPrincipal",
                format!("roles of AWS cannot trust {}", other.as_str()),
            ));
        }
    };
    let context = Context {
        connection,
        grant,
        trusted,
        provider_stands: provider_stands(source),
        // Not a region of the connection: those can be changed, and a stack that
        // is looked for elsewhere is made twice. What it makes is global.
        region: source.config.home_region(),
        template_url: source
            .bucket
            .map(|bucket| bucket.template_url(connection, grant.version)),
    };
    Ok(GrantGuide {
        version: grant.version,
        digest: source.spec.digest(),
        facts: facts(&context),
        ways: ways(source.config, &context),
        revoke_steps: console::revoke(&context),
    })
}

/// The grant in the terms of AWS.
pub(crate) fn aws_of(spec: &GrantSpec) -> Result<&AwsGrant, Failure> {
    spec.aws().ok_or_else(|| {
        Failure::new(
            FailureKind::Invalid,
            "WrongGrant",
            "the grant is for another cloud",
        )
    })
}

/// An account has one provider per issuer, and all its connections by `oidc`
/// share it: was one of them seen to work?
fn provider_stands(source: &Source<'_>) -> bool {
    let by_oidc = |one: &Connection| one.method() == Method::Oidc && one.grant_version.is_some();
    by_oidc(source.connection.connection())
        || source
            .others
            .iter()
            .any(|other| other.target.scope() == source.connection.scope() && by_oidc(other))
}

fn facts(context: &Context<'_>) -> Vec<Fact> {
    let connection = context.connection;
    let fact = |id: &str, label: &str, value: String| Fact {
        id: id.to_owned(),
        label: label.to_owned(),
        value,
    };
    let mut facts = match context.trusted {
        Trusted::Principal(arn) => vec![
            fact("principal", "Trusted principal", arn.to_owned()),
            fact("external-id", "External id", connection.external_id.clone()),
        ],
        Trusted::Issuer(url) => vec![
            fact("issuer", "Trusted issuer", url.to_owned()),
            fact("subject", "Subject", connection.subject()),
            fact("audience", "Audience", AWS_AUDIENCE.to_owned()),
            fact("provider", "Provider", connection.oidc_provider_arn(url)),
        ],
    };
    facts.push(fact(
        "provisioner",
        "Provisioner",
        connection.provisioner_role_arn(),
    ));
    if connection.with_reaper {
        facts.push(fact("reaper", "Reaper", connection.reaper_role_arn()));
    }
    facts.push(fact("stack", "Stack", connection.stack_name()));
    facts
}

fn ways(config: &AwsConfig, context: &Context<'_>) -> Vec<Way> {
    let way = |id: &str, title: &str, about: &str, how: How| Way {
        id: id.to_owned(),
        title: title.to_owned(),
        about: about.to_owned(),
        how,
    };
    let link = match &context.template_url {
        // A link creates, and what is there can only be updated.
        _ if context.connection.migration.is_some() => How::Unavailable {
            reason: "the stack is there already: the commands below update it".to_owned(),
        },
        Some(template_url) => How::Link {
            url: link::quick_create(
                &config.console(context.connection.partition(), context.region),
                context,
                template_url,
            ),
        },
        None => How::Unavailable {
            reason: "CloudFormation reads quick-create templates from S3 only, and the operator \
                     of this server has not named a bucket (clouds.aws.template_bucket)"
                .to_owned(),
        },
    };
    vec![
        way(
            "quick-create",
            "With one click",
            "CloudFormation opens in your account with everything filled in. Acknowledge that it \
             makes named IAM roles, and create the stack.",
            link,
        ),
        way(
            "cloudformation",
            "With one command in CloudShell",
            "",
            How::Commands {
                commands: commands::cloudformation(context),
            },
        ),
        way(
            "iam",
            "With plain IAM commands",
            "",
            How::Commands {
                commands: commands::iam(context),
            },
        ),
        way(
            "console",
            "By hand in the console",
            "",
            How::Steps {
                steps: console::steps(context),
            },
        ),
        way(
            "template",
            "Read the template first",
            "It makes the roles and nothing else.",
            How::File {
                name: "landfall.template.json".to_owned(),
                path: format!("/api/v1/connections/{}/template", context.connection.id),
            },
        ),
    ]
}

/// The template's parameter that says whether the boundary policy stands there
/// already, left by a stack that was deleted.
const EXISTING_BOUNDARY: &str = "ExistingBoundary";

/// The same of the OpenID Connect provider, which all connections of an account
/// share.
const EXISTING_PROVIDER: &str = "ExistingProvider";

/// Whom the roles trust.
#[derive(Clone, Copy)]
enum Trusted<'a> {
    /// By its ARN.
    Principal(&'a str),
    /// By its URL.
    Issuer(&'a str),
}

/// What every way needs to know.
struct Context<'a> {
    connection: AwsConnection<'a>,
    grant: &'a AwsGrant,
    trusted: Trusted<'a>,
    /// Whether the provider of the issuer is in the account already.
    provider_stands: bool,
    /// Where the stack is made. The roles themselves are global.
    region: &'a str,
    template_url: Option<String>,
}

impl Context<'_> {
    /// The issuer's URL, where the roles trust one.
    fn issuer(&self) -> Option<&str> {
        match self.trusted {
            Trusted::Issuer(url) => Some(url),
            Trusted::Principal(_) => None,
        }
    }

    /// The template's parameters that need a value from us: those without a
    /// default, as far as we know what they mean.
    fn parameters(&self) -> Vec<(String, String)> {
        let Some(declared) = self
            .grant
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
                    "PrincipalArn" => match self.trusted {
                        Trusted::Principal(arn) => arn.to_owned(),
                        Trusted::Issuer(_) => return None,
                    },
                    "RoleSuffix" => self.connection.suffix().to_owned(),
                    EXISTING_BOUNDARY if self.connection.grant_version.is_some() => {
                        "yes".to_owned()
                    }
                    EXISTING_PROVIDER if self.provider_stands => "yes".to_owned(),
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
