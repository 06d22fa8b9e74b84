//! Role definitions and role assignments.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{Cloud, Permission, RoleAssignment, RoleDefinition};
use super::condition::{Expression, Facts};
use super::{Ask, filter, rbac};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Deserialize)]
struct Table {
    roles: BTreeMap<String, BuiltIn>,
}

#[derive(Deserialize)]
struct BuiltIn {
    id: String,
    permissions: Vec<Permission>,
}

/// The built-in roles, by id.
fn built_in() -> &'static BTreeMap<String, RoleDefinition> {
    static BUILT_IN: OnceLock<BTreeMap<String, RoleDefinition>> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let table: Table = serde_json::from_str(include_str!("roles.json"))
            .expect("roles.json is derived and committed with the code that reads it");
        let definition = |(role_name, role): (String, BuiltIn)| {
            let definition = RoleDefinition {
                name: role.id.clone(),
                tenant: None,
                description: role_name.clone(),
                role_name,
                assignable_scopes: vec!["/".to_owned()],
                permissions: role.permissions,
                created: None,
                updated: None,
            };
            (role.id, definition)
        };
        table.roles.into_iter().map(definition).collect()
    })
}

pub(in super::super) fn definition_named(name: &str) -> Option<&'static RoleDefinition> {
    built_in()
        .values()
        .find(|role| role.role_name.eq_ignore_ascii_case(name))
}

pub(super) fn definition<'c>(cloud: &'c Cloud, id: &str) -> Option<&'c RoleDefinition> {
    let id = id.to_lowercase();
    built_in().get(&id).or_else(|| cloud.definitions.get(&id))
}

fn definition_id(scope: &str, definition: &RoleDefinition) -> String {
    // A built-in role is written below the subscription that asks.
    let below = scope
        .split('/')
        .filter(|part| !part.is_empty())
        .take(2)
        .collect::<Vec<_>>();
    let base = match below.as_slice() {
        ["subscriptions", id] => format!("/subscriptions/{id}"),
        _ => String::new(),
    };
    format!(
        "{base}/providers/Microsoft.Authorization/roleDefinitions/{}",
        definition.name
    )
}

fn render_definition(scope: &str, definition: &RoleDefinition) -> Value {
    json!({
        "id": definition_id(scope, definition),
        "name": definition.name,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": definition.role_name,
            "type": if definition.tenant.is_some() { "CustomRole" } else { "BuiltInRole" },
            "description": definition.description,
            "assignableScopes": definition.assignable_scopes,
            "permissions": definition.permissions,
            "createdOn": definition.created.map(crate::clock::Instant::iso8601),
            "updatedOn": definition.updated.map(crate::clock::Instant::iso8601),
        },
    })
}

const READ_DEFINITION: &str = "Microsoft.Authorization/roleDefinitions/read";
const WRITE_DEFINITION: &str = "Microsoft.Authorization/roleDefinitions/write";
const DELETE_DEFINITION: &str = "Microsoft.Authorization/roleDefinitions/delete";

