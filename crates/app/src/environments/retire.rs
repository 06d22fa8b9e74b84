use super::find;
use crate::{
    Actor, App, Permission, applications, audit, connections, failed,
    rollouts::{self, Left},
};
use landfall_model::{
    Code, Error,
    application::Application,
    environment::{Environment, State},
    error::Result,
    id::{EnvironmentId, RetainedId},
    journal::{EventKind, Stream},
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
    for left in rollouts::left_open(app, &environment).await? {
        writes.extend(retain_left(app, &environment, &name, &resources, left).await?);
    }
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

/// What a create that nobody saw end may have made. If the cloud had made up an
/// identifier for it, it is listed; if not, only the account can say whether it
/// exists, so the environment stays until a rollout has asked. Nobody can ask
/// once the connection has ended: then it stays in the journal, and on the list
/// of what remains as perhaps there.
async fn retain_left(
    app: &App,
    environment: &Environment,
    environment_name: &str,
    recorded: &[Resource],
    left: Left,
) -> Result<Vec<Write>> {
    let connection = connections::find(
        app,
        &environment.organization_id,
        &environment.connection_id,
    )
    .await?;
    let Some(identifier) = left.identifier else {
        if !connections::is_open(&connection) {
            let detail = json!({
                "rollout": left.rollout_id,
                "address": left.address,
                "type": left.type_name,
                "look_for": left.look_for,
            });
            let entry = audit::system_entry(
                app,
                &environment.organization_id,
                "environment.perhaps-left",
                &environment.id,
                detail,
            );
            return Ok(vec![entry]);
        }
        return Err(Error::new(
            Code::EnvironmentState,
            format!(
                "the rollout {} may have made {} ({}), and nobody saw how that ended",
                left.rollout_id, left.address, left.type_name
            ),
            "resume that rollout or start a new one: it looks for the resource first; then delete the environment. If no rollout can run any more, disconnect the connection first: it keeps a list of what is perhaps in the account",
        ));
    };
    let known = recorded
        .iter()
        .any(|one| one.type_name == left.type_name && one.identifier == identifier);
    if known {
        return Ok(Vec::new());
    }
    let closed = Write::Append {
        stream: Stream::Rollout(left.rollout_id),
        at: app.now(),
        address: Some(left.address.clone()),
        kind: EventKind::Retained {
            identifier: identifier.clone(),
        },
    };
    let resource = Resource {
        environment_id: environment.id.clone(),
        title: format!("{}, left behind by a rollout", left.title),
        address: left.address,
        type_name: left.type_name,
        identifier,
        account_id: connection.scope().to_owned(),
        region: environment.region.clone(),
        applied: json!({}),
        outputs: json!({}),
        stateful: left.stateful,
        generation: 1,
        monthly_cents: None,
        updated_at: app.now(),
    };
    let retained = retain(
        app,
        environment,
        environment_name,
        resource,
        Reason::LeftBehind,
    );
    Ok(vec![closed, Write::PutRetained(retained)])
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
