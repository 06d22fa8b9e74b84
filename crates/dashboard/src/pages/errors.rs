use crate::{
    Shared,
    page::{Answer, paragraphs, render},
};
use askama::Template;
use axum::{Router, extract::Path, routing::get};
use landfall_model::{Code, Error};

pub fn routes() -> Router<Shared> {
    Router::new().route("/errors/{code}", get(show))
}

#[derive(Template)]
#[template(path = "explanation.html")]
struct Page {
    code: Code,
    explanation: Vec<&'static str>,
}

/// What a problem's `type` points to; for everybody, it says nothing about
/// this server.
async fn show(Path(code): Path<String>) -> Answer {
    let code: Code = code
        .parse()
        .map_err(|()| Error::not_found("error code", &code))?;
    render(&Page {
        code,
        explanation: paragraphs(code),
    })
}
