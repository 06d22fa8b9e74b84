//! Whether the grant is the current one, and as it was.

mod bindings;
mod judge;
mod read;

use super::{Found, Question, Run, Sessions};
use landfall_model::{
    check::{Check, Outcome},
    digest::Digest,
    driver::Failure,
    grant::{GcpIdentity, GcpPlace, version_of},
};
use read::Snapshot;
pub(super) use read::bindings_of;
use serde_json::Value;

pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    pub(super) version: Option<u32>,
    pub(super) digest: Option<Digest>,
    /// Whether the bootstrap may give anybody any role.
    pub(super) unconfined: bool,
}

pub(super) async fn check(run: &Run<'_>, sessions: &Sessions) -> Findings {
    let Some(session) = &sessions.bootstrap else {
        return Findings {
            checks: judge::not_asked(run),
            version: None,
            digest: None,
            unconfined: false,
        };
    };
    let began = run.recorder.clock.now();
    let snapshot = read::snapshot(run, session).await;
    let millis = run.recorder.clock.now().millis_since(began);
    let mut checks = judge::all(run, &snapshot, millis).await;
    checks.push(version(run, &snapshot));
    let digest = snapshot.digest(run);
    checks.push(unchanged(run, &snapshot, digest.as_ref(), &checks));
    Findings {
        checks,
        version: lowest(run, &snapshot),
        digest,
        unconfined: bindings::bootstrap_is_unconfined(run, &snapshot),
    }
}

/// The lowest version of the roles; `None` when one has none. Where a role is
/// out of our sight, its account says what the setup was that was run.
fn lowest(run: &Run<'_>, snapshot: &Snapshot) -> Option<u32> {
    run.grant
        .roles
        .iter()
        .map(|role| {
            let read = match snapshot.role(role.identity)? {
                Ok(role) => role,
                Err(failure) if read::is_out_of_sight(run, failure) => {
                    snapshot.account(role.identity)?.as_ref().ok()?
                }
                Err(_) => return None,
            };
            version_of(read["description"].as_str()?)
        })
        .min()
        .flatten()
}

fn version(run: &Run<'_>, snapshot: &Snapshot) -> Check {
    let question = Question::new(
        "gcp.grant-version",
        "The grant is of the current version",
        match &run.grant.parent {
            Some(parent) if parent.is_folder() => {
                "the descriptions of the custom roles, and of the accounts whose roles are not seen"
            }
            _ => "the descriptions of the custom roles",
        },
    );
    let current = run.grant.version;
    let found = match lowest(run, snapshot) {
        Some(version) if version == current => Found::pass(format!("version {version}")),
        Some(version) if version < current => Found::warn(
            format!("version {version}; this server's is {current}"),
            "run the current setup again",
        ),
        Some(version) => Found::warn(
            format!("version {version}; this server knows only {current}"),
            "update this Landfall server: a newer one has made or asked for this grant",
        ),
        None => Found::warn(
            match &run.grant.parent {
                Some(parent) if parent.is_folder() => {
                    "a custom role or its account is missing, or its description says no version"
                }
                _ => "a custom role is missing, or its description says no version",
            },
            "run the setup again",
        ),
    };
    run.recorder.noted(question, found)
}

fn unchanged(
    run: &Run<'_>,
    snapshot: &Snapshot,
    digest: Option<&Digest>,
    checks: &[Check],
) -> Check {
    let unseen: Vec<String> = run
        .grant
        .roles
        .iter()
        .filter(|role| {
            let read = snapshot.role(role.identity);
            read.and_then(|read| read.as_ref().err())
                .is_some_and(|failure| read::is_out_of_sight(run, failure))
        })
        .map(judge::role_check)
        .collect();
    let question = Question::new(
        "gcp.grant-unchanged",
        "The grant is as it was when it was last verified",
        "a digest of provider, custom roles, bindings and trust",
    );
    let found = match (digest, &run.connection.grant_digest) {
        (None, _) => Found::skipped("not asked: the grant could not be read as a whole"),
        (Some(digest), None) => Found::pass(format!("first look: {}", digest.short())),
        (Some(digest), Some(before)) if digest == before => {
            Found::pass(format!("still {}", digest.short()))
        }
        (Some(digest), Some(before)) => {
            let changed = format!("{} became {}", before.short(), digest.short());
            let as_granted = checks
                .iter()
                .all(|check| check.outcome == Outcome::Pass || unseen.contains(&check.id));
            if as_granted {
                // The customer ran a newer setup: that is what it is for.
                let seen = if unseen.is_empty() {
                    ""
                } else {
                    " as far as we see it"
                };
                Found::pass(format!(
                    "{changed}, exactly as the current setup says{seen}"
                ))
            } else {
                Found::warn(
                    changed,
                    format!(
                        "compare with {} who changed it; run the setup again to undo it",
                        logs(run)
                    ),
                )
            }
        }
    };
    run.recorder.noted(question, found)
}

/// Where changes of the grant are logged: each with what it was made on.
fn logs(run: &Run<'_>) -> &'static str {
    match run.grant.place() {
        GcpPlace::Project(_) => "the project's audit log",
        GcpPlace::Parent(parent) if parent.is_folder() => {
            "the audit logs of the project (provider, trust), of the organization (roles) and of \
             the folder (bindings)"
        }
        GcpPlace::Parent(_) => {
            "the audit logs of the project (provider, trust) and of the organization (roles, \
             bindings)"
        }
    }
}

/// Why something that was read says nothing.
fn unread(run: &Run<'_>, failure: &Failure, what: &str) -> Found {
    use landfall_model::driver::FailureKind;
    match failure.kind {
        FailureKind::NotFound => run
            .recorder
            .denied(format!("there is no {what}"), "run the setup again"),
        _ => run.recorder.failed(failure, ""),
    }
}

fn name_of(identity: GcpIdentity) -> &'static str {
    identity.as_str()
}

/// The texts of a list, sorted.
fn texts(value: &Value) -> Vec<&str> {
    let mut texts: Vec<&str> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    texts.sort_unstable();
    texts
}
