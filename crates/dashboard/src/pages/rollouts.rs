use super::diagram::Diagram;
use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    live::{self, Followed, Fragment},
    page::{Answer, Failure, go, render},
    session::SignedIn,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use landfall_app::{Permission, environments, plans, rollouts};
use landfall_model::{
    Error,
    driver::Failure as Refusal,
    environment::View,
    graph::Address,
    id::RolloutId,
    rollout::{NodeState, Rollout, RolloutProgress, State as Status},
};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/rollouts/{id}", get(look))
        .route("/rollouts/{id}/cancel", post(cancel))
        .route("/rollouts/{id}/resume", post(resume))
        .merge(live::routes::<Live>("/rollouts"))
}

fn parse(id: &str) -> Result<RolloutId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("rollout", id).into())
}

/// What moves: the bar, the endpoints, the failures and the picture.
#[derive(Template)]
#[template(path = "rollouts/live.html")]
struct Live {
    progress: RolloutProgress,
    diagram: Diagram,
    failed: Vec<(Address, Refusal)>,
    working: Vec<String>,
    csrf: String,
    may_cancel: bool,
}

#[derive(Template)]
#[template(path = "rollouts/show.html")]
struct Page {
    frame: Frame,
    rollout: Rollout,
    live: Followed,
    view: View,
}

impl Fragment for Live {
    async fn read(shared: &Shared, signed_in: &SignedIn, id: &str) -> Result<Self, Failure> {
        read(shared, signed_in, id).await
    }

    fn about(&self) -> Vec<String> {
        vec![self.progress.rollout.id.to_string()]
    }
}

async fn read(shared: &Shared, signed_in: &SignedIn, id: &str) -> Result<Live, Failure> {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let progress = rollouts::progress(app, actor, &parse(id)?).await?;
    let plan = plans::show(app, actor, &progress.rollout.plan_id).await?;
    let diagram = Diagram::of_rollout(&plan.graph, &progress);
    let mut failed = Vec::new();
    let mut working = Vec::new();
    for (address, node) in &progress.nodes {
        match node {
            NodeState::Failed { failure, .. } => failed.push((address.clone(), failure.clone())),
            NodeState::Running { .. } => working.push(address.to_string()),
            _ => {}
        }
    }
    Ok(Live {
        csrf: signed_in.csrf.clone(),
        may_cancel: actor.may(Permission::RolloutCancel),
        progress,
        diagram,
        failed,
        working,
    })
}

async fn look(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    let live = read(&shared, &signed_in, &id).await?;
    let environment = &live.progress.rollout.environment_id;
    let view = environments::show(&shared.app, &signed_in.actor, environment).await?;
    render(&Page {
        frame: Frame::new(&signed_in, "/applications"),
        live: Followed::new(&live, format!("/rollouts/{id}"))?,
        rollout: live.progress.rollout,
        view,
    })
}

async fn cancel(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    rollouts::cancel(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/rollouts/{id}"))
}

async fn resume(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    rollouts::resume(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/rollouts/{id}"))
}
