//! Custom roles of projects and organizations, and reading predefined ones.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::roles;
use crate::gcp::state::{CustomRole, Kind, Node};
use crate::iam::Versioned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The node that the path names: a project or an organization.
fn owner(call: &Call<'_, '_>) -> String {
    match call.params.get("organization") {
        Some(number) => format!("organizations/{number}"),
        None => format!("projects/{}", call.param("project")),
    }
}

/// As names of roles have it: projects by id.
fn prefix(node: &Node) -> String {
    match &node.kind {
        Kind::Project(project) => format!("projects/{}", project.id),
        _ => node.name.clone(),
    }
}

fn render(node: &Node, id: &str, role: &CustomRole, whole: bool) -> Value {
    let mut shown = json!({
        "name": format!("{}/roles/{id}", prefix(node)),
        "title": role.title,
        "stage": role.stage,
        "etag": etag(role),
    });
    if !role.description.is_empty() {
        shown["description"] = json!(role.description);
    }
    if whole {
        shown["includedPermissions"] = json!(role.permissions.latest());
    }
    if role.deleted {
        shown["deleted"] = json!(true);
    }
    shown
}

fn etag(role: &CustomRole) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(role.generation.to_be_bytes())
}

fn found<'c>(
    call: &'c Call<'_, '_>,
    permission: &str,
) -> Result<(&'c Node, String, &'c CustomRole), Refusal> {
    let node = call.node(&owner(call), permission)?;
    let id = call.param("role");
    let role = node.roles.get(&id).ok_or_else(|| {
        Refusal::not_found(format!(
            "The role named {}/roles/{id} was not found.",
            prefix(node)
        ))
    })?;
    Ok((node, id, role))
}

/// Permissions that a custom role here may have.
fn permissions(given: &Value, node: &Node) -> Result<BTreeSet<String>, Refusal> {
    let all: BTreeSet<String> = match given {
        Value::Null => BTreeSet::new(),
        given => serde_json::from_value(given.clone())
            .map_err(|_| Refusal::invalid("Invalid value at 'role.included_permissions'"))?,
    };
    for permission in &all {
        let above = matches!(node.kind, Kind::Project(_))
            && (permission == "resourcemanager.projects.list"
                || permission.starts_with("resourcemanager.folders.")
                || permission.starts_with("resourcemanager.organizations."));
        if above || !roles::is_permission(permission) {
            return Err(Refusal::invalid(format!(
                "Permission {permission} is not valid."
            )));
        }
    }
    if all.len() > 3000 {
        return Err(Refusal::invalid(
            "A custom role has at most 3000 permissions.",
        ));
    }
    Ok(all)
}

fn stage(given: &str) -> Result<String, Refusal> {
    match given {
        "" => Ok("ALPHA".to_owned()),
        "ALPHA" | "BETA" | "GA" | "DEPRECATED" | "DISABLED" | "EAP" => Ok(given.to_owned()),
        _ => Err(Refusal::invalid("Invalid value at 'role.stage'")),
    }
}

