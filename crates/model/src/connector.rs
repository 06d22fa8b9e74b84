//! Connecting and verifying, per method; and the way from a connection to its
//! two identities.

use crate::{
    Timestamp,
    check::Check,
    connection::{Connection, Method},
    driver::{Driver, Failure},
    grant::{GrantGuide, GrantSpec, Identity, ServerPrincipal},
    retained::Retained,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub checks: Vec<Check>,
    /// True when the provisioner did not let us in at all: then nothing else can
    /// be said, and the connection may be revoked.
    pub refused: bool,
    pub grant_version: Option<u32>,
    /// Digest of the grant as it is in the account, when it could be read.
    pub grant_digest: Option<crate::digest::Digest>,
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
