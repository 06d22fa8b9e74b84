use crate::{breaker::Breakers, limiter::Limiter, policy::Policy};
use landfall_model::{
    Clock, Entropy, Timestamp,
    driver::Failure,
    graph::Address,
    id::{ConnectionId, PlanId, RolloutId},
    rollout,
    store::{Store, StoreError, Write},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What every run in this process shares. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limiter: Limiter,
    pub(crate) breakers: Breakers,
    pub(crate) policy: Arc<Policy>,
    pub(crate) shutdown: CancellationToken,
}

impl Engine {
    /// `shutdown` makes every run stop at its next wait, with its lease given
    /// back.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        policy: Policy,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            limiter: Limiter::new(clock.clone(), &policy.call),
            breakers: Breakers::new(clock.clone(), policy.breaker.clone()),
            store,
            clock,
            entropy,
            policy: Arc::new(policy),
            shutdown,
        }
    }

    /// For forgetting what a connection's breaker holds against it, after its
    /// checks passed.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits, unless the server shuts down.
    pub(crate) async fn pause(&self, duration: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Stop::Shutdown),
            () = self.clock.sleep(duration) => Ok(()),
        }
    }
}

/// Where an environment lives, for records and for taking turns.
#[derive(Clone, Debug)]
pub struct Site {
    pub account_id: String,
    pub region: String,
    pub connection_id: ConnectionId,
    /// For people: `shop/production`.
    pub environment_name: String,
}

/// Further writes for the transaction that ends the work, made from the noun
/// as it will be: an audit entry, what follows.
pub type Closing<T> = Box<dyn Fn(&T) -> Vec<Write> + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    Succeeded,
    /// Some nodes failed; `blocked` more were not tried. Can be resumed.
    Failed {
        failed: BTreeMap<Address, Failure>,
        blocked: u32,
    },
    /// Can be resumed.
    Canceled,
    /// Not over: whoever claims the work next goes on.
    Interrupted(Interruption),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Another worker has the lease. Nothing was written after it was lost.
    LeaseLost,
    /// The work was given back to be claimed at once.
    Shutdown,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the engine could not {operation}")]
    Store {
        operation: &'static str,
        #[source]
        source: StoreError,
    },
    #[error("rollout {rollout} is not a rollout of plan {plan}")]
    Mismatch { rollout: RolloutId, plan: PlanId },
    #[error("the rollout {0} is not in the store")]
    Missing(RolloutId),
    #[error("the rollout's state does not allow this")]
    State(#[from] rollout::InvalidTransition),
    #[error("the retained resource's state does not allow this")]
    Retained(#[from] landfall_model::retained::InvalidTransition),
}

/// Why everything stops, beyond one node.
#[derive(Debug)]
pub(crate) enum Stop {
    LeaseLost,
    Shutdown,
    Error(EngineError),
}

impl Stop {
    pub(crate) fn store(operation: &'static str) -> impl Fn(StoreError) -> Self {
        move |source| match source {
            StoreError::Fenced { .. } => Self::LeaseLost,
            source => Self::Error(EngineError::Store { operation, source }),
        }
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Error(error)
    }
}

/// Why a step did not give its result: the node's own failure, or a stop.
#[derive(Debug)]
pub(crate) enum Trouble {
    Failure(Failure),
    Stop(Stop),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
