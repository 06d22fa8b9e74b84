//! The connector and the driver on targets that speak AWS's protocols.
//!
//! The sandbox runs inside the test. An emulator that other people wrote and
//! the official AWS CLI are used where they are installed (`support::tools`).

mod bounds;
mod commands;
mod connector;
mod driver;
mod keyless;
mod ministack;
mod publish;
mod refused;
mod support;
