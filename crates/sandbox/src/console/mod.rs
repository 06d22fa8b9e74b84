pub(crate) mod html;

use crate::shared::Shared;
use std::sync::Arc;

/// Routes under `/console`.
pub(crate) fn router(_shared: Arc<Shared>) -> axum::Router {
    axum::Router::new()
}
