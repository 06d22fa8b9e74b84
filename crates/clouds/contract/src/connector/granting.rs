use super::{Harness, connected, granted, only, outcome, verify};
use crate::{Support, needs};
use landfall_model::{
    check::Outcome,
    connection::State,
    connector::{Availability, Detection},
    driver::FailureKind,
    grant::{How, Identity, ServerPrincipal},
};

pub(super) async fn it_is_available_and_has_a_principal(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    assert_eq!(connector.availability().await, Availability::Available);
    let principal = connector.principal().await.expect("it has an identity");
    assert!(
        !principal.as_str().contains(":assumed-role/"),
        "{principal:?}"
    );
    Support::Done
}

pub(super) async fn before_the_grant_it_is_refused(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");

    let found = verify(harness, &connection, &spec).await;
    assert!(found.refused);
    assert_eq!(
        outcome(&found, "aws.external-id-accepted.provisioner"),
        Outcome::Propagating,
        "nothing was granted yet: a denial means nothing"
    );
    // A denial proves nothing about the external id while nobody gets in.
    for id in [
        "aws.external-id-required.provisioner",
        "aws.external-id-enforced.provisioner",
        "aws.account-matches",
        "aws.grant-unchanged",
    ] {
        assert_eq!(outcome(&found, id), Outcome::Skipped, "{id}");
    }

    let late = connected(harness, &connection, &found);
    let found = verify(harness, &late, &spec).await;
    assert_eq!(
        outcome(&found, "aws.external-id-accepted.provisioner"),
        Outcome::Fail
    );
    let refused = connector
        .provisioner(&connection, &connection.regions[0])
        .await
        .err()
        .expect("there is no role");
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
    Support::Done
}

pub(super) async fn after_the_grant_every_check_passes(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    let (connection, spec) = granted(harness).await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    assert_eq!(connection.grant_version, Some(spec.version()));
    assert!(connection.grant_digest.is_some());

    let again = verify(harness, &connection, &spec).await;
    only(&again, &[Outcome::Pass]);
    assert!(!again.refused);
    assert_eq!(
        again.grant_digest, connection.grant_digest,
        "the same roles have the same digest"
    );
    assert!(again.checks.len() >= 15, "{}", again.checks.len());

    let regions = connector.regions(&connection).await.expect("regions");
    for wanted in &connection.regions {
        assert!(
            regions
                .iter()
                .any(|region| region.name == *wanted && region.enabled),
            "{wanted}"
        );
    }
    connector
        .provisioner(&connection, &connection.regions[0])
        .await
        .map(|_| ())
        .expect("the provisioner can be had");
    Support::Done
}

pub(super) async fn without_a_reaper_its_checks_are_skipped(harness: &dyn Harness) -> Support {
    let connection = harness.connection(false).await;
    let spec = harness.spec(&connection).await;
    harness.grant(&connection, &spec, None).await;
    harness.settle().await;
    assert_eq!(
        harness.connector().detect(&connection).await,
        Detection::Granted
    );
    let found = verify(harness, &connection, &spec).await;
    only(&found, &[Outcome::Pass, Outcome::Skipped]);
    let skipped: Vec<_> = found
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Skipped)
        .collect();
    assert!(!skipped.is_empty());
    for check in skipped {
        assert!(check.evidence.contains("reaper"), "{check:?}");
    }
    Support::Done
}

pub(super) async fn half_a_grant_is_partial(harness: &dyn Harness) -> Support {
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    harness
        .grant(&connection, &spec, Some(Identity::Provisioner))
        .await;
    harness.settle().await;
    assert_eq!(
        harness.connector().detect(&connection).await,
        Detection::Partial {
            missing: Identity::Reaper
        }
    );
    Support::Done
}

/// A denial before the deadline is no failure; the same denial after it is.
pub(super) async fn a_new_grant_propagates(harness: &dyn Harness) -> Support {
    let mut connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    needs!(harness.identities_lag(true).await);
    harness.grant(&connection, &spec, None).await;

    let now = harness.now();
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(600_000),
    };
    let early = verify(harness, &connection, &spec).await;
    only(
        &early,
        &[Outcome::Pass, Outcome::Propagating, Outcome::Skipped],
    );
    assert_eq!(
        outcome(&early, "aws.external-id-accepted.provisioner"),
        Outcome::Propagating
    );

    connection.state = State::Propagating {
        since: now.plus_millis(-600_000),
        deadline: now.plus_millis(-1),
    };
    let late = verify(harness, &connection, &spec).await;
    assert_eq!(
        outcome(&late, "aws.external-id-accepted.provisioner"),
        Outcome::Fail
    );

    harness.settle().await;
    let settled = verify(harness, &connection, &spec).await;
    only(&settled, &[Outcome::Pass]);
    let _ = harness.identities_lag(false).await;
    Support::Done
}

pub(super) async fn throttling_does_not_fail_a_check(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    needs!(harness.throttle().await);
    let found = verify(harness, &connection, &spec).await;
    only(&found, &[Outcome::Pass]);
    Support::Done
}

pub(super) async fn the_guide_names_what_it_must(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    let principal = connector.principal().await.expect("it has an identity");
    let guide = connector
        .guide(&connection, &[], &spec, &principal)
        .expect("the connection and the grant are of this cloud");
    assert_eq!(guide.version, spec.version());
    let aws = connection.aws().expect("it is to AWS");
    let trusted = match &principal {
        ServerPrincipal::Issuer { url } => {
            assert_eq!(guide.fact("subject"), Some(&*connection.subject()));
            assert_eq!(guide.fact("provider"), Some(&*aws.oidc_provider_arn(url)));
            guide.fact("issuer")
        }
        _ => {
            assert_eq!(guide.fact("external-id"), Some(&*connection.external_id));
            guide.fact("principal")
        }
    };
    assert_eq!(trusted, Some(principal.as_str()));
    for way in ["cloudformation", "iam"] {
        let commands = guide.commands(way).expect("there are commands");
        assert!(commands.contains(connection.scope()), "{way}");
        assert!(commands.contains(&connection.external_id), "{way}");
    }
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("there are no steps: {:?}", guide.way("console"));
    };
    let iam = guide.commands("iam").unwrap_or_default();
    for role in &spec.aws().expect("it is of AWS").roles {
        let name = &role.name;
        assert!(iam.contains(name), "{name}");
        assert!(steps.iter().any(|step| step.contains(name)), "{name}");
        let revoked = guide.revoke_steps.iter().any(|step| step.contains(name));
        assert!(revoked, "{name}");
    }
    assert!(
        steps
            .iter()
            .any(|step| step.contains("Require external ID"))
    );
    Support::Done
}
