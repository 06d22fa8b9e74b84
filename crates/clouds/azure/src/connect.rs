//! Connecting: an application in the customer's tenant that trusts the
//! assertions which this server makes for this connection
//! (`workload-identity`), or whose secret the customer gave (`client-secret`);
//! or the operator's, which an administrator of the tenant approved
//! (`admin-consent`).

mod detect;
mod guide;
mod ownership;
mod reaper;
mod secrets;
mod verify;

use crate::{
    client::{Client, Session},
    config::{Application, AzureConfig, ConfigError},
    door::{Door, NO_APPLICATION, no_application},
    error::Service,
};
use async_trait::async_trait;
use landfall_model::patience::Patience;
use landfall_model::{
    Clock, Entropy, Timestamp,
    connection::{AzureAccess, AzureConnection, Connection, Guid, Method, State, Target},
    connector::{
        Availability, CheckSink, Connector, Detection, HeldSecret, NewSecret, Region, Verification,
    },
    driver::{Driver, Failure, FailureKind},
    grant::{GrantGuide, GrantSpec, Identity, ServerPrincipal},
    issuer::Issuer,
    retained::Retained,
    secret::Secrets,
};
use serde_json::Value;
use std::sync::Arc;

/// Why nobody can be connected by `workload-identity`.
const NO_ISSUER: &str = "Entra must be able to read this server's public keys, and the server \
                         has no public https address";

/// [`Method::AzureWorkloadIdentity`], [`Method::AdminConsent`] or
/// [`Method::ClientSecret`].
pub struct AzureConnector {
    client: Client,
    door: Door,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The operator's application when it can be used, else why not and what the
/// operator does about it.
fn usable(own: Option<&Application>, has_issuer: bool) -> Result<&Application, (String, String)> {
    let own = own.ok_or_else(|| {
        (
            NO_APPLICATION.to_owned(),
            "the operator registers a multi-tenant application in Entra and sets \
             clouds.azure.application.client_id (docs: Connect an Azure subscription by \
             admin-consent)"
                .to_owned(),
        )
    })?;
    match own.client_secret() {
        Err(error) => Err((
            format!(
                "this server cannot read its application's secret: {}",
                error.in_words()
            ),
            "the operator corrects clouds.azure.application.client_secret_file".to_owned(),
        )),
        Ok(None) if !has_issuer => Err((
            format!("its application has no secret, so it needs assertions: {NO_ISSUER}"),
            "the operator sets clouds.azure.application.client_secret_file, or issuer.url to a \
             public https address of this server"
                .to_owned(),
        )),
        Ok(_) => Ok(own),
    }
}

fn offered(usable: Result<&Application, (String, String)>) -> Availability {
    match usable {
        Ok(_) => Availability::Available,
        Err((reason, next_step)) => Availability::Unavailable { reason, next_step },
    }
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

    /// As the operator's application, which customers approve. Where Entra can
    /// reach `issuer`, the connection can have a reaper, which is an application
    /// of the customer's own.
    pub fn admin_consent(
        config: AzureConfig,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        let own = config.application.clone();
        Self::new(config, Door::Application { own, issuer }, clock, entropy)
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

    /// Why the provisioner's client id is not known.
    const fn no_client(&self) -> &'static str {
        match self.door {
            Door::Application { .. } => NOT_PREPARED,
            _ => NO_CLIENT,
        }
    }

    fn application<'a>(
        &self,
        own: Option<&'a Application>,
    ) -> Result<&'a Application, (String, String)> {
        usable(own, self.door.issuer().is_some())
    }

    /// Whether `admin-consent` can be offered by a server that is configured so,
    /// and that has an issuer or has none. Asks nobody.
    pub fn consent_availability(
        config: &AzureConfig,
        has_issuer: bool,
    ) -> Result<Availability, ConfigError> {
        Client::new(config.clone())?;
        Ok(offered(usable(config.application.as_ref(), has_issuer)))
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
            .ok_or_else(|| unusable(self.no_client().to_owned()))
    }
}

/// What is missing until somebody says what the script printed.
const NO_CLIENT: &str = "the client id that the setup prints at its end was not entered yet";

/// Of `admin-consent`, whose client id this server says itself.
const NOT_PREPARED: &str = "this server did not say yet which application is to be approved";

#[async_trait]
impl Connector for AzureConnector {
    fn method(&self) -> Method {
        match self.door {
            Door::Issuer(_) => Method::AzureWorkloadIdentity,
            Door::Secret { .. } => Method::ClientSecret,
            Door::Application { .. } => Method::AdminConsent,
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
            Door::Application { own, .. } => offered(self.application(own.as_ref())),
            _ => Availability::Available,
        }
    }

    /// The operator's application has one client id for all connections.
    async fn prepare(&self, connection: &Connection) -> Result<Target, Failure> {
        let mut target = connection.target.clone();
        let Door::Application { own, .. } = &self.door else {
            return Ok(target);
        };
        let own = own.as_ref().ok_or_else(no_application)?;
        connection.azure()?;
        if let Target::Azure(azure) = &mut target
            && let AzureAccess::AdminConsent {
                client_id,
                asked,
                approved_at,
            } = &mut azure.access
            && client_id.as_ref() != Some(&own.client_id)
        {
            // What was approved was another application.
            (*asked, *approved_at) = (None, None);
            *client_id = Some(own.client_id.clone());
        }
        Ok(target)
    }

    /// Microsoft Learn: "Construct the URL for granting tenant-wide admin
    /// consent".
    fn consent_page(
        &self,
        connection: &Connection,
        redirect_uri: &str,
        state: &str,
    ) -> Result<String, Failure> {
        let azure = connection.azure()?;
        let Door::Application { own, .. } = &self.door else {
            return Err(Failure::new(
                FailureKind::Invalid,
                "NotOfThisMethod",
                format!("the method {} has no page of consent", connection.method()),
            ));
        };
        let own = own.as_ref().ok_or_else(no_application)?;
        let config = &self.client.config;
        let path = format!("/{}/v2.0/adminconsent", azure.tenant_id());
        let mut url = crate::client::at(&config.authority, &path);
        // All that the application's registration asks for.
        let scope = format!("{}/.default", config.graph.as_str().trim_end_matches('/'));
        url.query_pairs_mut().extend_pairs([
            ("client_id", own.client_id.as_str()),
            ("scope", &scope),
            ("redirect_uri", redirect_uri),
            ("state", state),
        ]);
        Ok(url.into())
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        match (&self.door, self.door.issuer().and_then(|one| one.url())) {
            (Door::Secret { .. }, _) => Ok(ServerPrincipal::GivenKey),
            (Door::Application { own, .. }, _) => Ok(ServerPrincipal::EntraApplication {
                client_id: own.as_ref().ok_or_else(no_application)?.client_id.clone(),
            }),
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
        // Where the provisioner does not, the reaper trusts it none the less.
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

    async fn secrets(&self, connection: &Connection) -> Result<Vec<HeldSecret>, Failure> {
        self.held_secrets(connection.azure()?).await
    }

    async fn add_secret(
        &self,
        connection: &Connection,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<NewSecret, Failure> {
        self.new_secret(connection.azure()?, name, expires_at).await
    }

    async fn remove_secret(&self, connection: &Connection, key_id: &str) -> Result<(), Failure> {
        self.drop_secret(connection.azure()?, key_id).await
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
        if matches!(self.door, Door::Application { .. }) {
            ownership::require(&session, azure, Some(patience)).await?;
        }
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
