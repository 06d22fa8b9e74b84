use super::diagram::Diagram;
use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    live::{self, Followed, Fragment},
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
        .merge(live::routes::<Live>("/environments"))
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
    live: Followed,
    /// How many are in the account.
    resources: usize,
    may_deploy: bool,
}

/// What is in the account, and what is happening to it.
#[derive(Template)]
#[template(path = "environments/live.html")]
struct Live {
    id: EnvironmentId,
    resources: Vec<Resource>,
    cost: String,
    diagram: Option<Diagram>,
    plans: Vec<Plan>,
    rollouts: Vec<Rollout>,
    newest: Option<RolloutProgress>,
}

impl Fragment for Live {
    async fn read(shared: &Shared, signed_in: &SignedIn, id: &str) -> Result<Self, Failure> {
        let (app, actor) = (&shared.app, &signed_in.actor);
        let id = parse(id)?;
        let resources = environments::resources(app, actor, &id).await?;
        let plans = plans::list(app, actor, &id, Some(5)).await?;
        let rollouts = rollouts::list(app, actor, Some(&id), Some(5)).await?;
        let newest = match rollouts.first() {
            Some(rollout) => Some(rollouts::progress(app, actor, &rollout.id).await?),
            None => None,
        };
        let running = newest
            .as_ref()
            .filter(|progress| !progress.rollout.state.is_over());
        let diagram = match running {
            Some(progress) => {
                let plan = plans::show(app, actor, &progress.rollout.plan_id).await?;
                Some(Diagram::of_rollout(&plan.graph, progress))
            }
            None => plans
                .first()
                .filter(|_| !resources.is_empty())
                .map(|plan| recorded(plan, &resources)),
        };
        Ok(Self {
            cost: show::total(resources.iter().map(|one| one.monthly_cents)),
            id,
            resources,
            diagram,
            plans,
            rollouts,
            newest,
        })
    }

    fn about(&self) -> Vec<String> {
        let rollouts = self.rollouts.iter().map(|one| one.id.to_string());
        std::iter::once(self.id.to_string())
            .chain(rollouts)
            .collect()
    }
}

/// The plan's graph, coloured by what is there.
fn recorded(plan: &Plan, resources: &[Resource]) -> Diagram {
    Diagram::new(&plan.graph, |address| {
        let there = resources.iter().any(|one| &one.address == address);
        show::Badge {
            class: if there { "done" } else { "waiting" },
            text: if there { "in the account" } else { "not there" },
        }
    })
}

async fn look(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    let live = Live::read(&shared, &signed_in, &id).await?;
    let actor = &signed_in.actor;
    render(&Page {
        frame: Frame::new(&signed_in, "/applications"),
        may_deploy: actor.may(Permission::PlanCreate),
        view: environments::show(&shared.app, actor, &live.id).await?,
        live: Followed::new(&live, format!("/environments/{id}"))?,
        resources: live.resources.len(),
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
