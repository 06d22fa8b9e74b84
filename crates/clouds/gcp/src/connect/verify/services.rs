//! Which APIs are on, and switching on those that are missing.

use super::{Found, Question, Run, holds, no_session};
use crate::{error::SERVICE_DISABLED, http::Session};
use landfall_model::{
    check::{Check, Outcome},
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

const SERVICE: &str = "serviceusage";
/// Most services in one `batchEnable` (Google Cloud docs: Service Usage API).
const AT_ONCE: usize = 20;
/// Seconds between looks at an operation; the last is repeated. With
/// [`LOOKS`], three minutes in all: switching on takes half a minute, at times
/// two.
const WAITS: [u64; 4] = [1, 2, 3, 5];
const LOOKS: usize = 38;

/// The APIs of a grant in the order in which they can be switched on.
#[derive(Clone, Copy)]
pub(super) enum Batch {
    /// Those that need no billing account, by one of which it is read whether
    /// there is one.
    Free,
    Billed,
}

impl Batch {
    const fn id(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Billed => "billed",
        }
    }

    fn apis<'a>(self, run: &Run<'a>) -> Vec<&'a str> {
        let apis: Vec<&String> = match self {
            Self::Free => run
                .grant
                .bootstrap_apis
                .iter()
                .chain(&run.grant.free_apis)
                .collect(),
            Self::Billed => run.grant.billed_apis.iter().collect(),
        };
        apis.into_iter().map(String::as_str).collect()
    }
}

/// What acting as a service account takes, by which everything else is switched
/// on.
const ENTRY: [&str; 2] = ["iam.googleapis.com", "iamcredentials.googleapis.com"];

/// The first of all, by the account of a key; or why not.
pub(super) async fn switch_on_first(
    run: &Run<'_>,
    session: Result<&Session, &'static str>,
) -> Check {
    let question = Question::new(
        "gcp.apis-switched-on.first",
        "The APIs are on by which Landfall acts as its accounts",
        "serviceusage services.batchGet, and services.batchEnable of those that are off",
    );
    run.recorder
        .record(question, async {
            match session {
                Ok(session) => {
                    let seen = states(run, session, &ENTRY).await;
                    act(run, session, &ENTRY, seen).await.0
                }
                Err(why) => Found::skipped(why),
            }
        })
        .await
}

