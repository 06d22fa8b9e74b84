use super::find;
use crate::{Actor, App, Permission, applications, audit, failed, rollouts};
use landfall_model::{
    application::Application,
    environment::{Environment, State},
    error::Result,
    id::{EnvironmentId, RetainedId},
    resource::Resource,
    retained::{self, Reason, Retained},
    store::Write,
};
use serde_json::json;

/// Takes an environment off Landfall's lists. What it made stays in the account
/// and moves to the retained list, in one transaction.
pub async fn delete(app: &App, actor: &Actor, id: &EnvironmentId) -> Result<Environment> {
    let work = async {
        let environment = find(app, actor.organization_id(), id).await?;
        let application =
            applications::find(app, actor.organization_id(), &environment.application_id).await?;
        let detail = json!({ "name": format!("{}/{}", application.name, environment.name) });
        let mut deleted = environment.clone();
        mark(app, &mut deleted);
        let mut writes = retire(app, &application, environment, Reason::EnvironmentDeleted).await?;
        writes.push(audit::entry(
            app,
            actor,
            Permission::EnvironmentDelete,
            id,
            detail,
        ));
        app.commit("deleting the environment", writes).await?;
        Ok(deleted)
    };
    audit::attempt(app, actor, Permission::EnvironmentDelete, id.as_str(), work).await
}

fn mark(app: &App, environment: &mut Environment) {
    let now = app.now();
    environment.state = State::Deleted { at: now };
    environment.updated_at = now;
    environment.version += 1;
}

/// The writes that delete an environment and retain all that it has. The
/// environment's version makes them conflict with a rollout that starts at the
/// same time.
pub(crate) async fn retire(
    app: &App,
    application: &Application,
    mut environment: Environment,
    reason: Reason,
) -> Result<Vec<Write>> {
    rollouts::refuse_while_running(app, &environment).await?;
    let resources = app
        .store
        .resources(&environment.id)
        .await
        .map_err(failed("listing resources"))?;
    let name = format!("{}/{}", application.name, environment.name);
    let mut writes = Vec::with_capacity(resources.len() * 2 + 1);
    for resource in resources {
        writes.push(Write::DeleteResource {
            environment_id: environment.id.clone(),
            address: resource.address.clone(),
        });
        let retained = retain(app, &environment, &name, resource, reason.clone());
        writes.push(Write::PutRetained(retained));
    }
    mark(app, &mut environment);
    writes.push(Write::PutEnvironment(environment));
    Ok(writes)
}

fn retain(
    app: &App,
    environment: &Environment,
    environment_name: &str,
    resource: Resource,
    reason: Reason,
) -> Retained {
    let now = app.now();
    Retained {
        id: RetainedId::at(now, &*app.entropy),
        organization_id: environment.organization_id.clone(),
        connection_id: environment.connection_id.clone(),
        environment_id: environment.id.clone(),
        environment_name: environment_name.to_owned(),
        address: resource.address,
        type_name: resource.type_name,
        title: resource.title,
        identifier: resource.identifier,
        account_id: resource.account_id,
        region: resource.region,
        stateful: resource.stateful,
        reason,
        since: now,
        monthly_cents: resource.monthly_cents,
        state: retained::State::Retained,
        version: 1,
    }
}
