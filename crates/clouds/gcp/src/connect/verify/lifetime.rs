//! Keys as Google lists them: the one in use, and one that was left behind.

use super::{Found, Question, Run, Sessions, no_session};
use crate::http::Session;
use landfall_model::{
    Timestamp,
    check::Check,
    connection::{Gcp, GcpAccess, Target},
    connector::HeldSecret,
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use serde_json::Value;

/// A key that nobody replaces stops everything: early enough to do it calmly.
const SOON: i64 = 30 * 24 * 3_600_000;
/// Google's way of saying that a key never expires.
const NEVER: &str = "9999-";

async fn read(
    run: &Run<'_>,
    session: &Session,
    email: &str,
    key_id: &str,
) -> Result<Value, Failure> {
    let path = format!(
        "v1/projects/{}/serviceAccounts/{email}/keys/{key_id}",
        run.connection.project_id()
    );
    run.recorder.patiently(|| session.get("iam", &path)).await
}

/// Of a connection by a key: when that one ends.
pub(super) async fn in_use(
    run: &Run<'_>,
    sessions: &Sessions,
) -> Option<(Check, Option<HeldSecret>)> {
    let GcpAccess::ServiceAccountKey {
        service_account,
        key_id,
        ..
    } = run.connection.access()
    else {
        return None;
    };
    let question = Question::new(
        "gcp.key-lasts",
        "The key does not expire soon",
        format!("iam serviceAccounts.keys.get of {key_id}"),
    );
    let mut held = None;
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = &sessions.bootstrap else {
                return no_session(GcpIdentity::Bootstrap);
            };
            match read(run, session, service_account, key_id).await {
                Ok(key) => {
                    let secret = secret(key_id, &key);
                    let found = lasts(run, &secret);
                    held = Some(secret);
                    found
                }
                Err(failure)
                    if matches!(failure.kind, FailureKind::Denied | FailureKind::NotFound) =>
                {
                    Found::warn(
                        format!("not visible to us: {failure}"),
                        "run the setup again: the bootstrap's custom role is an older one, or the \
                         key's account is in another project",
                    )
                }
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await;
    Some((check, held))
}

fn secret(key_id: &str, key: &Value) -> HeldSecret {
    let instant = |field: &str| {
        let text = key[field].as_str()?;
        (!text.starts_with(NEVER))
            .then(|| Timestamp::parse_rfc3339(text).ok())
            .flatten()
    };
    HeldSecret {
        key_id: key_id.to_owned(),
        name: None,
        created_at: instant("validAfterTime"),
        expires_at: instant("validBeforeTime"),
        in_use: true,
    }
}

fn lasts(run: &Run<'_>, secret: &HeldSecret) -> Found {
    let made = secret
        .created_at
        .map_or_else(|| "made at some time".to_owned(), |at| format!("made {at}"));
    match secret.expires_at {
        None => Found::pass(format!(
            "{made}; it never expires, so it works for whoever has a copy until it is deleted"
        )),
        Some(at) if at.millis_since(run.recorder.clock.now()) < SOON => Found::warn(
            format!("{made}; it expires {at}"),
            "create a new key and upload its file before that, or migrate this connection to \
             workload-identity, which needs no key",
        ),
        Some(at) => Found::pass(format!("{made}; it expires {at}")),
    }
}

/// The key that this connection moved away from: nobody uses it any more, and
/// whoever has a copy still can.
pub(super) async fn left_behind(run: &Run<'_>, sessions: &Sessions) -> Option<(Check, bool)> {
    let Some(Target::Gcp(Gcp {
        access:
            GcpAccess::ServiceAccountKey {
                service_account,
                key_id,
                ..
            },
        ..
    })) = &run.connection.left_behind
    else {
        return None;
    };
    let question = Question::new(
        "gcp.old-key-deleted",
        "The key that is not used any more is deleted",
        format!("iam serviceAccounts.keys.get of {key_id} of {service_account}"),
    );
    let mut gone = false;
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = &sessions.bootstrap else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let delete = format!(
                "delete it: gcloud iam service-accounts keys delete {key_id} \
                 --iam-account={service_account} --project={}. If nothing else uses that \
                 account, delete the account: gcloud iam service-accounts delete {service_account}",
                run.connection.project_id()
            );
            match read(run, session, service_account, key_id).await {
                Ok(key) if key["disabled"] == true => Found::warn(
                    format!("{key_id} is disabled, and can be enabled again"),
                    delete,
                ),
                Ok(_) => Found::warn(
                    format!("{key_id} still works for whoever has a copy"),
                    delete,
                ),
                Err(failure) if failure.kind == FailureKind::NotFound => {
                    gone = true;
                    Found::pass(format!("{key_id} is gone"))
                }
                Err(failure) if failure.kind == FailureKind::Denied => Found::warn(
                    format!("not visible to us: {failure}"),
                    format!(
                        "run the setup again, which lets the bootstrap look at keys; or see for \
                         yourself, and {delete}"
                    ),
                ),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await;
    Some((check, gone))
}
