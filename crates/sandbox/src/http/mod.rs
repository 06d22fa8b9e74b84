//! The listener, and the way from a request to its answer.

mod authenticate;
mod dispatch;
pub(crate) mod listen;
mod request;
mod server;
mod sigv4;
mod templates;
mod unsigned;

pub(crate) use request::Captured;
pub(crate) use server::{Server, settle};
