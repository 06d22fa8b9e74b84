//! What a verification means for the connection.

use super::verify::deadline;
use crate::App;
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, InvalidTransition, State},
    connector::Verification,
};

/// The connection after a verification.
pub(super) fn judged(app: &App, mut connection: Connection, found: &Verification) -> Connection {
    let now = app.now();
    let before = connection.state.clone();
    let state = next_state(before.clone(), found, now, deadline(app, now));
    // A transition that the lifecycle refuses (it was disconnected meanwhile)
    // changes nothing.
    connection.state = state.unwrap_or(before);
    connection.checked_at = Some(now);
    connection.too_broad = still_too_broad(connection.too_broad, found);
    if !found.refused && found.grant_version.is_some() {
        let upgraded = connection.grant_version != found.grant_version;
        connection.grant_version = found.grant_version;
        let settled = matches!(connection.state, State::Connected { .. });
        // The digest is what later runs compare with. It moves only with a new
        // version or after the grant was made again: else an edit by hand
        // would be reported once and then forgotten.
        if settled && (upgraded || connection.grant_digest.is_none()) {
            connection.grant_digest.clone_from(&found.grant_digest);
        }
    }
    if let State::Revoked { .. } = connection.state {
        connection.grant_digest = None;
    }
    if let (Some(held), Some(id)) = (&found.secret, connection.target.secret_id())
        && held.in_use
    {
        // What the cloud says is better than what somebody typed.
        let expires_at = held.expires_at.or(connection.target.secret_expires_at());
        let id = id.clone();
        let target = &connection.target;
        connection.target = target.with_secret(&id, Some(&held.key_id), expires_at);
    }
    if found.left_behind_gone {
        connection.left_behind = None;
    }
    connection
}

/// What was seen counts until a look in which nothing stayed open: one that
/// could not ask must not give a second key back.
fn still_too_broad(was: bool, found: &Verification) -> bool {
    let open = |check: &Check| {
        matches!(
            check.outcome,
            Outcome::Fail | Outcome::Unanswered | Outcome::Propagating
        )
    };
    let saw_all = !found.refused && !found.checks.iter().any(open);
    found.too_broad || (was && !saw_all)
}

