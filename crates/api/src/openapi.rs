//! The OpenAPI document.

use crate::Shared;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder,
    path::Operation,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

const SCHEME: &str = "token";

/// The routes with a document that says what all of them have in common.
pub(crate) fn describe(routes: OpenApiRouter<Shared>) -> OpenApiRouter<Shared> {
    let info = InfoBuilder::new()
        .title("Landfall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Connects cloud accounts and lands applications in them. Errors are \
             `application/problem+json` with a stable `code`. A POST may carry an \
             `Idempotency-Key`: repeating it then gives the first answer.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    let empty = OpenApiBuilder::new().info(info).build();
    let mut described = OpenApiRouter::with_openapi(empty).merge(routes);
    complete(described.get_openapi_mut());
    described
}

fn complete(document: &mut OpenApi) {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (format!("/api/v1{path}"), item))
        .collect();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        operations.into_iter().flatten().for_each(common);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(
        "Problem".to_owned(),
        <landfall_model::error::Problem as utoipa::PartialSchema>::schema(),
    );
    let mut used = Vec::new();
    <landfall_model::error::Problem as utoipa::ToSchema>::schemas(&mut used);
    components.schemas.extend(used);
    components.security_schemes.insert(
        SCHEME.to_owned(),
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into(),
    );
    document.security = Some(vec![SecurityRequirement::new(
        SCHEME,
        std::iter::empty::<&str>(),
    )]);
}

/// What every operation has: descriptions of its answers, which OpenAPI asks
/// for, and any error of any route.
fn common(operation: &mut Operation) {
    let summary = operation.summary.clone().unwrap_or_default();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description.clone_from(&summary);
        }
    }
    let problem = ResponseBuilder::new()
        .description("The problem, with a stable code and the next step")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
                .build(),
        )
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
}

/// Pretty, so that a change reads well in a diff.
pub(crate) fn to_json(document: &OpenApi) -> String {
    let mut text = document
        .to_pretty_json()
        .expect("a document made of our own types is valid JSON");
    text.push('\n');
    text
}

/// Written once, served often.
#[derive(Clone)]
pub(crate) struct Served(Arc<str>);

impl Served {
    pub(crate) fn new(document: &OpenApi) -> Self {
        Self(to_json(document).into())
    }

    pub(crate) fn response(&self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.0.to_string()).into_response()
    }
}
