use crate::{
    BODY_LIMIT, Shared,
    problem::{self, Refusal, malformed, too_large},
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use landfall_app::{
    Actor,
    idempotency::{self, Begin, Claim},
};
use landfall_model::{Error, digest::Digest};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longer answers than any POST gives.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// What a repetition gets instead of the first answer: the answer without the
/// secret that is shown once. A handler puts it into its response's extensions.
#[derive(Clone)]
pub(crate) struct Repeatable(pub(crate) String);

/// A POST with an `Idempotency-Key` happens once; repetitions get the first
/// one's answer.
pub(crate) async fn replay(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match once(app, request, next).await {
        Ok(response) => response,
        Err(error) => Refusal(error).into_response(),
    }
}

async fn once(app: Shared, request: Request, next: Next) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let key = parts
        .headers
        .get(KEY)
        .and_then(|key| key.to_str().ok())
        .ok_or_else(|| malformed("the Idempotency-Key is not text"))?
        .to_owned();
    let Some(actor) = parts.extensions.get::<Actor>().cloned() else {
        // Authentication lies outside of this layer; without it nothing runs.
        return Err(malformed("an Idempotency-Key needs a signed-in caller"));
    };
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())?;
    let digest = Digest::of_json(&(
        parts.method.as_str(),
        parts.uri.to_string(),
        actor.member_id(),
        Digest::of_bytes(&body),
    ))
    .map_err(|error| Error::internal("reading the request", error))?;
    match idempotency::begin(&app, &actor, &key, digest).await? {
        Begin::Answered { status, body } => Ok(repeated(status, body)),
        Begin::Fresh(claim) => {
            let request = Request::from_parts(parts, Body::from(body));
            // In a task of its own: a client that hangs up must not leave the
            // key claimed and the answer unknown.
            let run = tokio::spawn(execute(app, actor, claim, request, next));
            run.await
                .map_err(|error| Error::internal("answering the request", error))
        }
    }
}

async fn execute(
    app: Shared,
    actor: Actor,
    claim: Claim,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    let body = match to_bytes(body, ANSWER_LIMIT).await {
        Ok(body) => body,
        Err(error) => return Refusal(Error::internal("reading the answer", error)).into_response(),
    };
    let kept = match parts.extensions.get::<Repeatable>() {
        Some(Repeatable(text)) => text.clone(),
        None => String::from_utf8_lossy(&body).into_owned(),
    };
    if let Err(error) = idempotency::finish(&app, &actor, claim, parts.status.as_u16(), kept).await
    {
        // The change is made and answered; only a repetition would notice.
        tracing::warn!(code = %error.code, "an answer could not be kept for its idempotency key");
    }
    Response::from_parts(parts, Body::from(body))
}

fn repeated(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let content_type = if status.is_client_error() {
        problem::CONTENT_TYPE
    } else {
        HeaderValue::from_static("application/json")
    };
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
