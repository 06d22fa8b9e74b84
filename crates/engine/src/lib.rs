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
//! # Recovery
//!
//! Both go on from whatever the journal says, so starting them again after a
//! kill is all that recovery is. What an address's last attempt says decides:
//!
//! | the journal has | then |
//! | --- | --- |
//! | no intent | resolve references, commit the intent, call |
//! | an intent, no acceptance, younger than 24 h | repeat the same call with the same token |
//! | the same, older | look by name, tags or properties; adopt, else a new attempt |
//! | an acceptance | poll; if the cloud forgot the operation, look |
//! | a failure that names a resource | read it: complete what is there, never make a second one |
//! | a failure without | look, then a new attempt, if the failure is worth one |
//! | an update of unknown outcome | compare what is there with what is wanted: a patch is not repeated blindly |
//!
//! *Complete* and *adopt* mean: the owned properties that differ are patched
//! ([`landfall_model::owned`]), others stay; if one differs that cannot be
//! changed in place, the node fails and the resource is recorded, so that the
//! next plan sees it. A node that fails for good records whatever it left. What
//! an earlier rollout left open is settled before a new one starts anything.
//!
//! A call is repeated with its attempt's token as long as its outcome is not
//! certain; an attempt whose outcome stays unknown stays open in the journal
//! when its node fails, and a resume takes it up again.
//!
//! # The end
//!
//! Both end the lease they were given in the
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

pub use breaker::{Breakers, is_silenced};
pub use destroy::{Destroy, DestroyEnd, destroy};
pub use engine::{Closing, Engine, EngineError, Interruption, RunEnd, Site};
pub use fold::{Fold, fold};
pub use hands::{Eyes, Provisioner, Reaper};
pub use lease::{Heartbeat, LeaseLost};
pub use limiter::{Api, Limiter};
pub use policy::{BreakerPolicy, CallPolicy, LeasePolicy, Policy, PollPolicy, RetryPolicy};
pub use progress::endpoints;
pub use run::{Run, run};
