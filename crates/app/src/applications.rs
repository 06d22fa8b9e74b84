//! Applications and their workloads.

use crate::{Actor, App, Permission, audit, environments, failed, members::limit_reached, names};
use landfall_model::{
    Code, Error,
    application::{Application, State, Workload},
    environment,
    error::Result,
    id::{ApplicationId, OrganizationId},
    retained::Reason,
    store::Write,
};
use landfall_plan::{blueprint, score};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Longest name; it becomes part of names in the cloud.
const NAME: usize = 31;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplication)]
pub struct New {
    /// `[a-z][a-z0-9-]{0,30}`
    pub name: String,
}

/// Without deleted ones.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Application>> {
    audit::read(app, actor, Permission::ApplicationRead).await?;
    active(app, actor.organization_id()).await
}

pub async fn show(app: &App, actor: &Actor, id: &ApplicationId) -> Result<Application> {
    audit::read(app, actor, Permission::ApplicationRead).await?;
    find(app, actor.organization_id(), id).await
}

pub async fn create(app: &App, actor: &Actor, new: New) -> Result<Application> {
    let work = async {
        names::label("name", &new.name, NAME)?;
        let existing = active(app, actor.organization_id()).await?;
        if existing.len() >= app.settings.quotas.applications {
            return Err(limit_reached("applications"));
        }
        let now = app.now();
        let application = Application {
            id: ApplicationId::at(now, &*app.entropy),
            organization_id: actor.organization_id().clone(),
            name: new.name.clone(),
            workloads: BTreeMap::new(),
            state: State::Active,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let detail = json!({ "name": application.name });
        let writes = vec![
            Write::PutApplication(application.clone()),
            audit::entry(
                app,
                actor,
                Permission::ApplicationCreate,
                &application.id,
                detail,
            ),
        ];
        app.commit("creating the application", writes).await?;
        Ok(application)
    };
    audit::attempt(app, actor, Permission::ApplicationCreate, "", work).await
}

/// Takes it and its environments off Landfall's lists. What they made stays in
/// the account and moves to the retained list, in one transaction.
pub async fn delete(app: &App, actor: &Actor, id: &ApplicationId) -> Result<Application> {
    let work = async {
        let mut application = find(app, actor.organization_id(), id).await?;
        let mut writes = Vec::new();
        let mut count = 0;
        for one in app
            .store
            .environments(actor.organization_id())
            .await
            .map_err(failed("listing environments"))?
        {
            if &one.application_id != id || one.state != environment::State::Active {
                continue;
            }
            count += 1;
            writes.extend(
                environments::retire(app, &application, one, Reason::ApplicationDeleted).await?,
            );
        }
        let now = app.now();
        application.state = State::Deleted { at: now };
        application.updated_at = now;
        application.version += 1;
        writes.push(Write::PutApplication(application.clone()));
        let detail = json!({ "name": application.name, "environments": count });
        writes.push(audit::entry(
            app,
            actor,
            Permission::ApplicationDelete,
            id,
            detail,
        ));
        app.commit("deleting the application", writes).await?;
        Ok(application)
    };
    audit::attempt(app, actor, Permission::ApplicationDelete, id.as_str(), work).await
}

/// Adds or replaces a workload. The Score file is parsed before anything is
/// stored, and its `metadata.name` is `name`.
pub async fn put_workload(
    app: &App,
    actor: &Actor,
    id: &ApplicationId,
    name: &str,
    score_file: &str,
) -> Result<Application> {
    let work = async {
        let mut application = find(app, actor.organization_id(), id).await?;
        if score_file.len() > app.settings.quotas.score_bytes {
            return Err(Error::new(
                Code::RequestTooLarge,
                format!(
                    "a Score file has at most {} bytes",
                    app.settings.quotas.score_bytes
                ),
                "send a smaller one",
            ));
        }
        let parsed = score::parse(score_file)?;
        if parsed.name() != name {
            return Err(Error::new(
                Code::ScoreInvalid,
                "the Score file is of another workload than the path says",
                "correct metadata.name or the path",
            )
            .with_violation(
                "metadata.name",
                format!("is '{}', the path says '{name}'", parsed.name()),
                Some(parsed.metadata.name.position.clone()),
            ));
        }
        blueprint::check_workload(&parsed)?;
        let now = app.now();
        let workload = Workload {
            score: score_file.to_owned(),
            updated_at: now,
        };
        application.workloads.insert(name.to_owned(), workload);
        if application.workloads.len() > app.settings.quotas.workloads_per_application {
            return Err(limit_reached("workloads"));
        }
        application.updated_at = now;
        application.version += 1;
        let detail = json!({
            "workload": name,
            "score": landfall_model::digest::Digest::of_bytes(score_file.as_bytes()),
        });
        let writes = vec![
            Write::PutApplication(application.clone()),
            audit::entry(app, actor, Permission::WorkloadPut, id, detail),
        ];
        app.commit("storing the workload", writes).await?;
        Ok(application)
    };
    audit::attempt(app, actor, Permission::WorkloadPut, id.as_str(), work).await
}

/// What it made stays until a rollout moves it to the retained list.
pub async fn remove_workload(
    app: &App,
    actor: &Actor,
    id: &ApplicationId,
    name: &str,
) -> Result<Application> {
    let work = async {
        let mut application = find(app, actor.organization_id(), id).await?;
        if application.workloads.remove(name).is_none() {
            let shown: String = name
                .chars()
                .filter(|one| !one.is_control())
                .take(60)
                .collect();
            return Err(Error::not_found("workload", shown));
        }
        application.updated_at = app.now();
        application.version += 1;
        let writes = vec![
            Write::PutApplication(application.clone()),
            audit::entry(
                app,
                actor,
                Permission::WorkloadRemove,
                id,
                json!({ "workload": name }),
            ),
        ];
        app.commit("removing the workload", writes).await?;
        Ok(application)
    };
    audit::attempt(app, actor, Permission::WorkloadRemove, id.as_str(), work).await
}

async fn active(app: &App, organization: &OrganizationId) -> Result<Vec<Application>> {
    let mut applications = app
        .store
        .applications(organization)
        .await
        .map_err(failed("listing applications"))?;
    applications.retain(|one| one.state == State::Active);
    Ok(applications)
}

/// An active one.
pub(crate) async fn find(
    app: &App,
    organization: &OrganizationId,
    id: &ApplicationId,
) -> Result<Application> {
    app.store
        .application(organization, id)
        .await
        .map_err(failed("reading the application"))?
        .filter(|one| one.state == State::Active)
        .ok_or_else(|| Error::not_found("application", id))
}
