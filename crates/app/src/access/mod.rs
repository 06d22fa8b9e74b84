//! Who asks, and what they may do.

mod authenticate;
mod permission;

pub use authenticate::{admit, admit_stream, authenticate, authenticate_session, refresh};
pub use permission::Permission;

use landfall_model::{
    Code, Error,
    approval::Admin,
    audit,
    error::Result,
    id::{MemberId, OrganizationId, TokenId},
    member::Role,
};

/// Somebody who proved who they are. Only [`authenticate`] and
/// [`authenticate_session`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    organization_id: OrganizationId,
    member_id: MemberId,
    name: String,
    /// The lesser of the member's and the token's.
    role: Role,
    token_id: TokenId,
}

impl Actor {
    pub fn organization_id(&self) -> &OrganizationId {
        &self.organization_id
    }

    pub fn member_id(&self) -> &MemberId {
        &self.member_id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn token_id(&self) -> &TokenId {
        &self.token_id
    }

    /// For pages, which hide what would be refused. Deciding is [`require`]'s.
    pub fn may(&self, permission: Permission) -> bool {
        self.role >= permission.least_role()
    }

    pub(crate) fn as_audited(&self) -> audit::Actor {
        audit::Actor::Member {
            member_id: self.member_id.clone(),
            name: self.name.clone(),
        }
    }

    pub(crate) fn as_admin(&self) -> Result<Admin> {
        Admin::from_role(self.member_id.clone(), self.name.clone(), self.role)
            .ok_or_else(|| forbidden(self, Role::Admin))
    }
}

/// The one place that decides. Use cases reach it through
/// [`crate::audit::read`] and [`crate::audit::attempt`], which also write the
/// refusal down.
pub fn require(actor: &Actor, permission: Permission) -> Result<()> {
    let least = permission.least_role();
    if actor.role >= least {
        Ok(())
    } else {
        Err(forbidden(actor, least))
    }
}

fn forbidden(actor: &Actor, least: Role) -> Error {
    Error::new(
        Code::Forbidden,
        format!("this needs the role {least}; yours is {}", actor.role),
        "ask an Admin of the organization to do it or to change your role",
    )
}
