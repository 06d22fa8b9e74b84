use super::{Edit, Harness, check, connected, granted, only, outcome, verify};
use crate::{Support, needs};
use landfall_model::{
    check::Outcome, connection::State, connector::Detection, driver::FailureKind, grant::Identity,
};

pub(super) async fn an_edited_role_is_noticed(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    needs!(
        harness
            .edit(
                &connection,
                &spec,
                Identity::Provisioner,
                Edit::InlinePolicy
            )
            .await
    );
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    for id in ["aws.grant-as-specified", "aws.grant-unchanged"] {
        let check = check(&found, id);
        assert_eq!(check.outcome, Outcome::Warn, "{check:?}");
        assert!(check.evidence.contains("inline policy"), "{check:?}");
    }
    assert_ne!(found.grant_digest, connection.grant_digest);
    Support::Done
}

pub(super) async fn a_lost_second_key_fails(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    needs!(
        harness
            .edit(&connection, &spec, Identity::Provisioner, Edit::Everything)
            .await
    );
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    let failed: Vec<_> = found
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Fail)
        .collect();
    assert!(
        failed
            .iter()
            .any(|check| check.id.starts_with("aws.permissions.")
                && check.evidence.contains("but must not")),
        "{failed:#?}"
    );
    Support::Done
}

pub(super) async fn an_old_version_is_noticed(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    for identity in [Identity::Provisioner, Identity::Reaper] {
        needs!(
            harness
                .edit(&connection, &spec, identity, Edit::OldVersion)
                .await
        );
    }
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert_eq!(outcome(&found, "aws.grant-version"), Outcome::Warn);
    assert_eq!(outcome(&found, "aws.grant-as-specified"), Outcome::Skipped);
    assert_eq!(found.grant_version, Some(0));
    Support::Done
}

pub(super) async fn an_organizations_denial_is_named(harness: &dyn Harness) -> Support {
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
    let check = check(&found, &format!("aws.permissions.{group}"));
    assert_eq!(check.outcome, Outcome::Fail, "{check:?}");
    assert!(check.evidence.contains(&action), "{check:?}");
    assert!(
        check.evidence.contains("service control policy"),
        "{check:?}"
    );
    assert!(check.remedy.contains("organization"), "{check:?}");
    Support::Done
}

pub(super) async fn a_disabled_region_fails(harness: &dyn Harness) -> Support {
    let Some(region) = harness.disabled_region() else {
        return Support::Missing;
    };
    let (mut connection, spec) = granted(harness).await;
    connection.regions.push(region.clone());
    let found = verify(harness, &connection, &spec).await;
    let check = check(&found, "aws.regions-enabled");
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

pub(super) async fn revocation_is_seen_and_heals(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    let (mut connection, spec) = granted(harness).await;
    let region = connection.regions[0].clone();
    connector
        .provisioner(&connection, &region)
        .await
        .map(|_| ())
        .expect("a session is held now");

    harness.revoke(&connection, &spec).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert!(found.refused);
    let seen = connector.detect(&connection).await;
    assert!(matches!(seen, Detection::Refused { .. }), "{seen:?}");
    // What was held is dropped: a session may outlive its role by an hour.
    let refused = connector.provisioner(&connection, &region).await;
    let refused = refused.err().expect("the role is gone");
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");

    connection.state = State::Revoked {
        since: harness.now(),
        reason: "the roles are gone".to_owned(),
    };
    assert!(connector.provisioner(&connection, &region).await.is_err());
    assert!(connector.regions(&connection).await.is_err());

    harness.grant(&connection, &spec, None).await;
    harness.settle().await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let healed = verify(harness, &connection, &spec).await;
    only(&healed, &[Outcome::Pass]);
    let connection = connected(harness, &connection, &healed);
    connector
        .provisioner(&connection, &region)
        .await
        .map(|_| ())
        .expect("it works again");
    Support::Done
}
