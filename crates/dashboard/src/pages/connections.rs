mod consent;
mod new;

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
use consent::{CONSENTED, consent, consented};
use landfall_app::{Permission, checks, connections};
use landfall_model::{
    Error, Timestamp,
    check::CheckRun,
    connection::{
        Azure, AzureAccess, Connection, Expiry, Method, Remaining, RotationStep, State as Status,
        Target, View,
    },
    connector::{Availability, Region},
    grant::{GrantGuide, How},
    id::ConnectionId,
};
use new::{create, new};

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
        // No connection moves to a method with a secret.
        let is_keyless = |one: &connections::Offered| {
            Method::parse(one.cloud, &one.method).is_some_and(Method::is_keyless)
        };
        offered.retain(|one| {
            one.cloud == live.connection.cloud()
                && is_keyless(one)
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
