//! Simulated Google Cloud: identity, and what a connection needs around it.
//!
//! `https://{service}.googleapis.com/…` is served under `/gcp/{service}/…`, so
//! that official clients only need another endpoint. Permissions are denied by
//! default and inherited; tokens, signatures and conditions are really
//! checked.

mod access;
mod admin;
mod call;
mod cel;
mod console;
mod error;
mod iam;
mod policy;
mod resources;
mod roles;
mod route;
mod serve;
mod state;
mod tokens;

pub(crate) use admin::router as admin_router;
pub(crate) use console::{ask, projects};
pub(crate) use error::Refusal;
pub(crate) use serve::answer;
pub(crate) use state::State;

use crate::world::{AccountRole, World};
use serde_json::{Value, json};

/// The Google part of the ready JSON.
pub(crate) fn ready(world: &World, endpoint: &str) -> Value {
    let state = &world.gcp;
    let mut projects: Vec<_> = state.projects().collect();
    projects.sort_by_key(|(_, p)| (p.role != AccountRole::Operator, p.id.clone()));
    let projects: Vec<Value> = projects
        .into_iter()
        .map(|(node, project)| {
            let chain = state.chain(&node.name);
            let domain = chain
                .last()
                .map(|top| top.display_name.as_str())
                .unwrap_or_default();
            let admin = format!("user:admin@{domain}");
            let token = state
                .tokens
                .iter()
                .find(|(_, token)| token.member == admin && token.expires.is_none())
                .map(|(token, _)| token);
            json!({
                "id": project.id,
                "number": project.number,
                "role": project.role,
                "access_token": token,
                "organization": chain.last().map(|top| &top.name),
                "folder": node.parent,
                "domain": domain,
                "service_account": project.accounts.values()
                    .find(|account| account.email.starts_with(state::SERVER))
                    .map(|account| &account.email),
            })
        })
        .collect();
    json!({
        "endpoint_template": format!("{endpoint}/gcp/{{service}}"),
        "console_url": format!("{endpoint}/console/gcp"),
        "admin_url": format!("{endpoint}/_sandbox/gcp"),
        "projects": projects,
    })
}
