use super::{
    Harness, Taken, Told, connected, fresh, good, granted, keeps_secrets, verify, with, worse,
};
use crate::{Support, needs};
use landfall_model::{
    check::Outcome,
    connection::{Method, State},
    connector::{Availability, Detection},
    driver::FailureKind,
    grant::{Identity, ServerPrincipal},
};
use std::{future::poll_fn, task::Poll};

/// Longer than any cloud's identity takes to settle.
const DAY: i64 = 24 * 60 * 60 * 1_000;

pub(super) async fn it_is_available_and_has_a_principal(harness: &dyn Harness) -> Support {
    let connection = harness.connection(true).await;
    let connector = harness.connector();
    assert_eq!(connector.method(), connection.method());
    assert_eq!(connector.availability().await, Availability::Available);
    let principal = connector.principal().await.expect("it has an identity");
    let is_its_own = match connector.method() {
        // A session's ARN is nothing to trust: it ends.
        Method::AssumeRole => {
            matches!(&principal, ServerPrincipal::Aws { arn } if !arn.contains(":assumed-role/"))
        }
        Method::Oidc | Method::GcpWorkloadIdentity | Method::AzureWorkloadIdentity => {
            matches!(principal, ServerPrincipal::Issuer { .. })
        }
        Method::Impersonation => matches!(principal, ServerPrincipal::GoogleServiceAccount { .. }),
        Method::AdminConsent => matches!(principal, ServerPrincipal::EntraApplication { .. }),
        Method::ServiceAccountKey | Method::ClientSecret => principal == ServerPrincipal::GivenKey,
    };
    assert!(is_its_own, "{principal:?}");
    assert!(
        principal.as_str().contains(&harness.known_as()),
        "{principal:?}"
    );
    keeps_secrets(harness, &principal);
    Support::Done
}

pub(super) async fn before_the_grant_it_is_refused(harness: &dyn Harness) -> Support {
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    let connector = harness.connector();
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    keeps_secrets(harness, &found);

    // Nothing was granted yet: a denial means nothing, and proves nothing.
    let found = verify(harness, &connection, &spec).await;
    let asked = !harness.is_entered_afterwards();
    assert_eq!(found.refused, asked, "{found:#?}");
    assert_eq!(found.grant_version, None);
    assert_eq!(found.grant_digest, None);
    assert!(with(&found, &[Outcome::Fail, Outcome::Unanswered]).is_empty());
    assert!(!with(&found, &[Outcome::Propagating]).is_empty());
    assert!(!with(&found, &[Outcome::Skipped]).is_empty());

    let late = connected(harness, &connection, &found);
    let found = verify(harness, &late, &spec).await;
    assert!(!with(&found, &[Outcome::Fail]).is_empty(), "{found:#?}");
    let refused = connector.regions(&connection).await;
    let refused = refused.expect_err("nobody lets us in");
    assert!(
        matches!(
            refused.kind,
            FailureKind::Unauthorized | FailureKind::Denied
        ),
        "{refused:?}"
    );
    keeps_secrets(harness, &refused);
    if harness.drives() == Support::Done {
        let region = &connection.regions[0];
        let refused = connector.provisioner(&connection, region).await.err();
        let refused = refused.expect("nobody lets us in");
        assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
        keeps_secrets(harness, &refused);
    }
    Support::Done
}

pub(super) async fn after_the_grant_no_check_fails(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    let connector = harness.connector();
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    assert_eq!(connection.grant_version, Some(spec.version()));
    assert!(connection.grant_digest.is_some());
    let regions = connector.regions(&connection).await.expect("regions");
    for wanted in &connection.regions {
        assert!(
            regions
                .iter()
                .any(|region| region.name == *wanted && region.enabled),
            "{wanted}"
        );
    }
    if harness.drives() == Support::Done {
        connector
            .provisioner(&connection, &connection.regions[0])
            .await
            .map(|_| ())
            .expect("the provisioner can be had");
    }
    Support::Done
}

