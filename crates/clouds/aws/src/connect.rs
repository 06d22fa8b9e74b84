//! Connecting: two roles in the customer's account that trust this server's
//! principal under an external id (`assume-role`), or the tokens that it signs
//! for this connection (`oidc`).

mod bucket;
mod caller;
mod detect;
mod guide;
pub(crate) mod principal;
pub(crate) mod server;
mod sessions;
mod snapshot;
mod verify;

use crate::{
    client::Clients,
    config::{AwsConfig, ConfigError},
    door::{Door, Proof},
    driver::CloudControlDriver,
    session::{Assume, RoleSession, SessionProvider},
};
use async_trait::async_trait;
use bucket::Bucket;
use landfall_model::{
    Clock, Entropy, Timestamp,
    connection::{AwsConnection, Connection, Method, State},
    connector::{Availability, CheckSink, Connector, Detection, Region, Verification},
    driver::{Driver, Failure, FailureKind},
    grant::{AWS_AUDIENCE, GrantGuide, GrantSpec, ServerPrincipal},
    issuer::{Issuer, Token},
    patience::Patience,
    retained::Retained,
};
use serde_json::Value;
use server::ServerIdentity;
use sessions::Sessions;
use std::sync::Arc;

/// The shortest session that STS issues, in seconds: for probes and the reaper.
const SHORTEST: i32 = 900;
/// The longest that a role assumed from a session may have ("chaining"), and
/// the least maximum that a role can be given: it always works.
const HOUR: i32 = 3600;
/// Why nobody can be connected by `oidc`.
const NO_ISSUER: &str = "AWS must be able to read this server's public keys, and the server has \
                         no public https address";
/// Session policies may have this many characters (AWS docs: "IAM and STS
/// quotas").
const LONGEST_SESSION_POLICY: usize = 2048;

/// [`Method::AssumeRole`] or [`Method::Oidc`] on AWS.
pub struct AwsConnector {
    config: AwsConfig,
    clients: Clients,
    door: Door,
    bucket: Option<Bucket>,
    sessions: Sessions,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl AwsConnector {
    /// By this server's principal. Reads the machine's identity if that is
    /// configured, but asks AWS nothing yet.
    pub async fn assume_role(
        config: AwsConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Self::new(config, clock, entropy, |config, clients, clock| {
            Door::Principal(Arc::new(ServerIdentity::new(
                clients.server_sts(),
                config.principal_arn.clone(),
                clock,
            )))
        })
        .await
    }

    /// By assertions of `issuer`: no identity of AWS is needed, except to write
    /// into the template bucket.
    pub async fn oidc(
        config: AwsConfig,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Self::new(config, clock, entropy, |_, clients, clock| Door::Issuer {
            sts: clients.anonymous_sts(),
            issuer,
            clock,
        })
        .await
    }

    async fn new(
        config: AwsConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        door: impl FnOnce(&AwsConfig, &Clients, Arc<dyn Clock>) -> Door,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let clients = Clients::new(&config).await;
        let bucket = config
            .template_bucket
            .as_ref()
            .map(|bucket| Bucket::new(bucket, &clients, clock.clone()))
            .transpose()?;
        Ok(Self {
            door: door(&config, &clients, clock.clone()),
            config,
            clients,
            bucket,
            sessions: Sessions::default(),
            clock,
            entropy,
        })
    }

    fn assume(&self, connection: AwsConnection<'_>, role_arn: String, purpose: &str) -> Assume {
        Assume {
            role_arn,
            proof: self.proof(connection),
            session_name: format!("landfall-{purpose}-{}", connection.suffix()),
            duration: SHORTEST,
            policy: None,
        }
    }

    /// What opens the roles of this connection.
    fn proof(&self, connection: AwsConnection<'_>) -> Proof {
        match self.door {
            Door::Principal(_) => Proof::ExternalId(Some(connection.external_id.clone())),
            Door::Issuer { .. } => Proof::Token(Token::good(connection.subject(), AWS_AUDIENCE)),
        }
    }

    /// The provisioner's session, shared by all regions.
    fn provisioner_session(&self, connection: AwsConnection<'_>) -> Arc<RoleSession> {
        self.sessions.session(&connection.id, self.clock.now(), || {
            let mut assume =
                self.assume(connection, connection.provisioner_role_arn(), "provision");
            assume.duration = HOUR;
            RoleSession::new(self.door.clone(), assume, self.clock.clone())
        })
    }

    /// Refuses early what the account has refused already: a revoked or ended
    /// connection is not asked again here, only looked at by [`Self::detect`].
    fn usable<'a>(&self, connection: &'a Connection) -> Result<AwsConnection<'a>, Failure> {
        let aws = connection.aws()?;
        let reason = match &connection.state {
            State::Revoked { reason, .. } => format!("the grant was taken back: {reason}"),
            State::Disconnected { .. } => "the connection was ended".to_owned(),
            _ => return Ok(aws),
        };
        self.sessions.forget(&connection.id);
        Err(Failure::new(
            FailureKind::Unauthorized,
            "ConnectionNotUsable",
            format!("account {}: {reason}", aws.account_id()),
        ))
    }
}

