use super::default_approval;
use crate::{
    Actor, App, Permission, applications, audit, connections, failed, members::limit_reached,
    names, plans,
};
use landfall_model::{
    environment::{ApprovalPolicy, Environment, Kind, Runtime, Settings, State, View},
    error::Result,
    id::{ApplicationId, ConnectionId, EnvironmentId},
    store::Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Longest name; it becomes part of names in the cloud.
const NAME: usize = 19;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEnvironment)]
pub struct New {
    pub application_id: ApplicationId,
    pub connection_id: ConnectionId,
    /// `[a-z][a-z0-9-]{0,18}`
    pub name: String,
    pub kind: Kind,
    /// The connection's default when absent.
    #[serde(default)]
    pub region: Option<String>,
    /// `manual` for production and `automatic` otherwise, when absent.
    #[serde(default)]
    pub approval: Option<ApprovalPolicy>,
    #[serde(default)]
    pub settings: Settings,
}

pub async fn create(app: &App, actor: &Actor, new: New) -> Result<View> {
    let approval = new.approval.unwrap_or(default_approval(new.kind));
    let loosened = approval == ApprovalPolicy::Automatic && default_approval(new.kind) != approval;
    let permission = if loosened {
        Permission::EnvironmentLoosenApproval
    } else {
        Permission::EnvironmentCreate
    };
    let target = new.application_id.to_string();
    let work = async {
        names::label("name", &new.name, NAME)?;
        let organization = actor.organization_id();
        let mut application = applications::find(app, organization, &new.application_id).await?;
        let connection = connections::find(app, organization, &new.connection_id).await?;
        connections::require_connected(&connection)?;
        let active = app
            .store
            .environments(organization)
            .await
            .map_err(failed("listing environments"))?
            .iter()
            .filter(|one| one.state == State::Active)
            .count();
        if active >= app.settings.quotas.environments {
            return Err(limit_reached("environments"));
        }
        let region = connections::for_environment(app, &connection, new.region.as_deref()).await?;
        let now = app.now();
        let environment = Environment {
            id: EnvironmentId::at(now, &*app.entropy),
            organization_id: organization.clone(),
            application_id: application.id.clone(),
            connection_id: connection.id,
            name: new.name.clone(),
            kind: new.kind,
            region,
            runtime: Runtime::Serverless,
            approval,
            settings: new.settings.clone(),
            state: State::Active,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        plans::check_settings(&environment)?;
        // Touching the application makes this conflict with its deletion at the
        // same time: else the environment would outlive it, unlisted.
        application.version += 1;
        let detail = json!({
            "name": environment.name,
            "kind": environment.kind,
            "region": environment.region,
            "connection": environment.connection_id,
            "approval": environment.approval,
        });
        let application_name = application.name.clone();
        let writes = vec![
            Write::PutApplication(application),
            Write::PutEnvironment(environment.clone()),
            audit::entry(app, actor, permission, &environment.id, detail),
        ];
        app.commit("creating the environment", writes).await?;
        Ok(View {
            environment,
            application_name,
            notice: None,
            endpoints: BTreeMap::new(),
        })
    };
    audit::attempt(app, actor, permission, &target, work).await
}
