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
    extract::{Path, Query, State},
    routing::{get, post},
};
use landfall_app::{Permission, retained};
use landfall_model::{
    Error,
    error::Problem,
    id::RetainedId,
    retained::{Retained, State as Status},
};
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/retained", get(list))
        .route("/retained/{id}", get(look))
        .route("/retained/{id}/destroy", post(destroy))
        .route("/retained/{id}/forget", post(forget))
        .merge(live::routes::<Live>("/retained"))
}

fn parse(id: &str) -> Result<RetainedId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("retained resource", id).into())
}

#[derive(Template)]
#[template(path = "retained/list.html")]
struct List {
    frame: Frame,
    items: Vec<Retained>,
    cost: String,
    closed: bool,
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    closed: Option<String>,
}

async fn list(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Query(filter): Query<Filter>,
) -> Answer {
    let closed = filter.closed.is_some();
    let items = retained::list(&shared.app, &signed_in.actor, closed).await?;
    let open = items.iter().filter(|one| one.state.is_open());
    render(&List {
        frame: Frame::new(&signed_in, "/retained"),
        cost: show::total(open.map(|one| one.monthly_cents)),
        items,
        closed,
    })
}

#[derive(Template)]
#[template(path = "retained/live.html")]
struct Live {
    one: Retained,
}

impl Fragment for Live {
    async fn read(shared: &Shared, signed_in: &SignedIn, id: &str) -> Result<Self, Failure> {
        let one = retained::show(&shared.app, &signed_in.actor, &parse(id)?).await?;
        Ok(Self { one })
    }

    fn about(&self) -> Vec<String> {
        vec![self.one.id.to_string()]
    }
}

#[derive(Template)]
#[template(path = "retained/show.html")]
struct Page {
    frame: Frame,
    one: Retained,
    live: Followed,
    may_destroy: bool,
    problem: Option<Problem>,
}

async fn page(shared: &Shared, signed_in: &SignedIn, id: &str, problem: Option<Problem>) -> Answer {
    let live = Live::read(shared, signed_in, id).await?;
    render(&Page {
        frame: Frame::new(signed_in, "/retained"),
        live: Followed::new(&live, format!("/retained/{id}"))?,
        one: live.one,
        may_destroy: signed_in.actor.may(Permission::RetainedDestroy),
        problem,
    })
}

async fn look(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    page(&shared, &signed_in, &id, None).await
}

/// A wrong name shows the page again and destroys nothing.
async fn destroy(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let typed = retained::TypedName {
        typed_name: form.text("typed_name"),
    };
    match retained::destroy(&shared.app, &form.signed_in.actor, &parse(&id)?, typed).await {
        Ok(_) => go(&format!("/retained/{id}")),
        Err(error) => page(&shared, &form.signed_in, &id, Some(Problem::from(&error))).await,
    }
}

async fn forget(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let typed = retained::TypedName {
        typed_name: form.text("typed_name"),
    };
    match retained::forget(&shared.app, &form.signed_in.actor, &parse(&id)?, typed).await {
        Ok(_) => go("/retained"),
        Err(error) => page(&shared, &form.signed_in, &id, Some(Problem::from(&error))).await,
    }
}
