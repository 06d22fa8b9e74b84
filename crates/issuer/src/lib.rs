//! Landfall as an OIDC issuer: signing keys and their rotation, the discovery
//! document, the key set, and assertions that live for minutes.
//!
//! The keys' states are rows in the store, read anew for each assertion, so
//! that every replica signs with the same key and a rotation that was killed
//! goes on where it was. Private keys are sealed in the vault.

mod documents;
mod key;
mod keys;
mod rotation;
mod token;
mod uploaded;
mod url;

pub use keys::KeyIssuer;
pub use rotation::{RotateError, Step, Unseen, Witness};
pub use uploaded::{Uploaded, Uploads};
pub use url::{InvalidUrl, IssuerUrl};
