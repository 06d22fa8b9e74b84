//! What the console does.

use super::form::parameters;
use super::html::{e, page};
use super::pages::{link, respond, review_page};
use super::session::{Fields, Session, is_ours};
use crate::cloudformation::{self, OnFailure, Source, Wanted};
use crate::shared::Shared;
use crate::wire::AwsError;
use crate::world::World;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

pub(super) fn foreign(session: &Session) -> Response {
    let html = "<div class=\"card error\" id=\"error\" role=\"alert\">This form did not come from \
                this page in this browser. Open it again.</div>";
    respond(session, StatusCode::FORBIDDEN, page("Refused", None, html))
}

/// Creates a stack as the account's administrator.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let mut guard = shared.world();
    let session = Session::read(&guard, &headers, &fields);
    if !is_ours(&headers, &fields) {
        return foreign(&session);
    }
    match create_stack(&mut guard, &session, &fields) {
        Ok(id) => redirect(&session, &id),
        Err(error) => review_page(
            &guard,
            &shared.endpoint_url(),
            &session,
            &fields,
            Some(&error.message),
        ),
    }
}

fn redirect(session: &Session, id: &str) -> Response {
    let target = link(
        "stack",
        &[
            ("region", &session.region),
            ("account", &session.account),
            ("id", id),
        ],
    );
    Redirect::to(&target).into_response()
}

fn enabled(world: &World, session: &Session) -> Result<(), AwsError> {
    if world
        .account(&session.account)?
        .region_enabled(&session.region)
    {
        return Ok(());
    }
    Err(AwsError::validation(format!(
        "The region {} is not enabled for this account.",
        session.region
    )))
}

fn create_stack(world: &mut World, session: &Session, fields: &Fields) -> Result<String, AwsError> {
    enabled(world, session)?;
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let caller = world.administrator(&session.account)?;
    let wanted = Wanted {
        name: field("stackName").trim().to_owned(),
        source: Source::Url(field("templateURL")),
        parameters: parameters(fields),
        kept: Default::default(),
        capabilities: fields.get("capability").cloned().into_iter().collect(),
        tags: Default::default(),
        role_arn: None,
        client_token: None,
        on_failure: OnFailure::Rollback,
        protected: false,
    };
    cloudformation::create(world, &caller, &session.region, &wanted)
}

/// Deletes a stack as the account's administrator.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let mut guard = shared.world();
    let session = Session::read(&guard, &headers, &fields);
    if !is_ours(&headers, &fields) {
        return foreign(&session);
    }
    let id = fields.get("id").cloned().unwrap_or_default();
    let world: &mut World = &mut guard;
    let deleted = world
        .administrator(&session.account)
        .and_then(|caller| cloudformation::delete(world, &caller, &session.region, &id, &[], None));
    match deleted {
        Ok(()) => redirect(&session, &id),
        Err(error) => {
            let html = format!(
                "<div class=\"card error\" id=\"error\" role=\"alert\">{}</div>",
                e(&error.message)
            );
            respond(
                &session,
                StatusCode::BAD_REQUEST,
                page("Refused", None, &html),
            )
        }
    }
}
