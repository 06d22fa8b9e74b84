use crate::{
    Timestamp,
    id::{MemberId, OrganizationId, SessionId, TokenId},
};
use serde::{Deserialize, Serialize};

/// A signed-in browser. It lives no longer than the token that opened it; the
/// cookie's secret is stored as a SHA-256 beside this record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub organization_id: OrganizationId,
    pub member_id: MemberId,
    pub token_id: TokenId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}
