//! The organization itself: name, domains, people, delegated grants.

use super::super::answer::{Answer, Outcome};
use super::super::entra::Kind;
use super::super::state::{Cloud, Tenant, User};
use super::access::need;
use super::{Ask, bad, collection, not_found, tenant_mut};
use serde_json::{Value, json};

const READ: [&str; 3] = [
    "Organization.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const DOMAINS: [&str; 4] = [
    "Domain.Read.All",
    "Domain.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const USERS: [&str; 4] = [
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const DELEGATED: [&str; 1] = ["DelegatedPermissionGrant.ReadWrite.All"];

pub(super) fn organization(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    need(ask, &READ)?;
    let domains: Vec<Value> = tenant
        .domains
        .iter()
        .enumerate()
        .map(|(at, name)| {
            json!({
                "name": name,
                "isInitial": at == 0,
                "isDefault": at + 1 == tenant.domains.len(),
                "type": "Managed",
                "capabilities": "Email, OfficeCommunicationsOnline",
            })
        })
        .collect();
    let value = json!({
        "id": tenant.id,
        "displayName": tenant.display_name,
        "tenantType": "AAD",
        "countryLetterCode": "DE",
        "verifiedDomains": domains,
    });
    collection(ask, "organization", vec![value])
}

pub(super) fn domains(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    need(ask, &DOMAINS)?;
    let domains = tenant
        .domains
        .iter()
        .enumerate()
        .map(|(at, name)| {
            json!({
                "id": name,
                "authenticationType": "Managed",
                "isAdminManaged": true,
                "isInitial": at == 0,
                "isDefault": at + 1 == tenant.domains.len(),
                "isRoot": true,
                "isVerified": true,
            })
        })
        .collect();
    collection(ask, "domains", domains)
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "displayName": user.display_name,
        "userPrincipalName": user.principal_name,
        "mail": user.principal_name,
    })
}

pub(super) fn users(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    need(ask, &USERS)?;
    collection(ask, "users", tenant.users.values().map(user).collect())
}

pub(super) fn me(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    match &ask.caller.kind {
        Kind::User { .. } => tenant
            .users
            .get(&ask.caller.object_id)
            .map(|found| Answer::ok(user(found)))
            .ok_or_else(|| not_found("me")),
        Kind::Application { .. } => Err(bad(
            "/me request is only valid with delegated authentication flow.",
        )),
    }
}

pub(super) fn delegated(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    need(
        ask,
        &[DELEGATED.as_slice(), &["Directory.Read.All"]].concat(),
    )?;
    collection(
        ask,
        "oauth2PermissionGrants",
        tenant.delegated.values().cloned().collect(),
    )
}

pub(super) fn delegate(cloud: &mut Cloud, ask: &Ask<'_>) -> Outcome {
    need(ask, &DELEGATED)?;
    let mut grant = ask.request.json()?;
    let tenant = tenant_mut(cloud, ask)?;
    for field in ["clientId", "resourceId"] {
        let id = grant[field].as_str().unwrap_or_default();
        if !tenant.principals.contains_key(id) {
            return Err(not_found(id));
        }
    }
    if grant["scope"].as_str().is_none() || grant["consentType"].as_str().is_none() {
        return Err(bad("consentType and scope are required."));
    }
    let id = cloud.uuid();
    grant["id"] = json!(id);
    tenant_mut(cloud, ask)?.delegated.insert(id, grant.clone());
    Ok(Answer::json(201, grant))
}

pub(super) fn undelegate(cloud: &mut Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    need(ask, &DELEGATED)?;
    let removed = tenant_mut(cloud, ask)?.delegated.remove(id);
    removed
        .map(|_| Answer::empty(204))
        .ok_or_else(|| not_found(id))
}
