//! API tokens: hashed, expiring, shown once.

use crate::{Actor, App, Permission, audit, failed, members, names, secret};
use landfall_model::{
    Code, Error,
    error::Result,
    id::{MemberId, TokenId},
    member::Role,
    store::Write,
    token::Token,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub struct New {
    /// What it is for.
    pub name: String,
    /// At most the member's; the member's own when absent.
    #[serde(default)]
    pub role: Option<Role>,
    /// Whose; the caller's own when absent.
    #[serde(default)]
    pub member_id: Option<MemberId>,
    /// Until it expires.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A new token; the secret is nowhere else.
#[derive(Debug)]
pub struct Created {
    pub token: Token,
    pub secret: SecretString,
}

pub(crate) const fn days(days: u32) -> i64 {
    days as i64 * 24 * 3600 * 1000
}

/// An Admin sees all tokens, others their own; without secrets, and with
/// revoked and expired ones.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Token>> {
    audit::read(app, actor, Permission::TokenRead).await?;
    let mut tokens = app
        .store
        .tokens(actor.organization_id())
        .await
        .map_err(failed("listing tokens"))?;
    if !actor.may(Permission::TokenCreate) {
        tokens.retain(|token| &token.member_id == actor.member_id());
    }
    Ok(tokens)
}

pub async fn create(app: &App, actor: &Actor, new: New) -> Result<Created> {
    let work = async {
        names::display("name", &new.name)?;
        let member_id = new.member_id.as_ref().unwrap_or(actor.member_id());
        let member = members::find(app, actor, member_id).await?;
        let role = new.role.unwrap_or(member.role);
        if role > member.role {
            return Err(malformed(
                "role",
                format!(
                    "the member's role is {}: a token cannot have more",
                    member.role
                ),
            ));
        }
        let policy = &app.settings.tokens;
        let lifetime = new.days.unwrap_or(policy.default_days);
        if lifetime == 0 || lifetime > policy.longest_days {
            return Err(malformed(
                "days",
                format!("a token lives 1 to {} days", policy.longest_days),
            ));
        }
        let now = app.now();
        let existing = app
            .store
            .tokens(actor.organization_id())
            .await
            .map_err(failed("listing tokens"))?;
        if existing.iter().filter(|token| token.is_valid(now)).count() >= app.settings.quotas.tokens
        {
            return Err(members::limit_reached("tokens"));
        }
        let token = Token {
            id: TokenId::at(now, &*app.entropy),
            organization_id: actor.organization_id().clone(),
            member_id: member.id,
            name: new.name.clone(),
            role,
            created_at: now,
            expires_at: now.plus_millis(days(lifetime)),
            revoked_at: None,
        };
        let created = Created {
            secret: secret::token(&*app.entropy),
            token,
        };
        let token = &created.token;
        let detail = json!({
            "name": token.name,
            "member": token.member_id,
            "role": token.role,
            "expires_at": token.expires_at,
        });
        let writes = vec![
            Write::InsertToken {
                token: token.clone(),
                secret_hash: secret::hash(&created.secret),
            },
            audit::entry(app, actor, Permission::TokenCreate, &token.id, detail),
        ];
        app.commit("creating the token", writes).await?;
        Ok(created)
    };
    audit::attempt(app, actor, Permission::TokenCreate, "", work).await
}

/// It and the sessions that it opened stop working at once. Everybody may
/// revoke their own, an Admin all.
pub async fn revoke(app: &App, actor: &Actor, id: &TokenId) -> Result<Token> {
    let found = app
        .store
        .token(actor.organization_id(), id)
        .await
        .map_err(failed("reading the token"))?;
    let own = found
        .as_ref()
        .is_some_and(|token| &token.member_id == actor.member_id());
    let permission = if own {
        Permission::TokenRevokeOwn
    } else {
        Permission::TokenRevoke
    };
    let work = async {
        let mut token = found.ok_or_else(|| Error::not_found("token", id))?;
        if token.revoked_at.is_some() {
            return Ok(token);
        }
        let at = app.now();
        token.revoked_at = Some(at);
        let detail = json!({ "name": token.name });
        let writes = vec![
            Write::RevokeToken {
                organization_id: token.organization_id.clone(),
                id: id.clone(),
                at,
            },
            audit::entry(app, actor, permission, id, detail),
        ];
        app.commit("revoking the token", writes).await?;
        Ok(token)
    };
    audit::attempt(app, actor, permission, id.as_str(), work).await
}

fn malformed(field: &str, message: String) -> Error {
    Error::new(
        Code::RequestMalformed,
        format!("the token cannot be made: {message}"),
        "correct the request",
    )
    .with_violation(field, message, None)
}
