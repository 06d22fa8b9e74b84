//! Who is signed in, from the cookie.

use crate::{Shared, page::Failure};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Method, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use landfall_app::{Actor, access, sessions};
use landfall_model::{Code, digest::Digest};
use secrecy::{ExposeSecret, SecretString};
use std::net::{IpAddr, SocketAddr};

const COOKIE: &str = "landfall_session";

#[derive(Clone)]
pub struct SignedIn {
    pub actor: Actor,
    /// What every form of this session's pages carries.
    pub csrf: String,
}

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        signed_in(parts, shared).await
    }
}

/// The signed-in person, or the way to the sign-in page and back.
pub async fn signed_in(parts: &mut Parts, shared: &Shared) -> Result<SignedIn, Response> {
    let Some(secret) = secret(&CookieJar::from_headers(&parts.headers)) else {
        return Err(to_sign_in(parts));
    };
    match sessions::authenticated(&shared.app, &secret, remote(parts)).await {
        Ok(actor) => {
            let signed_in = SignedIn {
                actor,
                csrf: csrf(&secret),
            };
            // Pages and the API share one budget.
            access::admit(&shared.app, &signed_in.actor)
                .map_err(|error| Failure::from(error).with(&signed_in).into_response())?;
            Ok(signed_in)
        }
        Err(error) if matches!(error.code, Code::Unauthenticated | Code::TokenExpired) => {
            Err(to_sign_in(parts))
        }
        Err(error) => Err(Failure::from(error).into_response()),
    }
}

/// Derived, so that nothing more has to be stored; knowing it does not give
/// the session's secret.
fn csrf(secret: &SecretString) -> String {
    let digest = Digest::of_bytes(format!("form {}", secret.expose_secret()).as_bytes());
    digest.as_str().trim_start_matches("sha256:").to_owned()
}

fn to_sign_in(parts: &Parts) -> Response {
    // htmx follows a redirect inside a fragment; this header moves the page.
    if parts.headers.contains_key("hx-request") {
        return ([("hx-redirect", "/sign-in")], "").into_response();
    }
    let path = match (&parts.method, parts.uri.path_and_query()) {
        (&Method::GET, Some(path)) => path.as_str(),
        _ => "/",
    };
    let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

pub fn secret(jar: &CookieJar) -> Option<SecretString> {
    jar.get(COOKIE)
        .map(|cookie| cookie.value().to_owned().into())
}

pub fn remote(parts: &Parts) -> Option<IpAddr> {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip())
}

pub fn cookie(secret: &SecretString, https: bool) -> Cookie<'static> {
    Cookie::build((COOKIE, secret.expose_secret().to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(https)
        .build()
}

pub fn removal() -> Cookie<'static> {
    Cookie::build((COOKIE, "")).path("/").build()
}

/// Only a path of this server: an address from a link must not send a person
/// who just signed in to somebody else's page.
pub fn local(next: &str) -> &str {
    let path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if path { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_own_paths_are_followed() {
        assert_eq!(local("/connections?x=1"), "/connections?x=1");
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "x",
        ] {
            assert_eq!(local(foreign), "/", "{foreign}");
        }
    }
}
