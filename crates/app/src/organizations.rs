//! The tenant, and how its first Admin gets in.
//!
//! Nobody reaches these over the network: only who runs the server's binary.

use crate::{App, audit, failed, secret, tokens};
use landfall_model::{
    Code, Error,
    error::Result,
    id::{MemberId, OrganizationId, TokenId},
    member::{Member, Role},
    organization::Organization,
    store::Write,
    token::Token,
};
use secrecy::SecretString;
use serde_json::json;

/// An organization with its first Admin.
#[derive(Clone, Debug)]
pub struct Founded {
    pub organization: Organization,
    pub admin: Member,
    pub token: Token,
}

/// On the very first start makes an organization, an Admin and a token for
/// them; later does nothing and returns `None`.
///
/// `keep` stores the token's secret (the binary: in a file with mode 0600). It
/// is called before anything is committed: if we die in between, the next start
/// makes another secret and stores it again; the other way round nobody would
/// ever get in.
pub async fn bootstrap(
    app: &App,
    organization_name: &str,
    admin_name: &str,
    keep: impl AsyncFnOnce(&SecretString) -> std::io::Result<()>,
) -> Result<Option<Founded>> {
    if !list(app).await?.is_empty() {
        return Ok(None);
    }
    found(app, organization_name, admin_name, keep)
        .await
        .map(Some)
}

/// Makes one more organization; `keep` as in [`bootstrap`].
pub async fn found(
    app: &App,
    organization_name: &str,
    admin_name: &str,
    keep: impl AsyncFnOnce(&SecretString) -> std::io::Result<()>,
) -> Result<Founded> {
    crate::names::display("name", organization_name)?;
    crate::names::display("admin", admin_name)?;
    if list(app)
        .await?
        .iter()
        .any(|one| one.name == organization_name)
    {
        return Err(Error::new(
            Code::NameTaken,
            format!("there is an organization named '{organization_name}' already"),
            "choose another name",
        ));
    }
    let now = app.now();
    let entropy = &*app.entropy;
    let organization = Organization {
        id: OrganizationId::at(now, entropy),
        name: organization_name.to_owned(),
        created_at: now,
    };
    let admin = Member {
        id: MemberId::at(now, entropy),
        organization_id: organization.id.clone(),
        name: admin_name.to_owned(),
        role: Role::Admin,
        created_at: now,
        removed_at: None,
        version: 1,
    };
    let (token, token_secret) = first_token(app, &admin, "first start");
    keep(&token_secret)
        .await
        .map_err(|error| Error::internal("storing the admin token", error))?;
    let writes = vec![
        Write::InsertOrganization(organization.clone()),
        Write::PutMember(admin.clone()),
        Write::InsertToken {
            token: token.clone(),
            secret_hash: secret::hash(&token_secret),
        },
        by_operator(app, &organization.id, "organization.found", &admin.id),
    ];
    app.commit("founding the organization", writes).await?;
    Ok(Founded {
        organization,
        admin,
        token,
    })
}

/// Makes a new token for an Admin of the organization: the way back in when
/// every token has expired or was lost. `keep` as in [`bootstrap`].
pub async fn recover(
    app: &App,
    organization_id: &OrganizationId,
    keep: impl AsyncFnOnce(&SecretString) -> std::io::Result<()>,
) -> Result<Token> {
    let operation = "recovering access";
    let members = app
        .store
        .members(organization_id)
        .await
        .map_err(failed(operation))?;
    let admin = members
        .into_iter()
        .find(|member| member.role == Role::Admin && member.removed_at.is_none())
        .ok_or_else(|| Error::not_found("organization", organization_id))?;
    let (token, token_secret) = first_token(app, &admin, "recovered by the operator");
    keep(&token_secret)
        .await
        .map_err(|error| Error::internal("storing the admin token", error))?;
    let writes = vec![
        Write::InsertToken {
            token: token.clone(),
            secret_hash: secret::hash(&token_secret),
        },
        by_operator(app, organization_id, "organization.recover", &admin.id),
    ];
    app.commit(operation, writes).await?;
    Ok(token)
}

/// All of them, for the operator.
pub async fn list(app: &App) -> Result<Vec<Organization>> {
    app.store
        .organizations()
        .await
        .map_err(failed("listing organizations"))
}

fn first_token(app: &App, admin: &Member, name: &str) -> (Token, SecretString) {
    let now = app.now();
    let token = Token {
        id: TokenId::at(now, &*app.entropy),
        organization_id: admin.organization_id.clone(),
        member_id: admin.id.clone(),
        name: name.to_owned(),
        role: Role::Admin,
        created_at: now,
        expires_at: now.plus_millis(tokens::days(app.settings.tokens.default_days)),
        revoked_at: None,
    };
    (token, secret::token(&*app.entropy))
}

fn by_operator(
    app: &App,
    organization_id: &OrganizationId,
    action: &str,
    target: &MemberId,
) -> Write {
    audit::system_entry(app, organization_id, action, target, json!({}))
}
