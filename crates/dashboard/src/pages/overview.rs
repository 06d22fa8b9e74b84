use crate::{
    Shared,
    frame::Frame,
    page::{Answer, render},
    session::SignedIn,
    show,
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use landfall_app::{applications, connections, environments, retained};
use landfall_model::{application::Application, connection::Connection, environment};

pub fn routes() -> Router<Shared> {
    Router::new().route("/", get(overview))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    connections: Vec<Connection>,
    applications: Vec<Application>,
    environments: Vec<environment::View>,
    retained: usize,
    retained_cost: String,
}

async fn overview(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let mut connections = connections::list(app, actor).await?;
    connections.retain(|one| {
        !matches!(
            one.state,
            landfall_model::connection::State::Disconnected { .. }
        )
    });
    let retained = retained::list(app, actor, false).await?;
    render(&Page {
        frame: Frame::new(&signed_in, "/"),
        connections,
        applications: applications::list(app, actor).await?,
        environments: environments::list(app, actor, None).await?,
        retained: retained.len(),
        retained_cost: show::total(retained.iter().map(|one| one.monthly_cents)),
    })
}
