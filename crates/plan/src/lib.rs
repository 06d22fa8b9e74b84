//! From what is wanted to what must be done, as pure functions: no I/O, no
//! clock, no async. The same input always gives the same plan.

pub mod aws;
pub mod blueprint;
pub mod policy;
pub mod score;
