//! Connecting: an application in the customer's tenant that trusts the
//! assertions which this server makes for this connection
//! (`workload-identity`), or whose secret the customer gave (`client-secret`).

mod detect;
mod guide;
mod patience;
mod reaper;
mod verify;

use crate::{
    client::{Client, Session},
    config::{AzureConfig, ConfigError},
    door::Door,
    error::Service,
};
use async_trait::async_trait;
use landfall_model::{
    Clock, Entropy, Timestamp,
    connection::{AzureConnection, Connection, Guid, Method, State},
    connector::{Availability, CheckSink, Connector, Detection, Region, Verification},
    driver::{Driver, Failure, FailureKind},
    grant::{GrantGuide, GrantSpec, Identity, ServerPrincipal},
    issuer::Issuer,
    retained::Retained,
    secret::Secrets,
};
use patience::Patience;
use serde_json::Value;
use std::sync::Arc;

/// Why nobody can be connected by `workload-identity`.
const NO_ISSUER: &str = "Entra must be able to read this server's public keys, and the server \
                         has no public https address";

/// [`Method::AzureWorkloadIdentity`] or [`Method::ClientSecret`].
pub struct AzureConnector {
    client: Client,
    door: Door,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl AzureConnector {
    /// By assertions of `issuer`: nothing secret is stored.
    pub fn workload_identity(
        config: AzureConfig,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Self::new(config, Door::Issuer(issuer), clock, entropy)
    }

    /// By a client secret. Where there is an `issuer` that Entra can reach, the
    /// connection can have a reaper, which is keyless even here.
    pub fn client_secret(
        config: AzureConfig,
        secrets: Arc<dyn Secrets>,
        issuer: Option<Arc<dyn Issuer>>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Self::new(config, Door::Secret { secrets, issuer }, clock, entropy)
    }

    fn new(
        config: AzureConfig,
        door: Door,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            client: Client::new(config)?,
            door,
            clock,
            entropy,
        })
    }

    /// A session of one of the identities. No token is kept: each verification
    /// and each look sees what Entra says now.
    async fn sign_in(
        &self,
        azure: AzureConnection<'_>,
        identity: Identity,
        application: &Guid,
        service: Service,
    ) -> Result<Session<'_>, Failure> {
        let audience = &self.client.config.token_exchange_audience;
        let proof = self.door.proof(azure, identity, audience)?;
        self.door
            .enter(
                self.clock.as_ref(),
                &self.client,
                azure,
                application,
                &proof,
                service,
            )
            .await
    }

    fn patience(&self) -> Patience<'_> {
        Patience {
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
        }
    }

    /// The server's application must be known, and the connection not ended.
    fn usable<'a>(&self, azure: AzureConnection<'a>) -> Result<&'a Guid, Failure> {
        let unusable = |reason: String| {
            Failure::new(
                FailureKind::Unauthorized,
                "ConnectionNotUsable",
                format!("subscription {}: {reason}", azure.subscription_id()),
            )
        };
        match &azure.state {
            State::Revoked { reason, .. } => {
                return Err(unusable(format!("the grant was taken back: {reason}")));
            }
            State::Disconnected { .. } => {
                return Err(unusable("the connection was ended".to_owned()));
            }
            _ => {}
        }
        azure
            .client_id()
            .ok_or_else(|| unusable(NO_CLIENT.to_owned()))
    }
}

/// What is missing until somebody says what the script printed.
const NO_CLIENT: &str = "the client id that the setup prints at its end was not entered yet";

#[async_trait]
impl Connector for AzureConnector {
    fn method(&self) -> Method {
        match self.door {
            Door::Issuer(_) => Method::AzureWorkloadIdentity,
            Door::Secret { .. } => Method::ClientSecret,
        }
    }

    async fn availability(&self) -> Availability {
        match &self.door {
            Door::Issuer(_) if self.door.issuer().is_none() => Availability::Unavailable {
                reason: NO_ISSUER.to_owned(),
                next_step: "the operator sets issuer.url to a public https address of this \
                            server, or exports the issuer's documents to one"
                    .to_owned(),
            },
            _ => Availability::Available,
        }
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        match (&self.door, self.door.issuer().and_then(|one| one.url())) {
            (Door::Secret { .. }, _) => Ok(ServerPrincipal::GivenKey),
            (Door::Issuer(_), Some(url)) => Ok(ServerPrincipal::Issuer {
                url: url.to_owned(),
            }),
            (Door::Issuer(_), None) => Err(Failure::new(
                FailureKind::Unavailable,
                "NoIssuer",
                NO_ISSUER,
            )),
        }
    }

    fn guide(
        &self,
        connection: &Connection,
        _: &[Connection],
        spec: &GrantSpec,
        principal: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        let azure = connection.azure()?;
        // By secret, the reaper trusts the issuer none the less.
        let issuer = match principal {
            ServerPrincipal::Issuer { url } => Some(url.as_str()),
            _ => self.door.issuer().and_then(|issuer| issuer.url()),
        };
        guide::write(&self.client.config, azure, spec, self.method(), issuer)
    }

    /// The guide holds everything: there is no file to publish.
    async fn publish(&self, _: &Connection, _: &GrantSpec) -> Result<(), Failure> {
        Ok(())
    }

    async fn detect(&self, connection: &Connection) -> Detection {
        match connection.azure() {
            Ok(azure) => detect::look(self, azure).await,
            Err(wrong) => Detection::Unreachable {
                evidence: wrong.to_string(),
            },
        }
    }

    async fn verify(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        now: Timestamp,
        sink: &dyn CheckSink,
    ) -> Result<Verification, Failure> {
        Ok(verify::run(self, connection, spec, now, sink).await)
    }

    async fn regions(&self, connection: &Connection) -> Result<Vec<Region>, Failure> {
        let azure = connection.azure()?;
        let application = self.usable(azure)?;
        let patience = self.patience();
        let session = patience
            .ask(|| {
                self.sign_in(
                    azure,
                    Identity::Provisioner,
                    application,
                    Service::ResourceManager,
                )
            })
            .await?;
        patience
            .ask(|| verify::regions::list(&session, azure))
            .await
    }

    async fn provisioner(
        &self,
        connection: &Connection,
        _: &str,
    ) -> Result<Arc<dyn Driver>, Failure> {
        connection.azure()?;
        Err(not_yet())
    }

    async fn reaper(
        &self,
        connection: &Connection,
        _: &Retained,
        _: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        connection.azure()?;
        Err(not_yet())
    }
}

fn not_yet() -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "NotYet",
        "environments in azure cannot be made yet",
    )
}
