//! What is no longer wanted but still in the account.

use crate::{Actor, App, Permission, approval, audit, connections, failed};
use landfall_model::{
    Code, Error,
    approval::{Refusal, approve_destruction},
    connection::{self, Connection},
    error::Result,
    id::{DestructionId, OrganizationId, RetainedId, WorkId},
    retained::Retained,
    store::Write,
    work::{Job, NewWork},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedName {
    /// The resource's name, typed by the person who decides.
    pub typed_name: String,
}

/// Newest first; `closed` also lists what was destroyed or forgotten.
pub async fn list(app: &App, actor: &Actor, closed: bool) -> Result<Vec<Retained>> {
    audit::read(app, actor, Permission::RetainedRead).await?;
    let mut retained = app
        .store
        .retained_list(actor.organization_id())
        .await
        .map_err(failed("listing retained resources"))?;
    retained.retain(|one| closed || one.state.is_open());
    Ok(retained)
}

pub async fn show(app: &App, actor: &Actor, id: &RetainedId) -> Result<Retained> {
    audit::read(app, actor, Permission::RetainedRead).await?;
    find(app, actor.organization_id(), id).await
}

/// Approves the destruction of one resource by its typed name. The reaper,
/// narrowed to it, does it soon after.
pub async fn destroy(
    app: &App,
    actor: &Actor,
    id: &RetainedId,
    typed: TypedName,
) -> Result<Retained> {
    let work = async {
        let mut retained = find(app, actor.organization_id(), id).await?;
        let now = app.now();
        let approval = approve_destruction(&retained, actor.as_admin()?, &typed.typed_name, now)
            .map_err(approval::refused)?;
        let connection =
            connections::find(app, actor.organization_id(), &retained.connection_id).await?;
        require_reaper(&connection, &retained)?;
        let destruction_id = DestructionId::at(now, &*app.entropy);
        let from = retained.state.as_str();
        retained.state = retained
            .state
            .destroying(destruction_id.clone(), approval)
            .map_err(|_| approval::refused(Refusal::NotRetained(from)))?;
        retained.version += 1;
        let detail = json!({
            "destruction": destruction_id,
            "type": retained.type_name,
            "identifier": retained.identifier,
            "account_id": retained.account_id,
            "region": retained.region,
            "digest": retained.digest(),
        });
        let writes = vec![
            Write::PutRetained(retained.clone()),
            audit::entry(app, actor, Permission::RetainedDestroy, id, detail),
            Write::Enqueue(NewWork {
                id: WorkId::at(now, &*app.entropy),
                organization_id: retained.organization_id.clone(),
                job: Job::Destruction {
                    destruction_id,
                    retained_id: id.clone(),
                },
                run_at: now,
            }),
        ];
        app.commit("approving the destruction", writes).await?;
        Ok(retained)
    };
    audit::attempt(app, actor, Permission::RetainedDestroy, id.as_str(), work).await
}

/// Takes it off the list and leaves it in the account for good.
pub async fn forget(
    app: &App,
    actor: &Actor,
    id: &RetainedId,
    typed: TypedName,
) -> Result<Retained> {
    let work = async {
        let mut retained = find(app, actor.organization_id(), id).await?;
        if typed.typed_name != retained.typed_name() {
            return Err(approval::refused(Refusal::NameMismatch {
                expected: retained.typed_name().to_owned(),
            }));
        }
        let from = retained.state.as_str();
        retained.state = retained
            .state
            .forgotten(app.now(), actor.name().to_owned())
            .map_err(|_| approval::refused(Refusal::NotRetained(from)))?;
        retained.version += 1;
        let detail = json!({ "type": retained.type_name, "identifier": retained.identifier });
        let writes = vec![
            Write::PutRetained(retained.clone()),
            audit::entry(app, actor, Permission::RetainedForget, id, detail),
        ];
        app.commit("forgetting the resource", writes).await?;
        Ok(retained)
    };
    audit::attempt(app, actor, Permission::RetainedForget, id.as_str(), work).await
}

fn require_reaper(connection: &Connection, retained: &Retained) -> Result<()> {
    let by_hand = || {
        format!(
            "delete it by hand (aws cloudcontrol delete-resource --region {} --type-name {} --identifier '{}'), then forget it",
            retained.region, retained.type_name, retained.identifier
        )
    };
    if !connection.with_reaper {
        return Err(Error::new(
            Code::ReaperUnavailable,
            "the grant of this connection leaves the reaper out",
            by_hand(),
        ));
    }
    match &connection.state {
        connection::State::Connected { .. } | connection::State::Degraded { .. } => Ok(()),
        state => Err(Error::new(
            Code::ReaperUnavailable,
            format!(
                "the connection '{}' is {}: the reaper cannot be used",
                connection.name,
                state.as_str()
            ),
            by_hand(),
        )),
    }
}

pub(crate) async fn find(
    app: &App,
    organization: &OrganizationId,
    id: &RetainedId,
) -> Result<Retained> {
    app.store
        .retained(organization, id)
        .await
        .map_err(failed("reading the retained resource"))?
        .ok_or_else(|| Error::not_found("retained resource", id))
}
