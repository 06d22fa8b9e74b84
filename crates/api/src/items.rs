use serde::Serialize;

/// A list: `{"items": […]}`.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
}

impl<T> From<Vec<T>> for Items<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items }
    }
}
