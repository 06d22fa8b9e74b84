//! The ways to make the grant, written out for a person.

mod console;
mod opentofu;
mod script;

use crate::config::{Application, AzureConfig};
use landfall_model::{
    connection::{AzureConnection, Breadth, Method},
    driver::{Failure, FailureKind},
    grant::{AzureGrant, AzureRole, Fact, GrantGuide, GrantSpec, How, Identity, Way},
};

/// What every way needs to know.
struct Context<'a> {
    config: &'a AzureConfig,
    azure: AzureConnection<'a>,
    spec: &'a AzureGrant,
    /// Whom the applications trust; none on a server without a public address
    /// whose methods do without, and then there is no reaper.
    issuer: Option<&'a str>,
    provisioner: Provisioner<'a>,
}

/// What the provisioner is.
#[derive(Clone, Copy)]
enum Provisioner<'a> {
    /// An application of the customer's own that trusts the issuer.
    Keyless,
    /// An application of the customer's own with a secret.
    Secret,
    /// The operator's, approved in the customer's tenant.
    Approved(&'a Application),
}

pub(super) fn write(
    config: &AzureConfig,
    azure: AzureConnection<'_>,
    spec: &GrantSpec,
    method: Method,
    issuer: Option<&str>,
) -> Result<GrantGuide, Failure> {
    let grant = spec.azure().ok_or_else(|| {
        Failure::new(
            FailureKind::Invalid,
            "WrongCloud",
            "the grant is to another cloud than the connection",
        )
    })?;
    let context = Context {
        config,
        azure,
        spec: grant,
        issuer,
        provisioner: match method {
            Method::ClientSecret => Provisioner::Secret,
            Method::AdminConsent => Provisioner::Approved(
                config
                    .application
                    .as_ref()
                    .ok_or_else(crate::door::no_application)?,
            ),
            _ => Provisioner::Keyless,
        },
    };
    if issuer.is_none() && matches!(context.provisioner, Provisioner::Keyless) {
        return Err(Failure::new(
            FailureKind::Unavailable,
            "NoIssuer",
            super::NO_ISSUER,
        ));
    }
    Ok(GrantGuide {
        version: spec.version(),
        digest: spec.digest(),
        facts: context.facts(),
        ways: context.ways(),
        revoke_steps: console::revoke(&context),
    })
}

