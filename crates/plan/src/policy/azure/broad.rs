//! The role that other products ask for, for customers whose policy allows only
//! that one: everything but a few actions.
//!
//! Its assignment has no condition. One could limit which roles it gives away,
//! and would promise more than it holds: the role may also write role
//! definitions, and so turn a role that somebody has into any other, and remove
//! assignments. What can be walked around is not written down as a limit.

use landfall_model::grant::{AzurePermissionGroup, Identity};

pub(super) const ACTIONS: [&str; 1] = ["*"];

/// Sorted, in the words of whoever asks for this role.
pub(super) const NOT_ACTIONS: [&str; 4] = [
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Blueprint/blueprintAssignments/write",
    "Microsoft.Compute/galleries/share/action",
];

/// All that this role leaves out. That it deletes is no finding of a check: it
/// was chosen, and the connection says of itself that one key is enough.
pub(super) fn refused() -> AzurePermissionGroup {
    AzurePermissionGroup {
        id: "excluded".to_owned(),
        title: "The provisioner cannot do what the broad role leaves out".to_owned(),
        identity: Identity::Provisioner,
        actions: NOT_ACTIONS.map(str::to_owned).into(),
        expect_allowed: false,
    }
}
