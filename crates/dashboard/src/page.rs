//! Answers: pages, fragments, and failures as pages.

use crate::{frame::Frame, session::SignedIn};
use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use landfall_app::limits::TooSoon;
use landfall_model::{
    Error,
    error::{Code, Problem, explanation},
};

pub type Answer = Result<Response, Failure>;

pub fn render<T: Template>(template: &T) -> Answer {
    let html = template
        .render()
        .map_err(|source| Error::internal("drawing the page", source))?;
    Ok(Html(html).into_response())
}

/// After a form: the next page is fetched with GET, so that reloading it does
/// not send the form again.
pub fn go(path: &str) -> Answer {
    Ok(Redirect::to(path).into_response())
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    frame: Option<Box<Frame>>,
    problem: &'a Problem,
    explanation: Vec<&'a str>,
}

/// An error as a page: what happened, why, and what to do.
pub struct Failure {
    error: Box<Error>,
    frame: Option<Box<Frame>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error: Box::new(error),
            frame: None,
        }
    }
}

impl Failure {
    pub fn with(mut self, signed_in: &SignedIn) -> Self {
        self.frame = Some(Box::new(Frame::new(signed_in, "")));
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem::from(&*self.error);
        if self.error.code == Code::Internal {
            tracing::error!(error = ?self.error, "a page failed");
        }
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = FailurePage {
            frame: self.frame,
            problem: &problem,
            explanation: paragraphs(problem.code),
        };
        let mut response = match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, problem.detail.clone()).into_response(),
        };
        let source = self.error.source.as_deref();
        if let Some(soon) = source.and_then(|source| source.downcast_ref::<TooSoon>()) {
            let seconds = soon.retry_after.as_secs().max(1);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The code's explanation in plain paragraphs.
pub fn paragraphs(code: Code) -> Vec<&'static str> {
    explanation(code)
        .split("\n\n")
        .map(|text| text.trim_start_matches("**Next:** "))
        .collect()
}
