use crate::{Timestamp, id::OrganizationId};
use serde::{Deserialize, Serialize};

/// The tenant. Everything else belongs to exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    pub created_at: Timestamp,
}
