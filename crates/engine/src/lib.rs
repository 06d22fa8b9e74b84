//! Durable apply: takes an approved plan and brings the cloud there, whatever
//! happens in between.
//!
//! Knows ports only ([`landfall_model::store::Store`],
//! [`landfall_model::driver::Driver`], clock, entropy). Two entrances:
//!
//! - [`run`] drives a rollout to its end. It holds a [`Provisioner`], which has
//!   no way to delete: "a rollout never deletes" is a type.
//! - [`destroy`] drives one approved destruction to its end, through a
//!   [`Reaper`], which has no way to create.
//!
//! Both go on from whatever the journal says, so starting them again after a
//! kill is all that recovery is. Both end the lease they were given in the
//! transaction that ends the work: [`CompleteWork`] with the last event, or
//! [`PostponeWork`] when the server shuts down.
//!
//! [`CompleteWork`]: landfall_model::store::Write::CompleteWork
//! [`PostponeWork`]: landfall_model::store::Write::PostponeWork

mod attempt;
mod backoff;
mod breaker;
mod building;
mod destroy;
mod engine;
mod fold;
mod hands;
mod inherit;
mod journal;
mod keeping;
mod lease;
mod limiter;
mod lookup;
mod node;
mod policy;
mod progress;
mod protection;
mod record;
mod recovering;
mod run;
mod schedule;
mod world;

pub use breaker::Breakers;
pub use destroy::{Destroy, DestroyEnd, destroy};
pub use engine::{Closing, Engine, EngineError, Interruption, RunEnd, Site};
pub use fold::{Fold, fold};
pub use hands::{Provisioner, Reaper};
pub use lease::{Heartbeat, LeaseLost};
pub use limiter::{Api, Limiter};
pub use policy::{BreakerPolicy, CallPolicy, LeasePolicy, Policy, PollPolicy, RetryPolicy};
pub use progress::endpoints;
pub use run::{Run, run};
