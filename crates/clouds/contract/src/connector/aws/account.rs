use super::Account;
use crate::{
    Support,
    connector::{Edit, check, granted, guide::Asked, retained, verify, with},
    needs,
};
use landfall_model::{
    check::Outcome,
    driver::FailureKind,
    grant::{How, Identity},
};
use serde_json::json;

pub(super) async fn what_was_edited_is_named(harness: &dyn Account) -> Support {
    let (connection, spec) = granted(harness).await;
    harness.edit(&connection, &spec, Edit::Permission).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    for id in ["grant-as-specified", "grant-unchanged"] {
        let check = check(&found, &connection, id);
        assert_eq!(check.outcome, Outcome::Warn, "{check:?}");
        assert!(check.evidence.contains("inline policy"), "{check:?}");
    }
    harness.edit(&connection, &spec, Edit::Everything).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    let failed = with(&found, &[Outcome::Fail]);
    assert!(
        failed
            .iter()
            .any(|check| check.id.starts_with("aws.permissions.")
                && check.evidence.contains("but must not")),
        "{failed:#?}"
    );
    harness.edit(&connection, &spec, Edit::OldVersion).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    let compared = check(&found, &connection, "grant-as-specified");
    assert_eq!(compared.outcome, Outcome::Skipped, "{compared:?}");
    Support::Done
}

pub(super) async fn an_organizations_denial_is_named(harness: &dyn Account) -> Support {
    let (connection, spec) = granted(harness).await;
    let (group, action) = spec
        .aws()
        .expect("it is of AWS")
        .permissions
        .iter()
        .find_map(|group| {
            let question = group.questions.iter().find(|q| q.expect_allowed)?;
            Some((group.id.clone(), question.actions.first()?.clone()))
        })
        .expect("a permission that is needed");
    needs!(
        harness
            .organization_denies(&connection, Some(&action))
            .await
    );
    let found = verify(harness, &connection, &spec).await;
    let _ = harness.organization_denies(&connection, None).await;
    let check = check(&found, &connection, &format!("permissions.{group}"));
    assert_eq!(check.outcome, Outcome::Fail, "{check:?}");
    assert!(check.evidence.contains(&action), "{check:?}");
    assert!(
        check.evidence.contains("service control policy"),
        "{check:?}"
    );
    assert!(check.remedy.contains("organization"), "{check:?}");
    Support::Done
}

pub(super) async fn a_disabled_region_fails(harness: &dyn Account) -> Support {
    let Some(region) = harness.disabled_region() else {
        return Support::Missing;
    };
    let (mut connection, spec) = granted(harness).await;
    connection.regions.push(region.clone());
    let found = verify(harness, &connection, &spec).await;
    let check = check(&found, &connection, "regions-enabled");
    assert_eq!(check.outcome, Outcome::Fail, "{check:?}");
    assert!(check.evidence.contains(&region), "{check:?}");
    let regions = harness
        .connector()
        .regions(&connection)
        .await
        .expect("regions");
    assert!(
        regions
            .iter()
            .any(|found| found.name == region && !found.enabled)
    );
    Support::Done
}

pub(super) async fn a_reaper_needs_a_narrowing_policy(harness: &dyn Account) -> Support {
    let connector = harness.connector();
    let (connection, _) = granted(harness).await;
    let resource = retained(&connection);
    let long = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "a".repeat(2100), "Resource": "*"}],
    });
    for wrong in [json!({}), json!(null), json!({"Statement": []}), long] {
        let refused = connector.reaper(&connection, &resource, &wrong).await;
        let refused = refused.err().expect("it would not be narrowed");
        assert_eq!(refused.kind, FailureKind::Invalid, "{refused:?}");
    }
    Support::Done
}

pub(super) async fn the_guide_has_the_ways_of_aws(harness: &dyn Account) -> Support {
    let Asked { spec, guide, .. } = Asked::of(harness, true).await;
    for way in ["cloudformation", "iam"] {
        assert!(guide.commands(way).is_some(), "{way}");
    }
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("there are no steps: {:?}", guide.way("console"));
    };
    let iam = guide.commands("iam").unwrap_or_default();
    let grant = spec.aws().expect("it is of AWS");
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let role = grant.roles.iter().find(|role| role.identity == identity);
        let name = &role.expect("both roles are in the grant").name;
        assert!(iam.contains(name), "{name}");
        assert!(steps.iter().any(|step| step.contains(name)), "{name}");
    }
    Support::Done
}