#[async_trait]
impl Connector for AwsConnector {
    fn method(&self) -> Method {
        match self.door {
            Door::Principal(_) => Method::AssumeRole,
            Door::Issuer { .. } => Method::Oidc,
        }
    }

    async fn availability(&self) -> Availability {
        match &self.door {
            Door::Principal(server) => server.availability().await,
            Door::Issuer { issuer, .. } if issuer.url().is_some() => Availability::Available,
            Door::Issuer { .. } => Availability::Unavailable {
                reason: NO_ISSUER.to_owned(),
                next_step: "the operator sets issuer.url to a public https address of this \
                            server, or exports the issuer's documents to one"
                    .to_owned(),
            },
        }
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        match &self.door {
            Door::Principal(server) => match server.known().await {
                Ok(server) => Ok(ServerPrincipal::Aws {
                    arn: server.principal_arn,
                }),
                Err(error) => Err(error.failure()),
            },
            Door::Issuer { issuer, .. } => issuer
                .url()
                .map(|url| ServerPrincipal::Issuer {
                    url: url.to_owned(),
                })
                .ok_or_else(|| Failure::new(FailureKind::Unavailable, "NoIssuer", NO_ISSUER)),
        }
    }

    fn guide(
        &self,
        connection: &Connection,
        others: &[Connection],
        spec: &GrantSpec,
        principal: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        guide::write(&guide::Source {
            config: &self.config,
            bucket: self.bucket.as_ref(),
            connection: connection.aws()?,
            others,
            spec,
            principal,
        })
    }

    async fn publish(&self, connection: &Connection, spec: &GrantSpec) -> Result<(), Failure> {
        match &self.bucket {
            Some(bucket) => bucket.put(connection.aws()?, guide::aws_of(spec)?).await,
            None => Ok(()),
        }
    }

    async fn detect(&self, connection: &Connection) -> Detection {
        let found = match connection.aws() {
            Ok(aws) => detect::look(self, aws).await,
            Err(wrong) => Detection::Unreachable {
                evidence: wrong.to_string(),
            },
        };
        if matches!(found, Detection::Refused { .. }) {
            self.sessions.forget(&connection.id);
        }
        found
    }

    async fn verify(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        now: Timestamp,
        sink: &dyn CheckSink,
    ) -> Result<Verification, Failure> {
        let verification =
            verify::run(self, connection.aws()?, guide::aws_of(spec)?, now, sink).await;
        if verification.refused {
            self.sessions.forget(&connection.id);
        }
        Ok(verification)
    }

    async fn regions(&self, connection: &Connection) -> Result<Vec<Region>, Failure> {
        let connection = self.usable(connection)?;
        let session = self.provisioner_session(connection);
        // Somebody waits for the answer: a busy account is worth a few seconds.
        let patience = Patience {
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
        };
        patience.ask(|| session.credentials()).await?;
        let home = self.clients.home_as(SessionProvider::shared(session));
        patience.ask(|| verify::regions::list(&home)).await
    }

    async fn provisioner(
        &self,
        connection: &Connection,
        region: &str,
    ) -> Result<Arc<dyn Driver>, Failure> {
        let connection = self.usable(connection)?;
        let session = self.provisioner_session(connection);
        // Now rather than at the first call: the caller learns at once, and
        // with one request, that the grant is gone.
        session.credentials().await?;
        Ok(self.sessions.driver(&connection.id, region, || {
            CloudControlDriver::new(&self.clients, region, session.clone())
        }))
    }

    async fn reaper(
        &self,
        connection: &Connection,
        resource: &Retained,
        session_policy: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        let connection = self.usable(connection)?;
        let assume = detect::reaper_for(self, connection, resource, session_policy)?;
        // Never kept: each approved destruction has a session of its own, and
        // it ends with the driver.
        let session = Arc::new(RoleSession::new(
            self.door.clone(),
            assume,
            self.clock.clone(),
        ));
        session.credentials().await?;
        Ok(Arc::new(CloudControlDriver::new(
            &self.clients,
            &resource.region,
            session,
        )))
    }
}
