use super::Actor;
use crate::{App, audit, failed, limits::StreamSlot, secret};
use landfall_model::{
    Code, Error,
    audit::Actor as AuditActor,
    error::Result,
    member::{Member, Role},
    token::Token,
};
use secrecy::SecretString;
use std::net::IpAddr;

/// Who holds this API token. `remote` is where the request came from: after
/// many refusals its further ones are answered by [`Code::RateLimited`].
pub async fn authenticate(
    app: &App,
    token_secret: &SecretString,
    remote: Option<IpAddr>,
) -> Result<Actor> {
    if !secret::looks_like_token(token_secret) {
        return refuse(app, remote, unauthenticated());
    }
    let found = app
        .store
        .token_by_secret(&secret::hash(token_secret))
        .await
        .map_err(failed("looking up the token"))?;
    match found {
        Some(token) => from_token(app, &token, remote).await,
        None => refuse(app, remote, unauthenticated()),
    }
}

/// Who holds this session cookie.
pub async fn authenticate_session(
    app: &App,
    cookie_secret: &SecretString,
    remote: Option<IpAddr>,
) -> Result<Actor> {
    if !secret::looks_like_session(cookie_secret) {
        return refuse(app, remote, unauthenticated());
    }
    let operation = "looking up the session";
    let found = app
        .store
        .session_by_secret(&secret::hash(cookie_secret))
        .await
        .map_err(failed(operation))?;
    let Some(session) = found.filter(|session| app.now() < session.expires_at) else {
        return refuse(app, remote, unauthenticated());
    };
    let token = app
        .store
        .token(&session.organization_id, &session.token_id)
        .await
        .map_err(failed(operation))?;
    match token {
        Some(token) => from_token(app, &token, remote).await,
        None => refuse(app, remote, unauthenticated()),
    }
}

/// The same actor as they are now: streams ask now and then, because a token
/// may be revoked while its stream is open.
pub async fn refresh(app: &App, actor: &Actor) -> Result<Actor> {
    let token = app
        .store
        .token(&actor.organization_id, &actor.token_id)
        .await
        .map_err(failed("looking up the token"))?
        .ok_or_else(unauthenticated)?;
    from_token(app, &token, None).await
}

/// Counts a request of the actor's organization; [`Code::RateLimited`] when it
/// is one too many.
pub fn admit(app: &App, actor: &Actor) -> Result<()> {
    app.limits.request(&actor.organization_id)
}

/// Counts a live stream of the actor's organization for as long as the answer
/// is held.
pub fn admit_stream(app: &App, actor: &Actor) -> Result<StreamSlot> {
    app.limits.stream(&actor.organization_id)
}

async fn from_token(app: &App, token: &Token, remote: Option<IpAddr>) -> Result<Actor> {
    let member = app
        .store
        .member(&token.organization_id, &token.member_id)
        .await
        .map_err(failed("looking up the member"))?
        .filter(|member| member.removed_at.is_none());
    let Some(member) = member else {
        return refuse(app, remote, unauthenticated());
    };
    if !token.is_valid(app.now()) {
        return expired(app, token, &member, remote).await;
    }
    Ok(Actor {
        organization_id: token.organization_id.clone(),
        member_id: member.id,
        name: member.name,
        role: Role::min(token.role, member.role),
        token_id: token.id.clone(),
    })
}

async fn expired(
    app: &App,
    token: &Token,
    member: &Member,
    remote: Option<IpAddr>,
) -> Result<Actor> {
    let error = Error::new(
        Code::TokenExpired,
        format!("the API token '{}' has expired or was revoked", token.name),
        "make a new one, or ask an Admin for one",
    );
    // Within the limit each use is written down; beyond it nobody can fill the
    // log with an old token.
    let answer = refuse(app, remote, error);
    if let Err(Error {
        code: Code::TokenExpired,
        ..
    }) = &answer
    {
        let who = AuditActor::Member {
            member_id: member.id.clone(),
            name: member.name.clone(),
        };
        audit::refused(
            app,
            &token.organization_id,
            who,
            "token.use",
            token.id.as_str(),
            Code::TokenExpired,
        )
        .await;
    }
    answer
}

fn refuse(app: &App, remote: Option<IpAddr>, error: Error) -> Result<Actor> {
    if let Some(remote) = remote {
        app.limits.refused_sign_in(remote)?;
    }
    Err(error)
}

fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "the API token or session is missing or unknown",
        "send 'Authorization: Bearer lf_…' with a valid API token, or sign in",
    )
}