fn next_state(
    state: State,
    found: &Verification,
    now: Timestamp,
    deadline: Timestamp,
) -> Result<State, InvalidTransition> {
    let having = |outcome: Outcome| {
        found
            .checks
            .iter()
            .filter(move |check| check.outcome == outcome)
    };
    if found.refused {
        return match state {
            State::Pending { .. } => Ok(state),
            State::Propagating { deadline, .. } if now < deadline => Ok(state),
            _ => {
                let reason = having(Outcome::Fail)
                    .chain(having(Outcome::Propagating))
                    .next()
                    .map_or("the roles refuse this server", |check| &check.evidence);
                state.revoked(now, reason.to_owned())
            }
        };
    }
    let ids = |outcome| having(outcome).map(|check| check.id.clone()).collect();
    let failed: Vec<String> = ids(Outcome::Fail);
    let settling: Vec<String> = ids(Outcome::Propagating);
    let silent: Vec<String> = ids(Outcome::Unanswered);
    match state {
        _ if !failed.is_empty() => state.degraded(now, failed),
        // A busy cloud proves nothing: what works goes on, and what was not
        // verified yet is not called connected.
        State::Connected { .. } | State::Degraded { .. } if !silent.is_empty() => Ok(state),
        State::Propagating { deadline, .. } if !silent.is_empty() && now >= deadline => {
            state.degraded(now, silent)
        }
        _ if !silent.is_empty() => state.propagating(now, deadline),
        State::Propagating { deadline, .. } if !settling.is_empty() && now >= deadline => {
            state.degraded(now, settling)
        }
        State::Pending { .. } | State::Revoked { .. } | State::Propagating { .. }
            if !settling.is_empty() =>
        {
            state.propagating(now, deadline)
        }
        // Already in use: what has not settled is looked at again on schedule.
        State::Degraded { .. } if !settling.is_empty() => Ok(state),
        _ => state.connected(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn found(outcomes: &[Outcome], refused: bool) -> Verification {
        Verification {
            checks: outcomes
                .iter()
                .enumerate()
                .map(|(index, outcome)| Check {
                    id: format!("aws.check-{index}"),
                    title: String::new(),
                    outcome: *outcome,
                    asked: String::new(),
                    evidence: "AccessDenied".to_owned(),
                    remedy: String::new(),
                    millis: 1,
                })
                .collect(),
            refused,
            grant_version: Some(1),
            grant_digest: None,
            ..Verification::default()
        }
    }

    fn next(state: State, found: &Verification, now: i64) -> State {
        next_state(state, found, at(now), at(now + 100)).unwrap()
    }

    #[test]
    fn a_second_key_is_given_back_only_by_a_look_that_saw_all() {
        let keeps =
            |outcomes: &[Outcome], refused| still_too_broad(true, &found(outcomes, refused));
        assert!(!keeps(
            &[Outcome::Pass, Outcome::Warn, Outcome::Skipped],
            false
        ));
        for open in [Outcome::Fail, Outcome::Unanswered, Outcome::Propagating] {
            assert!(keeps(&[Outcome::Pass, open], false), "{open:?}");
            assert!(!still_too_broad(false, &found(&[open], false)));
        }
        assert!(keeps(&[Outcome::Skipped], true));
        let seen = Verification {
            too_broad: true,
            ..found(&[Outcome::Pass], false)
        };
        assert!(still_too_broad(false, &seen));
    }

    #[test]
    fn a_refusal_counts_only_after_a_grant_and_its_deadline() {
        let refused = found(&[Outcome::Fail, Outcome::Skipped], true);
        let pending = State::Pending { since: at(0) };
        assert_eq!(next(pending.clone(), &refused, 5), pending);
        let propagating = State::Propagating {
            since: at(0),
            deadline: at(10),
        };
        assert_eq!(next(propagating.clone(), &refused, 9), propagating);
        assert_eq!(next(propagating, &refused, 10).as_str(), "revoked");
        let connected = State::Connected { since: at(0) };
        let revoked = next(connected, &refused, 5);
        assert_eq!(
            revoked,
            State::Revoked {
                since: at(5),
                reason: "AccessDenied".to_owned()
            }
        );
    }

    #[test]
    fn what_has_not_settled_degrades_only_after_the_deadline() {
        let settling = found(&[Outcome::Pass, Outcome::Propagating], false);
        let pending = State::Pending { since: at(0) };
        let propagating = next(pending, &settling, 5);
        assert_eq!(
            propagating,
            State::Propagating {
                since: at(5),
                deadline: at(105)
            }
        );
        assert_eq!(next(propagating.clone(), &settling, 50), propagating);
        assert_eq!(
            next(propagating, &settling, 105),
            State::Degraded {
                since: at(105),
                failed_checks: vec!["aws.check-1".to_owned()]
            }
        );
    }

    #[test]
    fn silence_changes_nothing_and_connects_nothing() {
        let silent = found(&[Outcome::Pass, Outcome::Unanswered], false);
        let connected = State::Connected { since: at(0) };
        assert_eq!(next(connected.clone(), &silent, 5), connected);
        let degraded = State::Degraded {
            since: at(0),
            failed_checks: vec!["aws.check-1".to_owned()],
        };
        assert_eq!(next(degraded.clone(), &silent, 5), degraded);
        let pending = State::Pending { since: at(0) };
        let propagating = next(pending, &silent, 5);
        assert_eq!(propagating.as_str(), "propagating");
        assert_eq!(next(propagating, &silent, 105).as_str(), "degraded");
        let also_failing = found(&[Outcome::Fail, Outcome::Unanswered], false);
        assert_eq!(next(connected, &also_failing, 5).as_str(), "degraded");
    }

    #[test]
    fn warnings_connect_and_failures_degrade() {
        let warned = found(&[Outcome::Pass, Outcome::Warn], false);
        let pending = State::Pending { since: at(0) };
        assert_eq!(next(pending.clone(), &warned, 5).as_str(), "connected");
        let failing = found(&[Outcome::Pass, Outcome::Fail], false);
        assert_eq!(next(pending, &failing, 5).as_str(), "degraded");
        let revoked = State::Revoked {
            since: at(0),
            reason: String::new(),
        };
        assert_eq!(next(revoked, &warned, 5).as_str(), "connected");
    }
}
