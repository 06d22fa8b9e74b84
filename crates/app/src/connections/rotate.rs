//! Replacing a connection's secret without an outage: the new one is added,
//! tried until it works everywhere, used, and only then is the old one taken
//! away. Each step is written down before it is taken, so that an interrupted
//! one is found again: see [`RotationStep`].

mod entered;
mod steps;

pub(crate) use steps::take_rotation_step;

use super::{find, is_open, not_now, schedule, update};
use crate::{Actor, App, Permission, audit};
use entered::{entered, told_client, unknown_client};
use landfall_model::{
    Code, Error,
    connection::{Cloud, Connection, Rotation, RotationStep, State},
    connector::Verification,
    error::Result,
    id::{ConnectionId, SecretId},
    store::Write,
    vault::Plain,
    work::Job,
};
use serde::Deserialize;
use serde_json::json;

/// What a client sends: the new secret of a person who made one by hand, or
/// nothing, and Landfall makes one.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRotation)]
pub struct Rotate {
    /// Google Cloud, `service-account-key`: the text of another JSON key file of
    /// the same service account. Written only.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub service_account_key: Option<Plain>,
    /// Azure, `client-secret`: the value of another secret of the same
    /// application. Written only.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub client_secret: Option<Plain>,
    /// Azure: the day on which it ends.
    #[serde(default)]
    pub secret_expires_at: Option<String>,
    /// Azure: of the application, where it was not said yet.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// Begins to replace the secret. The one in use stays until the new one works.
pub async fn rotate(
    app: &App,
    actor: &Actor,
    id: &ConnectionId,
    new: Rotate,
) -> Result<Connection> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if !is_open(&connection) {
            return Err(not_now(&connection, "given another secret"));
        }
        let entered = entered(app, &connection, &new)?;
        let by = if entered.is_some() {
            "hand"
        } else {
            "Landfall"
        };
        let (step, mut stored) = match entered {
            None => {
                require_working(&connection)?;
                (adding(app, &connection), Vec::new())
            }
            Some((entered, key_id)) => {
                let step = RotationStep::Trying {
                    secret_id: entered.id.clone(),
                    key_id,
                    expires_at: entered.expires_at,
                    worked: 0,
                };
                let owner = &connection.organization_id;
                (step, vec![entered.seal(app, owner, id).await?])
            }
        };
        let client_id = told_client(&connection, &new)?;
        let detail = json!({ "method": connection.method().to_string(), "by": by });
        let permission = Permission::ConnectionRotate;
        stored.push(audit::entry(app, actor, permission, id, detail));
        update(app, actor.organization_id(), id, |mut connection| {
            refuse_while_rotating(&connection, by)?;
            let mut writes = stored.clone();
            writes.extend(replaced(&connection));
            connection.rotation = Some(begun(app, step.clone()));
            if let (Some(told), Some(unknown)) = (&client_id, unknown_client(&mut connection)) {
                *unknown = Some(told.clone());
            }
            if let State::Pending { .. } = connection.state {
                // Nothing works yet that could go on working meanwhile.
                writes.extend(steps::switched(app, &mut connection));
            }
            writes.push(schedule::enqueue(
                app,
                &connection,
                job(&connection),
                app.now(),
            ));
            Ok((connection, writes))
        })
        .await
    };
    audit::attempt(app, actor, Permission::ConnectionRotate, id.as_str(), work).await
}

/// Landfall adds a secret with the one in use.
fn require_working(connection: &Connection) -> Result<()> {
    match connection.state {
        State::Connected { .. } | State::Degraded { .. } => Ok(()),
        _ => Err(Error::new(
            Code::ConnectionState,
            format!(
                "the connection '{}' is {}, and Landfall makes a new secret with the one in use",
                connection.name,
                connection.state.as_str()
            ),
            "make a new secret by hand and enter it",
        )),
    }
}

/// A secret that a person entered and that was not used yet may be entered
/// again: it may have been the wrong one.
fn refuse_while_rotating(connection: &Connection, by: &str) -> Result<()> {
    let step = connection.rotation.as_ref().map(|rotation| &rotation.step);
    match step {
        None | Some(RotationStep::GaveUp { .. }) => Ok(()),
        Some(RotationStep::Trying { key_id, .. })
            if by == "hand" && by_hand(connection, key_id.as_deref()) =>
        {
            Ok(())
        }
        Some(_) => Err(Error::new(
            Code::ConnectionState,
            "the secret is being replaced already",
            "wait until the new one is in use; that takes minutes",
        )),
    }
}

/// Whether a person made the secret that is tried. Those that Landfall makes
/// have the cloud's id from the start; a key of Google's brings it along, and is
/// never made by Landfall.
fn by_hand(connection: &Connection, key_id: Option<&str>) -> bool {
    key_id.is_none() || connection.cloud() == Cloud::Gcp
}

fn begun(app: &App, step: RotationStep) -> Rotation {
    Rotation {
        since: app.now(),
        step,
        waits_for: None,
    }
}

/// Forgets what was entered and is replaced before it was used.
fn replaced(connection: &Connection) -> Option<Write> {
    match &connection.rotation.as_ref()?.step {
        RotationStep::Trying { secret_id, .. } => Some(forget(connection, secret_id)),
        _ => None,
    }
}

fn forget(connection: &Connection, id: &SecretId) -> Write {
    Write::DeleteSecret {
        organization_id: connection.organization_id.clone(),
        id: id.clone(),
    }
}

pub(super) fn job(connection: &Connection) -> Job {
    Job::Rotate {
        connection_id: connection.id.clone(),
    }
}

/// Everything of ours in the application begins with it.
fn prefix(connection: &Connection) -> String {
    format!("landfall-{}-", connection.suffix())
}

fn adding(app: &App, connection: &Connection) -> RotationStep {
    let random = hex::encode(app.entropy.array::<6>());
    RotationStep::Adding {
        name: format!("{}{random}", prefix(connection)),
    }
}

/// A rotation that is due after a verification, with the work that drives it.
pub(super) fn due(app: &App, connection: &mut Connection, found: &Verification) -> Option<Write> {
    const AGAIN_AFTER: i64 = 24 * 3600 * 1000;
    let now = app.now();
    let expires_at = connection.target.secret_expires_at()?;
    let before = schedule::millis(app.settings.rotation.before);
    let soon = expires_at.millis_since(now) <= before;
    let idle = match &connection.rotation {
        None => true,
        Some(rotation) => !rotation.is_open() && now.millis_since(rotation.since) > AGAIN_AFTER,
    };
    if !found.can_rotate || found.refused || !soon || !idle || !is_open(connection) {
        return None;
    }
    connection.rotation = Some(begun(app, adding(app, connection)));
    Some(schedule::enqueue(app, connection, job(connection), now))
}
