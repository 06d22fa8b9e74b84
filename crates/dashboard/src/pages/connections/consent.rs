//! The way over Microsoft's page and back.

use super::parse;
use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    page::{Answer, Failure, go, render},
    session::SignedIn,
};
use askama::Template;
use axum::extract::{Path, Query, State};
use landfall_app::connections;

/// Where Microsoft's page sends an administrator back to.
pub(super) const CONSENTED: &str = "/connect/azure/callback";

#[derive(Template)]
#[template(path = "connections/consent.html")]
struct Consent {
    frame: Frame,
    page: String,
}

/// Leads on by a page and not by a redirect: what a form may be sent on to is
/// limited to this server, for every page.
pub(super) async fn consent(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
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

pub(super) async fn consented(
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
