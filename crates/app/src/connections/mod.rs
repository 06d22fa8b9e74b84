//! Connecting accounts: the grant, looking for it, verifying it, ending it.

mod consent;
mod create;
mod detect;
mod disconnect;
mod grant;
mod judge;
mod migrate;
mod regions;
mod rotate;
mod schedule;
mod secrets;
mod target;
mod verify;

pub use consent::{Callback, consent, consented};
pub use create::{Created, New, create};
pub use disconnect::{Disconnected, disconnect, remaining};
pub use grant::{Offered, grant, methods, template};
pub use migrate::{Move, migrate, stay};
pub(crate) use regions::for_environment;
pub use regions::regions;
pub use rotate::{Rotate, rotate};
pub use verify::verify;

pub(crate) use detect::{Next, look};
pub(crate) use migrate::look_at_migration;
pub(crate) use rotate::take_rotation_step;
pub(crate) use schedule::{Triggers, after_failure, ensure_looked_after};
pub(crate) use verify::{ensure_fresh, scheduled_run};

use crate::{Actor, App, Permission, audit, failed, names};
use landfall_model::{
    Code, Error,
    check::Trigger,
    connection::{Connection, State, View},
    error::Result,
    id::{ConnectionId, OrganizationId},
    store::Write,
    work::Job,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// All, disconnected ones too: they are the ledger of what remains.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Connection>> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    app.store
        .connections(actor.organization_id())
        .await
        .map_err(failed("listing connections"))
}

pub async fn show(app: &App, actor: &Actor, id: &ConnectionId) -> Result<View> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    let connection = find(app, actor.organization_id(), id).await?;
    let job = match connection.state {
        State::Pending { .. } | State::Propagating { .. } | State::Revoked { .. } => {
            Some(Job::Detect {
                connection_id: id.clone(),
            })
        }
        State::Connected { .. } | State::Degraded { .. } => Some(Job::Verify {
            connection_id: id.clone(),
        }),
        State::Disconnected { .. } => None,
    };
    let next_look_at = match job {
        Some(job) => app
            .store
            .scheduled(&job)
            .await
            .map_err(failed("reading the schedule"))?,
        None => None,
    };
    Ok(View {
        expiry: connection.expiry(app.now()),
        connection,
        next_look_at,
    })
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionChange)]
pub struct Change {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub regions: Option<Vec<String>>,
    /// Where new environments go unless they say otherwise.
    #[serde(default)]
    pub default_region: Option<String>,
    /// Google Cloud, `workload-identity`: what the setup printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// Azure, `workload-identity`: what the setup printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Renames it or chooses its regions. Regions are checked against those that
/// the account has enabled.
pub async fn change(
    app: &App,
    actor: &Actor,
    id: &ConnectionId,
    change: Change,
) -> Result<Connection> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if let State::Disconnected { .. } = connection.state {
            return Err(not_now(&connection, "changed"));
        }
        if let Some(name) = &change.name {
            names::display("name", name)?;
            refuse_taken_name(app, actor, name, Some(id)).await?;
        }
        regions::check_choice(app, &connection, &change).await?;
        // Before anything is written: a fault in it must change nothing.
        target::told(&connection, &change)?;
        let detail = json!({
            "name": change.name, "regions": change.regions,
            "default_region": change.default_region,
            "project_number": change.project_number, "client_id": change.client_id,
        });
        let regions_changed = change.regions.is_some();
        update(app, actor.organization_id(), id, |mut connection| {
            if let Some(name) = &change.name {
                connection.name.clone_from(name);
            }
            if let Some(regions) = &change.regions {
                connection.regions = regions::tidy(regions);
                // A default outside them would only make environments fail.
                let chosen = &connection.regions;
                connection
                    .default_region
                    .take_if(|default| !chosen.is_empty() && !chosen.contains(default));
            }
            if let Some(region) = &change.default_region {
                connection.default_region = Some(region.clone());
            }
            let permission = Permission::ConnectionChange;
            let mut writes = vec![audit::entry(app, actor, permission, id, detail.clone())];
            if let Some((target, migration)) = target::told(&connection, &change)? {
                connection.target = target;
                connection.migration = migration;
                // Somebody waits for what this makes possible.
                if let Some((job, _)) = schedule::due(app, &connection) {
                    writes.push(schedule::enqueue(app, &connection, job, app.now()));
                }
                if connection.migration.is_some() {
                    let job = migrate::job(&connection);
                    writes.push(schedule::enqueue(app, &connection, job, app.now()));
                }
            }
            // Regions may be what degraded it.
            let verified = matches!(
                connection.state,
                State::Connected { .. } | State::Degraded { .. }
            );
            if regions_changed && verified {
                writes.push(schedule::verify_now(app, &connection, Trigger::Change));
            }
            Ok((connection, writes))
        })
        .await
    };
    audit::attempt(app, actor, Permission::ConnectionChange, id.as_str(), work).await
}

