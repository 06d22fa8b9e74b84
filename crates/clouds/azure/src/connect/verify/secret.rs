//! The client secret: when it expires, and whether Landfall can renew it.

use super::{Found, Question, Run, Signed, no_session, visible};
use crate::{
    client::Session,
    connect::secrets::{self, ALL, Listed, OWNED},
    error::not_permitted,
};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::AzureAccess,
    connector::HeldSecret,
    driver::Failure,
};

pub(super) const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Days before the end on which people are told, each time more plainly.
const WARNINGS: [i64; 5] = [60, 30, 14, 7, 1];

/// The application's secrets, or why they cannot be read; `None` when nobody
/// could sign in to ask.
pub(super) type Reading = Option<Result<Vec<Listed>, Failure>>;

pub(super) async fn read(run: &Run<'_>, graph: &Option<Result<Session<'_>, Failure>>) -> Reading {
    let graph = match graph.as_ref()? {
        Ok(graph) => graph,
        Err(failure) => return Some(Err(failure.clone())),
    };
    let (application, ours) = match run.connector.own_secret(run.azure).await {
        Ok(known) => known,
        Err(failure) => return Some(Err(failure)),
    };
    let asked = run
        .recorder
        .patiently(|| secrets::list(graph, application, &ours));
    Some(asked.await)
}

/// The one that this connection uses, where it can be told.
pub(super) fn in_use(reading: &Reading) -> Option<HeldSecret> {
    let all = reading.as_ref()?.as_ref().ok()?;
    let found = all.iter().find(|one| one.held.in_use)?;
    Some(found.held.clone())
}

/// Of the one in use; else of all that could be it the end that comes first: to
/// warn too early is harmless.
fn end(all: &[Listed]) -> Option<Timestamp> {
    match all.iter().find(|one| one.held.in_use) {
        Some(found) => found.held.expires_at,
        None => all
            .iter()
            .filter(|one| one.may_be_ours)
            .filter_map(|one| one.held.expires_at)
            .min(),
    }
}