/// Service Usage cannot switch itself on: it is asked through itself.
pub(super) async fn usage_is_on(run: &Run<'_>, session: Option<&Session>) -> (bool, Check) {
    let id = run.connection.project_id();
    let question = Question::new(
        "gcp.service-usage-reachable",
        "APIs can be switched on",
        format!("serviceusage services.get of serviceusage.googleapis.com in {id}"),
    );
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let path = format!("v1/projects/{id}/services/serviceusage.googleapis.com");
            match run.recorder.patiently(|| session.get(SERVICE, &path)).await {
                Ok(_) => Found::pass("the Service Usage API answers"),
                Err(failure) if failure.code == SERVICE_DISABLED => usage_is_off(run, &failure),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await;
    (holds(&check), check)
}

fn usage_is_off(run: &Run<'_>, failure: &Failure) -> Found {
    run.recorder.denied(
        failure.message.clone(),
        format!(
            "the Service Usage API cannot be switched on through itself: somebody of the project \
             runs gcloud services enable serviceusage.googleapis.com --project={}, or opens APIs & \
             Services → Library → Service Usage API → Enable in the console",
            run.connection.project_id()
        ),
    )
}

/// Which APIs of a batch are on, before anything is switched on.
pub(super) async fn look(
    run: &Run<'_>,
    session: Option<&Session>,
    batch: Batch,
) -> Option<Result<BTreeSet<String>, Failure>> {
    Some(states(run, session?, &batch.apis(run)).await)
}

/// The step, and then one check for each API. `seen` is what a look found.
pub(super) async fn switch_on(
    run: &Run<'_>,
    session: Option<&Session>,
    batch: Batch,
    seen: Option<Result<BTreeSet<String>, Failure>>,
) -> Vec<Check> {
    let apis = batch.apis(run);
    let mut on: Option<BTreeSet<String>> = None;
    let question = Question::new(
        format!("gcp.apis-switched-on.{}", batch.id()),
        match batch {
            Batch::Free => "The APIs that need no billing account are switched on",
            Batch::Billed => "The APIs that need a billing account are switched on",
        },
        format!(
            "serviceusage services.batchGet of {} APIs, and services.batchEnable of those that \
             are off",
            apis.len()
        ),
    );
    let step = run
        .recorder
        .record(question, async {
            let (Some(session), Some(seen)) = (session, seen) else {
                return Found::skipped("not asked: the Service Usage API was not reached");
            };
            // The look was before the others were switched on.
            let seen = match (batch, seen) {
                (Batch::Billed, Err(_)) => states(run, session, &apis).await,
                (_, seen) => seen,
            };
            let (found, states) = act(run, session, &apis, seen).await;
            on = states;
            found
        })
        .await;
    let still = step.outcome;
    let mut checks = vec![step];
    for api in apis {
        checks.push(enabled(run, api, on.as_ref(), still));
    }
    checks
}

fn enabled(run: &Run<'_>, api: &str, on: Option<&BTreeSet<String>>, step: Outcome) -> Check {
    let name = api.strip_suffix(".googleapis.com").unwrap_or(api);
    let question = Question::new(
        format!("gcp.api-enabled.{name}"),
        format!("The API {api} is on"),
        format!("the state of {api}"),
    );
    let found = match on {
        None => Found::skipped("not asked: the APIs could not be read"),
        Some(on) if on.contains(api) => Found::pass("ENABLED"),
        Some(_) if step == Outcome::Propagating => Found::with(
            Outcome::Propagating,
            "still being switched on",
            "nothing yet: Landfall looks again",
        ),
        Some(_) => Found::fail(
            "DISABLED",
            format!(
                "run gcloud services enable {api} --project={}, which also says why it cannot be",
                run.connection.project_id()
            ),
        ),
    };
    run.recorder.noted(question, found)
}

/// What the step found, and which APIs are on now.
async fn act(
    run: &Run<'_>,
    session: &Session,
    apis: &[&str],
    seen: Result<BTreeSet<String>, Failure>,
) -> (Found, Option<BTreeSet<String>>) {
    let before = match seen {
        Ok(on) => on,
        Err(failure) if failure.code == SERVICE_DISABLED => {
            return (usage_is_off(run, &failure), None);
        }
        Err(failure) => return (run.recorder.failed(&failure, ""), None),
    };
    let missing: Vec<&str> = apis
        .iter()
        .copied()
        .filter(|api| !before.contains(*api))
        .collect();
    if missing.is_empty() {
        let found = Found::pass(format!("all {} were on", apis.len()));
        return (found, Some(before));
    }
    for some in missing.chunks(AT_ONCE) {
        match enable(run, session, some).await {
            Ok(true) => {}
            Ok(false) => {
                let found = Found::with(
                    Outcome::Propagating,
                    format!("still being switched on: {}", some.join(", ")),
                    "nothing yet: Landfall looks again",
                );
                return (found, Some(before));
            }
            Err(failure) => return (refused(run, &failure), Some(before)),
        }
    }
    match states(run, session, apis).await {
        Ok(after) => {
            let found = Found::pass(format!(
                "{} were on; switched on now: {}",
                before.len(),
                missing.join(", ")
            ));
            (found, Some(after))
        }
        Err(failure) => (run.recorder.failed(&failure, ""), Some(before)),
    }
}

fn refused(run: &Run<'_>, failure: &Failure) -> Found {
    if failure.code.contains("billing") || failure.message.contains("Billing") {
        return Found::fail(
            failure.message.clone(),
            "attach a billing account: console → Billing → Link a billing account; then check \
             again",
        );
    }
    run.recorder.failed(
        failure,
        "run the setup again: the bootstrap account lacks serviceusage.services.enable, or an \
         organization policy forbids these APIs (gcp.restrictServiceUsage)",
    )
}

/// Those of `apis` that are on.
async fn states(
    run: &Run<'_>,
    session: &Session,
    apis: &[&str],
) -> Result<BTreeSet<String>, Failure> {
    let project = run.connection.project_id();
    let names: Vec<String> = apis
        .iter()
        .map(|api| format!("names=projects/{project}/services/{api}"))
        .collect();
    let path = format!(
        "v1/projects/{project}/services:batchGet?{}",
        names.join("&")
    );
    let answer = run
        .recorder
        .patiently(|| session.get(SERVICE, &path))
        .await?;
    Ok(answer["services"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|service| service["state"] == "ENABLED")
        .filter_map(|service| service["name"].as_str()?.rsplit('/').next())
        .map(str::to_owned)
        .collect())
}

/// Whether they are on in the end; `false` when that takes longer than we wait.
async fn enable(run: &Run<'_>, session: &Session, apis: &[&str]) -> Result<bool, Failure> {
    let path = format!(
        "v1/projects/{}/services:batchEnable",
        run.connection.project_id()
    );
    let body = json!({ "serviceIds": apis });
    // Repeating is harmless: what is on stays on.
    let mut operation = run
        .recorder
        .patiently(|| async {
            session
                .change(Method::POST, SERVICE, &path, &body)
                .await
                .map_err(|mut failure| {
                    if failure.kind == FailureKind::Unknown {
                        failure.kind = FailureKind::Unavailable;
                    }
                    failure
                })
        })
        .await?;
    for look in 0..LOOKS {
        if operation["done"] == true {
            return ended(&operation);
        }
        let name = operation["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return Err(Failure::new(
                FailureKind::Unavailable,
                "MalformedAnswer",
                "Service Usage answered without an operation",
            ));
        }
        let wait = WAITS[look.min(WAITS.len() - 1)];
        run.recorder.clock.sleep(Duration::from_secs(wait)).await;
        let path = format!("v1/{name}");
        operation = run
            .recorder
            .patiently(|| session.get(SERVICE, &path))
            .await?;
    }
    Ok(false)
}

/// What comes back from the cloud and goes into a path again.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_')
}

fn ended(operation: &Value) -> Result<bool, Failure> {
    match operation["error"]["message"].as_str() {
        None if operation["error"].is_null() => Ok(true),
        said => Err(Failure::new(
            FailureKind::Invalid,
            "OperationFailed",
            said.unwrap_or("the operation failed"),
        )),
    }
}
