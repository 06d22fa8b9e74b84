//! Connecting and verifying, per method; and the way from a connection to its
//! two identities.

use crate::{
    Timestamp,
    check::Check,
    connection::{Connection, Method, Target},
    driver::{Driver, Failure, FailureKind},
    grant::{GrantGuide, GrantSpec, Identity, ServerPrincipal, Way},
    retained::Retained,
    vault::Plain,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Whether this server can offer a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Availability {
    Available,
    /// What the operator must configure first.
    Unavailable {
        reason: String,
        next_step: String,
    },
}

/// What a look for the grant found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Both identities let this connection in.
    Granted,
    /// One of the two can, the other cannot yet.
    Partial { missing: Identity },
    /// Refused. The clouds do not say whether an identity is missing or refuses
    /// us.
    Refused { evidence: String },
    /// The cloud did not answer; says nothing about the grant.
    Unreachable { evidence: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Region {
    pub name: String,
    pub enabled: bool,
    /// True while the cloud switches it on or off.
    pub changing: bool,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    pub checks: Vec<Check>,
    /// True when the provisioner did not let us in at all: then nothing else can
    /// be said, and the connection may be revoked.
    pub refused: bool,
    pub grant_version: Option<u32>,
    /// Digest of the grant as it is in the account, when it could be read.
    pub grant_digest: Option<crate::digest::Digest>,
    /// What was granted lets the provisioner give itself anything: two keys mean
    /// nothing.
    pub too_broad: bool,
    /// Of a method with a secret: the one in use as the cloud lists it, where
    /// we may look and can tell it from others.
    pub secret: Option<HeldSecret>,
    /// Whether this connection may make and remove its own secrets.
    pub can_rotate: bool,
    /// Of a connection that moved away from a secret: the cloud says that this
    /// secret is gone ([`Connection::left_behind`]).
    pub left_behind_gone: bool,
}

/// A secret as the cloud lists it: never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSecret {
    /// The cloud's id of it, by which it is removed.
    pub key_id: String,
    pub name: Option<String>,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// It is the one that this connection uses; false also where that cannot
    /// be told.
    pub in_use: bool,
}

/// A secret that was just made. The cloud shows its value this once.
#[derive(Clone, Debug)]
pub struct NewSecret {
    pub key_id: String,
    pub expires_at: Option<Timestamp>,
    pub plain: Plain,
}

/// Receives each check as it ends, for live display.
pub trait CheckSink: Send + Sync {
    fn finished(&self, check: &Check);
}

/// A sink for callers that only want the whole.
pub struct Silent;

impl CheckSink for Silent {
    fn finished(&self, _: &Check) {}
}

#[async_trait]
pub trait Connector: Send + Sync {
    fn method(&self) -> Method;

    /// May ask the cloud who this server is (`sts:GetCallerIdentity`), and
    /// remembers the answer for minutes.
    async fn availability(&self) -> Availability;

    /// How to make what has to be entered when a connection begins; empty where
    /// that is names only.
    fn beforehand(&self) -> Vec<Way> {
        Vec::new()
    }

    /// Makes what this server needs on its own side before the customer can
    /// grant, and answers with the target that names it. Repeating it finds
    /// what was made.
    async fn prepare(&self, connection: &Connection) -> Result<Target, Failure> {
        Ok(connection.target.clone())
    }

    /// Gives back what [`Self::prepare`] made. Touches nothing of the
    /// customer's.
    async fn release(&self, connection: &Connection) -> Result<(), Failure> {
        let _ = connection;
        Ok(())
    }

    /// The page on which an administrator approves this server's application,
    /// and from which the cloud returns to `redirect_uri` with `state`.
    fn consent_page(
        &self,
        connection: &Connection,
        redirect_uri: &str,
        state: &str,
    ) -> Result<String, Failure> {
        let _ = (redirect_uri, state);
        Err(unsupported(connection, "has no page of consent"))
    }

    /// The secrets with which this connection's provisioner could be entered.
    async fn secrets(&self, connection: &Connection) -> Result<Vec<HeldSecret>, Failure> {
        Err(unsupported(connection, "has no secret"))
    }

    /// Makes one more secret under `name`, which says whose it is. Repeating it
    /// makes another: the caller writes the name down first, and removes what
    /// it does not know under that name.
    async fn add_secret(
        &self,
        connection: &Connection,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<NewSecret, Failure> {
        let _ = (name, expires_at);
        Err(unsupported(connection, "has no secret"))
    }

    /// Removing what is gone succeeds.
    async fn remove_secret(&self, connection: &Connection, key_id: &str) -> Result<(), Failure> {
        let _ = key_id;
        Err(unsupported(connection, "has no secret"))
    }

    /// The identity that customers trust.
    async fn principal(&self) -> Result<ServerPrincipal, Failure>;

    /// The ways to make the grant `spec`. Uploads nothing. `others` are the
    /// organization's other connections to the same scope: some things in an
    /// account can exist once only and are shared.
    fn guide(
        &self,
        connection: &Connection,
        others: &[Connection],
        spec: &GrantSpec,
        principal: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure>;

    /// Puts the template of `spec` where the guide's quick-create link reads
    /// it. Repeating it is harmless; without a place to put it, it does nothing
    /// (and the guide has no link).
    async fn publish(&self, connection: &Connection, spec: &GrantSpec) -> Result<(), Failure>;

    /// One look for the grant; no retries.
    async fn detect(&self, connection: &Connection) -> Detection;

    /// All checks; fails only when this connector cannot be asked about
    /// `connection` or `spec` at all. `now` decides with the connection's state whether a denial
    /// is still propagating.
    async fn verify(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        now: Timestamp,
        sink: &dyn CheckSink,
    ) -> Result<Verification, Failure>;

    async fn regions(&self, connection: &Connection) -> Result<Vec<Region>, Failure>;

    /// The provisioner in one region. Credentials refresh by themselves.
    async fn provisioner(
        &self,
        connection: &Connection,
        region: &str,
    ) -> Result<Arc<dyn Driver>, Failure>;

    /// The reaper, for minutes, narrowed by its session to `resource` alone:
    /// `session_policy` is the document to assume the role with (at most 2,048
    /// characters). Without it the role could delete whatever Landfall made,
    /// so an implementation passes it as it is and never leaves it out.
    async fn reaper(
        &self,
        connection: &Connection,
        resource: &Retained,
        session_policy: &Value,
    ) -> Result<Arc<dyn Driver>, Failure>;
}

fn unsupported(connection: &Connection, what: &str) -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "NotOfThisMethod",
        format!("the method {} {what}", connection.method()),
    )
}
