//! Least privilege: what each identity of a grant may do, and why.
//!
//! The documents are computed from tables: what Cloud Control's handlers need
//! (derived), and what a person decided to drop, add, scope and deny
//! (reviewed). Everything that a customer is shown or a check asks comes from
//! the same tables, so none of it can say something else than the policies do.

pub mod aws;

/// Every name that Landfall gives begins with it. Where a service tells
/// resources apart by name, permissions are scoped to it.
pub const NAME_PREFIX: &str = "landfall-";

/// `true` on everything that Landfall made and that can carry tags. EC2's
/// resources have no names: permissions on them are scoped to this tag.
pub const TAG_MANAGED: &str = "landfall:managed";

/// On a database: `false` lets the provisioner modify it. Any other value, and
/// none at all, locks its settings.
pub const TAG_PROTECTED: &str = "landfall:protected";