impl<'a> Context<'a> {
    fn roles(&self) -> impl Iterator<Item = &'a AzureRole> {
        let with_reaper = self.issuer.is_some();
        let roles = self.spec.roles.iter();
        roles.filter(move |role| role.identity == Identity::Provisioner || with_reaper)
    }

    /// Whether an identity's application trusts our issuer.
    fn federated(&self, identity: Identity) -> bool {
        identity == Identity::Reaper || matches!(self.provisioner, Provisioner::Keyless)
    }

    const fn by_secret(&self) -> bool {
        matches!(self.provisioner, Provisioner::Secret)
    }

    /// Whether the role that other products ask for was chosen.
    const fn broad(&self) -> bool {
        matches!(self.azure.breadth(), Breadth::Broad)
    }

    /// The operator's application, where an identity is that and nothing is to
    /// be registered for it.
    fn approved(&self, identity: Identity) -> Option<&'a Application> {
        match (self.provisioner, identity) {
            (Provisioner::Approved(application), Identity::Provisioner) => Some(application),
            _ => None,
        }
    }

    /// The name of the operator's assignment: it has one service principal in
    /// a tenant, which can hold roles of several connections.
    fn assignment_id(&self) -> String {
        let id = self.azure.id.as_str();
        let hex: Vec<char> = id.rsplit('_').next().unwrap_or(id).chars().collect();
        let mut text = String::with_capacity(36);
        for (at, digit) in hex.into_iter().enumerate() {
            if [8, 12, 16, 20].contains(&at) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }

    fn facts(&self) -> Vec<Fact> {
        let fact = |id: &str, label: &str, value: String| Fact {
            id: id.to_owned(),
            label: label.to_owned(),
            value,
        };
        let mut facts = vec![
            fact("tenant-id", "Tenant id", self.azure.tenant_id().to_string()),
            fact(
                "subscription-id",
                "Subscription id",
                self.azure.subscription_id().to_string(),
            ),
            fact(
                "scope",
                "Where the roles are assigned",
                self.spec.scope.clone(),
            ),
        ];
        if let Some(issuer) = self.issuer {
            facts.extend([
                fact("issuer", "Issuer", issuer.to_owned()),
                fact("subject", "Subject identifier", self.azure.subject()),
                fact(
                    "audience",
                    "Audience",
                    self.config.token_exchange_audience.clone(),
                ),
            ]);
        }
        if let Provisioner::Approved(application) = self.provisioner {
            facts.extend([
                fact(
                    "application",
                    "This server's application",
                    application.name.clone(),
                ),
                fact(
                    "client-id",
                    "Its client id",
                    application.client_id.to_string(),
                ),
            ]);
        }
        facts.extend(self.roles().map(|role| {
            fact(
                role.identity.as_str(),
                match role.identity {
                    Identity::Provisioner if self.approved(role.identity).is_some() => {
                        "Provisioner: role"
                    }
                    Identity::Provisioner => "Provisioner: role and application",
                    Identity::Reaper => "Reaper: role and application",
                },
                role.name.clone(),
            )
        }));
        if self.broad() {
            facts.push(fact(
                "breadth",
                "What the provisioner's role allows",
                "everything but a few actions, as was chosen: two keys: no".to_owned(),
            ));
        }
        facts.push(fact(
            "external-id",
            "This connection's mark in the assignments",
            self.azure.external_id.clone(),
        ));
        facts
    }

    fn ways(&self) -> Vec<Way> {
        let ends = match self.provisioner {
            Provisioner::Secret => {
                "It ends by printing the four values to enter here; the secret is shown once. It \
                 also lets the application renew its own secret, where you may approve that; \
                 LANDFALL_ROTATION=no leaves it out."
            }
            Provisioner::Keyless => {
                "It ends by printing the client id to enter here; there is no secret."
            }
            Provisioner::Approved(_) => {
                "The application must have been approved before. Nothing is to be entered \
                 afterwards."
            }
        };
        let mut ways = Vec::new();
        if let Provisioner::Approved(application) = self.provisioner {
            ways.push(Way {
                id: "consent".to_owned(),
                title: "First: approve the application".to_owned(),
                about: "An administrator of the tenant lets this server's application in. That \
                        alone gives it no rights in any subscription: the role, below, does."
                    .to_owned(),
                how: How::Steps {
                    steps: console::consent(self, application),
                },
            });
        }
        ways.extend([
            Way {
                id: "script".to_owned(),
                title: "With one script in Cloud Shell".to_owned(),
                about: format!(
                    "Open Cloud Shell (bash) in the portal, paste, and wait for about two \
                     minutes. {ends}"
                ),
                how: How::Commands {
                    commands: script::write(self),
                },
            },
            Way {
                id: "opentofu".to_owned(),
                title: "With OpenTofu or Terraform".to_owned(),
                about: format!(
                    "The same as a module, for those who keep such things in code. {ends}"
                ),
                how: How::Commands {
                    commands: opentofu::write(self),
                },
            },
            Way {
                id: "console".to_owned(),
                title: "By hand in the portal".to_owned(),
                about: "The same step by step; a quarter of an hour.".to_owned(),
                how: How::Steps {
                    steps: console::steps(self),
                },
            },
        ]);
        ways
    }
}

/// Where in the portal the grant's roles are assigned.
pub(super) fn place(azure: AzureConnection<'_>) -> String {
    match azure.management_group() {
        Some(group) => format!("Management groups → {group}"),
        None => "Subscriptions".to_owned(),
    }
}

/// The condition of a role's assignment, if it has one, with these in place of
/// the object ids that are known later. Without a reaper it is not named.
fn condition(
    context: &Context<'_>,
    role: &AzureRole,
    object_id: impl Fn(Identity) -> String,
) -> Option<String> {
    use landfall_model::grant::azure::object_id_of;
    let mut text = role.condition.clone()?;
    if !context
        .roles()
        .any(|role| role.identity == Identity::Reaper)
    {
        text = text.replace(&format!(", {}", object_id_of(Identity::Reaper)), "");
    }
    for identity in [Identity::Provisioner, Identity::Reaper] {
        text = text.replace(object_id_of(identity), &object_id(identity));
    }
    Some(text)
}

#[cfg(test)]
pub(super) mod tests;
