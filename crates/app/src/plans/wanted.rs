//! What an environment wants: its workloads, expanded by the blueprint.

use crate::App;
use landfall_model::{
    Code, Error, connection::Connection, environment::Environment, error::Result, graph::Graph,
    plan::Plan, resource::Resource,
};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) struct Wanted {
    pub(crate) graph: Graph,
    pub(crate) endpoints: BTreeMap<String, Value>,
}

pub(crate) async fn expand(
    _app: &App,
    environment: &Environment,
    _connection: &Connection,
) -> Result<Wanted> {
    Err(Error::new(
        Code::PlanBlocked,
        format!("no blueprint for '{}' yet", environment.name),
        "wait for the blueprint",
    ))
}

pub(crate) fn check_settings(_environment: &Environment) -> Result<()> {
    Ok(())
}

pub(crate) fn endpoints(_plan: &Plan, _resources: &[Resource]) -> BTreeMap<String, String> {
    BTreeMap::new()
}
