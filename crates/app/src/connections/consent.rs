//! Consent on the cloud's own page, and the way back from it.
//!
//! What comes back proves nothing by itself: error callbacks look like success,
//! and everything in the address can be typed by anybody. It counts only with a
//! `state` that this server gave to this session for this connection, once; and
//! then it says no more than that it is worth to look.

use super::{find, is_open, not_now, schedule, update};
use crate::{Actor, App, Permission, audit};
use landfall_model::{
    Code, Error,
    connection::{Azure, AzureAccess, Connection, Guid, Target},
    digest::Digest,
    error::Result,
    id::ConnectionId,
};
use serde::Deserialize;
use serde_json::json;

/// What Microsoft's page sends back. Untrusted, all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Callback {
    pub state: String,
    /// `True` also beside an error.
    pub admin_consent: String,
    pub tenant: String,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// The page where an administrator approves this server's application.
/// `session` is something that only this person's browser can bring back.
pub async fn consent(
    app: &App,
    actor: &Actor,
    id: &ConnectionId,
    session: &str,
    redirect_uri: &str,
) -> Result<String> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if !is_open(&connection) {
            return Err(not_now(&connection, "approved"));
        }
        let asking = consenting(&connection)?;
        let nonce = hex::encode(app.entropy.array::<32>());
        let state = format!("{id}.{nonce}");
        let connector = app.connector(asking.method())?;
        let page = connector
            .consent_page(&asking, redirect_uri, &state)
            .map_err(|failure| {
                Error::new(
                    Code::ConnectionMethodUnavailable,
                    failure.message.clone(),
                    "ask the operator to configure the application, or choose another method",
                )
                .with_source(failure)
            })?;
        let digest = bound(&state, session);
        update(app, actor.organization_id(), id, |mut connection| {
            // It may have been moved to another method meanwhile.
            consenting(&connection)?;
            set_asked(&mut connection, Some(digest.clone()));
            let detail = json!({ "consent": "asked" });
            let permission = Permission::ConnectionChange;
            let entry = audit::entry(app, actor, permission, id, detail);
            Ok((connection, vec![entry]))
        })
        .await?;
        Ok(page)
    };
    audit::attempt(app, actor, Permission::ConnectionChange, id.as_str(), work).await
}

/// The way back. Whatever it says, the `state` is used up.
pub async fn consented(
    app: &App,
    actor: &Actor,
    session: &str,
    callback: Callback,
) -> Result<Connection> {
    let id: Option<ConnectionId> = callback
        .state
        .split_once('.')
        .and_then(|(id, _)| id.parse().ok());
    let target = id.as_ref().map_or("", ConnectionId::as_str);
    let work = async {
        let id = id.as_ref().ok_or_else(not_asked)?;
        let connection = find(app, actor.organization_id(), id)
            .await
            .map_err(|_| not_asked())?;
        let target = consenting(&connection).map_err(|_| not_asked())?.target;
        let digest = bound(&callback.state, session);
        if !is_open(&connection) || asked(&target) != Some(&digest) {
            return Err(not_asked());
        }
        let verdict = judged(&target, &callback);
        let approved = verdict.is_ok();
        let connection = update(app, actor.organization_id(), id, |mut connection| {
            // Two callbacks at the same time: one of them was first.
            let current = consenting(&connection).map_err(|_| not_asked())?.target;
            if asked(&current) != Some(&digest) {
                return Err(not_asked());
            }
            set_asked(&mut connection, None);
            let permission = Permission::ConnectionChange;
            let detail = json!({ "consent": if approved { "given" } else { "refused" } });
            let mut writes = vec![audit::entry(app, actor, permission, id, detail)];
            if approved {
                set_approved(&mut connection, app);
                let looked_for = schedule::due(app, &connection).map(|(job, _)| job);
                let moving = connection
                    .migration
                    .as_ref()
                    .map(|_| super::migrate::job(&connection));
                for job in looked_for.into_iter().chain(moving) {
                    writes.push(schedule::enqueue(app, &connection, job, app.now()));
                }
            }
            Ok((connection, writes))
        })
        .await?;
        verdict.map(|()| connection)
    };
    audit::attempt(app, actor, Permission::ConnectionChange, target, work).await
}

/// An address that somebody else made, an old one, or one that was used: all
/// the same to whoever tries.
fn not_asked() -> Error {
    Error::new(
        Code::ConnectionConsentRefused,
        "this approval was not asked for in this browser, or was used already",
        "open the connection and begin again with 'Approve on Microsoft's page'",
    )
}

fn judged(target: &Target, callback: &Callback) -> Result<()> {
    let refused = |detail: String| {
        Error::new(
            Code::ConnectionConsentRefused,
            detail,
            "an administrator of the tenant has to approve: begin again, signed in as one",
        )
    };
    if let Some(error) = &callback.error {
        let why = callback.error_description.as_deref().unwrap_or(error);
        return Err(refused(format!(
            "Microsoft's page says: {}",
            printable(why)
        )));
    }
    if !callback.admin_consent.eq_ignore_ascii_case("true") {
        return Err(refused(
            "Microsoft's page came back without an approval".to_owned(),
        ));
    }
    let Target::Azure(azure) = target else {
        return Err(not_asked());
    };
    // Never believed, but a contradiction is worth telling.
    if callback.tenant.parse::<Guid>().ok().as_ref() != Some(&azure.tenant_id) {
        return Err(refused(format!(
            "the approval was given in the tenant '{}', and the connection is for {}",
            printable(&callback.tenant),
            azure.tenant_id
        )));
    }
    Ok(())
}

/// What somebody else wrote, short and on one line.
fn printable(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.chars().take(300).collect()
}

fn bound(state: &str, session: &str) -> Digest {
    Digest::of_bytes(format!("consent {state} {session}").as_bytes())
}

/// The connection as it will be by consent: the way in use or the one that it
/// moves to.
fn consenting(connection: &Connection) -> Result<Connection> {
    let candidates = [connection.migrated(), Some(connection.clone())];
    candidates
        .into_iter()
        .flatten()
        .find(|one| {
            matches!(
                &one.target,
                Target::Azure(Azure {
                    access: AzureAccess::AdminConsent { .. },
                    ..
                })
            )
        })
        .ok_or_else(|| {
            Error::new(
                Code::ConnectionState,
                format!(
                    "a connection by {} is not approved on a page",
                    connection.method()
                ),
                "read the grant: it has the ways to make it",
            )
        })
}

fn asked(target: &Target) -> Option<&Digest> {
    match target {
        Target::Azure(Azure {
            access: AzureAccess::AdminConsent { asked, .. },
            ..
        }) => asked.as_ref(),
        _ => None,
    }
}

fn access(connection: &mut Connection) -> Option<&mut AzureAccess> {
    let moving = connection.migration.as_mut().map(|to| &mut to.target);
    let targets = [moving, Some(&mut connection.target)];
    targets
        .into_iter()
        .flatten()
        .find_map(|target| match target {
            Target::Azure(azure) => match &mut azure.access {
                access @ AzureAccess::AdminConsent { .. } => Some(access),
                _ => None,
            },
            _ => None,
        })
}

fn set_asked(connection: &mut Connection, digest: Option<Digest>) {
    if let Some(AzureAccess::AdminConsent { asked, .. }) = access(connection) {
        *asked = digest;
    }
}

fn set_approved(connection: &mut Connection, app: &App) {
    if let Some(AzureAccess::AdminConsent { approved_at, .. }) = access(connection) {
        *approved_at = Some(app.now());
    }
}
