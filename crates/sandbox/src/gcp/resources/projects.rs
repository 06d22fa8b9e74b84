//! Projects.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::state::{Kind, Node, Project};
use serde_json::{Value, json};
use std::time::Duration;

fn render(node: &Node, project: &Project) -> Value {
    let mut shown = json!({
        "name": node.name,
        "projectId": project.id,
        "displayName": node.display_name,
        "state": if project.deleted { "DELETE_REQUESTED" } else { "ACTIVE" },
        "createTime": node.created.iso8601_millis(),
        "updateTime": node.created.iso8601_millis(),
        "etag": format!("W/\"{}\"", node.policy.latest().etag()),
    });
    if let Some(parent) = &node.parent {
        shown["parent"] = json!(parent);
    }
    shown
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("resourcemanager.projects.get")?;
    let (node, project) = call
        .state()
        .find_project(&project.number)
        .ok_or_else(Refusal::internal)?;
    Ok(render(node, project))
}

/// Searches show what the caller may see, and nothing says what else there is.
pub(super) fn search(call: &mut Call<'_, '_>) -> Answer {
    let query = call.query("query").unwrap_or_default();
    let wanted = |node: &Node, project: &Project| {
        query
            .split_whitespace()
            .all(|term| match term.split_once([':', '=']) {
                Some(("id" | "projectId", id)) => project.id == id,
                Some(("parent", parent)) => node.parent.as_deref() == Some(parent),
                Some(("state", state)) => {
                    state
                        == if project.deleted {
                            "DELETE_REQUESTED"
                        } else {
                            "ACTIVE"
                        }
                }
                _ => node.display_name.contains(term) || project.id.contains(term),
            })
    };
    let all = call
        .state()
        .projects()
        .filter(|(node, project)| {
            wanted(node, project) && call.may("resourcemanager.projects.get", &node.name)
        })
        .map(|(node, project)| render(node, project))
        .collect();
    page(call, "projects", all, 300)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let parent = call.query("parent").unwrap_or_default().to_owned();
    if parent.is_empty() {
        return Err(Refusal::invalid("The parent is required."));
    }
    call.node(&parent, "resourcemanager.projects.list")?;
    let all = call
        .state()
        .projects()
        .filter(|(node, _)| node.parent.as_deref() == Some(&parent))
        .map(|(node, project)| render(node, project))
        .collect();
    page(call, "projects", all, 300)
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let parent = call.text("/parent").to_owned();
    // Only people of no organization make projects without a parent.
    let node = call.node(&parent, "resourcemanager.projects.create")?;
    if matches!(node.kind, Kind::Project(_)) {
        return Err(Refusal::invalid("A project is not a parent."));
    }
    let id = call.text("/projectId").to_owned();
    let letters = id
        .bytes()
        .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let starts = id.starts_with(|c: char| c.is_ascii_lowercase());
    if !(6..=30).contains(&id.len()) || !letters || !starts || id.ends_with('-') {
        return Err(Refusal::invalid(format!(
            "field [projectId] has issue [{id} is not an id]"
        )));
    }
    if call.state().find_project(&id).is_some() {
        return Err(Refusal::exists("Requested entity already exists"));
    }
    let (member, at) = (call.caller.member.clone(), call.at);
    let role = crate::world::AccountRole::Customer;
    let number = call
        .state_mut()
        .project(&id, role, Some(parent), &member, &at);
    let (node, project) = call
        .state()
        .find_project(&number)
        .ok_or_else(Refusal::internal)?;
    let mut response = render(node, project);
    response["@type"] = json!("type.googleapis.com/google.cloud.resourcemanager.v3.Project");
    let metadata = json!({
        "@type": "type.googleapis.com/google.cloud.resourcemanager.v3.CreateProjectMetadata",
        "createTime": at.now.iso8601_millis(),
        "ready": true,
    });
    Ok(call.operation("operations/cp.", Duration::from_secs(8), metadata, response))
}

/// Marks it: what is in it stops, and can be brought back for thirty days.
pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    mark(call, "resourcemanager.projects.delete", true)
}

pub(super) fn undelete(call: &mut Call<'_, '_>) -> Answer {
    mark(call, "resourcemanager.projects.undelete", false)
}

fn mark(call: &mut Call<'_, '_>, permission: &str, deleted: bool) -> Answer {
    let project = call.path_project(permission)?;
    if project.deleted == deleted {
        return Err(Refusal::precondition(
            "The project is not in a state that allows this.",
        ));
    }
    let number = project.number.clone();
    call.project_mut(&number)?.deleted = deleted;
    let (node, project) = call
        .state()
        .find_project(&number)
        .ok_or_else(Refusal::internal)?;
    let mut response = render(node, project);
    response["@type"] = json!("type.googleapis.com/google.cloud.resourcemanager.v3.Project");
    let prefix = if deleted { "dp" } else { "up" };
    Ok(call.operation(
        &format!("operations/{prefix}."),
        Duration::from_secs(2),
        json!({}),
        response,
    ))
}

/// The project, its folders, its organization. What the caller may not see is
/// shown all the same, as Google does; a project without an organization ends
/// with itself.
pub(super) fn ancestry(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("resourcemanager.projects.get")?;
    let chain = call.state().chain(&format!("projects/{}", project.number));
    let ancestors: Vec<Value> = chain
        .iter()
        .map(|node| {
            let (kind, id) = match &node.kind {
                Kind::Project(project) => ("project", project.id.as_str()),
                Kind::Folder => ("folder", node.name.trim_start_matches("folders/")),
                Kind::Organization { .. } => (
                    "organization",
                    node.name.trim_start_matches("organizations/"),
                ),
            };
            json!({ "resourceId": { "type": kind, "id": id } })
        })
        .collect();
    Ok(json!({ "ancestor": ancestors }))
}
