//! The engine against a simulated cloud and store, in simulated time: every
//! step repeated, failed and killed.

mod support;

mod adopt;
mod apply;
mod cancel;
mod crash;
mod destroy;
mod faults;
mod inherit;
mod lease;
