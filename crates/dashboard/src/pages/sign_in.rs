use crate::{
    Shared,
    forms::{Fields, Form},
    page::{Answer, go, render},
    session,
};
use askama::Template;
use axum::{
    Router,
    body::Bytes,
    extract::{Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use axum_extra::extract::CookieJar;
use landfall_app::sessions;
use landfall_model::error::{Code, Problem};
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    next: &'a str,
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(Query(next): Query<Next>) -> Answer {
    render(&Page {
        next: session::local(&next.next),
        problem: None,
    })
}

/// A wrong token shows the form again; guessing is limited by address.
async fn sign_in(State(shared): State<Shared>, jar: CookieJar, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let remote = session::remote(&parts);
    let request = Request::from_parts(parts, body);
    let body = match <Bytes as axum::extract::FromRequest<()>>::from_request(request, &()).await {
        Ok(body) => body,
        Err(refused) => return Ok(refused.into_response()),
    };
    let fields = Fields::parse(&body);
    let next = fields.text("next");
    let next = session::local(&next);
    match sessions::sign_in(&shared.app, &fields.text("token").into(), remote).await {
        Ok(signed_in) => {
            let cookie = session::cookie(&signed_in.secret, shared.options.https());
            Ok((jar.add(cookie), Redirect::to(next)).into_response())
        }
        Err(error) => {
            let problem = Problem::from(&error);
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            let page = render(&Page {
                next,
                problem: Some(problem),
            })?;
            Ok((status, page).into_response())
        }
    }
}

async fn sign_out(State(shared): State<Shared>, jar: CookieJar, _form: Form) -> Answer {
    if let Some(secret) = session::secret(&jar) {
        sessions::sign_out(&shared.app, &secret).await?;
    }
    let answer = go("/sign-in")?;
    Ok((jar.remove(session::removal()), answer).into_response())
}