pub(crate) async fn find(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Connection> {
    app.store
        .connection(organization, id)
        .await
        .map_err(failed("reading the connection"))?
        .ok_or_else(|| Error::not_found("connection", id))
}

/// Reads, changes and writes a connection; again when somebody else was
/// faster. People and the worker change the same row, and neither should lose.
pub(crate) async fn update(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
    change: impl Fn(Connection) -> Result<(Connection, Vec<Write>)>,
) -> Result<Connection> {
    let mut tries = 0;
    loop {
        let connection = find(app, organization, id).await?;
        let version = connection.version;
        let (mut connection, mut writes) = change(connection)?;
        connection.version = version + 1;
        connection.updated_at = app.now();
        writes.insert(0, Write::PutConnection(connection.clone()));
        match app.commit("changing the connection", writes).await {
            Err(Error {
                code: Code::VersionConflict,
                ..
            }) if tries < 5 => tries += 1,
            Err(error) => return Err(error),
            Ok(()) => return Ok(connection),
        }
    }
}

async fn refuse_taken_name(
    app: &App,
    actor: &Actor,
    name: &str,
    except: Option<&ConnectionId>,
) -> Result<()> {
    let taken = app
        .store
        .connections(actor.organization_id())
        .await
        .map_err(failed("listing connections"))?
        .iter()
        .any(|one| is_open(one) && one.name == name && Some(&one.id) != except);
    if taken {
        return Err(Error::new(
            Code::NameTaken,
            format!("there is a connection named '{name}' already"),
            "choose another name",
        ));
    }
    Ok(())
}

pub(crate) fn is_open(connection: &Connection) -> bool {
    !matches!(connection.state, State::Disconnected { .. })
}

/// Refuses unless work may start through the connection.
pub(crate) fn require_connected(connection: &Connection) -> Result<()> {
    match &connection.state {
        State::Connected { .. } => Ok(()),
        State::Revoked { reason, .. } => Err(Error::new(
            Code::ConnectionRevoked,
            format!(
                "the connection '{}' was revoked in the account: {reason}",
                connection.name
            ),
            "make the grant again with the same template (the connection heals by itself), or use another connection",
        )),
        State::Degraded { failed_checks, .. } => Err(Error::new(
            Code::ConnectionNotConnected,
            format!(
                "checks of the connection '{}' fail: {}",
                connection.name,
                failed_checks.join(", ")
            ),
            "each failed check has its remedy; verify again afterwards",
        )),
        State::Pending { .. } | State::Propagating { .. } => Err(Error::new(
            Code::ConnectionNotConnected,
            format!(
                "the connection '{}' is {}",
                connection.name,
                connection.state.as_str()
            ),
            "make the grant and wait until it is connected",
        )),
        State::Disconnected { .. } => Err(not_now(connection, "used")),
    }
}

fn not_now(connection: &Connection, what: &str) -> Error {
    Error::new(
        Code::ConnectionState,
        format!(
            "the connection '{}' is {} and cannot be {what}",
            connection.name,
            connection.state.as_str()
        ),
        "look at the connection for what it can do",
    )
}
