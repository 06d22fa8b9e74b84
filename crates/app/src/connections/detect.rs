use super::{find, schedule, update, verify};
use crate::App;
use landfall_model::{
    Timestamp,
    check::Trigger,
    connection::{Connection, State},
    connector::Detection,
    driver::Failure,
    error::Result,
    grant::Identity,
    id::{ConnectionId, OrganizationId},
};

/// What the worker does with the detection's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    At(Timestamp),
    Done,
}

/// One look for the grant of a pending, propagating or revoked connection. When
/// it is seen, all checks run.
pub(crate) async fn look(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Next> {
    let connection = find(app, organization, id).await?;
    if !is_looked_for(&connection) {
        return Ok(Next::Done);
    }
    if let Some(until) = app.breakers.open_until(id, app.now()) {
        return Ok(Next::At(until));
    }
    let connector = app.connector(connection.method())?.clone();
    let question = async { Ok::<_, Failure>(connector.detect(&connection).await) };
    let detection = app
        .ask(&connection, app.settings.detection.timeout, question)
        .await
        .unwrap_or_else(|_| Detection::Unreachable {
            evidence: "no answer in time".to_owned(),
        });
    tracing::debug!(connection = %id, ?detection, "looked for the grant");
    match detection {
        Detection::Granted => {
            let connection = seen(app, connection).await?;
            verify::run(app, &connection, Trigger::Detection, None).await?;
        }
        // What is left of a revoked grant is not a new one. Were it taken for
        // one, the connection would go round from revoked to propagating for
        // ever.
        Detection::Partial {
            missing: Identity::Provisioner,
        } if matches!(connection.state, State::Revoked { .. }) => {}
        // Half of it is there: the stack is being made, or the reaper is
        // missing for good, which the deadline tells apart.
        Detection::Partial { .. } => {
            let connection = seen(app, connection).await?;
            verify_after_deadline(app, &connection).await?;
        }
        Detection::Refused { .. } => verify_after_deadline(app, &connection).await?,
        Detection::Unreachable { .. } => {}
    }
    let connection = find(app, organization, id).await?;
    Ok(match schedule::due(app, &connection) {
        Some((_, at)) if is_looked_for(&connection) => Next::At(at),
        _ => Next::Done,
    })
}

fn is_looked_for(connection: &Connection) -> bool {
    matches!(
        connection.state,
        State::Pending { .. } | State::Propagating { .. } | State::Revoked { .. }
    )
}

/// The grant showed itself: from now on the deadline runs.
async fn seen(app: &App, connection: Connection) -> Result<Connection> {
    if let State::Propagating { .. } = connection.state {
        return Ok(connection);
    }
    let organization = connection.organization_id.clone();
    update(app, &organization, &connection.id, |current| {
        let mut next = current.clone();
        let now = app.now();
        next.state = current
            .state
            .clone()
            .propagating(now, verify::deadline(app, now))
            .unwrap_or_else(|_| current.state.clone());
        let writes = if next.state == current.state {
            Vec::new()
        } else {
            verify::on_transition(app, &current, &next)
        };
        Ok((next, writes))
    })
    .await
}

async fn verify_after_deadline(app: &App, connection: &Connection) -> Result<()> {
    if let State::Propagating { deadline, .. } = connection.state
        && app.now() >= deadline
    {
        verify::run(app, connection, Trigger::Detection, None).await?;
    }
    Ok(())
}
