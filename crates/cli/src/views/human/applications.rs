//! Applications, their environments and what is in the account.

use super::{minute, money, table};
use landfall_model::{
    application::Application,
    environment::{self, Environment},
    resource::Resource,
    retained::Retained,
};

pub fn applications(items: &[Application]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            let workloads: Vec<_> = one.workloads.keys().cloned().collect();
            vec![
                one.name.clone(),
                if workloads.is_empty() {
                    "-".into()
                } else {
                    workloads.join(", ")
                },
                minute(one.created_at),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "workloads", "created", "id"],
        rows,
        "No applications yet. Make one: landfall apps create <name>",
    )
}

pub fn environments(items: &[Environment]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.kind.as_str().to_owned(),
                one.region.clone(),
                match one.approval {
                    environment::ApprovalPolicy::Automatic => "automatic",
                    environment::ApprovalPolicy::Manual => "manual",
                }
                .to_owned(),
                match &one.state {
                    environment::State::Active => "active",
                    environment::State::Deleted { .. } => "deleted",
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "kind", "region", "approval", "state", "id"],
        rows,
        "No environments yet. Make one: landfall environments create <app>/<name> --connection <name>",
    )
}

pub fn resources(items: &[Resource]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.address.to_string(),
                one.type_name.clone(),
                one.identifier.clone(),
                if one.stateful { "protected" } else { "" }.to_owned(),
                money(one.monthly_cents),
            ]
        })
        .collect();
    table(
        &["address", "type", "identifier", "", "cost"],
        rows,
        "Nothing is in the account yet. Deploy: landfall deploy <app>/<environment>",
    )
}

pub fn retained(items: &[Retained]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.typed_name().to_owned(),
                one.type_name.clone(),
                one.environment_name.clone(),
                one.reason.as_str().to_owned(),
                money(one.monthly_cents),
                one.state.as_str().to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "type", "environment", "why", "cost", "state", "id"],
        rows,
        "Nothing is retained: all that Landfall made is either in use or was destroyed by approval.",
    )
}
