//! The connector on the sandbox, over real HTTP.

mod above;
mod account;
mod bounds;
mod contract;
mod key;
mod keyless;
mod script;
mod support;
mod trouble;
mod wrong;
