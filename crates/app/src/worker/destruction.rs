use super::{complete, fenced_is_fine, kept, patience::PATIENCE};
use crate::{App, audit, cloud::Silence, connections, retained};
use landfall_engine::Destroy;
use landfall_model::{
    Error, Timestamp,
    approval::ApprovedDestruction,
    connection::{Connection, Method, State as ConnectionState},
    driver::{Driver, Failure, FailureKind},
    error::Result,
    id::RetainedId,
    journal::{EventKind, Stream},
    retained::{Retained, State},
    store::Write,
    work::Lease,
};
use landfall_plan::policy;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn drive(app: &App, lease: &Lease, id: &RetainedId) -> Result<()> {
    let retained = retained::find(app, &lease.organization_id, id).await?;
    let State::Destroying { approval, .. } = &retained.state else {
        return complete(app, lease).await;
    };
    let approved_at = approval.at;
    let approved = match ApprovedDestruction::from_stored(retained.clone()) {
        Ok(approved) => approved,
        // The database was edited: nobody said yes to this.
        Err(refusal) => {
            let failure = Failure::new(FailureKind::Invalid, "NotApproved", refusal.to_string());
            return give_up(app, lease, retained, failure).await;
        }
    };
    let connection =
        connections::find(app, &lease.organization_id, &retained.connection_id).await?;
    let Some(driver) = kept(app, lease, reaper(app, &connection, &retained)).await else {
        return Ok(());
    };
    let driver = match driver {
        Ok(driver) => driver,
        Err(silence) => {
            return wait_or_give_up(app, lease, retained, approved_at, silence).await;
        }
    };
    let destroy = Destroy {
        approved,
        lease: lease.clone(),
        driver,
        closing: closing(app),
    };
    landfall_engine::destroy(&app.engine, destroy)
        .await
        .map(|_| ())
        .map_err(|error| Error::internal("the destruction", error))
}

async fn reaper(
    app: &App,
    connection: &Connection,
    retained: &Retained,
) -> Result<Arc<dyn Driver>, Silence> {
    let unavailable = |message: String| {
        let failure = Failure::new(FailureKind::Unauthorized, "ReaperUnavailable", message);
        Silence::Refused(failure)
    };
    match &connection.state {
        ConnectionState::Connected { .. } | ConnectionState::Degraded { .. } => {}
        state => {
            return Err(unavailable(format!(
                "the connection is {}: the reaper cannot be used",
                state.as_str()
            )));
        }
    }
    let connector = app
        .connector(connection.method)
        .map_err(|error| unavailable(error.detail))?;
    let session_policy = match connection.method {
        Method::AssumeRole | Method::Oidc => {
            policy::aws::reaper_session_policy(retained, connection.partition)
        }
    }
    .map_err(|error| unavailable(error.to_string()))?;
    app.ask(
        connection,
        app.settings.detection.timeout,
        connector.reaper(connection, retained, &session_policy),
    )
    .await
}

async fn wait_or_give_up(
    app: &App,
    lease: &Lease,
    retained: Retained,
    approved_at: Timestamp,
    silence: Silence,
) -> Result<()> {
    let patient = app.now().millis_since(approved_at) < PATIENCE;
    match silence {
        Silence::Refused(failure) if !failure.kind.is_retryable() || !patient => {
            connections::after_failure(app, &lease.organization_id, &retained.connection_id)
                .await?;
            give_up(app, lease, retained, failure).await
        }
        Silence::Unreachable | Silence::Paused(_) if !patient => {
            let failure = Failure::new(
                FailureKind::Unavailable,
                "NoAnswer",
                "the account did not answer for half an hour",
            );
            give_up(app, lease, retained, failure).await
        }
        silence => Err(silence.into_error("assuming the reaper")),
    }
}

/// The audit entry of the end, in the transaction that ends it.
fn closing(app: &App) -> landfall_engine::Closing<Retained> {
    let clock = app.clock.clone();
    Box::new(move |retained| vec![end_entry(clock.now(), retained)])
}

fn end_entry(now: Timestamp, retained: &Retained) -> Write {
    let detail = json!({
        "state": retained.state.as_str(),
        "type": retained.type_name,
        "identifier": retained.identifier,
    });
    audit::entry_of_system(
        now,
        &retained.organization_id,
        "retained.end",
        &retained.id,
        detail,
    )
}

/// Ends a destruction that cannot even begin: still there, still retained.
async fn give_up(app: &App, lease: &Lease, mut retained: Retained, failure: Failure) -> Result<()> {
    let now = app.now();
    let State::Destroying { destruction_id, .. } = &retained.state else {
        return complete(app, lease).await;
    };
    let stream = Stream::Destruction(destruction_id.clone());
    retained.state = retained
        .state
        .destruction_failed(now, failure.clone())
        .map_err(|error| Error::internal("ending the destruction", error))?;
    retained.version += 1;
    let append = |address, kind| Write::Append {
        stream: stream.clone(),
        at: now,
        address,
        kind,
    };
    let outcome = retained.state.as_str().to_owned();
    let writes = vec![
        Write::Guard {
            lease: lease.clone(),
            now,
        },
        Write::PutRetained(retained.clone()),
        append(
            Some(retained.address.clone()),
            EventKind::Failed { failure },
        ),
        append(None, EventKind::Finished { outcome, why: None }),
        end_entry(now, &retained),
        Write::CompleteWork {
            lease: lease.clone(),
        },
    ];
    fenced_is_fine(app.store.commit(writes).await)
}
