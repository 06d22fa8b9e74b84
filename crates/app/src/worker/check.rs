use super::{complete, fenced_is_fine, kept, postpone};
use crate::{
    App,
    connections::{self, Next},
};
use landfall_model::{Code, Timestamp, error::Result, id::ConnectionId, work::Lease};

pub(super) async fn detect(app: &App, lease: &Lease, id: &ConnectionId) -> Result<()> {
    let look = connections::look(app, &lease.organization_id, id);
    let Some(ended) = kept(app, lease, look).await else {
        return Ok(());
    };
    match ended {
        Ok(Next::At(at)) => fenced_is_fine(postpone(app, lease, at).await),
        Ok(Next::Done) => complete(app, lease).await,
        Err(error) if error.code == Code::NotFound => complete(app, lease).await,
        Err(error) => Err(error),
    }
}

pub(super) async fn verify(app: &App, lease: &Lease, id: &ConnectionId) -> Result<()> {
    let run = connections::scheduled_run(app, &lease.organization_id, id);
    until_done(app, lease, run).await
}

pub(super) async fn migrate(app: &App, lease: &Lease, id: &ConnectionId) -> Result<()> {
    let look = connections::look_at_migration(app, &lease.organization_id, id);
    until_done(app, lease, look).await
}

pub(super) async fn rotate(app: &App, lease: &Lease, id: &ConnectionId) -> Result<()> {
    let step = connections::take_rotation_step(app, &lease.organization_id, id);
    until_done(app, lease, step).await
}

/// `run` says when it is due again, if ever.
async fn until_done(
    app: &App,
    lease: &Lease,
    run: impl Future<Output = Result<Option<Timestamp>>>,
) -> Result<()> {
    let Some(ended) = kept(app, lease, run).await else {
        return Ok(());
    };
    match ended {
        Ok(Some(at)) => fenced_is_fine(postpone(app, lease, at).await),
        Ok(None) => complete(app, lease).await,
        Err(error) if error.code == Code::NotFound => complete(app, lease).await,
        Err(error) => Err(error),
    }
}
