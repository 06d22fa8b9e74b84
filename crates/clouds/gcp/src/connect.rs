//! Connecting: service accounts in the customer's project that this server may
//! act as, by whichever way in.

mod detect;
mod guide;
mod verify;

pub use guide::key_setup;

use crate::{
    config::{ConfigError, GcpConfig, IssuerKeys},
    door::{
        Door, SHORT, act_as,
        federation::Federation,
        key::GivenKey,
        operator::{self, Operator},
    },
    http::{Google, Session},
};
use async_trait::async_trait;
use landfall_model::patience::Patience;
use landfall_model::{
    Clock, Entropy, Timestamp,
    connection::{Connection, Gcp, GcpAccess, GcpConnection, Method, State, Target},
    connector::{Availability, CheckSink, Connector, Detection, Region, Verification},
    driver::{Driver, Failure, FailureKind},
    grant::{GcpIdentity, GrantGuide, GrantSpec, ServerPrincipal, Way},
    issuer::Issuer,
    retained::Retained,
    secret::Secrets,
};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Why nobody can be connected by `workload-identity`.
const NO_ISSUER: &str = "this server has no https address to sign assertions as";
/// Why nobody can be connected by `impersonation`.
const NO_OPERATOR: &str = "this server has no Google identity of its own";
const SET_OPERATOR: &str = "the operator sets clouds.gcp.operator: a project_id, and a \
     credentials_file (mode 0600) or metadata = true, of a service account that has Service \
     Account Admin in that project; workload-identity needs none of it";

/// One of the three methods of Google Cloud.
pub struct GcpConnector {
    config: GcpConfig,
    google: Google,
    door: Door,
    /// The keys that the setup uploads, as they were when the principal was
    /// last asked for: the guide is written without waiting for anything.
    uploads: Mutex<Option<Value>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl GcpConnector {
    /// [`Method::GcpWorkloadIdentity`]: by assertions of `issuer`.
    pub fn workload_identity(
        config: GcpConfig,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        let federation = Federation {
            issuer,
            keys: config.issuer_keys,
        };
        Self::new(config, Door::Federation(federation), clock, entropy)
    }

    /// [`Method::ServiceAccountKey`]: by the keys that customers gave us.
    pub fn service_account_key(
        config: GcpConfig,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        Self::new(config, Door::Key(GivenKey { secrets }), clock, entropy)
    }

    /// [`Method::Impersonation`]: as accounts that this server makes in the
    /// operator's project.
    pub fn impersonation(
        config: GcpConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        let operator = Operator::new(config.operator.clone());
        Self::new(config, Door::Account(operator), clock, entropy)
    }

    fn new(
        config: GcpConfig,
        door: Door,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            google: Google::new(&config)?,
            door,
            config,
            uploads: Mutex::new(None),
            clock,
            entropy,
        })
    }

    /// Whoever may act as the accounts of the grant.
    async fn entry(&self, connection: GcpConnection<'_>) -> Result<Session, Failure> {
        let token = self
            .door
            .enter(&self.google, self.clock.as_ref(), connection)
            .await?;
        Ok(self.google.with(token))
    }

    /// An account of the grant. A refusal says that the grant, not one
    /// permission, is missing.
    async fn identity(
        &self,
        entry: &Session,
        connection: GcpConnection<'_>,
        identity: GcpIdentity,
    ) -> Result<Session, Failure> {
        let email = connection.service_account_email(identity.as_str());
        match act_as(entry, &email, SHORT).await {
            Ok(token) => Ok(self.google.with(token)),
            Err(mut failure) => {
                if failure.kind == FailureKind::Denied {
                    failure.resource = Some(email);
                }
                Err(failure)
            }
        }
    }

    fn patience(&self) -> Patience<'_> {
        Patience {
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
        }
    }

    /// Refuses early what the project has refused already.
    fn usable(&self, connection: &Connection) -> Result<(), Failure> {
        let reason = match &connection.state {
            State::Revoked { reason, .. } => format!("the grant was taken back: {reason}"),
            State::Disconnected { .. } => "the connection was ended".to_owned(),
            _ => return Ok(()),
        };
        Err(Failure::new(
            FailureKind::Unauthorized,
            "ConnectionNotUsable",
            format!("project {}: {reason}", connection.scope()),
        ))
    }
}

#[async_trait]
impl Connector for GcpConnector {
    fn method(&self) -> Method {
        self.door.method()
    }

    fn beforehand(&self) -> Vec<Way> {
        match &self.door {
            Door::Key(_) => guide::key_setup(&self.config, None),
            Door::Federation(_) | Door::Account(_) => Vec::new(),
        }
    }

