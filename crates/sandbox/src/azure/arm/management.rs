//! Management groups, and which subscription is in which.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::entra::Kind;
use super::super::state::{Cloud, ManagementGroup, Tenant};
use super::{Ask, rbac};
use serde_json::{Value, json};

const READ: &str = "Microsoft.Management/managementGroups/read";
const WRITE: &str = "Microsoft.Management/managementGroups/write";
/// Microsoft Learn: "a management group tree can support up to six levels of
/// depth", the root not counted.
const DEEPEST: usize = 6;

fn tenant<'c>(cloud: &'c Cloud, ask: &Ask<'_>) -> Result<&'c Tenant, Failure> {
    cloud
        .tenants
        .get(&ask.caller.tenant)
        .ok_or_else(|| missing(&ask.caller.tenant))
}

fn missing(name: &str) -> Failure {
    Failure::new(
        404,
        "NotFound",
        format!("The management group '{name}' cannot be found."),
    )
}

fn id(name: &str) -> String {
    format!("/providers/Microsoft.Management/managementGroups/{name}")
}

/// How much of what is below a group is shown with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Below {
    None,
    Children,
    All,
}

/// What lies in a group: groups first, each with what lies in it if all is
/// asked for.
fn children(cloud: &Cloud, tenant: &Tenant, name: &str, below: Below) -> Vec<Value> {
    let groups = tenant.management_groups.values();
    let mut all: Vec<Value> = groups
        .filter(|one| one.parent.as_deref() == Some(name))
        .map(|one| {
            let mut child = json!({
                "id": id(&one.name),
                "type": "Microsoft.Management/managementGroups",
                "name": one.name,
                "displayName": one.display_name,
            });
            if below == Below::All {
                child["children"] = json!(children(cloud, tenant, &one.name, below));
            }
            child
        })
        .collect();
    let subscriptions = cloud.subscriptions.values();
    all.extend(
        subscriptions
            .filter(|one| one.tenant == tenant.id && one.management_group == name)
            .map(|one| {
                json!({
                    "id": format!("/subscriptions/{}", one.id),
                    "type": "/subscriptions",
                    "name": one.id,
                    "displayName": one.display_name,
                })
            }),
    );
    all
}

fn render(cloud: &Cloud, tenant: &Tenant, group: &ManagementGroup, below: Below) -> Value {
    let mut details = json!({ "version": 1 });
    if let Some(parent) = &group.parent {
        details["parent"] = json!({
            "id": id(parent),
            "name": parent,
            "displayName": tenant.management_groups.get(parent).map(|one| &one.display_name),
        });
    }
    let mut value = json!({
        "id": id(&group.name),
        "name": group.name,
        "type": "Microsoft.Management/managementGroups",
        "properties": {
            "tenantId": tenant.id,
            "displayName": group.display_name,
            "details": details,
        },
    });
    if below != Below::None {
        value["properties"]["children"] = json!(children(cloud, tenant, &group.name, below));
    }
    value
}

