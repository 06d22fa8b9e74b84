use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::connection::View;

/// Connections, disconnected ones too
#[utoipa::path(
    get,
    path = "/connections",
    tag = "connections",
    operation_id = "connections_list",
    responses((status = OK, body = Items<View>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<View>>> {
    let now = app.now();
    let listed = connections::list(&app, &actor).await?;
    let views = listed.into_iter().map(|connection| View {
        expiry: connection.expiry(now),
        next_look_at: None,
        connection,
    });
    Ok(Json(views.collect::<Vec<_>>().into()))
}
