//! Use cases: what people and the clock may do with Landfall, one module per
//! noun.
//!
//! This crate is the only home of authorization ([`access::require`]) and of
//! the audit log: a change and its audit entry are committed in one
//! transaction, and a refusal is written down too. It knows the clouds and the
//! database as ports only.

pub mod access;
pub mod applications;
mod approval;
pub mod audit;
mod breaker;
pub mod checks;
mod cloud;
pub mod connections;
pub mod environments;
pub mod hub;
pub mod idempotency;
mod keyed;
pub mod limits;
pub mod members;
mod names;
pub mod organizations;
pub mod plans;
pub mod retained;
pub mod rollouts;
mod secret;
pub mod sessions;
pub mod settings;
pub mod tokens;
mod watched;
pub mod worker;

pub use access::{Actor, Permission};
pub use settings::Settings;

use hub::Hub;
use landfall_engine::Engine;
use landfall_model::{
    Clock, Code, Entropy, Error, Timestamp,
    connection::Method,
    connector::Connector,
    error::Result,
    store::{Store, StoreError, Write},
    vault::Vault,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What the binary chooses.
pub struct Parts {
    pub store: Arc<dyn Store>,
    /// Seals what customers entrust; opened by the connectors alone.
    pub vault: Arc<dyn Vault>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub connectors: Vec<Arc<dyn Connector>>,
    pub settings: Settings,
}

/// Landfall, without a way to reach it: the API, the dashboard and the worker
/// share one.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) connectors: BTreeMap<Method, Arc<dyn Connector>>,
    pub(crate) settings: Settings,
    pub(crate) hub: Arc<Hub>,
    pub(crate) engine: Engine,
    pub(crate) limits: limits::Limits,
    pub(crate) breakers: breaker::Breakers,
    pub(crate) triggers: connections::Triggers,
    pub(crate) silences: worker::Silences,
    /// One connection's cloud questions at a time, and one organization's
    /// creations: see where they are taken.
    pub(crate) locks: keyed::Locks,
    closing: CancellationToken,
}

impl App {
    pub fn new(parts: Parts) -> Arc<Self> {
        let hub = Arc::new(Hub::default());
        let store: Arc<dyn Store> = Arc::new(watched::Watched::new(parts.store, hub.clone()));
        let closing = CancellationToken::new();
        let engine = Engine::new(
            store.clone(),
            parts.clock.clone(),
            parts.entropy.clone(),
            parts.settings.engine.clone(),
            closing.clone(),
        );
        Arc::new(Self {
            engine,
            store,
            vault: parts.vault,
            clock: parts.clock,
            entropy: parts.entropy,
            connectors: parts
                .connectors
                .into_iter()
                .map(|connector| (connector.method(), connector))
                .collect(),
            limits: limits::Limits::new(&parts.settings.rates),
            settings: parts.settings,
            hub,
            breakers: breaker::Breakers::default(),
            triggers: connections::Triggers::default(),
            silences: worker::Silences::default(),
            locks: keyed::Locks::default(),
            closing,
        })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// Live notices of one organization.
    pub fn subscribe(&self, actor: &Actor) -> hub::Subscription {
        self.hub.subscribe(actor.organization_id().clone())
    }

    /// Canceled when the server stops: streams end then, so that a graceful
    /// shutdown does not wait for browsers.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// `sqlite` or `postgresql` and its version; an error when the database
    /// does not answer.
    pub async fn ready(&self) -> Result<String> {
        self.store.describe().await.map_err(failed("readiness"))
    }

    pub(crate) async fn commit(&self, operation: &'static str, writes: Vec<Write>) -> Result<()> {
        self.store.commit(writes).await.map_err(failed(operation))
    }

    pub(crate) fn connector(&self, method: Method) -> Result<&Arc<dyn Connector>> {
        self.connectors.get(&method).ok_or_else(|| {
            Error::new(
                Code::ConnectionMethodUnavailable,
                format!(
                    "this server does not offer the method '{}'",
                    method.as_str()
                ),
                "choose another method, or ask the operator to configure it",
            )
        })
    }
}

/// A store's error as a user may read it.
pub(crate) fn failed(operation: &'static str) -> impl Fn(StoreError) -> Error {
    move |error| match error {
        StoreError::Conflict { noun, .. } => Error::new(
            Code::VersionConflict,
            format!("somebody else changed the {noun} in the meantime"),
            "read it again, then repeat the change",
        ),
        StoreError::Taken { noun, ref name } => Error::new(
            Code::NameTaken,
            format!("there is a {noun} named '{name}' already"),
            "choose another name",
        ),
        StoreError::Database { .. } => Error::new(
            Code::StoreUnavailable,
            format!("the database did not answer ({operation})"),
            "try again in a moment",
        )
        .with_source(error),
        StoreError::Fenced { .. } | StoreError::Corrupt { .. } => Error::internal(operation, error),
    }
}