    async fn availability(&self) -> Availability {
        let unavailable = |reason: &str, next_step: &str| Availability::Unavailable {
            reason: reason.to_owned(),
            next_step: next_step.to_owned(),
        };
        match &self.door {
            Door::Federation(federation) if federation.issuer.url().is_none() => unavailable(
                NO_ISSUER,
                "the operator sets issuer.url to an https address; where Google cannot reach it, \
                 clouds.gcp.issuer_keys = \"uploaded\" as well",
            ),
            Door::Federation(_) | Door::Key(_) => Availability::Available,
            Door::Account(operator) if operator.config.is_none() => {
                unavailable(NO_OPERATOR, SET_OPERATOR)
            }
            Door::Account(operator) => {
                match operator.acting(&self.google, self.clock.as_ref()).await {
                    Ok(_) => Availability::Available,
                    // That Google does not answer says nothing about what is
                    // configured; a file that cannot be read does.
                    Err(failure)
                        if failure.kind.is_retryable() && failure.code != operator::NO_IDENTITY =>
                    {
                        Availability::Available
                    }
                    Err(failure) => unavailable(
                        &format!(
                            "this server's Google identity does not work: {}",
                            failure.message
                        ),
                        SET_OPERATOR,
                    ),
                }
            }
        }
    }

    async fn prepare(&self, connection: &Connection) -> Result<Target, Failure> {
        let (Door::Account(operator), Target::Gcp(target)) = (&self.door, &connection.target)
        else {
            return Ok(connection.target.clone());
        };
        let gcp = connection.gcp()?;
        let email = operator.prepare(&self.google, self.patience(), gcp).await?;
        Ok(Target::Gcp(Gcp {
            access: GcpAccess::Impersonation {
                service_account: Some(email),
            },
            ..target.clone()
        }))
    }

    async fn release(&self, connection: &Connection) -> Result<(), Failure> {
        let Door::Account(operator) = &self.door else {
            return Ok(());
        };
        let gcp = connection.gcp()?;
        operator.release(&self.google, self.patience(), gcp).await
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        let Federation { issuer, keys } = match &self.door {
            Door::Federation(federation) => federation,
            Door::Key(_) => return Ok(ServerPrincipal::GivenKey),
            Door::Account(operator) => {
                let acting = operator.acting(&self.google, self.clock.as_ref()).await?;
                return Ok(ServerPrincipal::GoogleServiceAccount {
                    email: acting.email,
                });
            }
        };
        let Some(url) = issuer.url() else {
            return Err(Failure::new(
                FailureKind::Unavailable,
                "NoIssuer",
                NO_ISSUER,
            ));
        };
        if *keys == IssuerKeys::Uploaded {
            let jwks = issuer.jwks().await.map_err(|error| {
                Failure::new(
                    FailureKind::Unavailable,
                    "NoKeys",
                    format!("this server could not read its public keys: {error}"),
                )
            })?;
            *self.uploads.lock().unwrap_or_else(PoisonError::into_inner) = Some(jwks);
        }
        Ok(ServerPrincipal::Issuer {
            url: url.to_owned(),
        })
    }

    fn guide(
        &self,
        connection: &Connection,
        _: &[Connection],
        spec: &GrantSpec,
        _: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        let gcp = connection.gcp()?;
        let grant = granted(spec)?;
        let uploads = self
            .uploads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let uploading = matches!(
            &self.door,
            Door::Federation(federation) if federation.keys == IssuerKeys::Uploaded
        );
        if uploads.is_none() && uploading {
            // The principal is asked for before its guide is.
            return Err(Failure::new(
                FailureKind::Unavailable,
                "NoKeys",
                "this server's public keys are not known yet",
            ));
        }
        guide::write(&self.config, gcp, grant, spec, uploads.as_ref())
    }

    /// Google has no links that read a template.
    async fn publish(&self, _: &Connection, _: &GrantSpec) -> Result<(), Failure> {
        Ok(())
    }

    async fn detect(&self, connection: &Connection) -> Detection {
        match connection.gcp() {
            Ok(gcp) => detect::look(self, gcp).await,
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
        let gcp = connection.gcp()?;
        self.usable(connection)?;
        // Somebody waits for the answer: a busy project is worth a few seconds.
        let patience = self.patience();
        let entry = patience.ask(|| self.entry(gcp)).await?;
        let provisioner = patience
            .ask(|| self.identity(&entry, gcp, GcpIdentity::Provisioner))
            .await?;
        let names = patience
            .ask(|| verify::quotas::regions(&provisioner, gcp.project_id()))
            .await?;
        Ok(names
            .into_iter()
            .map(|name| Region {
                name,
                enabled: true,
                changing: false,
            })
            .collect())
    }

    async fn provisioner(&self, _: &Connection, _: &str) -> Result<Arc<dyn Driver>, Failure> {
        Err(not_yet())
    }

    async fn reaper(
        &self,
        _: &Connection,
        _: &Retained,
        _: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        Err(not_yet())
    }
}

fn not_yet() -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "NotYet",
        "environments in Google Cloud cannot be made yet",
    )
}

/// The grant in Google's terms.
fn granted(spec: &GrantSpec) -> Result<&landfall_model::grant::GcpGrant, Failure> {
    spec.gcp().ok_or_else(|| {
        Failure::new(
            FailureKind::Invalid,
            "WrongCloud",
            "the grant is one of another cloud",
        )
    })
}
