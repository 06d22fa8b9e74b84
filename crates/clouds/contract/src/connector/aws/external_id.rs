use super::{Account, Trust};
use crate::{
    Support,
    connector::{check, connected, granted, guide::Asked, outcome, verify},
};
use landfall_model::{
    check::Outcome,
    connector::Detection,
    grant::{How, Identity},
};

pub(super) async fn before_the_grant_nothing_is_said_of_it(harness: &dyn Account) -> Support {
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    let found = verify(harness, &connection, &spec).await;
    assert_eq!(
        outcome(&found, &connection, "external-id-accepted.provisioner"),
        Outcome::Propagating,
        "nothing was granted yet: a denial means nothing"
    );
    // A denial proves nothing about the external id while nobody gets in.
    for id in [
        "external-id-required.provisioner",
        "external-id-enforced.provisioner",
        "account-matches",
        "grant-unchanged",
    ] {
        let outcome = outcome(&found, &connection, id);
        assert_eq!(outcome, Outcome::Skipped, "{id}");
    }
    let late = connected(harness, &connection, &found);
    let found = verify(harness, &late, &spec).await;
    assert_eq!(
        outcome(&found, &connection, "external-id-accepted.provisioner"),
        Outcome::Fail
    );
    Support::Done
}

pub(super) async fn a_role_without_external_id_is_found(harness: &dyn Account) -> Support {
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let (connection, spec) = granted(harness).await;
        harness
            .trust(&spec, identity, Trust::WithoutExternalId)
            .await;
        harness.settle().await;
        let found = verify(harness, &connection, &spec).await;
        let who = identity.as_str();
        let id = |what: &str| format!("external-id-{what}.{who}");
        assert_eq!(outcome(&found, &connection, &id("accepted")), Outcome::Pass);
        assert_eq!(outcome(&found, &connection, &id("required")), Outcome::Fail);
        assert_eq!(outcome(&found, &connection, &id("enforced")), Outcome::Fail);
        assert!(
            check(&found, &connection, &id("required"))
                .evidence
                .contains("can be assumed by anyone who knows its ARN")
        );
        assert!(
            check(&found, &connection, &id("required"))
                .remedy
                .contains(&connection.external_id)
        );
        assert_eq!(
            outcome(&found, &connection, "grant-unchanged"),
            Outcome::Warn
        );
        assert!(!found.refused);
    }
    Support::Done
}

pub(super) async fn a_role_with_any_external_id_is_found(harness: &dyn Account) -> Support {
    let (connection, spec) = granted(harness).await;
    harness
        .trust(&spec, Identity::Provisioner, Trust::AnyExternalId)
        .await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert_eq!(
        outcome(&found, &connection, "external-id-required.provisioner"),
        Outcome::Pass
    );
    assert_eq!(
        outcome(&found, &connection, "external-id-enforced.provisioner"),
        Outcome::Fail
    );
    Support::Done
}

pub(super) async fn somebody_elses_external_id_is_refused(harness: &dyn Account) -> Support {
    let (connection, spec) = granted(harness).await;
    for identity in [Identity::Provisioner, Identity::Reaper] {
        harness
            .trust(&spec, identity, Trust::AnothersExternalId)
            .await;
    }
    harness.settle().await;
    let found = harness.connector().detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let found = verify(harness, &connection, &spec).await;
    assert!(found.refused);
    assert_eq!(
        outcome(&found, &connection, "external-id-accepted.provisioner"),
        Outcome::Fail
    );
    Support::Done
}

pub(super) async fn another_principal_is_noticed(harness: &dyn Account) -> Support {
    let (connection, spec) = granted(harness).await;
    harness
        .trust(&spec, Identity::Reaper, Trust::AnotherPrincipalToo)
        .await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    for id in ["grant-as-specified", "grant-unchanged"] {
        assert_eq!(outcome(&found, &connection, id), Outcome::Warn, "{id}");
        let evidence = &check(&found, &connection, id).evidence;
        assert!(evidence.contains("reaper's trust policy"), "{evidence}");
    }
    Support::Done
}

pub(super) async fn the_guide_asks_for_it(harness: &dyn Account) -> Support {
    let Asked {
        connection,
        principal,
        guide,
        ..
    } = Asked::of(harness, true).await;
    assert_eq!(guide.fact("external-id"), Some(&*connection.external_id));
    assert_eq!(guide.fact("principal"), Some(principal.as_str()));
    for way in ["cloudformation", "iam"] {
        let commands = guide.commands(way).expect("there are commands");
        assert!(commands.contains(&connection.external_id), "{way}");
    }
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("there are no steps: {:?}", guide.way("console"));
    };
    assert!(
        steps
            .iter()
            .any(|step| step.contains("Require external ID"))
    );
    Support::Done
}
