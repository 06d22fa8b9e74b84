//! The nouns of Landfall, their lifecycles, and the ports through which the
//! outside is reached.
//!
//! Nothing here does I/O. Time and randomness are parameters ([`Clock`],
//! [`Entropy`]), so that every crash can be replayed.
//!
//! The nouns are what the API serves and the CLI reads back: one shape in
//! every layer. None of them carries a secret; where a secret is shown once
//! (a new API token) it travels beside the noun, not inside it. Secrets that
//! must be read again are records of their own ([`secret`]), sealed by the
//! [`vault`], and served by nothing.

pub mod application;
pub mod approval;
pub mod audit;
pub mod check;
pub mod clock;
pub mod connection;
pub mod connector;
pub mod digest;
pub mod driver;
pub mod entropy;
pub mod environment;
pub mod error;
pub mod grant;
pub mod graph;
pub mod id;
pub mod issuer;
pub mod journal;
pub mod member;
pub mod organization;
pub mod owned;
pub mod patience;
pub mod plan;
pub mod quote;
pub mod resource;
pub mod retained;
pub mod rollout;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod store;
pub mod token;
pub mod vault;
pub mod work;

pub use clock::{Clock, Timestamp};
pub use entropy::Entropy;
pub use error::{Code, Error};
