//! The audit log: append-only and hash-chained, one chain per organization.

use crate::{Actor, App, Permission, access::require, failed};
use landfall_model::{
    Code, Error, Timestamp,
    audit::{self, Actor as AuditActor, Entry, NewEntry},
    error::Result,
    id::OrganizationId,
    store::Write,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::future::Future;

const PAGE: u32 = 500;

/// Entries after `after` in order, or the newest first when it is absent.
pub async fn list(
    app: &App,
    actor: &Actor,
    after: Option<u64>,
    limit: Option<u32>,
) -> Result<Vec<Entry>> {
    read(app, actor, Permission::AuditRead).await?;
    let limit = limit.unwrap_or(100).clamp(1, PAGE);
    let organization = actor.organization_id();
    match after {
        Some(after) => app.store.audit(organization, after, limit).await,
        None => app.store.audit_latest(organization, limit).await,
    }
    .map_err(failed("reading the audit log"))
}

/// A chain that was checked from its first entry to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verified {
    /// How many entries the unbroken chain has.
    pub entries: u64,
}

/// Checks the whole chain; [`Code::AuditBroken`] names the first entry that
/// does not follow.
pub async fn verify(app: &App, actor: &Actor) -> Result<Verified> {
    read(app, actor, Permission::AuditRead).await?;
    // The chain is checked page by page, each page on top of the last hash.
    let mut chain = audit::Chain::default();
    loop {
        let page = app
            .store
            .audit(actor.organization_id(), chain.entries(), PAGE)
            .await
            .map_err(failed("reading the audit log"))?;
        if page.is_empty() {
            return Ok(Verified {
                entries: chain.entries(),
            });
        }
        for entry in &page {
            chain.follow(entry).map_err(|broken| {
                Error::new(
                    Code::AuditBroken,
                    format!("entry {} does not follow from the one before", broken.seq),
                    "keep the database as it is and compare it with a backup",
                )
            })?;
        }
    }
}

/// An entry for the batch that makes the change.
pub(crate) fn entry(
    app: &App,
    actor: &Actor,
    permission: Permission,
    target: impl ToString,
    detail: Value,
) -> Write {
    Write::Audit(NewEntry {
        organization_id: actor.organization_id().clone(),
        at: app.now(),
        actor: actor.as_audited(),
        action: permission.as_str().to_owned(),
        target: target.to_string(),
        outcome: "ok".to_owned(),
        detail,
    })
}

/// An entry for what Landfall does by itself.
pub(crate) fn system_entry(
    app: &App,
    organization_id: &OrganizationId,
    action: &str,
    target: impl ToString,
    detail: Value,
) -> Write {
    entry_of_system(app.now(), organization_id, action, target, detail)
}

/// The same where there is a clock but no [`App`].
pub(crate) fn entry_of_system(
    at: Timestamp,
    organization_id: &OrganizationId,
    action: &str,
    target: impl ToString,
    detail: Value,
) -> Write {
    Write::Audit(NewEntry {
        organization_id: organization_id.clone(),
        at,
        actor: AuditActor::System,
        action: action.to_owned(),
        target: target.to_string(),
        outcome: "ok".to_owned(),
        detail,
    })
}

/// Decides about a question that changes nothing.
pub(crate) async fn read(app: &App, actor: &Actor, permission: Permission) -> Result<()> {
    let answer = require(actor, permission);
    if let Err(error) = &answer {
        note_refusal(app, actor, permission, "", error).await;
    }
    answer
}

/// Decides about a change and makes it. `work` commits its own entry with the
/// change; when it or the decision refuses, the refusal is written down.
pub(crate) async fn attempt<T>(
    app: &App,
    actor: &Actor,
    permission: Permission,
    target: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let answer = match require(actor, permission) {
        Ok(()) => work.await,
        Err(refusal) => Err(refusal),
    };
    if let Err(error) = &answer {
        note_refusal(app, actor, permission, target, error).await;
    }
    answer
}

async fn note_refusal(
    app: &App,
    actor: &Actor,
    permission: Permission,
    target: &str,
    error: &Error,
) {
    refused(
        app,
        actor.organization_id(),
        actor.as_audited(),
        permission.as_str(),
        target,
        error.code,
    )
    .await;
}

/// Writes a refusal down, best effort: the refusal stands either way. The
/// error's text is left out, since it repeats what the client sent.
pub(crate) async fn refused(
    app: &App,
    organization_id: &OrganizationId,
    actor: AuditActor,
    action: &str,
    target: &str,
    code: Code,
) {
    let entry = NewEntry {
        organization_id: organization_id.clone(),
        at: app.now(),
        actor,
        action: action.to_owned(),
        target: target.chars().take(80).collect(),
        outcome: code.to_string(),
        detail: json!({}),
    };
    if let Err(error) = app.store.commit(vec![Write::Audit(entry)]).await {
        tracing::error!(%code, action, error = &error as &dyn std::error::Error, "a refusal could not be audited");
    }
}
