use super::*;
use std::collections::BTreeSet;

fn asked(grant: &AwsGrant, identity: Identity, expect_allowed: bool) -> BTreeSet<String> {
    grant
        .permissions
        .iter()
        .flat_map(|group| &group.questions)
        .filter(|question| {
            question.identity == identity && question.expect_allowed == expect_allowed
        })
        .flat_map(|question| question.actions.clone())
        .collect()
}

/// Promise 4: every permission that the next plan needs is checked before.
#[test]
fn every_permission_that_any_type_needs_is_asked_for() {
    let grant = granted();
    let asked = asked(&grant, Identity::Provisioner, true);
    for type_name in aws::supported_types() {
        let required = aws::required_actions([type_name]).unwrap();
        assert!(required.len() > 6, "{type_name} needs more than the API");
        for action in required {
            assert!(asked.contains(&action), "{type_name} needs {action}");
        }
    }
}

#[test]
fn what_is_allowed_is_asked_for_and_what_is_asked_for_is_allowed() {
    let grant = granted();
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let allowed: BTreeSet<String> = allowed(&grant, identity).into_iter().collect();
        assert_eq!(asked(&grant, identity, true), allowed, "{identity:?}");
    }
}

#[test]
fn the_groups_are_those_that_the_checks_show() {
    let ids: Vec<String> = granted()
        .permissions
        .into_iter()
        .map(|group| group.id)
        .filter(|id| !id.starts_with("destruction-"))
        .collect();
    assert_eq!(
        ids,
        [
            "cloud-control",
            "inspection",
            "network",
            "load-balancing",
            "compute",
            "registry",
            "logs",
            "roles",
            "database",
            "storage",
            "secrets",
            "two-keys-data",
            "two-keys-protection",
            "two-keys-identities",
            "two-keys-reaper",
        ]
    );
}

#[test]
fn questions_name_real_places_and_carry_their_region() {
    for group in granted().permissions {
        assert!(!group.questions.is_empty(), "{}", group.id);
        for question in group.questions {
            let resource = &question.resource;
            assert!(!resource.contains(['{', '}']), "{resource}");
            assert!(
                resource == "*" || resource.starts_with("arn:aws:"),
                "{resource}"
            );
            let region = &question.context["aws:RequestedRegion"];
            assert!(region == &["eu-central-1"] || group.id == "cloud-control");
            assert!(!question.actions.is_empty());
        }
    }
}

#[test]
fn a_type_without_permissions_is_an_error() {
    assert!(aws::required_actions(["AWS::EKS::Cluster"]).is_err());
}

#[test]
fn every_chosen_region_is_asked_for() {
    let regions = |connection: &Connection| -> BTreeSet<String> {
        aws::grant(connection, &principal())
            .unwrap()
            .permissions
            .into_iter()
            .filter(|group| group.id == "cloud-control")
            .flat_map(|group| group.questions)
            .flat_map(|question| question.context["aws:RequestedRegion"].clone())
            .collect()
    };
    let mut connection = connection();
    let both = BTreeSet::from(["eu-central-1".to_owned(), "us-east-1".to_owned()]);
    assert_eq!(regions(&connection), both);
    // Chosen later: the roles that stand in the account deny it, and have to be
    // granted again.
    connection.default_region = Some("eu-west-1".into());
    assert!(regions(&connection).contains("eu-west-1"));
}
