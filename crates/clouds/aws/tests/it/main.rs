//! The connector and the driver on targets that speak AWS's protocols.
//!
//! The sandbox runs inside the test. An emulator that other people wrote is
//! used when `LANDFALL_MINISTACK_URL` names one that was started with
//! `AUTH=true`, and the official AWS CLI when `LANDFALL_AWS_CLI` does.

mod bounds;
mod commands;
mod connector;
mod driver;
mod ministack;
mod publish;
mod support;
