//! From what is wanted to what must be done, as pure functions: no I/O, no
//! clock, no async. The same input always gives the same plan.
//!
//! Score files ([`score`]) and an environment become a graph ([`blueprint`]);
//! the graph, what is recorded and what is observed ([`observe`]) become a plan
//! ([`planner`]).

pub mod aws;
pub mod blueprint;
pub mod diff;
mod generation;
mod known;
pub mod observe;
mod order;
pub mod planner;
pub mod policy;
pub mod score;
