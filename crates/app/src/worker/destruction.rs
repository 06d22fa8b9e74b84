use super::{complete, fenced_is_fine, kept};
use crate::{App, audit, cloud::Silence, connections, retained};
use landfall_engine::Destroy;
use landfall_model::{
    Error, Timestamp,
    approval::ApprovedDestruction,
    connection::{Connection, State as ConnectionState},
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
    let State::Destroying { .. } = &retained.state else {
        app.silences.end(retained.id.as_str());
        return complete(app, lease).await;
    };
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
            return wait_or_give_up(app, lease, retained, silence).await;
        }
    };
    app.silences.end(retained.id.as_str());
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
        .connector(connection.method())
        .map_err(|error| unavailable(error.detail))?;
    let session_policy = connection
        .aws()
        .map_err(|wrong| unavailable(wrong.to_string()))
        .and_then(|aws| {
            policy::aws::reaper_session_policy(retained, aws.partition())
                .map_err(|error| unavailable(error.to_string()))
        })?;
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
    silence: Silence,
) -> Result<()> {
    if let Silence::Refused(failure) = &silence
        && !failure.kind.is_retryable()
    {
        let failure = failure.clone();
        connections::after_failure(app, &lease.organization_id, &retained.connection_id).await?;
        return give_up(app, lease, retained, failure).await;
    }
    let now = app.now();
    let wait = app
        .silences
        .go_on(retained.id.as_str(), now, silence.heard());
    let error = silence.into_error("assuming the reaper");
    if !wait.is_too_long(now) {
        return Err(error);
    }
    let said = wait.heard.unwrap_or_else(|| error.to_string());
    let why = format!("the account could not be used for half an hour: {said}");
    let failure = Failure::new(FailureKind::Unavailable, "NoAnswer", why);
    give_up(app, lease, retained, failure).await
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
    let ended = app.store.commit(writes).await;
    if ended.is_ok() {
        // Approved again, it waits anew.
        app.silences.end(retained.id.as_str());
    }
    fenced_is_fine(ended)
}
