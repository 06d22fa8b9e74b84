use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    page::{Answer, Failure, go, render},
    session::SignedIn,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use landfall_app::{Permission, applications, connections, environments};
use landfall_model::{
    Error,
    application::Application,
    connection::Connection,
    environment::{ApprovalPolicy, Kind, Settings, View},
    error::Problem,
    id::ApplicationId,
};

/// What a newcomer starts from: small, and with a database.
const EXAMPLE: &str = include_str!("../../../../examples/shop/web.score.yaml");

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/applications", get(list).post(create))
        .route("/applications/new", get(new))
        .route("/applications/{id}", get(show))
        .route("/applications/{id}/workloads", post(put_workload))
        .route("/applications/{id}/workloads/remove", post(remove_workload))
        .route("/applications/{id}/environments", post(create_environment))
        .route("/applications/{id}/delete", post(delete))
}

fn parse(id: &str) -> Result<ApplicationId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("application", id).into())
}

#[derive(Template)]
#[template(path = "applications/list.html")]
struct List {
    frame: Frame,
    applications: Vec<Application>,
}

async fn list(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    render(&List {
        applications: applications::list(&shared.app, &signed_in.actor).await?,
        frame: Frame::new(&signed_in, "/applications"),
    })
}

#[derive(Template)]
#[template(path = "applications/new.html")]
struct New {
    frame: Frame,
    name: String,
    problem: Option<Problem>,
}

async fn new(signed_in: SignedIn) -> Answer {
    render(&New {
        frame: Frame::new(&signed_in, "/applications"),
        name: String::new(),
        problem: None,
    })
}

async fn create(State(shared): State<Shared>, form: Form) -> Answer {
    let name = form.text("name");
    let wanted = applications::New { name: name.clone() };
    match applications::create(&shared.app, &form.signed_in.actor, wanted).await {
        Ok(made) => go(&format!("/applications/{}", made.id)),
        Err(error) => render(&New {
            frame: Frame::new(&form.signed_in, "/applications"),
            name,
            problem: Some(Problem::from(&error)),
        }),
    }
}

#[derive(Template)]
#[template(path = "applications/show.html")]
struct Show {
    frame: Frame,
    application: Application,
    environments: Vec<View>,
    connections: Vec<Connection>,
    may_edit: bool,
    /// What was typed, when it was refused.
    score: String,
    score_problem: Option<Problem>,
    environment_problem: Option<Problem>,
}

#[derive(Default)]
struct Refused {
    score: Option<(String, Problem)>,
    environment: Option<Problem>,
}

async fn page(shared: &Shared, signed_in: &SignedIn, id: &str, refused: Refused) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    let id = parse(id)?;
    let application = applications::show(app, actor, &id).await?;
    let mut connections = connections::list(app, actor).await?;
    connections.retain(|one| one.state.can_provision());
    let (score, score_problem) = match refused.score {
        Some((score, problem)) => (score, Some(problem)),
        None if application.workloads.is_empty() => (EXAMPLE.to_owned(), None),
        None => (String::new(), None),
    };
    render(&Show {
        frame: Frame::new(signed_in, "/applications"),
        environments: environments::list(app, actor, Some(&id)).await?,
        may_edit: actor.may(Permission::WorkloadPut),
        application,
        connections,
        score,
        score_problem,
        environment_problem: refused.environment,
    })
}

async fn show(State(shared): State<Shared>, signed_in: SignedIn, Path(id): Path<String>) -> Answer {
    page(&shared, &signed_in, &id, Refused::default()).await
}

/// The `name:` under `metadata:`, only to address the workload: the use case
/// parses the file and refuses when the two differ.
fn name_in(score: &str) -> String {
    score
        .lines()
        .skip_while(|line| line.trim_end() != "metadata:")
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.trim().is_empty())
        .find_map(|line| line.trim().strip_prefix("name:"))
        .map(|name| name.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "workload".to_owned())
}

async fn put_workload(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    // Browsers send lines that end with CR LF.
    let score = form.raw("score").replace("\r\n", "\n");
    let (app, actor) = (&shared.app, &form.signed_in.actor);
    let name = name_in(&score);
    match applications::put_workload(app, actor, &parse(&id)?, &name, &score).await {
        Ok(_) => go(&format!("/applications/{id}")),
        Err(error) => {
            let refused = Refused {
                score: Some((score, Problem::from(&error))),
                ..Refused::default()
            };
            page(&shared, &form.signed_in, &id, refused).await
        }
    }
}

async fn remove_workload(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let name = form.text("name");
    applications::remove_workload(&shared.app, &form.signed_in.actor, &parse(&id)?, &name)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/applications/{id}"))
}

async fn create_environment(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let connection_id = form.text("connection");
    let kind = match form.text("kind").as_str() {
        "development" => Kind::Development,
        "preview" => Kind::Preview,
        _ => Kind::Production,
    };
    let approval = match form.text("approval").as_str() {
        "automatic" => Some(ApprovalPolicy::Automatic),
        "manual" => Some(ApprovalPolicy::Manual),
        _ => None,
    };
    let new = environments::New {
        application_id: parse(&id)?,
        connection_id: connection_id
            .parse()
            .map_err(|_| Error::not_found("connection", &connection_id))?,
        name: form.text("name"),
        kind,
        region: form.optional("region"),
        approval,
        settings: Settings::default(),
    };
    match environments::create(&shared.app, &form.signed_in.actor, new).await {
        Ok(made) => go(&format!("/environments/{}", made.environment.id)),
        Err(error) => {
            let refused = Refused {
                environment: Some(Problem::from(&error)),
                ..Refused::default()
            };
            page(&shared, &form.signed_in, &id, refused).await
        }
    }
}

async fn delete(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    applications::delete(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go("/retained")
}
