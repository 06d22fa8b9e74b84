//! The engine against a simulated cloud and store, in simulated time: every
//! step repeated, failed and killed.

#[expect(
    clippy::disallowed_methods,
    reason = "condition variables wait in real time for a real database only"
)]
mod support;

mod apply;
mod crash;
