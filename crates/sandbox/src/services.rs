use crate::shared::Shared;
use std::sync::Arc;

/// Routes under `/services`.
pub(crate) fn router(_shared: Arc<Shared>) -> axum::Router {
    axum::Router::new()
}