pub(super) async fn verifying_again_finds_the_same(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    let first = verify(harness, &connection, &spec).await;
    good(harness, &first);
    assert!(first.checks.len() >= 12, "{}", first.checks.len());
    let again = verify(harness, &connection, &spec).await;
    let outcomes = |found: &landfall_model::connector::Verification| {
        let checks = found.checks.iter();
        checks
            .map(|check| (check.id.clone(), check.outcome))
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&again), outcomes(&first));
    assert_eq!(again.grant_version, first.grant_version);
    // Also the one that made and bound the last of it saw it as it is now.
    assert_eq!(first.grant_digest, connection.grant_digest);
    assert_eq!(again.grant_digest, first.grant_digest);
    Support::Done
}

/// This server may be killed, or the work be taken over, at any instant.
pub(super) async fn a_dropped_verification_harms_no_other(harness: &dyn Harness) -> Support {
    for after in [1, 4, 8, 12] {
        let (connection, spec) = fresh(harness, true).await;
        let connector = harness.connector();
        let told = Told::default();
        let mut run = connector.verify(&connection, &spec, harness.now(), &told);
        let ended = poll_fn(|context| match run.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if told.count() >= after => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        })
        .await;
        drop(run);
        assert!(!ended, "it ended before it could be dropped after {after}");
        harness.settle().await;
        let found = verify(harness, &connection, &spec).await;
        good(harness, &found);
        assert_eq!(connector.detect(&connection).await, Detection::Granted);
    }
    Support::Done
}

pub(super) async fn without_a_reaper_its_checks_are_skipped(harness: &dyn Harness) -> Support {
    let (connection, spec) = fresh(harness, false).await;
    let connector = harness.connector();
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = verify(harness, &connection, &spec).await;
    assert!(!found.refused);
    let skipped = worse(harness, &found);
    assert!(!skipped.is_empty());
    for check in skipped {
        assert_eq!(check.outcome, Outcome::Skipped, "{check:?}");
        assert!(check.evidence.contains("reaper"), "{check:?}");
    }
    Support::Done
}

pub(super) async fn half_a_grant_is_partial(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    harness.take_back(&connection, &spec, Taken::Reaper).await;
    harness.settle().await;
    let connector = harness.connector();
    assert_eq!(
        connector.detect(&connection).await,
        Detection::Partial {
            missing: Identity::Reaper
        }
    );
    let found = verify(harness, &connection, &spec).await;
    assert!(!found.refused, "the provisioner works: nothing is revoked");
    let failed = with(&found, &[Outcome::Fail]);
    assert!(
        failed.iter().any(|check| check.id.contains("reaper")),
        "{found:#?}"
    );
    Support::Done
}

/// A denial before the deadline is no failure; the same denial after it is.
pub(super) async fn a_new_grant_propagates(harness: &dyn Harness) -> Support {
    let mut connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    needs!(harness.lag(true).await);
    harness.grant(&mut connection, &spec).await;

    let now = harness.now();
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(DAY),
    };
    let early = verify(harness, &connection, &spec).await;
    let failed = with(&early, &[Outcome::Fail, Outcome::Unanswered]);
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!with(&early, &[Outcome::Propagating]).is_empty());

    connection.state = State::Propagating {
        since: now.plus_millis(-DAY),
        deadline: now.plus_millis(-1),
    };
    let late = verify(harness, &connection, &spec).await;
    assert!(!with(&late, &[Outcome::Fail]).is_empty(), "{late:#?}");

    // What this server then binds by itself takes its time again.
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(DAY),
    };
    for round in 1..=ROUNDS {
        harness.settle().await;
        let settled = verify(harness, &connection, &spec).await;
        let failed = with(&settled, &[Outcome::Fail, Outcome::Unanswered]);
        assert!(failed.is_empty(), "{failed:#?}");
        let worse = worse(harness, &settled);
        if worse.is_empty() {
            break;
        }
        assert!(round < ROUNDS, "it never settles: {worse:#?}");
    }
    let _ = harness.lag(false).await;
    Support::Done
}

/// As often as a setup's steps can stand on one another.
const ROUNDS: usize = 5;

pub(super) async fn throttling_fails_no_check(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    needs!(harness.throttle().await);
    let found = verify(harness, &connection, &spec).await;
    good(harness, &found);
    Support::Done
}
