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
    extract::{Path, Query, State},
    http::header,
    response::IntoResponse,
    routing::{get, post},
};
use landfall_app::{Permission, checks, connections};
use landfall_model::{
    Error, Timestamp,
    check::CheckRun,
    connection::{
        Azure, AzureAccess, Cloud, Connection, Expiry, Method, Remaining, RotationStep,
        State as Status, Target, View,
    },
    connector::{Availability, Region},
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
        .route("/connections/{id}/migrate", post(migrate))
        .route("/connections/{id}/stay", post(stay))
        .route("/connections/{id}/rotate", post(rotate))
        .route("/connections/{id}/consent", post(consent))
        .route(CONSENTED, get(consented))
        .merge(live::routes::<Live>("/connections"))
}

/// Where Microsoft's page sends an administrator back to.
const CONSENTED: &str = "/connect/azure/callback";

fn parse(id: &str) -> Result<ConnectionId, Failure> {
    id.parse()
        .map_err(|_| Error::not_found("connection", id).into())
}

#[derive(Template)]
#[template(path = "connections/list.html")]
struct List {
    frame: Frame,
    connections: Vec<Connection>,
    now: Timestamp,
}

async fn list(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    render(&List {
        frame: Frame::new(&signed_in, "/connections"),
        connections: connections::list(&shared.app, &signed_in.actor).await?,
        now: shared.app.now(),
    })
}

#[derive(Template)]
#[template(path = "connections/new.html")]
struct New {
    frame: Frame,
    cloud: Cloud,
    /// Those that this server has connectors for.
    clouds: Vec<Cloud>,
    /// Of the cloud, the best first.
    methods: Vec<connections::Offered>,
    /// The one that is ticked.
    method: String,
    form: connections::New,
    problem: Option<Problem>,
}

impl New {
    /// Whether one of the methods stores a secret.
    fn takes_secret(&self) -> bool {
        self.methods.iter().any(|one| !one.is_keyless())
    }

    /// The attributes of a field: what was refused is marked and has the focus,
    /// else the first one has it.
    fn mark(&self, field: &str, is_first: bool) -> &'static str {
        match &self.problem {
            Some(problem) if problem.violations.iter().any(|one| one.field == field) => {
                r#" aria-invalid="true" autofocus"#
            }
            None if is_first => " autofocus",
            _ => "",
        }
    }

    async fn show(
        shared: &Shared,
        signed_in: &SignedIn,
        cloud: Cloud,
        form: connections::New,
        problem: Option<Problem>,
    ) -> Answer {
        let offered = connections::methods(&shared.app, &signed_in.actor).await?;
        let has = |cloud: &Cloud| offered.iter().any(|one| one.cloud == *cloud);
        let clouds: Vec<Cloud> = Cloud::ALL.into_iter().filter(has).collect();
        let methods: Vec<_> = offered
            .into_iter()
            .filter(|one| one.cloud == cloud)
            .collect();
        let usable = |one: &&connections::Offered| one.availability == Availability::Available;
        let method = form
            .method
            .clone()
            .or_else(|| methods.iter().find(usable).map(|one| one.method.clone()))
            .unwrap_or_default();
        render(&Self {
            frame: Frame::new(signed_in, "/connections"),
            cloud,
            clouds,
            methods,
            method,
            form,
            problem,
        })
    }
}

#[derive(serde::Deserialize)]
struct Choice {
    cloud: Option<String>,
}

async fn new(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Query(choice): Query<Choice>,
) -> Answer {
    let cloud = choice.cloud.as_deref().and_then(Cloud::parse);
    let form = connections::New {
        with_reaper: Some(true),
        ..connections::New::default()
    };
    New::show(&shared, &signed_in, cloud.unwrap_or(Cloud::Aws), form, None).await
}

/// A refusal shows the form again with what was typed.
async fn create(State(shared): State<Shared>, form: Form) -> Answer {
    let cloud = form.optional("cloud").as_deref().and_then(Cloud::parse);
    let cloud = cloud.unwrap_or(Cloud::Aws);
    let account_id = form.text("account_id").replace([' ', '-'], "");
    let scope = match cloud {
        Cloud::Aws => account_id.clone(),
        Cloud::Gcp => form.text("project_id"),
        Cloud::Azure => form.text("subscription_id").chars().take(8).collect(),
    };
    let mut wanted = connections::New {
        name: form
            .optional("name")
            .unwrap_or_else(|| format!("{cloud}-{scope}")),
        cloud: Some(cloud.to_string()),
        method: form.optional("method"),
        account_id,
        project_id: form.optional("project_id"),
        project_number: form.optional("project_number"),
        parent: form.optional("parent"),
        tenant_id: form.optional("tenant_id"),
        management_group: form.optional("management_group"),
        breadth: form.optional("breadth"),
        subscription_id: form.optional("subscription_id"),
        client_id: form.optional("client_id"),
        service_account_key: form.secret("service_account_key"),
        client_secret: form.secret("client_secret"),
        secret_expires_at: form.optional("secret_expires_at"),
        regions: form.list("regions"),
        with_reaper: Some(form.checked("with_reaper")),
        ..connections::New::default()
    };
    match connections::create(&shared.app, &form.signed_in.actor, wanted.clone()).await {
        Ok(created) => go(&format!("/connections/{}", created.connection.id)),
        Err(error) => {
            // A secret never goes back into a page.
            wanted.service_account_key = None;
            wanted.client_secret = None;
            let problem = Some(Problem::from(&error));
            New::show(&shared, &form.signed_in, cloud, wanted, problem).await
        }
    }
}

