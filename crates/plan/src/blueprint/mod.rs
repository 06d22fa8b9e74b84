//! Rules that expand workloads and an environment into a resource graph.

pub mod aws_serverless;

use crate::score::Workload;
use landfall_model::{
    Error,
    connection::{AwsConnection, Partition},
    environment::{Environment, Runtime},
    graph::Graph,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that a blueprint depends on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The application's name: part of resource names.
    pub application: &'a str,
    pub environment: &'a Environment,
    pub account: &'a Account,
    /// In any order; the blueprint sorts by name.
    pub workloads: &'a [Workload],
}

/// Facts of the connection that resources name.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    pub partition: Partition,
    /// ARN of the policy that bounds every role that Landfall makes.
    pub permissions_boundary: String,
}

impl Account {
    pub fn of(connection: AwsConnection<'_>) -> Self {
        Self {
            permissions_boundary: connection.boundary_policy_arn(),
            id: connection.account_id().to_string(),
            partition: connection.partition(),
        }
    }
}

/// What a blueprint wants.
#[derive(Clone, Debug)]
pub struct Expansion {
    pub graph: Graph,
    /// By workload; values hold references until the graph is applied.
    pub endpoints: BTreeMap<String, Value>,
}

/// # Errors
/// `score-unsupported` and `score-placeholder` with positions in the Score
/// files; `environment-settings` for settings that the cloud would refuse.
pub fn expand(input: &Input<'_>) -> Result<Expansion, Error> {
    match input.environment.runtime {
        Runtime::Serverless => aws_serverless::expand(input),
    }
}

/// The part of [`expand`] that needs no workload: settings that no workload
/// could make right.
///
/// # Errors
/// `environment-settings`.
pub fn check_settings(environment: &Environment) -> Result<(), Error> {
    match environment.runtime {
        Runtime::Serverless => aws_serverless::check_settings(environment),
    }
}

/// What can be said of a Score file before there is an environment.
///
/// # Errors
/// `score-unsupported` and `score-placeholder`.
pub fn check_workload(workload: &Workload) -> Result<(), Error> {
    aws_serverless::check_workload(workload)
}
