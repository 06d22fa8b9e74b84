//! The connector on the sandbox, over https, with assertions of a real issuer
//! whose documents the sandbox fetches.

mod broad;
mod consent;
mod contract;
mod emulators;
mod groups;
mod keyless;
mod keys;
mod rotation;
mod script;
mod secret;
mod settling;
mod states;
mod support;
mod wrong;
