//! Moving a connection to another method, without an outage: the new way is
//! granted and verified while the old one goes on, and then takes its place.

use super::{
    Created, create::prepared, find, grant, not_now, schedule, secrets, target, update, verify,
};
use crate::{Actor, App, Permission, audit, cloud};
use landfall_model::{
    Code, Error, Timestamp,
    check::{Check, CheckRun, Outcome, Trigger},
    connection::{Connection, Migration, State},
    connector::{Detection, Silent},
    driver::Failure,
    error::Result,
    id::{CheckRunId, ConnectionId, OrganizationId},
    store::Write,
    work::Job,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// What a client sends: a method of the same cloud, and what that method needs
/// to know.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMigration)]
pub struct Move {
    pub method: String,
    /// Google Cloud, `workload-identity`: the setup prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// Azure, `workload-identity`: the setup prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Begins to move, and says how to grant the new way. Saying it again with other
/// facts replaces what was said.
pub async fn migrate(app: &App, actor: &Actor, id: &ConnectionId, to: Move) -> Result<Created> {
    let work = async {
        app.limits.new_connection(actor.organization_id())?;
        let connection = find(app, actor.organization_id(), id).await?;
        require_in_use(&connection)?;
        let target = target::moved(app, &connection.target, &to)?;
        if target.method() == connection.method() {
            return Err(Error::new(
                Code::ConnectionState,
                format!("the connection is by {} already", connection.method()),
                "choose another method to move to",
            ));
        }
        let connector = app.connector(target.method())?;
        cloud::available(connector.as_ref()).await?;
        let mut moving = connection.clone();
        moving.target = target;
        let migration = Migration {
            target: prepared(app, &moving).await?,
            since: app.now(),
            waits_for: None,
        };
        // The guide first: a move that nobody can be told how to make would
        // only be in the way.
        moving.target = connection.target.clone();
        moving.migration = Some(migration.clone());
        let guide = grant::guide(app, &moving).await?;
        let detail = json!({
            "from": connection.method().to_string(),
            "to": migration.target.method().to_string(),
        });
        let connection = update(app, actor.organization_id(), id, |mut connection| {
            require_in_use(&connection)?;
            connection.migration = Some(migration.clone());
            let permission = Permission::ConnectionChange;
            let writes = vec![
                audit::entry(app, actor, permission, id, detail.clone()),
                schedule::enqueue(app, &connection, job(&connection), app.now()),
            ];
            Ok((connection, writes))
        })
        .await?;
        Ok(Created {
            connection,
            grant: guide,
        })
    };
    audit::attempt(app, actor, Permission::ConnectionChange, id.as_str(), work).await
}

/// Stays with the method in use. What was granted for the other one is the
/// customer's to take back.
pub async fn stay(app: &App, actor: &Actor, id: &ConnectionId) -> Result<Connection> {
    let work = update(app, actor.organization_id(), id, |mut connection| {
        let Some(migration) = connection.migration.take() else {
            return Err(Error::new(
                Code::ConnectionState,
                "the connection does not move to another method",
                "look at the connection for what it can do",
            ));
        };
        let detail = json!({ "stays": connection.method().to_string(),
                             "instead_of": migration.target.method().to_string() });
        let entry = audit::entry(app, actor, Permission::ConnectionChange, id, detail);
        Ok((connection, vec![entry]))
    });
    audit::attempt(app, actor, Permission::ConnectionChange, id.as_str(), work).await
}

/// Only a way that works can be left for another one: a broken connection is
/// granted again instead.
fn require_in_use(connection: &Connection) -> Result<()> {
    match connection.state {
        State::Connected { .. } | State::Degraded { .. } => Ok(()),
        _ => Err(not_now(connection, "moved to another method")),
    }
}

pub(super) fn job(connection: &Connection) -> Job {
    Job::Migrate {
        connection_id: connection.id.clone(),
    }
}

/// Seconds while the person is at it, minutes when they went home.
fn next_look(app: &App, migration: &Migration) -> Timestamp {
    let pauses = &app.settings.detection;
    let waited = u64::try_from(app.now().millis_since(migration.since)).unwrap_or(0);
    let pause = Duration::from_millis(waited / 10).clamp(pauses.shortest, pauses.longest);
    schedule::jittered(app, pause)
}

/// One look at the new way. When all its checks pass, the connection has moved;
/// says when to look again, `None` when there is nothing left to look for.
pub(crate) async fn look_at_migration(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Timestamp>> {
    let connection = find(app, organization, id).await?;
    let (Some(migration), Some(new)) = (connection.migration.clone(), connection.migrated()) else {
        return Ok(None);
    };
    if let State::Disconnected { .. } = connection.state {
        return Ok(None);
    }
    if let Some(until) = app.breakers.open_until(id, app.now()) {
        return Ok(Some(until));
    }
    let waits_for = match try_out(app, &connection, new).await? {
        Tried::Works(run) => {
            take_over(app, &connection, &migration, run).await?;
            return Ok(None);
        }
        Tried::Not(why) => why,
    };
    if migration.waits_for.as_ref() != Some(&waits_for) {
        update(app, organization, id, |mut connection| {
            if let Some(current) = &mut connection.migration
                && current.target == migration.target
            {
                current.waits_for = Some(waits_for.clone());
            }
            Ok((connection, Vec::new()))
        })
        .await?;
    }
    Ok(Some(next_look(app, &migration)))
}

enum Tried {
    Works(CheckRun),
    /// In words for a person.
    Not(String),
}

/// The checks of the new way. Only when nothing is left open it works: what is
/// merely unanswered or propagating proves nothing yet.
async fn try_out(app: &App, old: &Connection, mut new: Connection) -> Result<Tried> {
    let now = app.now();
    // Nothing was granted yet: a denial is what the cloud's identity says
    // before it has settled.
    new.state = State::Propagating {
        since: now,
        deadline: verify::deadline(app, now),
    };
    new.grant_digest = None;
    let connector = app.connector(new.method())?.clone();
    let look = async { Ok::<_, Failure>(connector.detect(&new).await) };
    let found = app
        .ask(&new, app.settings.detection.timeout, look)
        .await
        .unwrap_or_else(|_| Detection::Unreachable {
            evidence: "no answer in time".to_owned(),
        });
    match found {
        Detection::Granted => {}
        Detection::Partial { missing } => {
            let which = missing.as_str();
            return Ok(Tried::Not(format!(
                "the {which} does not let the new way in yet"
            )));
        }
        Detection::Refused { evidence } | Detection::Unreachable { evidence } => {
            return Ok(Tried::Not(evidence));
        }
    }
    let (_, spec) = grant::spec(app, &new, Some(old.method())).await?;
    let question = connector.verify(&new, &spec, now, &Silent);
    let found = match app
        .ask(&new, app.settings.verification.timeout, question)
        .await
    {
        Ok(found) => found,
        Err(_) => {
            return Ok(Tried::Not(
                "the checks were not answered in time".to_owned(),
            ));
        }
    };
    let open = |check: &&Check| {
        !matches!(
            check.outcome,
            Outcome::Pass | Outcome::Warn | Outcome::Skipped
        )
    };
    if let Some(check) = found.checks.iter().find(open) {
        return Ok(Tried::Not(format!("{}: {}", check.id, check.evidence)));
    }
    Ok(Tried::Works(CheckRun {
        id: CheckRunId::at(now, &*app.entropy),
        organization_id: new.organization_id.clone(),
        connection_id: new.id.clone(),
        trigger: Trigger::Change,
        started_at: now,
        finished_at: app.now(),
        checks: found.checks,
    }))
}

/// Both ways work: from this write on the new one is used. A crash before it
/// leaves the old one, a crash after it the new one.
async fn take_over(
    app: &App,
    old: &Connection,
    migration: &Migration,
    run: CheckRun,
) -> Result<()> {
    // A keyless connection stores no secret.
    let kept = migration.target.secret_id();
    let forgotten = secrets::forget(app, old, kept).await?;
    update(app, &old.organization_id, &old.id, |mut connection| {
        // Another move was begun meanwhile, or it was called off.
        let same = |current: &Migration| current.target == migration.target;
        if !connection.migration.as_ref().is_some_and(same) {
            return Ok((connection, Vec::new()));
        }
        let detail = json!({
            "from": connection.method().to_string(),
            "to": migration.target.method().to_string(),
        });
        if !connection.method().is_keyless() {
            connection.left_behind = Some(connection.target.clone());
        }
        connection.target = migration.target.clone();
        connection.migration = None;
        connection.rotation = None;
        // What is granted now lets both in; the next check says what to trim.
        connection.grant_digest = None;
        let mut writes = forgotten.clone();
        writes.extend([
            Write::InsertCheckRun(run.clone()),
            audit::system_entry(
                app,
                &connection.organization_id,
                "connection.migrated",
                &connection.id,
                detail,
            ),
            schedule::verify_now(app, &connection, Trigger::Change),
        ]);
        Ok((connection, writes))
    })
    .await?;
    Ok(())
}
