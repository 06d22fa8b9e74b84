use super::diagram::Diagram;
use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    page::{Answer, Failure, go, render},
    session::SignedIn,
    show,
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
    environment::{ApprovalPolicy, View},
    id::EnvironmentId,
    plan::Plan,
    resource::Resource,
    rollout::{Rollout, RolloutProgress},
};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/environments/{id}", get(look))
        .route("/environments/{id}/plans", post(plan))
        .route("/environments/{id}/settings", post(change))
        .route("/environments/{id}/delete", post(delete))
}

fn parse(id: &str) -> Result<EnvironmentId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("environment", id).into())
}

#[derive(Template)]
#[template(path = "environments/show.html")]
struct Page {
    frame: Frame,
    view: View,
    resources: Vec<Resource>,
    cost: String,
    /// The newest plan's graph, coloured by what is recorded.
    diagram: Option<Diagram>,
    plans: Vec<Plan>,
    rollouts: Vec<Rollout>,
    newest: Option<RolloutProgress>,
    may_deploy: bool,
}

async fn look(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let id = parse(&id)?;
    let view = environments::show(app, actor, &id).await?;
    let resources = environments::resources(app, actor, &id).await?;
    let plans = plans::list(app, actor, &id, Some(5)).await?;
    let rollouts = rollouts::list(app, actor, Some(&id), Some(5)).await?;
    let newest = match rollouts.first() {
        Some(rollout) => Some(rollouts::progress(app, actor, &rollout.id).await?),
        None => None,
    };
    let diagram = plans.first().filter(|_| !resources.is_empty()).map(|plan| {
        Diagram::new(&plan.graph, |address| {
            let there = resources.iter().any(|one| &one.address == address);
            show::Badge {
                class: if there { "done" } else { "waiting" },
                text: if there { "in the account" } else { "not there" },
            }
        })
    });
    render(&Page {
        frame: Frame::new(&signed_in, "/applications"),
        cost: show::total(resources.iter().map(|one| one.monthly_cents)),
        may_deploy: actor.may(Permission::PlanCreate),
        view,
        resources,
        diagram,
        plans,
        rollouts,
        newest,
    })
}

async fn plan(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let plan = plans::create(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/plans/{}", plan.id))
}

/// Settings replace as a whole, so those that the form does not show are taken
/// from what is stored.
async fn change(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let (app, actor) = (&shared.app, &form.signed_in.actor);
    let id = parse(&id)?;
    let view = environments::show(app, actor, &id).await?;
    let mut settings = view.environment.settings;
    settings.replicas = form.number("replicas")?;
    settings.cpu = form.number("cpu")?;
    settings.memory = form.number("memory")?;
    settings.backup_retention = form.number("backup_retention")?;
    let container = form.text("image_container");
    if let Some(image) = form.optional("image")
        && !container.is_empty()
    {
        settings.images.insert(container, image);
    }
    let approval = match form.text("approval").as_str() {
        "automatic" => Some(ApprovalPolicy::Automatic),
        "manual" => Some(ApprovalPolicy::Manual),
        _ => None,
    };
    let change = environments::Change {
        settings: Some(settings),
        approval: approval.filter(|approval| *approval != view.environment.approval),
    };
    environments::change(app, actor, &id, change)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/environments/{id}"))
}

async fn delete(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    environments::delete(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go("/retained")
}
