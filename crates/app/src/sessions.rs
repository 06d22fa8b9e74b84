//! Signed-in browsers. Signing in takes an API token; the session lives no
//! longer than the token, and ends with it.

use crate::{
    Actor, App,
    access::{authenticate, authenticate_session},
    failed, secret,
};
use landfall_model::{
    audit::NewEntry, error::Result, id::SessionId, session::Session, store::Write,
};
use secrecy::SecretString;
use serde_json::json;
use std::net::IpAddr;

#[derive(Debug)]
pub struct SignedIn {
    pub actor: Actor,
    pub session: Session,
    /// For the cookie; nowhere else.
    pub secret: SecretString,
}

pub async fn sign_in(
    app: &App,
    token_secret: &SecretString,
    remote: Option<IpAddr>,
) -> Result<SignedIn> {
    let actor = authenticate(app, token_secret, remote).await?;
    let now = app.now();
    let token = app
        .store
        .token(actor.organization_id(), actor.token_id())
        .await
        .map_err(failed("reading the token"))?;
    let longest = i64::try_from(app.settings.tokens.session.as_millis()).unwrap_or(i64::MAX);
    let expires_at = now.plus_millis(longest);
    let session = Session {
        id: SessionId::at(now, &*app.entropy),
        organization_id: actor.organization_id().clone(),
        member_id: actor.member_id().clone(),
        token_id: actor.token_id().clone(),
        created_at: now,
        expires_at: token.map_or(expires_at, |token| token.expires_at.min(expires_at)),
    };
    let session_secret = secret::session(&*app.entropy);
    let writes = vec![
        Write::InsertSession {
            session: session.clone(),
            secret_hash: secret::hash(&session_secret),
        },
        entry(app, &actor, "session.sign-in", &session.id),
    ];
    app.commit("signing in", writes).await?;
    Ok(SignedIn {
        actor,
        session,
        secret: session_secret,
    })
}

/// Who holds this cookie.
pub async fn authenticated(
    app: &App,
    cookie_secret: &SecretString,
    remote: Option<IpAddr>,
) -> Result<Actor> {
    authenticate_session(app, cookie_secret, remote).await
}

/// Repeating it does nothing.
pub async fn sign_out(app: &App, cookie_secret: &SecretString) -> Result<()> {
    let Ok(actor) = authenticate_session(app, cookie_secret, None).await else {
        return Ok(());
    };
    let found = app
        .store
        .session_by_secret(&secret::hash(cookie_secret))
        .await
        .map_err(failed("reading the session"))?;
    let Some(session) = found else {
        return Ok(());
    };
    let writes = vec![
        entry(app, &actor, "session.sign-out", &session.id),
        Write::DeleteSession { id: session.id },
    ];
    app.commit("signing out", writes).await
}

fn entry(app: &App, actor: &Actor, action: &str, id: &SessionId) -> Write {
    Write::Audit(NewEntry {
        organization_id: actor.organization_id().clone(),
        at: app.now(),
        actor: actor.as_audited(),
        action: action.to_owned(),
        target: id.to_string(),
        outcome: "ok".to_owned(),
        detail: json!({}),
    })
}
