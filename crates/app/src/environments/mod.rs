//! An application in one connection and region.

mod create;
mod endpoints;
mod retire;

pub use create::{New, create};
pub use retire::delete;

pub(crate) use endpoints::reachable;
pub(crate) use retire::retire;

use crate::{Actor, App, Permission, audit, connections, failed, plans};
use landfall_model::{
    Error,
    application::Application,
    connection,
    environment::{ApprovalPolicy, Environment, Kind, Settings, State, View},
    error::Result,
    id::{ApplicationId, EnvironmentId, OrganizationId},
    resource::Resource,
    store::Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Without deleted ones; of one application, or of all.
pub async fn list(
    app: &App,
    actor: &Actor,
    application_id: Option<&ApplicationId>,
) -> Result<Vec<View>> {
    audit::read(app, actor, Permission::EnvironmentRead).await?;
    let organization = actor.organization_id();
    let operation = "listing environments";
    let connections: BTreeMap<_, _> = app
        .store
        .connections(organization)
        .await
        .map_err(failed(operation))?
        .into_iter()
        .map(|one| (one.id.clone(), one))
        .collect();
    let applications: BTreeMap<_, Application> = app
        .store
        .applications(organization)
        .await
        .map_err(failed(operation))?
        .into_iter()
        .map(|one| (one.id.clone(), one))
        .collect();
    let views = app
        .store
        .environments(organization)
        .await
        .map_err(failed(operation))?
        .into_iter()
        .filter(|one| one.state == State::Active)
        .filter(|one| application_id.is_none_or(|id| &one.application_id == id))
        .map(|environment| View {
            application_name: applications
                .get(&environment.application_id)
                .map(|one| one.name.clone())
                .unwrap_or_default(),
            notice: connections
                .get(&environment.connection_id)
                .and_then(|one| notice(&one.state)),
            endpoints: BTreeMap::new(),
            environment,
        });
    Ok(views.collect())
}

pub async fn show(app: &App, actor: &Actor, id: &EnvironmentId) -> Result<View> {
    audit::read(app, actor, Permission::EnvironmentRead).await?;
    let environment = find(app, actor.organization_id(), id).await?;
    view(app, environment).await
}

async fn view(app: &App, environment: Environment) -> Result<View> {
    let organization = &environment.organization_id;
    let connection = connections::find(app, organization, &environment.connection_id).await?;
    let application = app
        .store
        .application(organization, &environment.application_id)
        .await
        .map_err(failed("reading the application"))?;
    Ok(View {
        application_name: application.map(|one| one.name).unwrap_or_default(),
        notice: notice(&connection.state),
        endpoints: endpoints::of(app, &environment).await?,
        environment,
    })
}

/// What a connection's state means for an environment that lives through it.
fn notice(state: &connection::State) -> Option<String> {
    use connection::State::{Connected, Degraded, Disconnected, Pending, Propagating, Revoked};
    let text = match state {
        Connected { .. } => return None,
        Revoked { .. } => "connection revoked; running workloads are unaffected".to_owned(),
        Disconnected { .. } => {
            "connection disconnected; running workloads are unaffected".to_owned()
        }
        Degraded { failed_checks, .. } => format!(
            "checks of the connection fail ({}); running workloads are unaffected, and nothing new is rolled out",
            failed_checks.join(", ")
        ),
        Pending { .. } | Propagating { .. } => {
            "the connection is not connected; running workloads are unaffected".to_owned()
        }
    };
    Some(text)
}

/// What was applied and how it looked.
pub async fn resources(app: &App, actor: &Actor, id: &EnvironmentId) -> Result<Vec<Resource>> {
    audit::read(app, actor, Permission::EnvironmentRead).await?;
    find(app, actor.organization_id(), id).await?;
    app.store
        .resources(id)
        .await
        .map_err(failed("listing resources"))
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnvironmentChange)]
pub struct Change {
    /// Replaces all settings.
    #[serde(default)]
    pub settings: Option<Settings>,
    #[serde(default)]
    pub approval: Option<ApprovalPolicy>,
}

pub async fn change(app: &App, actor: &Actor, id: &EnvironmentId, change: Change) -> Result<View> {
    let found = find(app, actor.organization_id(), id).await?;
    let permission = match (found.approval, change.approval) {
        (ApprovalPolicy::Manual, Some(ApprovalPolicy::Automatic)) => {
            Permission::EnvironmentLoosenApproval
        }
        _ => Permission::EnvironmentChange,
    };
    let work = async {
        let mut environment = found;
        let detail = json!({ "settings": change.settings, "approval": change.approval });
        if let Some(settings) = change.settings {
            environment.settings = settings;
        }
        if let Some(approval) = change.approval {
            environment.approval = approval;
        }
        plans::check_settings(&environment)?;
        environment.updated_at = app.now();
        environment.version += 1;
        let writes = vec![
            Write::PutEnvironment(environment.clone()),
            audit::entry(app, actor, permission, id, detail),
        ];
        app.commit("changing the environment", writes).await?;
        view(app, environment).await
    };
    audit::attempt(app, actor, permission, id.as_str(), work).await
}

/// Production waits for a person unless an Admin said otherwise.
pub(crate) const fn default_approval(kind: Kind) -> ApprovalPolicy {
    match kind {
        Kind::Production => ApprovalPolicy::Manual,
        Kind::Development | Kind::Preview => ApprovalPolicy::Automatic,
    }
}

/// An active one.
pub(crate) async fn find(
    app: &App,
    organization: &OrganizationId,
    id: &EnvironmentId,
) -> Result<Environment> {
    app.store
        .environment(organization, id)
        .await
        .map_err(failed("reading the environment"))?
        .filter(|one| one.state == State::Active)
        .ok_or_else(|| Error::not_found("environment", id))
}

/// `shop/production`.
pub(crate) async fn full_name(app: &App, environment: &Environment) -> Result<String> {
    let application = app
        .store
        .application(&environment.organization_id, &environment.application_id)
        .await
        .map_err(failed("reading the application"))?;
    let application = application.map_or("?".to_owned(), |one| one.name);
    Ok(format!("{application}/{}", environment.name))
}
