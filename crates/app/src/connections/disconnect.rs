use super::{find, is_open, not_now, secrets, update};
use crate::{Actor, App, Permission, audit, cloud, environments, failed, rollouts};
use landfall_model::{
    Code, Error,
    connection::{Connection, Remaining},
    environment,
    error::Result,
    id::ConnectionId,
    retained,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = DisconnectedConnection)]
pub struct Disconnected {
    pub connection: Connection,
    /// Everything that Landfall made and that stays in the account.
    pub remaining: Vec<Remaining>,
}

/// Ends the connection for good. Nothing is deleted: the answer lists what
/// stays in the account, and Landfall keeps the list.
pub async fn disconnect(app: &App, actor: &Actor, id: &ConnectionId) -> Result<Disconnected> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if !is_open(&connection) {
            return Err(not_now(&connection, "disconnected"));
        }
        refuse_while_busy(app, &connection).await?;
        let remaining = remaining_of(app, &connection).await?;
        let count = remaining.len();
        // Nothing is asked of the account any more: what opens it is forgotten
        // in the same write.
        let forgotten = secrets::forget(app, &connection, None).await?;
        let connection = update(app, actor.organization_id(), id, |mut connection| {
            let before = connection.state.clone();
            connection.state = before
                .disconnected(app.now())
                .map_err(|_| not_now(&connection, "disconnected"))?;
            connection.migration = None;
            connection.rotation = None;
            let detail = json!({ "scope": connection.scope(), "remaining": count });
            let mut writes = forgotten.clone();
            let permission = Permission::ConnectionDisconnect;
            writes.push(audit::entry(app, actor, permission, id, detail));
            Ok((connection, writes))
        })
        .await?;
        release(app, &connection).await;
        Ok(Disconnected {
            connection,
            remaining,
        })
    };
    audit::attempt(
        app,
        actor,
        Permission::ConnectionDisconnect,
        id.as_str(),
        work,
    )
    .await
}

/// What this server keeps on its own side for a connection is of no use any
/// more. Best effort: it opens nothing, since nobody asks the account again.
async fn release(app: &App, connection: &Connection) {
    let Ok(connector) = app.connector(connection.method()) else {
        return;
    };
    if let Err(silence) = cloud::in_time(connector.release(connection)).await {
        tracing::warn!(connection = %connection.id, ?silence, "this server's side could not be given back");
    }
}

/// Everything that Landfall made in the account and that is still there.
pub async fn remaining(app: &App, actor: &Actor, id: &ConnectionId) -> Result<Vec<Remaining>> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    let connection = find(app, actor.organization_id(), id).await?;
    remaining_of(app, &connection).await
}

async fn environments_of(
    app: &App,
    connection: &Connection,
) -> Result<Vec<environment::Environment>> {
    let mut environments = app
        .store
        .environments(&connection.organization_id)
        .await
        .map_err(failed("listing environments"))?;
    environments.retain(|one| one.connection_id == connection.id);
    Ok(environments)
}

/// Operations in flight need the credentials that disconnecting gives up.
async fn refuse_while_busy(app: &App, connection: &Connection) -> Result<()> {
    for environment in environments_of(app, connection).await? {
        rollouts::refuse_while_running(app, &environment).await?;
    }
    let destroying = app
        .store
        .retained_list(&connection.organization_id)
        .await
        .map_err(failed("listing retained resources"))?
        .into_iter()
        .find(|one| {
            one.connection_id == connection.id
                && matches!(one.state, retained::State::Destroying { .. })
        });
    match destroying {
        Some(one) => Err(Error::new(
            Code::ConnectionState,
            format!("the destruction of {} is running", one.identifier),
            "wait until it has ended, then disconnect",
        )),
        None => Ok(()),
    }
}

async fn remaining_of(app: &App, connection: &Connection) -> Result<Vec<Remaining>> {
    let organization = &connection.organization_id;
    let (mut remaining, mut perhaps) = (Vec::new(), Vec::new());
    for environment in environments_of(app, connection).await? {
        let name = environments::full_name(app, &environment).await?;
        let resources = app
            .store
            .resources(&environment.id)
            .await
            .map_err(failed("listing resources"))?;
        remaining.extend(resources.into_iter().map(|one| Remaining {
            environment_name: name.clone(),
            type_name: one.type_name,
            title: one.title,
            identifier: one.identifier,
            region: one.region,
            stateful: one.stateful,
            perhaps: false,
            monthly_cents: one.monthly_cents,
            retained_id: None,
        }));
        perhaps.extend(perhaps_in(app, &environment, &name).await?);
    }
    let retained = app
        .store
        .retained_list(organization)
        .await
        .map_err(failed("listing retained resources"))?;
    let open = retained
        .into_iter()
        .filter(|one| one.connection_id == connection.id && one.state.is_open());
    remaining.extend(open.map(|one| Remaining {
        environment_name: one.environment_name,
        type_name: one.type_name,
        title: one.title,
        identifier: one.identifier,
        region: one.region,
        stateful: one.stateful,
        perhaps: false,
        monthly_cents: one.monthly_cents,
        retained_id: Some(one.id),
    }));
    perhaps.retain(|left| {
        let known =
            |one: &Remaining| one.type_name == left.type_name && one.identifier == left.identifier;
        !remaining.iter().any(known)
    });
    remaining.extend(perhaps);
    Ok(remaining)
}

/// What rollouts asked for without learning how that ended. No rollout can look
/// any more, and somebody may pay for it.
async fn perhaps_in(
    app: &App,
    environment: &environment::Environment,
    name: &str,
) -> Result<Vec<Remaining>> {
    let left = rollouts::left_open(app, environment).await?;
    Ok(left
        .into_iter()
        .map(|one| Remaining {
            environment_name: name.to_owned(),
            title: format!("Perhaps there: {}", one.title),
            type_name: one.type_name,
            identifier: one.look_for,
            region: environment.region.clone(),
            stateful: one.stateful,
            perhaps: true,
            monthly_cents: None,
            retained_id: None,
        })
        .collect())
}
