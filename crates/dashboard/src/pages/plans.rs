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
    approval::Approver,
    environment::View,
    id::PlanId,
    plan::{
        Action, Change, Plan, State as Status,
        render::{self, Line},
    },
};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/plans/{id}", get(look))
        .route("/plans/{id}/approve", post(approve))
        .route("/plans/{id}/rollouts", post(start))
}

fn parse(id: &str) -> Result<PlanId, Failure> {
    id.parse().map_err(|_| Error::not_found("plan", id).into())
}

#[derive(Template)]
#[template(path = "plans/show.html")]
struct Page {
    frame: Frame,
    plan: Plan,
    view: View,
    headline: String,
    changes: Vec<Row>,
    cost: String,
    /// Whether a value stands for what is not known before its resource is there.
    has_references: bool,
    diagram: Diagram,
    may_approve: bool,
    may_start: bool,
}

/// One change, with all that a person needs to judge it.
struct Row {
    action: Action,
    /// Absent where nothing is there yet, and nothing more is to say.
    reason: Option<String>,
    cost: Option<String>,
    /// What becomes of the resource that is there.
    fate: Option<String>,
    edits: Vec<Line>,
    made_with: Vec<Line>,
}

impl Row {
    fn new(plan: &Plan, action: &Action) -> Self {
        let node = plan.graph.nodes.get(&action.address);
        let is_new = matches!(
            action.change,
            Change::Create { .. }
                | Change::Replace {
                    revision: false,
                    ..
                }
        );
        Self {
            reason: (!matches!(action.change, Change::Create { lost: None, .. }))
                .then(|| action.reason.clone()),
            cost: node
                .filter(|node| node.monthly_cents.is_some())
                .map(|node| show::cost(&node.monthly_cents)),
            fate: render::fate(&action.change),
            edits: render::lines(plan, &action.address),
            made_with: node
                .filter(|_| is_new)
                .map_or_else(Vec::new, render::properties),
            action: action.clone(),
        }
    }

    fn has_references(&self) -> bool {
        let mut lines = self.edits.iter().chain(&self.made_with);
        lines.any(|line| line.after.as_ref().is_some_and(|it| it.contains('<')))
    }
}

async fn look(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let plan = plans::show(app, actor, &parse(&id)?).await?;
    let changes: Vec<Row> = plan
        .actions
        .iter()
        .filter(|action| action.is_news())
        .map(|action| Row::new(&plan, action))
        .collect();
    let diagram = Diagram::new(&plan.graph, |address| {
        plan.action(address).map_or(
            show::Badge {
                class: "",
                text: "",
            },
            |action| show::Badge {
                class: match action.change {
                    Change::NoChange { .. } => "waiting",
                    Change::Replace {
                        revision: false, ..
                    } => "failed",
                    Change::Update { .. } | Change::Replace { .. } => "running",
                    Change::Retain { .. } => "retained",
                    Change::Create { .. } | Change::Adopt { .. } => "done",
                },
                text: action.change.as_str(),
            },
        )
    });
    render(&Page {
        frame: Frame::new(&signed_in, "/applications"),
        view: environments::show(app, actor, &plan.environment_id).await?,
        cost: show::total(plan.graph.nodes.values().map(|node| node.monthly_cents)),
        may_approve: actor.may(Permission::PlanApprove),
        may_start: actor.may(Permission::RolloutStart),
        headline: render::headline(&plan),
        has_references: changes.iter().any(Row::has_references),
        changes,
        diagram,
        plan,
    })
}

/// Approves exactly what the page showed, and starts it.
async fn approve(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let seen = plans::Approve {
        digest: form.text("digest").into(),
    };
    plans::approve(&shared.app, &form.signed_in.actor, &parse(&id)?, seen)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    start(State(shared), Path(id), form).await
}

async fn start(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let rollout = rollouts::start(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/rollouts/{}", rollout.id))
}
