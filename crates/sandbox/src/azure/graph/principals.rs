//! Service principals, and the app roles that they hold.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{AppRoleAssignment, Cloud, ServicePrincipal, Tenant};
use super::access::{has, need};
use super::{Ask, access, bad, collection, not_found, permissions, render, tenant_mut};

const READ: [&str; 5] = [
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const ASSIGN: [&str; 1] = ["AppRoleAssignment.ReadWrite.All"];

fn find<'t>(tenant: &'t Tenant, key: &str) -> Result<&'t ServicePrincipal, Failure> {
    match key.strip_prefix("appId=") {
        Some(app_id) => tenant.principal_of(app_id),
        None => tenant.principals.get(key),
    }
    .ok_or_else(|| not_found(key))
}

pub(super) fn list(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    need(ask, &READ)?;
    let all = tenant.principals.values().map(render::principal).collect();
    collection(ask, "servicePrincipals", all)
}

pub(super) fn get(tenant: &Tenant, ask: &Ask<'_>, key: &str) -> Outcome {
    need(ask, &READ)?;
    Ok(Answer::ok(render::principal(find(tenant, key)?)))
}

pub(super) fn create(cloud: &mut Cloud, ask: &Ask<'_>) -> Outcome {
    let body = ask.request.json()?;
    let app_id = body["appId"].as_str().ok_or_else(|| {
        bad("A value is required for property 'appId' of resource 'ServicePrincipal'.")
    })?;
    let (home, application) = cloud
        .application(app_id)
        .filter(|(home, application)| application.multi_tenant || home.id == ask.caller.tenant)
        .ok_or_else(|| {
            bad(format!(
                "The appId '{app_id}' of the service principal does not reference a valid \
                 application object."
            ))
        })?;
    access::create(ask)?;
    if !has(ask, &["Application.ReadWrite.All"]) && home.id == ask.caller.tenant {
        access::write(ask, application)?;
    }
    let (home, app_id, name) = (
        home.id.clone(),
        application.app_id.clone(),
        application.display_name.clone(),
    );
    if tenant_mut(cloud, ask)?.principal_of(&app_id).is_some() {
        return Err(Failure::new(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            format!(
                "The service principal cannot be created, updated, or restored because the \
                 service principal name {app_id} is already in use."
            ),
        ));
    }
    let now = ask.context.moment.now;
    let mut principal = cloud.principal(&app_id, Some(home), &name, now);
    principal.created = ask.context.moment.wall;
    principal.owners.insert(ask.caller.object_id.clone());
    let answer = render::principal(&principal);
    let tenant = tenant_mut(cloud, ask)?;
    tenant.principals.insert(principal.id.clone(), principal);
    Ok(Answer::json(201, answer))
}

fn writable(tenant: &Tenant, ask: &Ask<'_>, key: &str) -> Result<String, Failure> {
    let principal = find(tenant, key)?;
    let owned = has(ask, &["Application.ReadWrite.OwnedBy"])
        && principal.owners.contains(&ask.caller.object_id);
    if !owned {
        need(ask, &["Application.ReadWrite.All"])?;
    }
    if principal.app_id == permissions::GRAPH_APP_ID {
        return Err(bad("Microsoft's own service principals cannot be changed."));
    }
    Ok(principal.id.clone())
}

pub(super) fn update(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let tenant = tenant_mut(cloud, ask)?;
    let id = writable(tenant, ask, key)?;
    let principal = tenant
        .principals
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    if let Some(enabled) = body["accountEnabled"].as_bool() {
        principal.enabled = enabled;
    }
    if let Some(name) = body["displayName"].as_str() {
        name.clone_into(&mut principal.display_name);
    }
    Ok(Answer::empty(204))
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let tenant = tenant_mut(cloud, ask)?;
    let id = writable(tenant, ask, key)?;
    forget(tenant, &id);
    Ok(Answer::empty(204))
}

/// Role assignments in Resource Manager stay behind, for an unknown identity.
pub(super) fn forget(tenant: &mut Tenant, id: &str) {
    tenant.principals.remove(id);
    tenant
        .app_roles
        .retain(|_, one| one.principal_id != id && one.resource_id != id);
}

pub(super) fn app_roles(tenant: &Tenant, ask: &Ask<'_>, key: &str, to_it: bool) -> Outcome {
    need(ask, &[READ.as_slice(), &ASSIGN].concat())?;
    let id = &find(tenant, key)?.id;
    let all = tenant
        .app_roles
        .values()
        .filter(|one| {
            if to_it {
                one.resource_id == *id
            } else {
                one.principal_id == *id
            }
        })
        .map(|one| render::app_role(tenant, one))
        .collect();
    collection(ask, "appRoleAssignments", all)
}

pub(super) fn assign(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    need(ask, &ASSIGN)?;
    let body = ask.request.json()?;
    let text = |name: &str| {
        body[name]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| bad(format!("A value is required for property '{name}'.")))
    };
    let (principal_id, resource_id, app_role_id) = (
        text("principalId")?,
        text("resourceId")?,
        text("appRoleId")?,
    );
    let tenant = tenant_mut(cloud, ask)?;
    find(tenant, key)?;
    let resource = find(tenant, &resource_id)?;
    if tenant.principal_type(&principal_id).is_none() {
        return Err(not_found(&principal_id));
    }
    if resource.app_id != permissions::GRAPH_APP_ID
        || permissions::role_name(&app_role_id).is_none()
    {
        return Err(bad(
            "Permission being assigned was not found on application.",
        ));
    }
    let known = tenant.app_roles.values().any(|one| {
        one.principal_id == principal_id
            && one.resource_id == resource_id
            && one.app_role_id == app_role_id
    });
    if known {
        return Err(bad(
            "Permission being assigned already exists on the object.",
        ));
    }
    let effective_at = ask.context.moment.now.plus(cloud.lags.consent);
    let assignment = AppRoleAssignment {
        id: cloud.uuid(),
        principal_id,
        resource_id,
        app_role_id,
        created: ask.context.moment.wall,
        effective_at,
    };
    let tenant = tenant_mut(cloud, ask)?;
    let answer = render::app_role(tenant, &assignment);
    tenant.app_roles.insert(assignment.id.clone(), assignment);
    Ok(Answer::json(201, answer))
}

pub(super) fn unassign(cloud: &mut Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    need(ask, &ASSIGN)?;
    let removed = tenant_mut(cloud, ask)?.app_roles.remove(id);
    removed
        .map(|_| Answer::empty(204))
        .ok_or_else(|| not_found(id))
}
