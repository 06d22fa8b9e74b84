//! The connector on the sandbox, over real HTTP.

mod bounds;
mod keyless;
mod script;
mod support;
mod trouble;
mod wrong;
