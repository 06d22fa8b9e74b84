//! The ways in: this server's assertions, or a secret that the customer gave.

use crate::{
    client::{Client, Credential, Session},
    error::Service,
};
use landfall_model::{
    Clock,
    connection::{AzureAccess, AzureConnection, Guid},
    driver::{Failure, FailureKind},
    grant::Identity,
    id::SecretId,
    issuer::{Assertion, Claims, Issuer, IssuerError, LIFETIME},
    secret::{Secrets, SecretsError},
};
use std::sync::Arc;

/// How this server gets in.
pub(crate) enum Door {
    /// Both identities by assertion.
    Issuer(Arc<dyn Issuer>),
    /// The provisioner by its secret. The reaper never has one: it is let in by
    /// assertion, where this server can make them.
    Secret {
        secrets: Arc<dyn Secrets>,
        issuer: Option<Arc<dyn Issuer>>,
    },
}

/// What is shown to Entra.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Token(Token),
    Secret(SecretId),
}

/// An assertion to be made for one call.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) subject: String,
    pub(crate) audience: String,
    pub(crate) flaw: Flaw,
}

/// What is wrong with an assertion, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    BadlySigned,
}

impl Door {
    /// The issuer whose assertions Azure can verify.
    pub(crate) fn issuer(&self) -> Option<&Arc<dyn Issuer>> {
        match self {
            Self::Issuer(issuer) => Some(issuer),
            Self::Secret { issuer, .. } => issuer.as_ref(),
        }
        .filter(|issuer| issuer.url().is_some())
    }

    /// Whether this connection can have a reaper that is of use.
    pub(crate) fn opens_reaper(&self, connection: AzureConnection<'_>) -> bool {
        connection.with_reaper && self.issuer().is_some()
    }

    /// What opens an identity of this connection.
    pub(crate) fn proof(
        &self,
        connection: AzureConnection<'_>,
        identity: Identity,
        audience: &str,
    ) -> Result<Proof, Failure> {
        match (self, identity, connection.access()) {
            (
                Self::Secret { .. },
                Identity::Provisioner,
                AzureAccess::ClientSecret { secret_id, .. },
            ) => Ok(Proof::Secret(secret_id.clone())),
            (Self::Issuer(_), _, AzureAccess::WorkloadIdentity { .. })
            | (Self::Secret { .. }, Identity::Reaper, AzureAccess::ClientSecret { .. }) => {
                Ok(Proof::Token(Token {
                    subject: connection.subject(),
                    audience: audience.to_owned(),
                    flaw: Flaw::None,
                }))
            }
            // A connector is asked for connections of its own method.
            _ => Err(Failure::new(
                FailureKind::Invalid,
                "WrongMethod",
                format!("the connection {} is by another method", connection.id),
            )),
        }
    }

    /// A session of `client` with a service.
    pub(crate) async fn enter<'c>(
        &self,
        clock: &dyn Clock,
        client: &'c Client,
        connection: AzureConnection<'_>,
        application: &Guid,
        proof: &Proof,
        service: Service,
    ) -> Result<Session<'c>, Failure> {
        let tenant = connection.tenant_id();
        match proof {
            Proof::Token(token) => {
                let assertion = self.mint(clock, token).await?;
                let credential = Credential::Assertion(assertion.token());
                client.token(tenant, application, service, credential).await
            }
            Proof::Secret(id) => {
                let Self::Secret { secrets, .. } = self else {
                    return Err(no_secret(&SecretsError::Missing { id: id.clone() }));
                };
                let secret = secrets
                    .open(&connection.organization_id, id)
                    .await
                    .map_err(|error| no_secret(&error))?;
                let text = secret.expose_text().map_err(|_| {
                    Failure::new(
                        FailureKind::Invalid,
                        "SecretNotText",
                        "the stored client secret is no text",
                    )
                })?;
                client
                    .token(tenant, application, service, Credential::Secret(text))
                    .await
            }
        }
    }

    async fn mint(&self, clock: &dyn Clock, token: &Token) -> Result<Assertion, Failure> {
        let issuer = self
            .issuer()
            .ok_or_else(|| no_assertion(&IssuerError::NoUrl))?;
        let minted = match token.flaw {
            Flaw::None => issuer.assertion(&token.subject, &token.audience).await,
            Flaw::BadlySigned => issuer
                .assertion(&token.subject, &token.audience)
                .await
                .map(|assertion| assertion.badly_signed()),
            Flaw::Expired => {
                let lifetime = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
                let claims = Claims {
                    subject: token.subject.clone(),
                    audience: token.audience.clone(),
                    // Clocks may differ by five minutes before Entra minds.
                    issued_at: clock.now().plus_millis(-4 * lifetime),
                    lifetime: LIFETIME,
                };
                issuer.custom(&claims).await
            }
        };
        minted.map_err(|error| no_assertion(&error))
    }
}

/// The trouble is here: it says nothing about what the customer granted.
fn no_assertion(error: &IssuerError) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "NoAssertion",
        format!("this server could not sign an assertion: {error}"),
    )
}

fn no_secret(error: &SecretsError) -> Failure {
    let kind = match error {
        SecretsError::Missing { .. } => FailureKind::Invalid,
        SecretsError::Vault(_) | SecretsError::Store(_) => FailureKind::Unavailable,
    };
    Failure::new(
        kind,
        "NoSecret",
        format!("this server could not open the client secret: {error}"),
    )
}