/// `over` says that Entra refused the secret because it has expired.
pub(super) fn expiry(run: &Run<'_>, reading: &Reading, over: bool, now: Timestamp) -> Check {
    let question = Question::new(
        "azure.secret-expiry",
        "The client secret lives for another two months",
        "Graph: passwordCredentials of the application; else what was entered",
    );
    let AzureAccess::ClientSecret {
        secret_expires_at, ..
    } = run.azure.access()
    else {
        let found = Found::skipped("not asked: the connection has no secret");
        return run.recorder.noted(question, found);
    };
    let found = match reading {
        _ if over => Found::fail(
            match secret_expires_at {
                Some(at) if *at <= now => format!("expired at {at}: workloads are unaffected"),
                _ => "Entra says that it has expired: workloads are unaffected".to_owned(),
            },
            RENEW,
        ),
        Some(Ok(all)) => match end(all) {
            Some(at) => judged(at, now, "Graph"),
            None => from_entered(*secret_expires_at, now, "Graph knows no such secret"),
        },
        Some(Err(failure)) if !not_permitted(failure) && failure.kind.is_retryable() => {
            run.recorder.failed(failure, "")
        }
        _ => from_entered(*secret_expires_at, now, "Graph does not show it to us"),
    };
    run.recorder.noted(question, found)
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

const RENEW: &str = "make a new secret under Certificates & secrets and enter its value; or move \
                     to workload-identity, which has none";

fn judged(at: Timestamp, now: Timestamp, source: &str) -> Found {
    let left = at.millis_since(now);
    if left <= 0 {
        return Found::fail(
            format!("expired at {at}, says {source}: workloads are unaffected"),
            RENEW,
        );
    }
    let days = left / DAY;
    // The narrowest of the steps that was reached.
    match WARNINGS.into_iter().rev().find(|step| left <= step * DAY) {
        Some(1) => Found::warn(
            format!("expires within a day (1 day's warning), at {at}, says {source}"),
            RENEW,
        ),
        Some(step) => Found::warn(
            format!("expires in {days} days ({step} days' warning), at {at}, says {source}"),
            RENEW,
        ),
        None => Found::pass(format!("expires in {days} days, at {at}, says {source}")),
    }
}

/// Whether the application may change its own secrets, as Graph will decide it:
/// by the permissions in its token, and by its owners.
pub(super) async fn rotates(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    signed: Option<&Signed<'_>>,
) -> (Check, bool) {
    let question = Question::new(
        "azure.secret-rotates",
        "Landfall can renew the client secret by itself",
        "the permissions in the application's token for Graph, and the application's owners",
    );
    let check = run
        .recorder
        .record(question, async {
            let Some(signed) = signed else {
                return no_session();
            };
            let graph = match visible(run, graph) {
                Ok(graph) => graph,
                Err(found) => return found,
            };
            able(run, graph, signed).await
        })
        .await;
    let can = check.outcome == Outcome::Pass;
    (check, can)
}

async fn able(run: &Run<'_>, graph: &Session<'_>, signed: &Signed<'_>) -> Found {
    let client = &signed.application;
    let permit = format!(
        "run the script again as somebody who may approve permissions (Privileged Role \
         Administrator), or: App registrations → {client} → API permissions → Microsoft Graph → \
         Application permissions → {OWNED} → Grant admin consent; and make its service principal \
         an owner of it: az ad app owner add --id {client} --owner-object-id <its object id>. Or \
         renew the secret by hand"
    );
    let has = |name: &str| {
        let mut roles = graph.said.roles.iter().flatten();
        roles.any(|role| role == name)
    };
    if graph.said.roles.is_none() {
        return Found::left_out(
            "not visible to us: Entra's token does not say what it permits",
            permit,
        );
    }
    if has(ALL) {
        return Found::pass(format!(
            "{ALL}, which is wider than needed: {OWNED} is enough"
        ));
    }
    if !has(OWNED) {
        return Found::left_out(
            format!("left out: {OWNED} is not granted, so a person renews the secret"),
            permit,
        );
    }
    let path = format!("/v1.0/applications(appId='{client}')/owners");
    let query = [("$select", "id")];
    let owners = match run.recorder.patiently(|| graph.list(&path, &query)).await {
        Ok(owners) => owners,
        Err(failure) if not_permitted(&failure) => Vec::new(),
        Err(failure) => return run.recorder.failed(&failure, ""),
    };
    let itself = graph.said.object_id.as_ref().map(|id| id.as_str());
    match itself {
        Some(id) if owners.iter().any(|one| one["id"].as_str() == Some(id)) => Found::pass(
            format!("{OWNED} is granted, and the application's service principal owns it"),
        ),
        _ => Found::warn(
            format!(
                "{OWNED} is granted, but the application's service principal does not own it: a \
                 person renews the secret"
            ),
            format!(
                "run: az ad app owner add --id {client} --owner-object-id {}",
                itself.unwrap_or("<the object id of its service principal>")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::verify::recorder::tests::told;

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
            (1, Outcome::Warn, "within a day (1 day's warning)"),
            (0, Outcome::Fail, "workloads are unaffected"),
            (-3, Outcome::Fail, "workloads are unaffected"),
        ] {
            let (is, evidence) = told(judged(now.plus_millis(days * DAY), now, "Graph"));
            assert_eq!(is, outcome, "{days}");
            assert!(evidence.contains(says), "{days}: {evidence}");
        }
    }

    #[test]
    fn the_first_end_of_those_that_could_be_ours_counts_unless_one_is_known() {
        let listed = |id: &str, end: i64, may_be_ours: bool, in_use: bool| Listed {
            held: HeldSecret {
                key_id: id.to_owned(),
                name: None,
                created_at: None,
                expires_at: Some(Timestamp::from_millis(end)),
                in_use,
            },
            may_be_ours,
        };
        let mut all = vec![
            listed("a", 30, true, false),
            listed("b", 20, true, false),
            listed("c", 10, false, false),
        ];
        assert_eq!(end(&all), Some(Timestamp::from_millis(20)));
        all[0].held.in_use = true;
        assert_eq!(end(&all), Some(Timestamp::from_millis(30)));
        assert_eq!(end(&[]), None);
    }
}