pub(super) fn list(cloud: &Cloud, ask: &Ask<'_>) -> Outcome {
    let tenant = tenant(cloud, ask)?;
    let all: Vec<Value> = tenant
        .management_groups
        .values()
        .filter(|group| {
            ask.authorize(cloud, READ, &rbac::group_scope(&group.name))
                .is_ok()
        })
        .map(|group| {
            let mut value = render(cloud, tenant, group, Below::None);
            value["properties"] = json!({
                "tenantId": tenant.id,
                "displayName": group.display_name,
            });
            value
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

pub(super) fn get(cloud: &Cloud, ask: &Ask<'_>, name: &str) -> Outcome {
    let tenant = tenant(cloud, ask)?;
    ask.authorize(cloud, READ, &rbac::group_scope(name))?;
    let group = tenant
        .management_groups
        .get(name)
        .ok_or_else(|| missing(name))?;
    let recurse = ask
        .request
        .query("$recurse")
        .is_some_and(|said| said.eq_ignore_ascii_case("true"));
    let below = match ask.request.query("$expand") {
        Some("children") if recurse => Below::All,
        Some("children") => Below::Children,
        _ => Below::None,
    };
    Ok(Answer::ok(render(cloud, tenant, group, below)))
}

/// Everybody may make a group below the root and becomes its Owner; another
/// parent needs a right on that.
pub(super) fn put(cloud: &mut Cloud, ask: &Ask<'_>) -> Outcome {
    let body = ask.request.json()?;
    let name = ask
        .request
        .segments
        .get(3)
        .map(|name| name.to_lowercase())
        .unwrap_or_default();
    let tenant_id = ask.caller.tenant.clone();
    let parent = body["properties"]["details"]["parent"]["id"]
        .as_str()
        .and_then(|id| id.rsplit('/').next())
        .map_or_else(|| tenant_id.clone(), str::to_lowercase);
    let scope = rbac::group_scope(&name);
    let taken = cloud
        .tenants
        .values()
        .any(|tenant| tenant.id != tenant_id && tenant.management_groups.contains_key(&name));
    if taken {
        return Err(Failure::new(
            409,
            "AlreadyExists",
            "The management group name is taken.",
        ));
    }
    let tenant = tenant(cloud, ask)?;
    let known = tenant.management_groups.get(&name).cloned();
    if !tenant.management_groups.contains_key(&parent) {
        return Err(missing(&parent));
    }
    let above = rbac::chain(cloud, &rbac::group_scope(&parent));
    if above.contains(&scope) || above.len() > DEEPEST + 1 {
        return Err(Failure::new(
            400,
            "BadRequest",
            "The parent lies below the management group, or too deep.",
        ));
    }
    if known.is_some() {
        ask.authorize(cloud, WRITE, &scope)?;
    }
    if parent != tenant_id {
        ask.authorize(cloud, WRITE, &rbac::group_scope(&parent))?;
    }
    let group = ManagementGroup {
        display_name: body["properties"]["displayName"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| known.as_ref().map(|group| group.display_name.clone()))
            .unwrap_or_else(|| name.clone()),
        parent: Some(parent),
        name: name.clone(),
    };
    if let Some(tenant) = cloud.tenants.get_mut(&tenant_id) {
        tenant.management_groups.insert(name, group.clone());
    }
    if known.is_none() {
        let kind = match ask.caller.kind {
            Kind::User { .. } => "User",
            Kind::Application { .. } => "ServicePrincipal",
        };
        let now = ask.context.moment.now;
        cloud.own(&tenant_id, &scope, &ask.caller.object_id, kind, now);
    }
    let tenant = cloud
        .tenants
        .get(&tenant_id)
        .ok_or_else(|| missing(&tenant_id))?;
    Ok(Answer::ok(render(cloud, tenant, &group, Below::None)))
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, name: &str) -> Outcome {
    ask.authorize(
        cloud,
        "Microsoft.Management/managementGroups/delete",
        &rbac::group_scope(name),
    )?;
    let tenant = tenant(cloud, ask)?;
    let group = tenant
        .management_groups
        .get(name)
        .ok_or_else(|| missing(name))?;
    let used = group.parent.is_none()
        || tenant
            .management_groups
            .values()
            .any(|one| one.parent.as_deref() == Some(name))
        || cloud
            .subscriptions
            .values()
            .any(|one| one.management_group == name);
    if used {
        return Err(Failure::new(
            400,
            "BadRequest",
            "The management group has children, or is the root.",
        ));
    }
    let scope = rbac::group_scope(name);
    cloud.assignments.retain(|_, one| one.scope != scope);
    if let Some(tenant) = cloud.tenants.get_mut(&ask.caller.tenant) {
        tenant.management_groups.remove(name);
    }
    Ok(Answer::empty(204))
}

/// Needs rights on both: to write the group, and to give roles below it.
pub(super) fn move_subscription(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    name: &str,
    subscription: &str,
) -> Outcome {
    let below = format!("/subscriptions/{subscription}");
    ask.authorize(
        cloud,
        "Microsoft.Management/managementGroups/subscriptions/write",
        &rbac::group_scope(name),
    )?;
    ask.authorize(
        cloud,
        "Microsoft.Authorization/roleAssignments/write",
        &below,
    )?;
    if !tenant(cloud, ask)?.management_groups.contains_key(name) {
        return Err(missing(name));
    }
    let found = cloud
        .subscriptions
        .get_mut(subscription)
        .ok_or_else(|| missing(subscription))?;
    name.clone_into(&mut found.management_group);
    Ok(Answer::ok(json!({
        "id": format!("{}/subscriptions/{subscription}", id(name)),
        "type": "Microsoft.Management/managementGroups/subscriptions",
        "name": subscription,
        "properties": {
            "tenant": found.tenant,
            "displayName": found.display_name,
            "parent": { "id": id(name) },
            "state": "Active",
        },
    })))
}
