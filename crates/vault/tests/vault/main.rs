//! The vault through its public surface.

mod common;
mod envelope;
mod keys;
mod rotation;
