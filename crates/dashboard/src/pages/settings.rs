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
use landfall_app::{Permission, connections, members, tokens};
use landfall_model::{
    Code, Error,
    connector::Availability,
    member::{Member, Role},
    token::Token,
};
use secrecy::ExposeSecret;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/tokens", post(create_token))
        .route("/settings/tokens/{id}/revoke", post(revoke_token))
        .route("/settings/members", post(add_member))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    organization: String,
    members: Vec<Member>,
    tokens: Vec<Token>,
    methods: Vec<connections::Offered>,
    may_manage: bool,
    /// A token just made: shown in this one answer only.
    new_secret: Option<String>,
}

async fn page(shared: &Shared, signed_in: &SignedIn, new_secret: Option<String>) -> Answer {
    let (app, actor) = (&shared.app, &signed_in.actor);
    render(&Page {
        frame: Frame::new(signed_in, "/settings"),
        organization: members::me(app, actor).await?.organization.name,
        members: members::list(app, actor).await?,
        tokens: tokens::list(app, actor).await?,
        methods: connections::methods(app, actor).await?,
        may_manage: actor.may(Permission::TokenCreate),
        new_secret,
    })
}

async fn show(State(shared): State<Shared>, signed_in: SignedIn) -> Answer {
    page(&shared, &signed_in, None).await
}

fn role(text: &str) -> Result<Role, Failure> {
    Role::ALL
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| {
            Error::new(
                Code::RequestMalformed,
                "there is no such role",
                "choose viewer, member or admin",
            )
            .into()
        })
}

async fn create_token(State(shared): State<Shared>, form: Form) -> Answer {
    let new = tokens::New {
        name: form.text("name"),
        role: Some(role(&form.text("role"))?),
        member_id: None,
        days: form.number("days")?,
    };
    let created = tokens::create(&shared.app, &form.signed_in.actor, new)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    let secret = created.secret.expose_secret().to_owned();
    page(&shared, &form.signed_in, Some(secret)).await
}

async fn revoke_token(State(shared): State<Shared>, Path(id): Path<String>, form: Form) -> Answer {
    let id = id.parse().map_err(|_| Error::not_found("token", &id))?;
    tokens::revoke(&shared.app, &form.signed_in.actor, &id)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go("/settings")
}

async fn add_member(State(shared): State<Shared>, form: Form) -> Answer {
    let new = members::New {
        name: form.text("name"),
        role: role(&form.text("role"))?,
    };
    members::add(&shared.app, &form.signed_in.actor, new)
        .await
        .map_err(|error| Failure::from(error).with(&form.signed_in))?;
    go("/settings")
}
