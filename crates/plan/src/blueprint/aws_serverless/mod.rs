//! AWS, serverless: a network of its own in two or three zones, one load
//! balancer, ECS on Fargate, and what the Score files' resources ask for.
//!
//! Decisions:
//! - One load balancer for the environment. A workload with `service.ports` is
//!   public on the first port as written: the listener has that `port`, the
//!   container its `targetPort`. Two workloads therefore need two ports. Other
//!   ports are open inside the task only.
//! - Plain HTTP: a certificate needs a domain name, which Score asks for with a
//!   resource type that is not here yet.
//! - Permissions are policies of their own beside the roles, so that a role can
//!   be made before the database, and a policy added by hand is left alone.
//! - A bucket is not versioned by Landfall: AWS cannot let somebody switch
//!   versioning on without letting them suspend it.
//! - Nothing holds a secret: tasks receive them by reference.

mod access;
mod balancer;
mod build;
mod check;
mod names;
mod network;
mod prices;
mod resources;
mod roles;
mod settings;
mod task;
mod workload;

use super::{Expansion, Input};
use crate::score::Workload;
use build::{Builder, Draft, Find};
use landfall_model::{Error, environment::Environment, error::Code};
use serde_json::json;
use std::collections::BTreeMap;

/// The Score resource types that are provisioned.
pub const RESOURCE_TYPES: [&str; 4] = ["bucket", "postgres", "s3", "secret"];

pub(super) fn check_settings(environment: &Environment) -> Result<(), Error> {
    settings::settle(environment).map(drop)
}

pub(super) fn check_workload(workload: &Workload) -> Result<(), Error> {
    check::workload(workload)
}

pub(super) fn expand(input: &Input<'_>) -> Result<Expansion, Error> {
    let settled = settings::settle(input.environment)?;
    let mut workloads: Vec<&Workload> = input.workloads.iter().collect();
    workloads.sort_by_key(|workload| workload.name());
    together(&workloads)?;
    let containers: Vec<String> = workloads
        .iter()
        .flat_map(|workload| {
            let name = |container: &crate::score::Container| {
                format!("{}.{}", workload.name(), container.name.value)
            };
            workload.containers.iter().map(name)
        })
        .collect();
    settings::images_fit(input.environment, &containers)?;

    let mut b = Builder::new(input);
    let network = network::network(&mut b, &settled)?;
    let cluster = b
        .add(Draft {
            address: "cluster".to_owned(),
            type_name: "AWS::ECS::Cluster",
            title: "ECS cluster".to_owned(),
            properties: json!({ "ClusterName": b.names.name("", 255) }),
            find: Find::Name("/ClusterName"),
        })?
        .address
        .clone();
    let mut groups = BTreeMap::new();
    for workload in &workloads {
        let group = workload::security_group(&mut b, &network, workload)?;
        groups.insert(workload.name().to_owned(), group);
    }
    let resources = resources::all(&mut b, &settled, &network, &workloads, &groups)?;
    let public: Vec<&Workload> = workloads
        .iter()
        .copied()
        .filter(|workload| !workload.service.ports.is_empty())
        .collect();
    let balancer = balancer::balancer(&mut b, &network, &public)?;
    let mut endpoints = BTreeMap::new();
    for workload in &workloads {
        let place = workload::Place {
            settled: &settled,
            network: &network,
            cluster: &cluster,
            balancer: balancer.as_ref(),
            resources: &resources,
        };
        if let Some(url) = workload::workload(&mut b, &place, workload, &groups)? {
            endpoints.insert(workload.name().to_owned(), url);
        }
    }
    Ok(Expansion {
        graph: b.graph,
        endpoints,
    })
}

/// What only shows when all workloads are seen together.
fn together(workloads: &[&Workload]) -> Result<(), Error> {
    if workloads.is_empty() {
        return Err(Error::new(
            Code::ApplicationState,
            "the application has no workload",
            "add a Score file to the application, then plan",
        ));
    }
    for workload in workloads {
        check::workload(workload)?;
    }
    for pair in workloads.windows(2) {
        if let [first, second] = pair
            && first.name() == second.name()
        {
            let message = format!("two Score files are named '{}'", first.name());
            let position = second.metadata.name.position.clone();
            return Err(Error::new(
                Code::ScoreInvalid,
                message.clone(),
                "give every workload of an application its own metadata.name",
            )
            .with_violation("metadata.name", message, Some(position)));
        }
    }
    check::ports(workloads)
}
