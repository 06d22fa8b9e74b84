//! Least privilege: what each identity of a grant may do, and why.
//!
//! The documents are computed from tables: what Cloud Control's handlers need
//! (derived), and what a person decided to drop, add, scope and deny
//! (reviewed). Everything that a customer is shown or a check asks comes from
//! the same tables, so none of it can say something else than the policies do.

pub mod aws;
pub mod azure;
pub mod gcp;

use landfall_model::{
    connection::{Connection, Target, WrongCloud},
    grant::{GrantSpec, ServerPrincipal},
};

/// Everything that the customer of `connection` grants to the server
/// `principal`, in the terms of its cloud. The same input always gives the same
/// documents.
pub fn grant(
    connection: &Connection,
    principal: &ServerPrincipal,
) -> Result<GrantSpec, PolicyError> {
    grant_also(connection, principal, None)
}

/// The same for a connection that moves to another method, whose principal is
/// `also` let in.
pub fn grant_also(
    connection: &Connection,
    principal: &ServerPrincipal,
    also: Option<&ServerPrincipal>,
) -> Result<GrantSpec, PolicyError> {
    match &connection.target {
        Target::Aws(_) => {
            let grant = aws::grant_also(connection.aws()?, principal, also)?;
            Ok(GrantSpec::Aws(grant))
        }
        // A customer's own identities take several ways in beside each other:
        // nothing of the old one has to be said.
        Target::Gcp(_) => {
            let grant = gcp::grant(connection.gcp()?, principal)?;
            Ok(GrantSpec::Gcp(Box::new(grant)))
        }
        Target::Azure(_) => Ok(GrantSpec::Azure(azure::grant(connection.azure()?))),
    }
}

/// Why a grant cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(transparent)]
    Aws(#[from] aws::PolicyError),
    #[error(transparent)]
    Gcp(#[from] gcp::PolicyError),
    #[error(transparent)]
    WrongCloud(#[from] WrongCloud),
}

/// Every name that Landfall gives begins with it. Where a service tells
/// resources apart by name, permissions are scoped to it.
pub const NAME_PREFIX: &str = "landfall-";

/// `true` on everything that Landfall made and that can carry tags. EC2's
/// resources have no names: permissions on them are scoped to this tag.
pub const TAG_MANAGED: &str = "landfall:managed";

/// On a database: `false` lets the provisioner modify it. Any other value, and
/// none at all, locks its settings.
pub const TAG_PROTECTED: &str = "landfall:protected";
