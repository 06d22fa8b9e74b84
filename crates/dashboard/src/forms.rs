//! Forms: their fields, and proof that they came from our pages.

use crate::{
    Shared,
    page::Failure,
    session::{self, SignedIn},
};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use landfall_model::{Code, Error, vault::Plain};
use std::collections::BTreeMap;

/// A form sent by a signed-in person from one of our pages.
pub struct Form {
    pub signed_in: SignedIn,
    fields: Fields,
}

#[derive(Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

impl Fields {
    pub fn parse(body: &[u8]) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            fields
                .entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
        Self(fields)
    }

    /// Trimmed; empty when it was not sent.
    pub fn text(&self, name: &str) -> String {
        self.all(name)
            .first()
            .map_or_else(String::new, |value| value.trim().to_owned())
    }

    /// As it was typed, for multi-line text.
    pub fn raw(&self, name: &str) -> String {
        self.all(name).first().cloned().unwrap_or_default()
    }

    pub fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// A secret that was typed, or nothing. Spaces and line breaks around it came
    /// from copying.
    pub fn secret(&self, name: &str) -> Option<Plain> {
        self.optional(name).map(Plain::from)
    }

    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn checked(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// A list in one field, by commas, spaces or lines.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.all(name)
            .iter()
            .flat_map(|value| value.split([',', ' ', '\n', '\r', '\t']))
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A whole number, or an error that names the field.
    pub fn number(&self, name: &str) -> Result<Option<u32>, Error> {
        self.optional(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Error::new(
                        Code::RequestMalformed,
                        format!("'{value}' is not a whole number"),
                        "correct the field",
                    )
                    .with_violation(name, "must be a whole number", None)
                })
            })
            .transpose()
    }
}

impl std::ops::Deref for Form {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl FromRequest<Shared> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed_in = session::signed_in(&mut parts, shared).await?;
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, shared)
            .await
            .map_err(IntoResponse::into_response)?;
        let fields = Fields::parse(&body);
        // Equal length and content; both are digests, so timing tells nothing
        // about the session's secret.
        if fields.text("csrf") != signed_in.csrf {
            let error = Error::new(
                Code::CsrfRejected,
                "the form is not from this session's page",
                "go back, reload the page and send it again",
            );
            return Err(Failure::from(error).with(&signed_in).into_response());
        }
        Ok(Self { signed_in, fields })
    }
}

/// Refuses what another site's page sends. Browsers say where a request comes
/// from; a missing header is a client that is no browser, and has no cookie
/// that somebody else could ride on.
pub async fn same_origin(request: Request, next: Next) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD && foreign(&request) {
        let error = Error::new(
            Code::CsrfRejected,
            "the form was sent by another site",
            "open this page directly and send the form from here",
        );
        return Failure::from(error).into_response();
    }
    next.run(request).await
}

fn foreign(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = text(headers, "sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (
        text(headers, header::ORIGIN.as_str()),
        text(headers, header::HOST.as_str()),
    ) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_none_or(|(_, origin_host)| origin_host != host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn fields_are_decoded_and_lists_split() {
        let fields = Fields::parse(b"name=a%20b&regions=eu-central-1%2C+us-east-1&on=1&on=2");
        assert_eq!(fields.text("name"), "a b");
        assert_eq!(fields.list("regions"), ["eu-central-1", "us-east-1"]);
        assert_eq!(fields.all("on").len(), 2);
        assert_eq!(fields.optional("absent"), None);
        assert!(fields.number("name").is_err());
    }

    #[test]
    fn another_sites_form_is_foreign() {
        let request = |headers: &[(&str, &str)]| {
            let mut builder = Request::builder().method("POST").uri("/");
            for (name, value) in headers {
                builder = builder.header(*name, *value);
            }
            builder.body(Body::empty()).unwrap()
        };
        assert!(foreign(&request(&[("sec-fetch-site", "cross-site")])));
        assert!(foreign(&request(&[("sec-fetch-site", "same-site")])));
        assert!(!foreign(&request(&[("sec-fetch-site", "same-origin")])));
        assert!(foreign(&request(&[
            ("origin", "https://evil.example"),
            ("host", "landfall.example")
        ])));
        assert!(foreign(&request(&[("origin", "null"), ("host", "x")])));
        assert!(!foreign(&request(&[
            ("origin", "https://landfall.example"),
            ("host", "landfall.example")
        ])));
        assert!(!foreign(&request(&[])));
    }
}
