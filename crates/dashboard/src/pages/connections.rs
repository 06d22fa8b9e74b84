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
    http::header,
    response::IntoResponse,
    routing::{get, post},
};
use landfall_app::{Permission, checks, connections};
use landfall_model::{
    Error,
    check::CheckRun,
    connection::{Connection, Remaining, State as Status, View},
    connector::Region,
    error::Problem,
    grant::{GrantGuide, How},
    id::ConnectionId,
};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/connections", get(list).post(create))
        .route("/connections/new", get(new))
        .route("/connections/{id}", get(show).post(change))
        .route("/connections/{id}/template.json", get(template))
        .route("/connections/{id}/verify", post(verify))
        .route("/connections/{id}/disconnect", post(disconnect))
        .merge(live::routes::<Live>("/connections"))
}

fn parse(id: &str) -> Result<ConnectionId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("connection", id).into())
}

#[derive(Template)]
#[template(path = "connections/list.html")]
struct List {
    frame: Frame,
    connections: Vec<Connection>,
}

async fn list(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    render(&List {
        frame: Frame::new(&signed_in, "/connections"),
        connections: connections::list(&shared.app, &signed_in.actor).await?,
    })
}

#[derive(Template)]
#[template(path = "connections/new.html")]
struct New {
    frame: Frame,
    form: connections::New,
    problem: Option<Problem>,
}

async fn new(signed_in: SignedIn) -> Answer {
    render(&New {
        frame: Frame::new(&signed_in, "/connections"),
        form: connections::New {
            with_reaper: Some(true),
            ..connections::New::default()
        },
        problem: None,
    })
}

/// A refusal shows the form again with what was typed.
async fn create(State(shared): State<Shared>, form: Form) -> Answer {
    let account_id = form.text("account_id").replace([' ', '-'], "");
    let wanted = connections::New {
        name: form
            .optional("name")
            .unwrap_or_else(|| format!("aws-{account_id}")),
        account_id,
        regions: form.list("regions"),
        with_reaper: Some(form.checked("with_reaper")),
        ..connections::New::default()
    };
    match connections::create(&shared.app, &form.signed_in.actor, wanted.clone()).await {
        Ok(created) => go(&format!("/connections/{}", created.connection.id)),
        Err(error) => render(&New {
            frame: Frame::new(&form.signed_in, "/connections"),
            form: wanted,
            problem: Some(Problem::from(&error)),
        }),
    }
}

/// What is shown live: the state and the checks.
#[derive(Template)]
#[template(path = "connections/live.html")]
struct Live {
    connection: Connection,
    next_look: Option<String>,
    run: Option<CheckRun>,
}

#[derive(Template)]
#[template(path = "connections/show.html")]
struct Show {
    frame: Frame,
    connection: Connection,
    live: Followed,
    guide: Option<GrantGuide>,
    regions: Vec<Region>,
    remaining: Vec<Remaining>,
    /// So many of them.
    perhaps: usize,
    may_change: bool,
    may_verify: bool,
}

impl Fragment for Live {
    async fn read(shared: &Shared, signed_in: &SignedIn, id: &str) -> Result<Self, Failure> {
        look(shared, signed_in, &parse(id)?).await
    }

    fn about(&self) -> Vec<String> {
        vec![self.connection.id.to_string()]
    }
}

async fn look(shared: &Shared, signed_in: &SignedIn, id: &ConnectionId) -> Result<Live, Failure> {
    let View {
        connection,
        next_look_at,
    } = connections::show(&shared.app, &signed_in.actor, id).await?;
    let run = checks::list(&shared.app, &signed_in.actor, id, Some(1))
        .await?
        .into_iter()
        .next();
    Ok(Live {
        connection,
        next_look: next_look_at.map(|at| crate::show::second(&at)),
        run,
    })
}

async fn show(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let id = parse(&id)?;
    let live = look(&shared, &signed_in, &id).await?;
    let open = !matches!(live.connection.state, Status::Disconnected { .. });
    let guide = if open {
        // Without the operator's identity there is no guide; the page says why
        // in the checks.
        connections::grant(app, actor, &id).await.ok()
    } else {
        None
    };
    let regions = if live.connection.state.can_provision() {
        connections::regions(app, actor, &id)
            .await
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let remaining = connections::remaining(app, actor, &id).await?;
    render(&Show {
        perhaps: remaining.iter().filter(|one| one.perhaps).count(),
        remaining,
        may_change: actor.may(Permission::ConnectionChange),
        may_verify: actor.may(Permission::ConnectionVerify),
        frame: Frame::new(&signed_in, "/connections"),
        live: Followed::new(&live, format!("/connections/{id}"))?,
        connection: live.connection,
        guide,
        regions,
    })
}

async fn template(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Answer {
    let template = connections::template(&shared.app, &signed_in.actor, &parse(&id)?).await?;
    let text = serde_json::to_string_pretty(&template)
        .map_err(|source| Error::internal("writing the template", source))?;
    Ok((
        [
            (header::CONTENT_TYPE, "application/json"),
            (
                header::CONTENT_DISPOSITION,
                "attachment; filename=\"landfall.template.json\"",
            ),
        ],
        text,
    )
        .into_response())
}

async fn change(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let change = connections::Change {
        default_region: form.optional("default_region"),
        ..connections::Change::default()
    };
    connections::change(&shared.app, &form.signed_in.actor, &parse(&id)?, change)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}

async fn verify(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    connections::verify(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}

async fn disconnect(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    connections::disconnect(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}
