//! The ways in: this server's assertions, a secret that the customer gave, or
//! the operator's own application.

use crate::{
    client::{Client, Credential, Session},
    config::Application,
    error::Service,
};
use landfall_model::{
    Clock,
    connection::{AzureAccess, AzureConnection, Guid},
    driver::{Failure, FailureKind},
    grant::Identity,
    id::SecretId,
    issuer::{Issuer, IssuerError, Token},
    secret::{Secrets, SecretsError},
};
use std::sync::Arc;
use zeroize::Zeroizing;

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
    /// The provisioner as the operator's application, which is the same for all
    /// customers; the reaper by assertion, where this server can make them.
    Application {
        own: Option<Application>,
        issuer: Arc<dyn Issuer>,
    },
}

/// The `sub` of the assertions by which the operator's application is entered.
/// No connection's subject looks like it: those have an organization and an id.
pub const APPLICATION_SUBJECT: &str = "landfall:application";

/// What is shown to Entra.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Token(Token),
    Secret(SecretId),
    /// What the operator's application has: a secret in a file.
    Own,
}

impl Door {
    /// The issuer whose assertions Azure can verify.
    pub(crate) fn issuer(&self) -> Option<&Arc<dyn Issuer>> {
        match self {
            Self::Issuer(issuer) | Self::Application { issuer, .. } => Some(issuer),
            Self::Secret { issuer, .. } => issuer.as_ref(),
        }
        .filter(|issuer| issuer.url().is_some())
    }

    /// Whether this connection can have a reaper that is of use.
    pub(crate) fn opens_reaper(&self, connection: AzureConnection<'_>) -> bool {
        connection.with_reaper && self.issuer().is_some()
    }

    /// The first characters of the connection's secret, as Graph shows them of
    /// an application's secrets.
    pub(crate) async fn hint(&self, connection: AzureConnection<'_>) -> Option<String> {
        let (Self::Secret { secrets, .. }, AzureAccess::ClientSecret { secret_id, .. }) =
            (self, connection.access())
        else {
            return None;
        };
        let secret = secrets
            .open(&connection.organization_id, secret_id.as_ref()?)
            .await
            .ok()?;
        secret.expose_text().ok()?.get(..3).map(str::to_owned)
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
            ) => match secret_id {
                Some(id) => Ok(Proof::Secret(id.clone())),
                None => Err(Failure::new(
                    FailureKind::Unauthorized,
                    "NoSecret",
                    "the client secret that the setup prints at its end was not entered yet",
                )),
            },
            (
                Self::Application { own, .. },
                Identity::Provisioner,
                AzureAccess::AdminConsent { client_id, .. },
            ) => {
                let own = own.as_ref().ok_or_else(no_application)?;
                if client_id.as_ref() != Some(&own.client_id) {
                    return Err(other_application(client_id.as_ref(), own));
                }
                Ok(match own.client_secret_file {
                    Some(_) => Proof::Own,
                    None => Proof::Token(Token::good(APPLICATION_SUBJECT, audience)),
                })
            }
            (Self::Issuer(_), _, AzureAccess::WorkloadIdentity { .. })
            | (Self::Secret { .. }, Identity::Reaper, AzureAccess::ClientSecret { .. })
            | (Self::Application { .. }, Identity::Reaper, AzureAccess::AdminConsent { .. }) => {
                Ok(Proof::Token(Token::good(connection.subject(), audience)))
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
                let issuer = self.issuer();
                let issuer = issuer.ok_or_else(|| IssuerError::NoUrl.into_failure())?;
                let assertion = token.mint(issuer.as_ref(), clock).await?;
                let credential = Credential::Assertion(assertion.token());
                let answer = client.token(tenant, application, service, credential).await;
                if token.subject == APPLICATION_SUBJECT {
                    return answer.map_err(blamed_on_us);
                }
                answer
            }
            Proof::Own => {
                let secret = self.own_secret()?;
                let credential = Credential::Secret(&secret);
                client
                    .token(tenant, application, service, credential)
                    .await
                    .map_err(blamed_on_us)
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

    fn own_secret(&self) -> Result<Zeroizing<String>, Failure> {
        let Self::Application { own: Some(own), .. } = self else {
            return Err(no_application());
        };
        // A small file of this machine: not worth a thread of its own.
        let secret = own.client_secret().map_err(|error| {
            Failure::new(
                FailureKind::Unavailable,
                "NoApplicationSecret",
                format!(
                    "this server cannot read its application's secret: {}",
                    error.in_words()
                ),
            )
        })?;
        secret.ok_or_else(no_application)
    }
}

/// Nothing that customers could approve.
pub(crate) fn no_application() -> Failure {
    Failure::new(FailureKind::Unavailable, "NoApplication", NO_APPLICATION)
}

pub(crate) const NO_APPLICATION: &str =
    "this server has no application of its own that an administrator could approve";

fn other_application(stored: Option<&Guid>, own: &Application) -> Failure {
    let was = stored.map_or("none", Guid::as_str);
    Failure::new(
        FailureKind::Unavailable,
        "OtherApplication",
        format!(
            "the connection is by the application {was}, and this server's is now {}",
            own.client_id
        ),
    )
}

/// Entra refused what the operator's application shows of itself: its secret
/// has expired, or it does not trust this server. No customer took anything
/// back, so no connection may look as if it had been revoked.
fn blamed_on_us(mut failure: Failure) -> Failure {
    if matches!(
        failure.code.as_str(),
        "AADSTS7000215"
            | "AADSTS7000222"
            | "AADSTS7000218"
            | "AADSTS70021"
            | "AADSTS70025"
            | "AADSTS700211"
            | "AADSTS700212"
            | "AADSTS700213"
            | "AADSTS700023"
            | "AADSTS700024"
            | "AADSTS700027"
    ) {
        failure.kind = FailureKind::Unavailable;
        failure.message = format!(
            "Entra refused this server's own application: {}",
            failure.message
        );
    }
    failure
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
