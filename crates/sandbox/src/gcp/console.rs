//! What a person does in Google's console: the methods of the API, as the
//! administrator of the project's organization. What it forbids is forbidden
//! there too.

use super::access::Caller;
use super::call::{Answer, Call};
use super::error::Refusal;
use super::state::{Kind, State};
use super::{route, serve};
use crate::shared::WorldGuard;
use crate::world::AccountRole;
use serde_json::json;

/// Id, number and role of each project, the operator's last.
pub(crate) fn projects(state: &State) -> Vec<(String, String, AccountRole)> {
    let mut all: Vec<_> = state
        .projects()
        .map(|(_, project)| (project.id.clone(), project.number.clone(), project.role))
        .collect();
    all.sort_by_key(|(id, _, role)| (*role == AccountRole::Operator, id.clone()));
    all
}

/// Calls a method of IAM by its verb and path. People's calls are not refused
/// for an API that is off.
pub(crate) fn ask(world: &mut WorldGuard<'_>, project: &str, method: &str, path: &str) -> Answer {
    let (route, params) =
        route::find("iam", method, path).ok_or_else(|| Refusal::no_such_method(method, path))?;
    let mut call = Call {
        at: serve::moment(world),
        service: route.service,
        caller: administrator(&world.gcp, project),
        params,
        query: Vec::new(),
        body: json!({}),
        fetched: None,
        world,
    };
    (route.handle)(&mut call)
}

/// Nobody, who may do nothing, where a project has no organization.
fn administrator(state: &State, project: &str) -> Caller {
    let domain = state.find_project(project).and_then(|(node, _)| {
        state
            .chain(&node.name)
            .into_iter()
            .find_map(|above| match &above.kind {
                Kind::Organization { domain, .. } => Some(domain),
                _ => None,
            })
    });
    domain.map_or_else(Caller::default, |domain| {
        Caller::new(format!("user:admin@{domain}"))
    })
}