fn shown(call: &Call<'_, '_>, node: &str, id: &str) -> Answer {
    let node = call.find_node(node).ok_or_else(Refusal::internal)?;
    let role = node.roles.get(id).ok_or_else(Refusal::internal)?;
    Ok(render(node, id, role, true))
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let node = call.node(&owner(call), "iam.roles.create")?;
    let id = call.text("/roleId").to_owned();
    let letters = id
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.'));
    if !(3..=64).contains(&id.len()) || !letters {
        return Err(Refusal::invalid(format!(
            "The role_id ({id}) must be 3 to 64 letters, digits, underscores and periods."
        )));
    }
    if let Some(role) = node.roles.get(&id) {
        return Err(if role.deleted {
            Refusal::precondition(format!(
                "You can't create a role with role_id ({id}) where there is an existing role with \
                 that role_id in a deleted state."
            ))
        } else {
            Refusal::exists(format!(
                "A role named {id} in {} already exists.",
                prefix(node)
            ))
        });
    }
    if node.roles.len() >= 300 {
        return Err(Refusal::precondition("Maximum number of roles reached."));
    }
    let role = CustomRole {
        title: call.text("/role/title").to_owned(),
        description: call.text("/role/description").to_owned(),
        stage: stage(call.text("/role/stage"))?,
        generation: 1,
        deleted: false,
        permissions: Versioned::new(
            permissions(&call.body["role"]["includedPermissions"], node)?,
            call.at.effective_at,
        ),
    };
    if role.title.len() > 100 || role.description.len() > 300 {
        return Err(Refusal::invalid(
            "The title or the description is too long.",
        ));
    }
    let name = node.name.clone();
    call.node_mut(&name)?.roles.insert(id.clone(), role);
    shown(call, &name, &id)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let (node, id, role) = found(call, "iam.roles.get")?;
    Ok(render(node, &id, role, true))
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let node = call.node(&owner(call), "iam.roles.list")?;
    let deleted = call.query("showDeleted") == Some("true");
    let whole = call.query("view") == Some("FULL");
    let all = node
        .roles
        .iter()
        .filter(|(_, role)| deleted || !role.deleted)
        .map(|(id, role)| render(node, id, role, whole))
        .collect();
    page(call, "roles", all, 1000)
}

/// Refuses an etag that is not the current one.
fn fresh(given: &str, role: &CustomRole) -> Result<(), Refusal> {
    if given.is_empty() || given == etag(role) {
        return Ok(());
    }
    Err(Refusal::aborted(
        "There were concurrent role changes. Please retry the whole read-modify-write with \
         exponential backoff.",
    ))
}

pub(super) fn patch(call: &mut Call<'_, '_>) -> Answer {
    let (node, id, role) = found(call, "iam.roles.update")?;
    fresh(call.text("/etag"), role)?;
    if role.deleted {
        return Err(Refusal::precondition("You can't update a deleted role."));
    }
    let mask = call.mask(&call.body);
    let included = permissions(&call.body["includedPermissions"], node)?;
    let stage = stage(call.text("/stage"))?;
    let (title, description) = (
        call.text("/title").to_owned(),
        call.text("/description").to_owned(),
    );
    let (name, at) = (node.name.clone(), call.at);
    if let Some(role) = call.node_mut(&name)?.roles.get_mut(&id) {
        role.generation += 1;
        if mask.contains("title") {
            role.title = title;
        }
        if mask.contains("description") {
            role.description = description;
        }
        if mask.contains("stage") {
            role.stage = stage;
        }
        if mask.contains("includedPermissions") {
            role.permissions.set(included, &at);
        }
    }
    shown(call, &name, &id)
}

fn switch(call: &mut Call<'_, '_>, permission: &str, deleted: bool) -> Answer {
    let (node, id, role) = found(call, permission)?;
    let given = call.query("etag").unwrap_or(call.text("/etag"));
    fresh(given, role)?;
    if role.deleted == deleted {
        return Err(Refusal::precondition(if deleted {
            "You can't delete a role that is already deleted."
        } else {
            "You can't undelete a role that is not deleted."
        }));
    }
    let name = node.name.clone();
    if let Some(role) = call.node_mut(&name)?.roles.get_mut(&id) {
        role.deleted = deleted;
        role.generation += 1;
    }
    shown(call, &name, &id)
}

pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.roles.delete", true)
}

pub(super) fn undelete(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.roles.undelete", false)
}

/// Predefined roles may be read by everybody.
pub(super) fn get_predefined(call: &mut Call<'_, '_>) -> Answer {
    let name = format!("roles/{}", call.param("role"));
    if !roles::exists(&name) {
        return Err(Refusal::not_found(format!(
            "The role named {name} was not found."
        )));
    }
    let mut shown = json!({ "name": name, "stage": "GA", "etag": "AA==" });
    if let Some(permissions) = roles::permissions(&name) {
        shown["includedPermissions"] = json!(permissions);
    }
    Ok(shown)
}

pub(super) fn predefined(call: &mut Call<'_, '_>) -> Answer {
    let all = roles::names()
        .map(|name| json!({ "name": name, "stage": "GA", "etag": "AA==" }))
        .collect();
    page(call, "roles", all, 1000)
}
