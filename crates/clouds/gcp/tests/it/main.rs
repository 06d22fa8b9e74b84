//! The connector on the sandbox, over real HTTP.

mod account;
mod bounds;
mod key;
mod keyless;
mod script;
mod support;
mod trouble;
mod wrong;
