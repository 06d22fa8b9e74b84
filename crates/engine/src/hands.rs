//! The two pairs of hands, the eyes of a plan, and the way every call goes:
//! limiter, breaker, timeout.
//!
//! A [`Provisioner`] cannot delete and a [`Reaper`] cannot create: the driver
//! that could is private to this module, and neither type has the method.

use crate::{
    engine::Engine,
    limiter::{Api, Key},
};
use landfall_model::{
    connection::Connection,
    driver::{
        AttemptToken, Driver, Failure, FailureKind, Observed, OperationId, PatchOperation, Progress,
    },
    id::ConnectionId,
    journal::Call,
};
use serde_json::Value;
use std::{future::Future, sync::Arc};

/// Whose calls these are and on which account.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub connection_id: ConnectionId,
    pub account_id: String,
    pub region: String,
    /// The rollout or destruction, for taking turns.
    pub party: String,
}

struct Line {
    driver: Arc<dyn Driver>,
    engine: Engine,
    caller: Caller,
}

impl Line {
    async fn call<T>(
        &self,
        api: Api,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let connection = &self.caller.connection_id;
        let key = Key {
            account_id: self.caller.account_id.clone(),
            region: self.caller.region.clone(),
            api,
        };
        let permit = self.engine.limiter.acquire(&key, &self.caller.party).await;
        // After the wait: it may have been long enough for others to find out.
        self.engine.breakers.admit(connection)?;
        let timeout = match api {
            // Many pages, one after another.
            Api::List => self.engine.policy.call.timeout * 5,
            _ => self.engine.policy.call.timeout,
        };
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.engine.clock.sleep(timeout) => Err(no_answer(api)),
        };
        match &answer {
            Err(failure) if failure.kind == FailureKind::Throttled => permit.throttled(),
            Ok(_) => permit.answered(),
            Err(_) => {}
        }
        self.engine
            .breakers
            .observe(connection, answer.as_ref().err());
        answer
    }

    async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        patch: &[PatchOperation],
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let call = self.driver.update(type_name, identifier, patch, token);
        self.call(Api::Update, call).await
    }

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure> {
        self.call(Api::Poll, self.driver.poll(operation)).await
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        self.call(Api::Read, self.driver.read(type_name, identifier))
            .await
    }

    async fn list(&self, type_name: &str, scope: Option<&Value>) -> Result<Vec<Observed>, Failure> {
        self.call(Api::List, self.driver.list(type_name, scope))
            .await
    }
}

/// A mutation that timed out may have been accepted.
fn no_answer(api: Api) -> Failure {
    let kind = match api {
        Api::Create | Api::Update | Api::Delete => FailureKind::Unknown,
        Api::Poll | Api::Read | Api::List => FailureKind::Unavailable,
    };
    Failure::new(kind, "NoAnswer", "the cloud did not answer in time")
}

/// What the engine needs of either pair of hands to carry an attempt through.
pub(crate) trait Hands: Send + Sync {
    /// Makes the journaled call. A call that these hands have no way to make is
    /// a journal that does not belong to them, and fails.
    fn send(
        &self,
        type_name: &str,
        call: &Call,
        token: &AttemptToken,
    ) -> impl Future<Output = Result<Progress, Failure>> + Send;

    fn poll(
        &self,
        operation: &OperationId,
    ) -> impl Future<Output = Result<Progress, Failure>> + Send;

    fn read(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> impl Future<Output = Result<Option<Observed>, Failure>> + Send;
}

/// Creates, reads, changes and lists. It has no way to delete.
pub struct Provisioner(Line);

impl Provisioner {
    pub(crate) fn new(driver: Arc<dyn Driver>, engine: Engine, caller: Caller) -> Self {
        Self(Line {
            driver,
            engine,
            caller,
        })
    }

    pub(crate) async fn list(
        &self,
        type_name: &str,
        scope: Option<&Value>,
    ) -> Result<Vec<Observed>, Failure> {
        self.0.list(type_name, scope).await
    }
}

impl Hands for Provisioner {
    async fn send(
        &self,
        type_name: &str,
        call: &Call,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        match call {
            Call::Create { properties } => {
                let call = self.0.driver.create(type_name, properties, token);
                self.0.call(Api::Create, call).await
            }
            Call::Update { identifier, patch } => {
                self.0.update(type_name, identifier, patch, token).await
            }
            Call::Delete { .. } => Err(not_ours("a rollout", "delete")),
        }
    }

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure> {
        self.0.poll(operation).await
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        self.0.read(type_name, identifier).await
    }
}

/// Reads, switches protection off and deletes. It has no way to create.
pub struct Reaper(Line);

impl Reaper {
    pub(crate) fn new(driver: Arc<dyn Driver>, engine: Engine, caller: Caller) -> Self {
        Self(Line {
            driver,
            engine,
            caller,
        })
    }
}

impl Hands for Reaper {
    async fn send(
        &self,
        type_name: &str,
        call: &Call,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        match call {
            Call::Delete { identifier } => {
                let call = self.0.driver.delete(type_name, identifier, token);
                self.0.call(Api::Delete, call).await
            }
            Call::Update { identifier, patch } => {
                self.0.update(type_name, identifier, patch, token).await
            }
            Call::Create { .. } => Err(not_ours("a destruction", "create")),
        }
    }

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure> {
        self.0.poll(operation).await
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        self.0.read(type_name, identifier).await
    }
}

/// Looks at an account for a plan, in the same queue as the rollouts that change
/// it: the account has one rate, whoever asks. It has no way to change anything.
pub struct Eyes(Line);

impl Eyes {
    /// `party` takes turns with the rollouts and other plans of the account.
    pub fn new(
        engine: &Engine,
        driver: Arc<dyn Driver>,
        connection: &Connection,
        region: &str,
        party: &str,
    ) -> Self {
        Self(Line {
            driver,
            engine: engine.clone(),
            caller: Caller {
                connection_id: connection.id.clone(),
                account_id: connection.scope().to_owned(),
                region: region.to_owned(),
                party: party.to_owned(),
            },
        })
    }

    pub async fn read(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> Result<Option<Observed>, Failure> {
        self.0.read(type_name, identifier).await
    }

    pub async fn list(
        &self,
        type_name: &str,
        scope: Option<&Value>,
    ) -> Result<Vec<Observed>, Failure> {
        self.0.list(type_name, scope).await
    }
}

fn not_ours(stream: &str, verb: &str) -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "JournalMismatch",
        format!("the journal of {stream} holds a call to {verb}, which it never makes"),
    )
}
