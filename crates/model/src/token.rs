use crate::{
    Timestamp,
    id::{MemberId, OrganizationId, TokenId},
    member::Role,
};
use serde::{Deserialize, Serialize};

/// An API token, without its secret: only the SHA-256 of the secret is stored,
/// beside this record, and the secret is shown once when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub organization_id: OrganizationId,
    pub member_id: MemberId,
    pub name: String,
    /// At most the member's own role; the lesser of the two counts at each use.
    pub role: Role,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}
