//! The routes: `<noun>/<verb>.rs`.

mod applications;
mod audit;
mod connections;
mod environments;
mod me;
mod members;
mod methods;
mod plans;
mod retained;
mod rollouts;
mod tokens;
mod workloads;

use crate::Shared;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn all() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(me::show::handle))
        .routes(routes!(members::add::handle, members::list::handle))
        .routes(routes!(members::change::handle, members::remove::handle))
        .routes(routes!(tokens::create::handle, tokens::list::handle))
        .routes(routes!(tokens::revoke::handle))
        .routes(routes!(methods::list::handle))
        .routes(routes!(
            connections::change::handle,
            connections::show::handle
        ))
        .routes(routes!(connections::checks::handle))
        .routes(routes!(
            connections::create::handle,
            connections::list::handle
        ))
        .routes(routes!(connections::disconnect::handle))
        .routes(routes!(connections::grant::handle))
        .routes(routes!(
            connections::migrate::handle,
            connections::stay::handle
        ))
        .routes(routes!(connections::regions::handle))
        .routes(routes!(connections::remaining::handle))
        .routes(routes!(connections::rotate::handle))
        .routes(routes!(connections::stream::handle))
        .routes(routes!(connections::template::handle))
        .routes(routes!(connections::verify::handle))
        .routes(routes!(
            applications::create::handle,
            applications::list::handle
        ))
        .routes(routes!(
            applications::delete::handle,
            applications::show::handle
        ))
        .routes(routes!(workloads::put::handle, workloads::remove::handle))
        .routes(routes!(
            environments::change::handle,
            environments::delete::handle,
            environments::show::handle
        ))
        .routes(routes!(
            environments::create::handle,
            environments::list::handle
        ))
        .routes(routes!(environments::resources::handle))
        .routes(routes!(plans::approve::handle))
        .routes(routes!(plans::create::handle, plans::list::handle))
        .routes(routes!(plans::show::handle))
        .routes(routes!(rollouts::cancel::handle))
        .routes(routes!(rollouts::events::handle))
        .routes(routes!(rollouts::list::handle))
        .routes(routes!(rollouts::resume::handle))
        .routes(routes!(rollouts::show::handle))
        .routes(routes!(rollouts::start::handle))
        .routes(routes!(rollouts::stream::handle))
        .routes(routes!(retained::destroy::handle))
        .routes(routes!(retained::forget::handle))
        .routes(routes!(retained::list::handle))
        .routes(routes!(retained::show::handle))
        .routes(routes!(audit::list::handle))
        .routes(routes!(audit::verify::handle))
}
