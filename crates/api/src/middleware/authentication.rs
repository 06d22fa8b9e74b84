use crate::{Shared, problem::Refusal};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use landfall_app::{Actor, access};
use landfall_model::error::Result;
use secrecy::SecretString;
use std::net::{IpAddr, SocketAddr};

/// Nobody reaches a route without a token; who has one is counted against
/// their organization's limit.
pub(crate) async fn authenticate(
    State(app): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let remote = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    match admitted(&app, request.headers(), remote).await {
        Ok(actor) => {
            // The token goes no further than here.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(error) => Refusal(error).into_response(),
    }
}

async fn admitted(app: &Shared, headers: &HeaderMap, remote: Option<IpAddr>) -> Result<Actor> {
    // An absent token is refused like a wrong one, and counted like one.
    let actor = access::authenticate(app, &bearer(headers), remote).await?;
    access::admit(app, &actor)?;
    Ok(actor)
}

fn bearer(headers: &HeaderMap) -> SecretString {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token.trim());
    SecretString::from(token)
}