async fn migrate(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let to = connections::Move {
        method: form.text("method").to_owned(),
        project_number: form.optional("project_number"),
        client_id: form.optional("client_id"),
    };
    connections::migrate(&shared.app, &form.signed_in.actor, &parse(&id)?, to)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}

async fn stay(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    connections::stay(&shared.app, &form.signed_in.actor, &parse(&id)?)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}

async fn rotate(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let new = connections::Rotate {
        service_account_key: form.secret("service_account_key"),
        client_secret: form.secret("client_secret"),
        secret_expires_at: form.optional("secret_expires_at"),
        client_id: form.optional("client_id"),
    };
    connections::rotate(&shared.app, &form.signed_in.actor, &parse(&id)?, new)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go(&format!("/connections/{id}"))
}

#[derive(Template)]
#[template(path = "connections/consent.html")]
struct Consent {
    frame: Frame,
    page: String,
}

/// Leads on by a page and not by a redirect: what a form may be sent on to is
/// limited to this server, for every page.
async fn consent(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let signed_in = &form.signed_in;
    let back = format!("{}{CONSENTED}", shared.options.public_url);
    let id = parse(&id)?;
    let page = connections::consent(&shared.app, &signed_in.actor, &id, &signed_in.csrf, &back)
        .await
        .map_err(|error| Failure::from(error).with(signed_in))?;
    render(&Consent {
        frame: Frame::new(signed_in, "/connections"),
        page,
    })
}

async fn consented(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Query(callback): Query<connections::Callback>,
) -> Answer {
    let (actor, session) = (&signed_in.actor, &signed_in.csrf);
    let connection = connections::consented(&shared.app, actor, session, callback)
        .await
        .map_err(|error| Failure::from(error).with(&signed_in))?;
    go(&format!("/connections/{}", connection.id))
}

/// What is shown live: the state and the checks.
#[derive(Template)]
#[template(path = "connections/live.html")]
struct Live {
    connection: Connection,
    expiry: Option<Expiry>,
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
    /// Methods of the cloud that it could move to.
    others: Vec<connections::Offered>,
    regions: Vec<Region>,
    remaining: Vec<Remaining>,
    /// So many of them.
    perhaps: usize,
    may_change: bool,
    may_verify: bool,
}

impl Show {
    /// Whether the setup still has to say which application it registered.
    fn wants_client(&self) -> bool {
        let unknown = |azure: &Azure| {
            matches!(
                azure.access,
                AzureAccess::ClientSecret {
                    client_id: None,
                    ..
                }
            )
        };
        matches!(&self.connection.target, Target::Azure(azure) if unknown(azure))
    }

    /// Whether an administrator of the tenant has to approve on Microsoft's
    /// page: for the way in use or the one that it moves to.
    fn wants_consent(&self) -> bool {
        let moving = self.connection.migration.as_ref().map(|to| &to.target);
        let target = moving.unwrap_or(&self.connection.target);
        let open = !matches!(self.connection.state, Status::Disconnected { .. });
        let granted = moving.is_none() && self.connection.state.can_provision();
        open && !granted && target.method() == Method::AdminConsent
    }

    /// When Microsoft's page last came back without an error.
    fn approved(&self) -> Option<String> {
        let moving = self.connection.migration.as_ref().map(|to| &to.target);
        match moving.unwrap_or(&self.connection.target) {
            Target::Azure(azure) => match &azure.access {
                AzureAccess::AdminConsent { approved_at, .. } => {
                    approved_at.as_ref().map(crate::show::minute)
                }
                _ => None,
            },
            _ => None,
        }
    }
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
        expiry,
    } = connections::show(&shared.app, &signed_in.actor, id).await?;
    let run = checks::list(&shared.app, &signed_in.actor, id, Some(1))
        .await?
        .into_iter()
        .next();
    Ok(Live {
        connection,
        expiry,
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
    let in_use = matches!(
        live.connection.state,
        Status::Connected { .. } | Status::Degraded { .. }
    );
    let others = if in_use {
        let mut offered = connections::methods(app, actor).await?;
        offered.retain(|one| {
            one.cloud == live.connection.cloud()
                && one.method != live.connection.method().as_str()
                && one.availability == Availability::Available
        });
        offered
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
        others,
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
        project_number: form.optional("project_number"),
        client_id: form.optional("client_id"),
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
