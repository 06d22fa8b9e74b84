//! The connector on the sandbox, over https, with assertions of a real issuer
//! whose documents the sandbox fetches.

mod keyless;
mod keys;
mod script;
mod secret;
mod settling;
mod states;
mod support;
