use super::{
    Edit, Harness, Taken, check, connected, good, granted, keeps_secrets, outcome, verify, with,
};
use crate::Support;
use landfall_model::{
    check::Outcome, connection::State, connector::Detection, driver::FailureKind,
};

pub(super) async fn an_edited_grant_is_noticed(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    harness.edit(&connection, &spec, Edit::Permission).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    let unchanged = check(&found, &connection, "grant-unchanged");
    assert_eq!(unchanged.outcome, Outcome::Warn, "{unchanged:?}");
    assert!(found.grant_digest.is_some());
    assert_ne!(found.grant_digest, connection.grant_digest);
    assert!(!found.refused, "it works as before");
    let failed = with(&found, &[Outcome::Fail]);
    assert!(failed.is_empty(), "{failed:#?}");
    Support::Done
}

pub(super) async fn a_lost_second_key_is_said(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    harness.edit(&connection, &spec, Edit::Everything).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert!(found.too_broad, "{found:#?}");
    assert!(!found.refused);
    Support::Done
}

pub(super) async fn an_old_version_is_noticed(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    assert_eq!(connection.grant_version, Some(spec.version()));
    harness.edit(&connection, &spec, Edit::OldVersion).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert_eq!(outcome(&found, &connection, "grant-version"), Outcome::Warn);
    assert_eq!(found.grant_version, Some(0));
    Support::Done
}

pub(super) async fn revocation_is_seen_and_heals(harness: &dyn Harness) -> Support {
    let (mut connection, spec) = granted(harness).await;
    let connector = harness.connector();
    let region = connection.regions[0].clone();
    connector
        .regions(&connection)
        .await
        .map(|_| ())
        .expect("a session is held now, if any is");
    let drives = harness.drives() == Support::Done;
    if drives {
        let provisioner = connector.provisioner(&connection, &region).await;
        provisioner.map(|_| ()).expect("this one too");
    }

    harness
        .take_back(&connection, &spec, Taken::Everything)
        .await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert!(found.refused, "{found:#?}");
    assert!(!with(&found, &[Outcome::Fail]).is_empty());
    let seen = connector.detect(&connection).await;
    assert!(matches!(seen, Detection::Refused { .. }), "{seen:?}");
    keeps_secrets(harness, &seen);
    // What was held is dropped: a session may outlive its role by an hour.
    let refused = connector.regions(&connection).await;
    let refused = refused.expect_err("the grant is gone");
    assert!(
        matches!(
            refused.kind,
            FailureKind::Unauthorized | FailureKind::Denied
        ),
        "{refused:?}"
    );
    keeps_secrets(harness, &refused);
    if drives {
        let refused = connector.provisioner(&connection, &region).await;
        let refused = refused.err().expect("the grant is gone");
        assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
    }

    harness.grant(&mut connection, &spec).await;
    harness.settle().await;
    connection.state = State::Revoked {
        since: harness.now(),
        reason: "the grant is gone".to_owned(),
    };
    // Granted again, and not seen yet: only a look says that it is.
    let refused = connector.regions(&connection).await;
    let refused = refused.expect_err("it was taken back");
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
    if drives {
        let refused = connector.provisioner(&connection, &region).await;
        assert!(refused.is_err(), "it was taken back");
    }
    let mut ended = connection.clone();
    ended.state = State::Disconnected { at: harness.now() };
    let refused = connector.regions(&ended).await;
    assert!(refused.is_err(), "the connection was ended");
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let healed = verify(harness, &connection, &spec).await;
    good(harness, &healed);
    let connection = connected(harness, &connection, &healed);
    let regions = connector.regions(&connection).await;
    assert!(regions.is_ok_and(|regions| !regions.is_empty()));
    if drives {
        let provisioner = connector.provisioner(&connection, &region).await;
        provisioner.map(|_| ()).expect("it works again");
    }
    Support::Done
}
