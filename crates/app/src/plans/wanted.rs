//! What an environment wants: its workloads, expanded by the blueprint.

use crate::{App, applications, failed};
use landfall_model::{
    Code, Error, connection::Connection, environment::Environment, error::Result, graph::Graph,
};
use landfall_plan::{
    blueprint::{self, Account, Input},
    policy, score,
};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) struct Wanted {
    pub(crate) graph: Graph,
    /// By workload; values hold references until the graph is applied.
    pub(crate) endpoints: BTreeMap<String, Value>,
}

pub(crate) async fn expand(
    app: &App,
    environment: &Environment,
    connection: &Connection,
) -> Result<Wanted> {
    let organization = &environment.organization_id;
    let application = applications::find(app, organization, &environment.application_id).await?;
    if application.workloads.is_empty() {
        // An application that lost its last workload still has what to retain.
        let recorded = app
            .store
            .resources(&environment.id)
            .await
            .map_err(failed("listing resources"))?;
        if recorded.is_empty() {
            return Err(Error::new(
                Code::PlanBlocked,
                format!("the application '{}' has no workload", application.name),
                "add a Score file to the application first",
            ));
        }
        return Ok(Wanted {
            graph: Graph::default(),
            endpoints: BTreeMap::new(),
        });
    }
    // Parsed before they were stored, by this version or an older one.
    let workloads = application
        .workloads
        .values()
        .map(|workload| score::parse(&workload.score))
        .collect::<Result<Vec<_>>>()?;
    let account = connection.aws().map_err(|wrong| {
        Error::new(
            Code::PlanBlocked,
            format!(
                "environments in {} cannot be made yet",
                connection.cloud().title()
            ),
            "use a connection to AWS",
        )
        .with_source(wrong)
    })?;
    let expansion = blueprint::expand(&Input {
        application: &application.name,
        environment,
        account: &Account::of(account),
        workloads: &workloads,
    })?;
    check_grant(&expansion.graph)?;
    Ok(Wanted {
        graph: expansion.graph,
        endpoints: expansion.endpoints,
    })
}

/// The grant has permissions for every type of the graph. That they were
/// granted is what the connection's checks ask.
fn check_grant(graph: &Graph) -> Result<()> {
    let types = graph.nodes.values().map(|node| node.type_name.as_str());
    match policy::aws::required_actions(types) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(
            Code::PlanBlocked,
            format!("the grant does not cover this plan: {error}"),
            "take what needs that type out of the Score file",
        )
        .with_source(error)),
    }
}

/// What can be said of an environment's settings before it has workloads.
pub(crate) fn check_settings(environment: &Environment) -> Result<()> {
    blueprint::check_settings(environment)
}
