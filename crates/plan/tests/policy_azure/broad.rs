//! The broad role, where it was chosen.

use super::{connection, grant, grant_of, role};
use landfall_model::{
    connection::{Breadth, Connection, Target},
    grant::{AzureGrant, Identity},
};
use std::collections::BTreeSet;

fn broad(with_reaper: bool) -> AzureGrant {
    let mut connection: Connection = connection(with_reaper);
    let Target::Azure(azure) = &mut connection.target else {
        panic!("the connection is to Azure");
    };
    azure.breadth = Breadth::Broad;
    grant_of(&connection)
}

#[test]
fn the_provisioner_may_do_everything_but_what_other_products_leave_out_too() {
    let grant = broad(true);
    let provisioner = role(&grant, Identity::Provisioner);
    assert_eq!(provisioner.actions, ["*"]);
    assert_eq!(
        provisioner.not_actions,
        [
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Compute/galleries/share/action",
        ]
    );
    assert_eq!(provisioner.condition, None);
    assert!(
        provisioner.description.contains("as was chosen")
            && !provisioner.description.contains("deletes nothing"),
        "{}",
        provisioner.description
    );
}

#[test]
fn only_the_provisioner_differs() {
    let (broad_one, narrow) = (broad(true), grant(true));
    assert_eq!(
        role(&broad_one, Identity::Reaper),
        role(&narrow, Identity::Reaper)
    );
    assert_eq!(broad_one.providers, narrow.providers);
    assert_eq!(broad_one.scope, narrow.scope);
    assert_eq!(broad_one.version, narrow.version);
    let names = |grant: &AzureGrant| {
        let roles = grant.roles.iter();
        roles
            .map(|one| (one.name.clone(), one.assignment.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&broad_one), names(&narrow));
    assert!(broad(false).role(Identity::Reaper).is_none());
}

/// What it can do is asked like of the narrow one; that it deletes is no
/// question any more.
#[test]
fn nothing_that_was_chosen_is_asked_to_be_refused() {
    for with_reaper in [true, false] {
        let (broad, narrow) = (broad(with_reaper), grant(with_reaper));
        let of = |grant: &AzureGrant, allowed: bool, identity: Identity| -> BTreeSet<String> {
            let groups = grant.permissions.iter();
            groups
                .filter(|one| one.expect_allowed == allowed && one.identity == identity)
                .map(|one| one.id.clone())
                .collect()
        };
        for identity in [Identity::Provisioner, Identity::Reaper] {
            assert_eq!(of(&broad, true, identity), of(&narrow, true, identity));
        }
        assert_eq!(
            of(&broad, false, Identity::Reaper),
            of(&narrow, false, Identity::Reaper)
        );
        assert_eq!(
            of(&broad, false, Identity::Provisioner),
            BTreeSet::from(["excluded".to_owned()])
        );
    }
}

/// So that the documents of every grant that was made stay what they were.
#[test]
fn a_narrow_role_says_nothing_of_exclusions() {
    let grant = grant(true);
    for role in &grant.roles {
        let written = serde_json::to_value(role).unwrap();
        assert!(written.get("not_actions").is_none(), "{written}");
    }
    let written = serde_json::to_value(role(&broad(true), Identity::Provisioner)).unwrap();
    assert_eq!(written["not_actions"].as_array().unwrap().len(), 4);
}
