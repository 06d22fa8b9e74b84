mod applications;
mod audit;
mod connections;
mod diagram;
mod environments;
mod errors;
mod overview;
mod plans;
mod retained;
mod rollouts;
mod settings;
mod sign_in;

use crate::Shared;
use axum::Router;

pub fn router() -> Router<Shared> {
    Router::new()
        .merge(overview::routes())
        .merge(sign_in::routes())
        .merge(connections::routes())
        .merge(applications::routes())
        .merge(environments::routes())
        .merge(plans::routes())
        .merge(rollouts::routes())
        .merge(retained::routes())
        .merge(audit::routes())
        .merge(settings::routes())
        .merge(errors::routes())
}
