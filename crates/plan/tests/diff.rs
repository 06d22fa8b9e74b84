//! What counts as a difference.

use landfall_model::{
    driver::PatchOperation,
    graph::{Address, Lookup, Node, Replacement},
};
use landfall_plan::diff::{Compared, Difference, compare};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn node(type_name: &str, create_only: &[&str], write_only: &[&str]) -> Node {
    let set = |pointers: &[&str]| pointers.iter().map(|it| (*it).to_owned()).collect();
    Node {
        address: Address::new("a"),
        type_name: type_name.to_owned(),
        title: String::new(),
        properties: json!({}),
        needs: BTreeSet::new(),
        stateful: false,
        lookup: Lookup::Tags {
            scope: None,
            name_pointer: None,
        },
        replacement: Replacement::Guarded,
        create_only: set(create_only),
        write_only: set(write_only),
        monthly_cents: None,
    }
}

/// Recorded: `applied` was asked for, and `returned` was the answer.
fn recorded(desired: Value, observed: Value, applied: Value, returned: Value) -> Difference {
    compare(&Compared {
        node: &node("Test::One::Type", &["/Fixed"], &["/Hidden"]),
        desired: &desired,
        observed: &observed,
        applied: Some(&applied),
        returned: Some(&returned),
    })
}

#[test]
fn a_clouds_own_spelling_is_no_drift_but_a_later_change_is() {
    let asked = json!({"Zone": "Example.COM", "Names": ["A", "B"]});
    let answered = json!({"Zone": "example.com.", "Names": ["a", "b"]});
    let same = recorded(
        asked.clone(),
        answered.clone(),
        asked.clone(),
        answered.clone(),
    );
    assert!(same.is_empty(), "{same:?}");

    let changed = json!({"Zone": "other.com.", "Names": ["a", "b"]});
    let drift = recorded(asked.clone(), changed, asked.clone(), answered.clone());
    assert_eq!(drift.drifted, ["/Zone"]);

    let wish = recorded(
        json!({"Zone": "new.com", "Names": ["A", "B"]}),
        answered.clone(),
        asked,
        answered,
    );
    assert_eq!(wish.wished, ["/Zone"]);
}

#[test]
fn a_number_or_boolean_has_no_other_spelling() {
    let asked = json!({"Protected": true, "Days": 7});
    let answered = json!({"Protected": false, "Days": 0});
    let found = recorded(asked.clone(), answered.clone(), asked, answered);
    assert_eq!(found.patch.len(), 2);
}

#[test]
fn what_is_never_returned_is_told_from_what_was_taken_away() {
    let asked = json!({"Managed": true});
    let never = recorded(asked.clone(), json!({}), asked.clone(), json!({}));
    assert!(never.is_empty(), "{never:?}");
    let taken = recorded(asked.clone(), json!({}), asked.clone(), asked.clone());
    assert_eq!(
        taken.patch,
        [PatchOperation::Add {
            path: "/Managed".into(),
            value: json!(true)
        }]
    );
    let new_wish = recorded(json!({"Managed": false}), json!({}), asked, json!({}));
    assert_eq!(new_wish.wished, ["/Managed"]);
}

#[test]
fn write_only_properties_are_compared_with_what_was_applied() {
    let same = recorded(
        json!({"Hidden": "x"}),
        json!({}),
        json!({"Hidden": "x"}),
        json!({}),
    );
    assert!(same.is_empty());
    let other = recorded(
        json!({"Hidden": "y"}),
        json!({}),
        json!({"Hidden": "x"}),
        json!({}),
    );
    assert_eq!(other.patch.len(), 1);
    let found = compare(&Compared {
        node: &node("Test::One::Type", &[], &["/Hidden"]),
        desired: &json!({"Hidden": "y"}),
        observed: &json!({}),
        applied: None,
        returned: None,
    });
    assert!(
        found.is_empty(),
        "nothing can be said of a found resource: {found:?}"
    );
}

#[test]
fn what_was_ours_is_removed_and_what_was_not_stays() {
    let applied = json!({
        "Old": 1, "Fixed": 1, "Deep": {"Old": 1, "Kept": 1},
        "Tags": [{"Key": "old", "Value": "1"}, {"Key": "kept", "Value": "1"}, {"Key": "older", "Value": "1"}],
    });
    let observed = json!({
        "Old": 1, "Fixed": 1, "Theirs": 1, "Deep": {"Old": 1, "Kept": 1, "Theirs": 1},
        "Tags": [
            {"Key": "theirs", "Value": "1"}, {"Key": "older", "Value": "1"},
            {"Key": "kept", "Value": "1"}, {"Key": "old", "Value": "1"},
        ],
    });
    let desired = json!({"Deep": {"Kept": 1}, "Tags": [{"Key": "kept", "Value": "1"}]});
    let found = recorded(desired, observed.clone(), applied, observed);
    let paths: Vec<String> = found
        .patch
        .iter()
        .map(|it| match it {
            PatchOperation::Remove { path } => path.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    // Tags from the end, so that no index moves under the next operation; and
    // what cannot be changed in place is not worth another resource.
    assert_eq!(paths, ["/Deep/Old", "/Tags/3", "/Tags/1", "/Old"]);
    assert!(found.fixed.is_empty());
}

#[test]
fn a_reference_that_is_not_known_yet_counts_as_a_change() {
    let open = json!({"$ref": "other", "attr": "/Id"});
    let applied = json!({"Parent": "id-1", "Fixed": "id-1", "List": ["id-1"]});
    let desired = json!({"Parent": open, "Fixed": {"$concat": ["x", open]}, "List": [open]});
    let found = recorded(desired, applied.clone(), applied.clone(), applied);
    assert_eq!(found.fixed, ["/Fixed"]);
    assert_eq!(
        found.patch,
        [
            PatchOperation::Replace {
                path: "/List".into(),
                value: json!([open])
            },
            PatchOperation::Replace {
                path: "/Parent".into(),
                value: open
            },
        ]
    );
}

#[test]
fn names_with_slashes_are_escaped_in_patches() {
    let found = recorded(
        json!({"a/b~c": 2}),
        json!({"a/b~c": 1}),
        json!({"a/b~c": 1}),
        json!({"a/b~c": 1}),
    );
    assert_eq!(
        found.patch,
        [PatchOperation::Replace {
            path: "/a~1b~0c".into(),
            value: json!(2)
        }]
    );
}

#[test]
fn versions_and_cases_are_compared_as_aws_returns_them() {
    let database = |desired: &str, observed: &str| {
        compare(&Compared {
            node: &node("AWS::RDS::DBInstance", &["/DBInstanceIdentifier"], &[]),
            desired: &json!({"EngineVersion": desired, "DBInstanceIdentifier": "Shop"}),
            observed: &json!({"EngineVersion": observed, "DBInstanceIdentifier": "shop"}),
            applied: None,
            returned: None,
        })
    };
    assert!(database("16", "16.4").is_empty());
    assert!(!database("16", "17.1").is_empty());
    assert!(!database("1", "16.4").is_empty());
}