pub(super) fn get_definition(
    cloud: &Cloud,
    ask: &Ask<'_>,
    scope: &str,
    name: Option<&str>,
) -> Outcome {
    // At the root everybody of a tenant may read the definitions.
    if !scope.is_empty() {
        ask.authorize(cloud, READ_DEFINITION, scope)?;
    }
    let visible = |one: &&RoleDefinition| {
        one.tenant
            .as_ref()
            .is_none_or(|tenant| *tenant == ask.caller.tenant)
    };
    if let Some(name) = name {
        return definition(cloud, name)
            .filter(visible)
            .map(|one| Answer::ok(render_definition(scope, one)))
            .ok_or_else(|| no_definition(name));
    }
    let chain = rbac::chain(cloud, scope);
    let here = |one: &&RoleDefinition| {
        let scopes = &one.assignable_scopes;
        one.tenant.is_none()
            || scope.is_empty()
            || scopes
                .iter()
                .any(|at| chain.contains(&super::scope_of_text(at)))
    };
    let all: Vec<Value> = built_in()
        .values()
        .chain(cloud.definitions.values())
        .filter(visible)
        .filter(here)
        .map(|one| render_definition(scope, one))
        .filter(|one| {
            let properties = &one["properties"];
            filter(ask, "roleName", properties["roleName"].as_str())
                && filter(ask, "type", properties["type"].as_str())
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

fn no_definition(name: &str) -> Failure {
    Failure::new(
        404,
        "RoleDefinitionDoesNotExist",
        format!("The specified role definition with ID '{name}' does not exist."),
    )
}

pub(super) fn put_definition(cloud: &mut Cloud, ask: &Ask<'_>, scope: &str, name: &str) -> Outcome {
    let body = ask.request.json()?;
    let properties = &body["properties"];
    let invalid = |message: &str| Failure::new(400, "InvalidRoleDefinition", message);
    let role_name = properties["roleName"]
        .as_str()
        .filter(|text| !text.is_empty() && text.len() <= 512)
        .ok_or_else(|| invalid("The role name is missing or too long."))?;
    let scopes: Vec<String> = properties["assignableScopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|scope| scope.as_str().map(str::to_owned))
        .collect();
    if scopes.is_empty() {
        return Err(invalid(
            "The role definition must have at least one assignable scope.",
        ));
    }
    if scopes
        .iter()
        .any(|scope| super::scope_of_text(scope).is_empty())
    {
        return Err(Failure::new(
            400,
            "InvalidRoleDefinitionAssignableScopes",
            "Custom roles cannot be assignable at the root.",
        ));
    }
    // Microsoft Learn, "Azure custom roles", limits: one management group.
    if scopes.iter().filter(|scope| is_group(scope)).count() > 1 {
        return Err(Failure::new(
            400,
            "InvalidRoleDefinitionAssignableScopes",
            "A custom role can have only one management group among its assignable scopes.",
        ));
    }
    let permissions: Vec<Permission> = serde_json::from_value(properties["permissions"].clone())
        .map_err(|_| invalid("The permissions of the role definition are not valid."))?;
    if permissions.len() != 1 {
        return Err(invalid(
            "A role definition has exactly one permission object.",
        ));
    }
    ask.authorize(cloud, WRITE_DEFINITION, scope)?;
    for scope in &scopes {
        ask.authorize(cloud, WRITE_DEFINITION, &super::scope_of_text(scope))?;
    }
    let name = name.to_lowercase();
    let known = cloud.definitions.get(&name);
    if built_in().contains_key(&name)
        || known.is_some_and(|one| one.tenant.as_ref() != Some(&ask.caller.tenant))
    {
        return Err(denied_change());
    }
    // Whoever may write a role at one of its scopes must not change what it
    // allows at the others.
    for scope in known.iter().flat_map(|one| &one.assignable_scopes) {
        ask.authorize(cloud, WRITE_DEFINITION, &super::scope_of_text(scope))?;
    }
    let taken = cloud.definitions.values().any(|other| {
        other.name != name
            && other.tenant.as_ref() == Some(&ask.caller.tenant)
            && other.role_name.eq_ignore_ascii_case(role_name)
    });
    if taken || definition_named(role_name).is_some() {
        return Err(Failure::new(
            409,
            "RoleDefinitionWithSameNameExists",
            format!(
                "A custom role with the same name '{role_name}' already exists in this directory."
            ),
        ));
    }
    let now = ask.context.moment.wall;
    let made = RoleDefinition {
        created: known.map_or(Some(now), |one| one.created),
        updated: Some(now),
        tenant: Some(ask.caller.tenant.clone()),
        role_name: role_name.to_owned(),
        description: properties["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        assignable_scopes: scopes,
        permissions,
        name: name.clone(),
    };
    let answer = render_definition(scope, &made);
    cloud.definitions.insert(name, made);
    Ok(Answer::json(201, answer))
}

fn is_group(scope: &str) -> bool {
    super::scope_of_text(scope).starts_with(&rbac::group_scope(""))
}

fn denied_change() -> Failure {
    Failure::new(
        400,
        "RoleDefinitionUpdateNotPermitted",
        "This role definition cannot be changed.",
    )
}

pub(super) fn delete_definition(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    scope: &str,
    name: &str,
) -> Outcome {
    ask.authorize(cloud, DELETE_DEFINITION, scope)?;
    let name = name.to_lowercase();
    if built_in().contains_key(&name) {
        return Err(denied_change());
    }
    let Some(known) = cloud.definitions.get(&name) else {
        return Ok(Answer::empty(204));
    };
    for scope in &known.assignable_scopes {
        ask.authorize(cloud, DELETE_DEFINITION, &super::scope_of_text(scope))?;
    }
    let used = cloud
        .assignments
        .values()
        .filter(|one| one.definition == name)
        .count();
    if used > 0 {
        return Err(Failure::new(
            400,
            "RoleDefinitionHasAssignments",
            format!("There are existing role assignments referencing role (code: {used})."),
        ));
    }
    let answer = render_definition(scope, known);
    cloud.definitions.remove(&name);
    Ok(Answer::ok(answer))
}

pub(super) fn render_assignment(assignment: &RoleAssignment) -> Value {
    let scope = assignment
        .id
        .rfind("/providers/Microsoft.Authorization/")
        .map_or("/", |at| &assignment.id[..at]);
    let base = assignment.id.split('/').take(3).collect::<Vec<_>>();
    let subscription = match base.as_slice() {
        ["", first, id] if first.eq_ignore_ascii_case("subscriptions") => {
            format!("/subscriptions/{id}")
        }
        _ => String::new(),
    };
    json!({
        "id": assignment.id,
        "name": assignment.name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!(
                "{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}",
                assignment.definition
            ),
            "principalId": assignment.principal_id,
            "principalType": assignment.principal_type,
            "scope": if scope.is_empty() { "/" } else { scope },
            "description": assignment.description,
            "condition": assignment.condition,
            "conditionVersion": assignment.condition_version,
            "createdOn": assignment.created.iso8601(),
            "updatedOn": assignment.created.iso8601(),
            "createdBy": assignment.created_by,
        },
    })
}

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

fn key(scope: &str, name: &str) -> String {
    format!("{scope}/providers/microsoft.authorization/roleassignments/{name}").to_lowercase()
}

pub(super) fn get_assignment(
    cloud: &Cloud,
    ask: &Ask<'_>,
    scope: &str,
    name: Option<&str>,
) -> Outcome {
    ask.authorize(cloud, READ, scope)?;
    if let Some(name) = name {
        return cloud
            .assignments
            .get(&key(scope, name))
            .filter(|one| one.tenant == ask.caller.tenant)
            .map(|one| Answer::ok(render_assignment(one)))
            .ok_or_else(|| no_assignment(name));
    }
    let wanted = ask.request.query("$filter").unwrap_or_default();
    let chain = rbac::chain(cloud, scope);
    let below = format!("{scope}/");
    let assigned = wanted
        .split_once("assignedTo('")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(id, _)| id);
    let all: Vec<Value> = cloud
        .assignments
        .values()
        .filter(|one| {
            one.tenant == ask.caller.tenant
                && (chain.contains(&one.scope)
                    || (!wanted.contains("atScope()") && one.scope.starts_with(&below)))
                && assigned.is_none_or(|id| id == one.principal_id)
                && filter(ask, "principalId", Some(&one.principal_id))
        })
        .map(render_assignment)
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

fn no_assignment(name: &str) -> Failure {
    Failure::new(
        404,
        "RoleAssignmentNotFound",
        format!("The role assignment '{name}' is not found."),
    )
}

/// What conditions see of an assignment that is made or removed.
fn facts(action: &str, source: &str, definition: &str, principal: &str, kind: &str) -> Facts {
    Facts {
        action: action.to_owned(),
        attributes: [
            (format!("{source}:roledefinitionid"), definition.to_owned()),
            (format!("{source}:principalid"), principal.to_owned()),
            (format!("{source}:principaltype"), kind.to_owned()),
        ]
        .into(),
    }
}

pub(super) fn put_assignment(cloud: &mut Cloud, ask: &Ask<'_>, scope: &str, name: &str) -> Outcome {
    let body = ask.request.json()?;
    let properties = &body["properties"];
    let invalid = |code: &'static str, message: String| Failure::new(400, code, message);
    let text = |field: &str| properties[field].as_str().map(str::to_owned);
    let (Some(definition_id), Some(principal_id)) = (text("roleDefinitionId"), text("principalId"))
    else {
        return Err(invalid(
            "InvalidCreateRoleAssignmentRequest",
            "The request to create role assignment is not valid. Role definition ID and principal \
             ID cannot be empty."
                .to_owned(),
        ));
    };
    if !super::super::is_uuid(name) {
        return Err(invalid(
            "InvalidRoleAssignmentId",
            format!(
                "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
            ),
        ));
    }
    let guid = definition_id
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let tenant = cloud.tenants.get(&ask.caller.tenant);
    let actual = tenant.and_then(|tenant| tenant.principal_type(&principal_id));
    let kind = text("principalType").or_else(|| actual.map(str::to_owned));
    let facts = facts(
        WRITE,
        "request",
        &guid,
        &principal_id,
        kind.as_deref().unwrap_or_default(),
    );
    rbac::authorize_with(cloud, ask.context, ask.caller, scope, &facts)?;
    let known_role = definition(cloud, &guid)
        .filter(|one| {
            one.tenant
                .as_ref()
                .is_none_or(|tenant| *tenant == ask.caller.tenant)
        })
        .ok_or_else(|| no_definition(&guid))?;
    let chain = rbac::chain(cloud, scope);
    if !known_role
        .assignable_scopes
        .iter()
        .any(|at| chain.contains(&super::scope_of_text(at)))
    {
        return Err(invalid(
            "InvalidRoleAssignmentScope",
            format!("The role definition '{guid}' cannot be assigned at scope '{scope}'."),
        ));
    }
    // Same place: no data actions at a management group.
    let of_data = |one: &Permission| !one.data_actions.is_empty();
    if known_role.tenant.is_some() && is_group(scope) && known_role.permissions.iter().any(of_data)
    {
        return Err(invalid(
            "InvalidRoleAssignmentScope",
            format!(
                "The role definition '{guid}' has data actions and cannot be assigned at a \
                 management group."
            ),
        ));
    }
    let Some(actual) = actual else {
        return Err(invalid(
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {}. Check that you have the \
                 correct principal ID. If you are creating this principal and then immediately \
                 assigning a role, this error might be related to a replication delay. In this \
                 case, set the role assignment principalType property to a value, such as \
                 ServicePrincipal, User, or Group.",
                principal_id.replace('-', ""),
                ask.caller.tenant
            ),
        ));
    };
    if kind.as_deref() != Some(actual) {
        return Err(invalid(
            "UnmatchedPrincipalType",
            format!(
                "The PrincipalId '{principal_id}' has type '{actual}', which is different from \
                 specified PrincipalType '{}'.",
                kind.unwrap_or_default()
            ),
        ));
    }
    let condition = text("condition").filter(|text| !text.is_empty());
    if let Some(condition) = &condition {
        if properties["conditionVersion"] != "2.0" {
            return Err(invalid(
                "InvalidConditionVersion",
                "The conditionVersion must be '2.0' when a condition is given.".to_owned(),
            ));
        }
        Expression::parse(condition)
            .map_err(|error| invalid("InvalidCondition", error.to_string()))?;
    }
    let key = key(scope, name);
    let known = cloud.assignments.get(&key);
    if let Some(known) = known
        && (known.principal_id != principal_id || known.definition != guid)
    {
        return Err(invalid(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
                .to_owned(),
        ));
    }
    let twin = cloud.assignments.iter().find(|(other, one)| {
        **other != key
            && one.scope == scope
            && one.principal_id == principal_id
            && one.definition == guid
    });
    if let Some((_, twin)) = twin {
        return Err(Failure::new(
            409,
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                twin.name.replace('-', "")
            ),
        ));
    }
    let status = if known.is_some() { 200 } else { 201 };
    let made = RoleAssignment {
        id: ask.request.id(),
        name: name.to_owned(),
        tenant: ask.caller.tenant.clone(),
        scope: scope.to_owned(),
        definition: guid,
        principal_id,
        principal_type: actual.to_owned(),
        description: text("description"),
        condition,
        condition_version: text("conditionVersion"),
        created: ask.context.moment.wall,
        created_by: ask.caller.object_id.clone(),
        effective_at: ask.context.moment.now.plus(cloud.lags.role_assignment),
    };
    let answer = render_assignment(&made);
    cloud.assignments.insert(key, made);
    Ok(Answer::json(status, answer))
}

pub(super) fn delete_assignment(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    scope: &str,
    name: &str,
) -> Outcome {
    let key = key(scope, name);
    let Some(known) = cloud
        .assignments
        .get(&key)
        .filter(|one| one.tenant == ask.caller.tenant)
    else {
        ask.authorize(cloud, DELETE, scope)?;
        return Ok(Answer::empty(204));
    };
    let facts = facts(
        DELETE,
        "resource",
        &known.definition,
        &known.principal_id,
        &known.principal_type,
    );
    rbac::authorize_with(cloud, ask.context, ask.caller, scope, &facts)?;
    super::locks::check_delete(cloud, scope, false)?;
    let answer = render_assignment(known);
    cloud.assignments.remove(&key);
    Ok(Answer::ok(answer))
}

/// What the caller may do at a scope, as its portal asks.
pub(super) fn permissions(cloud: &Cloud, ask: &Ask<'_>, scope: &str) -> Outcome {
    if let Some(tenant) = rbac::tenant_of(cloud, scope)
        && tenant != ask.caller.tenant
    {
        return Err(rbac::denied(
            ask.caller,
            "Microsoft.Authorization/permissions/read",
            scope,
        ));
    }
    let all: Vec<Value> = rbac::effective(cloud, ask.context, ask.caller, scope)
        .into_iter()
        .filter_map(|assignment| Some((assignment, definition(cloud, &assignment.definition)?)))
        .flat_map(|(assignment, definition)| {
            definition.permissions.iter().map(move |permission| {
                let mut value = json!(permission);
                if let Some(condition) = &assignment.condition {
                    value["condition"] = json!(condition);
                    value["conditionVersion"] = json!(assignment.condition_version);
                }
                value
            })
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}
