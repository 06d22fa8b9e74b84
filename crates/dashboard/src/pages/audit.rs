use crate::{
    Shared,
    frame::Frame,
    page::{Answer, render},
    session::SignedIn,
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use landfall_app::audit;
use landfall_model::audit::{Actor, Entry};

pub fn routes() -> Router<Shared> {
    Router::new().route("/audit", get(list))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    entries: Vec<Entry>,
    /// The length of the unbroken chain, or what is wrong with it.
    verified: Result<u64, String>,
}

fn who(actor: &Actor) -> &str {
    match actor {
        Actor::Member { name, .. } => name,
        Actor::System => "Landfall",
        Actor::Anonymous => "unknown",
    }
}

async fn list(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    render(&Page {
        entries: audit::list(app, actor, None, Some(200)).await?,
        verified: audit::verify(app, actor)
            .await
            .map(|verified| verified.entries)
            .map_err(|error| error.detail),
        frame: Frame::new(&signed_in, "/audit"),
    })
}
