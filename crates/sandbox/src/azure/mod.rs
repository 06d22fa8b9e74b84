//! Simulated Azure: Entra, Microsoft Graph and Resource Manager over https.
//!
//! One origin serves all three: an Entra authority can only be an origin, and
//! the paths of the others begin with words that are no tenant.

mod admin;
mod answer;
mod arm;
mod create;
mod entra;
mod graph;
mod keys;
mod request;
mod server;
mod start;
mod state;
mod tls;

pub(crate) use admin::router as admin_router;
pub use start::StartError;
pub(crate) use start::listen;
pub(crate) use state::Cloud;

/// Whether a text has the form of the ids that Azure gives.
fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
