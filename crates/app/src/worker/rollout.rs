use super::{complete, fenced_is_fine, kept};
use crate::{App, audit, cloud::Silence, connections, environments, failed, plans, rollouts};
use landfall_engine::{Run, RunEnd, Site};
use landfall_model::{
    Error,
    approval::ApprovedPlan,
    connection::Connection,
    driver::{Driver, Failure, FailureKind},
    environment::Environment,
    error::Result,
    id::RolloutId,
    journal::{EventKind, Stream},
    rollout::{Rollout, State},
    store::{StoreError, Write},
    work::Lease,
};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn drive(app: &App, lease: &Lease, id: &RolloutId) -> Result<()> {
    let organization = &lease.organization_id;
    let rollout = rollouts::find(app, organization, id).await?;
    if rollout.state.is_over() {
        app.silences.end(id.as_str());
        return complete(app, lease).await;
    }
    let environment = app
        .store
        .environment(organization, &rollout.environment_id)
        .await
        .map_err(failed("reading the environment"))?
        .ok_or_else(|| Error::not_found("environment", &rollout.environment_id))?;
    let connection = connections::find(app, organization, &environment.connection_id).await?;
    let plan = plans::find(app, organization, &rollout.plan_id).await?;
    let approved = match ApprovedPlan::from_stored(plan) {
        Ok(approved) => approved,
        // The database was edited after the rollout began.
        Err(refusal) => return give_up(app, lease, &rollout, &refusal.to_string()).await,
    };
    let Some(driver) = kept(app, lease, provisioner(app, &connection, &environment)).await else {
        return Ok(());
    };
    let driver = match driver {
        Ok(driver) => driver,
        Err(Silence::Refused(failure)) if !failure.kind.is_retryable() => {
            // Assuming the role is refused: perhaps it was revoked. The
            // rollout can be resumed when the connection is healed.
            connections::after_failure(app, organization, &connection.id).await?;
            return give_up(app, lease, &rollout, &failure.to_string()).await;
        }
        Err(silence) => return wait_or_give_up(app, lease, &rollout, silence).await,
    };
    app.silences.end(id.as_str());
    let site = Site {
        account_id: connection.scope().to_owned(),
        region: environment.region.clone(),
        connection_id: connection.id.clone(),
        environment_name: environments::full_name(app, &environment).await?,
    };
    let run = Run {
        approved,
        closing: closing(app, &rollout),
        rollout,
        lease: lease.clone(),
        driver,
        site,
    };
    let ended = landfall_engine::run(&app.engine, run)
        .await
        .map_err(|error| Error::internal("the rollout", error))?;
    if let RunEnd::Failed { failed, .. } = &ended
        && failed.values().any(points_at_the_grant)
    {
        connections::after_failure(app, organization, &connection.id).await?;
    }
    Ok(())
}

/// Waits for the account to answer, unless that has lasted too long or nobody
/// wants the rollout any more. What it left open stays in the journal: the next
/// rollout settles it.
async fn wait_or_give_up(
    app: &App,
    lease: &Lease,
    rollout: &Rollout,
    silence: Silence,
) -> Result<()> {
    let now = app.now();
    let heard = silence.heard();
    let wait = app.silences.go_on(rollout.id.as_str(), now, heard);
    let canceling = matches!(rollout.state, State::Canceling { .. });
    let error = silence.into_error("assuming the provisioner");
    if !canceling && !wait.is_too_long(now) {
        return Err(error);
    }
    let said = wait.heard.unwrap_or_else(|| error.to_string());
    let why = if canceling {
        said
    } else {
        format!("the account could not be used for half an hour: {said}")
    };
    give_up(app, lease, rollout, &why).await
}

fn points_at_the_grant(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Denied | FailureKind::Unauthorized
    )
}

async fn provisioner(
    app: &App,
    connection: &Connection,
    environment: &Environment,
) -> Result<Arc<dyn Driver>, Silence> {
    let connector = app.connector(connection.method()).map_err(|error| {
        Silence::Refused(Failure::new(
            FailureKind::Unavailable,
            "MethodUnavailable",
            error.detail,
        ))
    })?;
    app.ask(
        connection,
        app.settings.detection.timeout,
        connector.provisioner(connection, &environment.region),
    )
    .await
}

/// The audit entry of the end, in the transaction that ends it.
fn closing(app: &App, rollout: &Rollout) -> landfall_engine::Closing<Rollout> {
    let clock = app.clock.clone();
    let environment = rollout.environment_id.clone();
    Box::new(move |rollout| {
        let detail = json!({ "state": rollout.state.as_str(), "environment": environment });
        vec![audit::entry_of_system(
            clock.now(),
            &rollout.organization_id,
            "rollout.end",
            &rollout.id,
            detail,
        )]
    })
}

/// Ends a rollout that cannot even begin, saying why.
async fn give_up(app: &App, lease: &Lease, rollout: &Rollout, why: &str) -> Result<()> {
    let mut rollout = rollout.clone();
    let now = app.now();
    let from = rollout.state.as_str();
    rollout.state = match rollout.state {
        State::Queued { .. } => rollout
            .state
            .running(now)
            .and_then(|running| running.failed(now, 0, 0)),
        State::Canceling { .. } => rollout.state.canceled(now),
        state => state.failed(now, 0, 0),
    }
    .map_err(|error| Error::internal("ending the rollout", error))?;
    rollout.version += 1;
    let stream = Stream::Rollout(rollout.id.clone());
    let outcome = rollout.state.as_str().to_owned();
    let detail = json!({ "state": rollout.state.as_str(), "from": from, "why": why });
    let writes = vec![
        Write::Guard {
            lease: lease.clone(),
            now,
        },
        Write::PutRollout(rollout.clone()),
        Write::Append {
            stream,
            at: now,
            address: None,
            kind: EventKind::Finished {
                outcome,
                why: Some(why.to_owned()),
            },
        },
        audit::system_entry(
            app,
            &rollout.organization_id,
            "rollout.end",
            &rollout.id,
            detail,
        ),
        Write::CompleteWork {
            lease: lease.clone(),
        },
    ];
    match app.store.commit(writes).await {
        // A cancel came in between: the next claim sees it.
        Err(StoreError::Conflict { .. }) => {
            fenced_is_fine(super::postpone(app, lease, app.now()).await)
        }
        Ok(()) => {
            // A resumed rollout waits anew.
            app.silences.end(rollout.id.as_str());
            Ok(())
        }
        ended => fenced_is_fine(ended),
    }
}
