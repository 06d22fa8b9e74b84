//! When the client secret expires.

use super::{Found, Question, Run, not_permitted};
use crate::{client::Session, door::Door};
use landfall_model::{Timestamp, check::Check, connection::AzureAccess, driver::Failure};
use serde_json::Value;

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Days before the end on which people are told, each time more plainly.
const WARNINGS: [i64; 5] = [60, 30, 14, 7, 1];

pub(super) async fn expiry(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    now: Timestamp,
) -> Check {
    let question = Question::new(
        "azure.secret-expiry",
        "The client secret lives for another two months",
        "Graph: passwordCredentials of the application; else what was entered",
    );
    run.recorder
        .record(question, async {
            let AzureAccess::ClientSecret {
                client_id,
                secret_expires_at,
                ..
            } = run.azure.access()
            else {
                return Found::skipped("not asked: the connection has no secret");
            };
            let read = match graph {
                Some(Ok(session)) => {
                    let path = format!("/v1.0/applications(appId='{client_id}')");
                    let query = [("$select", "passwordCredentials")];
                    Some(run.recorder.patiently(|| session.get(&path, &query)).await)
                }
                _ => None,
            };
            match (read, secret_expires_at) {
                (Some(Ok(application)), entered) => {
                    let hint = hint(run).await;
                    match earliest(&application, hint.as_deref()) {
                        Some(at) => judged(at, now, "Graph"),
                        None => from_entered(*entered, now, "Graph knows no such secret"),
                    }
                }
                (Some(Err(failure)), _)
                    if !not_permitted(&failure) && failure.kind.is_retryable() =>
                {
                    run.recorder.failed(&failure, "")
                }
                (_, entered) => from_entered(*entered, now, "Graph does not show it to us"),
            }
        })
        .await
}

/// The first characters of the secret, by which Graph tells an application's
/// secrets apart. Stays in here.
async fn hint(run: &Run<'_>) -> Option<String> {
    let (Door::Secret { secrets, .. }, AzureAccess::ClientSecret { secret_id, .. }) =
        (&run.connector.door, run.azure.access())
    else {
        return None;
    };
    let secret = secrets
        .open(&run.azure.organization_id, secret_id)
        .await
        .ok()?;
    secret.expose_text().ok()?.get(..3).map(str::to_owned)
}

/// Of all secrets that could be ours, the end that comes first: to warn too
/// early is harmless.
fn earliest(application: &Value, hint: Option<&str>) -> Option<Timestamp> {
    application["passwordCredentials"]
        .as_array()?
        .iter()
        .filter(|secret| match (secret["hint"].as_str(), hint) {
            (Some(of), Some(ours)) => of == ours,
            _ => true,
        })
        .filter_map(|secret| Timestamp::parse_rfc3339(secret["endDateTime"].as_str()?).ok())
        .min()
}

fn from_entered(entered: Option<Timestamp>, now: Timestamp, why: &str) -> Found {
    match entered {
        Some(at) => judged(at, now, "what was entered"),
        None => Found::warn(
            format!("unknown: {why}, and nobody entered it"),
            "enter the day on which the secret expires: App registrations → the application → \
             Certificates & secrets shows it",
        ),
    }
}

fn judged(at: Timestamp, now: Timestamp, source: &str) -> Found {
    let left = at.millis_since(now);
    let remedy = "make a new secret under Certificates & secrets and enter its value; or move to \
                  workload-identity, which has none";
    if left <= 0 {
        return Found::fail(
            format!("expired at {at}, says {source}. What runs goes on running"),
            remedy,
        );
    }
    let days = left / DAY;
    // The narrowest of the steps that was reached.
    match WARNINGS.into_iter().rev().find(|step| left <= step * DAY) {
        Some(1) => Found::warn(
            format!("expires within a day, at {at}, says {source}"),
            remedy,
        ),
        Some(step) => Found::warn(
            format!("expires in {days} days ({step} days' warning), at {at}, says {source}"),
            remedy,
        ),
        None => Found::pass(format!("expires in {days} days, at {at}, says {source}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::verify::recorder::tests::told;
    use landfall_model::check::Outcome;

    #[test]
    fn every_step_is_said_and_nothing_before() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for (days, outcome, says) in [
            (400, Outcome::Pass, "expires in 400 days"),
            (61, Outcome::Pass, "expires in 61 days"),
            (60, Outcome::Warn, "60 days' warning"),
            (31, Outcome::Warn, "60 days' warning"),
            (30, Outcome::Warn, "30 days' warning"),
            (14, Outcome::Warn, "14 days' warning"),
            (7, Outcome::Warn, "7 days' warning"),
            (2, Outcome::Warn, "7 days' warning"),
            (1, Outcome::Warn, "within a day"),
            (0, Outcome::Fail, "expired"),
            (-3, Outcome::Fail, "expired"),
        ] {
            let (is, evidence) = told(judged(now.plus_millis(days * DAY), now, "Graph"));
            assert_eq!(is, outcome, "{days}");
            assert!(evidence.contains(says), "{days}: {evidence}");
        }
    }

    #[test]
    fn the_first_end_of_those_that_could_be_ours_counts() {
        let application = serde_json::json!({"passwordCredentials": [
            {"hint": "abc", "endDateTime": "2027-01-01T00:00:00Z"},
            {"hint": "abc", "endDateTime": "2026-06-01T00:00:00Z"},
            {"hint": "xyz", "endDateTime": "2026-01-01T00:00:00Z"},
        ]});
        let at = |hint| earliest(&application, hint).unwrap().to_rfc3339();
        assert!(at(Some("abc")).starts_with("2026-06-01"));
        assert!(at(None).starts_with("2026-01-01"));
        assert_eq!(earliest(&application, Some("none")), None);
    }
}
