//! App registrations.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{Application, Certificate, Cloud, Deleted, Tenant};
use super::access::{self, has};
use super::{Ask, bad, collection, not_found, render, tenant_mut};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A deleted application can be restored for 30 days.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn list(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    access::read_any(ask)?;
    let visible = tenant
        .applications
        .values()
        .filter(|application| access::may_read(ask, application))
        .map(render::application)
        .collect();
    collection(ask, "applications", visible)
}

pub(super) fn get(tenant: &Tenant, ask: &Ask<'_>, key: &str) -> Outcome {
    // Who may read none is not told which there are.
    access::read_any(ask)?;
    let application = access::application(tenant, key)?;
    access::read(ask, application)?;
    Ok(Answer::ok(render::application(application)))
}

pub(super) fn owners(tenant: &Tenant, ask: &Ask<'_>, key: &str) -> Outcome {
    // Who may read none is not told which there are.
    access::read_any(ask)?;
    let application = access::application(tenant, key)?;
    access::read(ask, application)?;
    let owners = application
        .owners
        .iter()
        .map(|id| {
            let kind = if tenant.users.contains_key(id) {
                "#microsoft.graph.user"
            } else {
                "#microsoft.graph.servicePrincipal"
            };
            json!({ "@odata.type": kind, "id": id })
        })
        .collect();
    collection(ask, "directoryObjects", owners)
}

pub(super) fn create(cloud: &mut Cloud, ask: &Ask<'_>) -> Outcome {
    access::create(ask)?;
    let body = ask.request.json()?;
    let display_name = body["displayName"]
        .as_str()
        .filter(|name| !name.is_empty() && name.len() <= 256)
        .ok_or_else(|| {
            bad("A value is required for property 'displayName' of resource 'Application'.")
        })?;
    let mut application = Application {
        id: cloud.uuid(),
        app_id: cloud.uuid(),
        display_name: display_name.to_owned(),
        created: ask.context.moment.wall,
        multi_tenant: false,
        redirect_uris: Vec::new(),
        required: json!([]),
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated: Vec::new(),
        owners: BTreeSet::new(),
        other: Map::new(),
    };
    apply(cloud, &mut application, &body)?;
    // Without the wider permission the creator could not touch its own work.
    if !has(ask, &["Application.ReadWrite.All"]) || ask.caller_is_user() {
        application.owners.insert(ask.caller.object_id.clone());
    }
    let answer = render::application(&application);
    tenant_mut(cloud, ask)?
        .applications
        .insert(application.id.clone(), application);
    Ok(Answer::json(201, answer))
}

impl Ask<'_> {
    fn caller_is_user(&self) -> bool {
        matches!(self.caller.kind, super::super::entra::Kind::User { .. })
    }
}

/// Takes over what a body says. Credentials have calls of their own, except
/// certificates.
fn apply(cloud: &mut Cloud, application: &mut Application, body: &Value) -> Result<(), Failure> {
    for (name, value) in body.as_object().into_iter().flatten() {
        match name.as_str() {
            "displayName" => {
                application.display_name = value
                    .as_str()
                    .filter(|name| !name.is_empty())
                    .ok_or_else(|| bad("Invalid value specified for property 'displayName'."))?
                    .to_owned();
            }
            "signInAudience" => {
                application.multi_tenant = match value.as_str() {
                    Some("AzureADMyOrg") => false,
                    Some("AzureADMultipleOrgs" | "AzureADandPersonalMicrosoftAccount") => true,
                    _ => {
                        return Err(bad(
                            "Invalid value specified for property 'signInAudience'.",
                        ));
                    }
                };
            }
            "requiredResourceAccess" => application.required = value.clone(),
            "web" => {
                if let Some(uris) = value["redirectUris"].as_array() {
                    application.redirect_uris = redirect_uris(uris)?;
                }
            }
            "keyCredentials" => application.certificates = certificates(cloud, value)?,
            "passwordCredentials" => {
                if value.as_array().is_some_and(|list| !list.is_empty()) {
                    return Err(bad(
                        "Updating passwordCredentials is not allowed; use addPassword and \
                         removePassword.",
                    ));
                }
                application.secrets.clear();
            }
            "id" | "appId" | "createdDateTime" | "deletedDateTime" => {
                return Err(bad(format!(
                    "Property '{name}' is read-only and cannot be set."
                )));
            }
            _ => {
                application.other.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn redirect_uris(uris: &[Value]) -> Result<Vec<String>, Failure> {
    uris.iter()
        .map(|uri| {
            let text = uri.as_str().unwrap_or_default();
            let url = url::Url::parse(text).ok();
            let local = |url: &url::Url| {
                ["localhost", "127.0.0.1"].contains(&url.host_str().unwrap_or_default())
            };
            url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && local(url)))
                .map(|_| text.to_owned())
                .ok_or_else(|| {
                    bad(format!(
                        "'{text}' is not a valid redirect URI: https is needed."
                    ))
                })
        })
        .collect()
}

fn certificates(cloud: &mut Cloud, value: &Value) -> Result<Vec<Certificate>, Failure> {
    let wrong = || bad("Key credential is invalid: an X.509 certificate in base 64 is needed.");
    let mut made = Vec::new();
    for one in value.as_array().ok_or_else(wrong)? {
        let der = one["key"].as_str().ok_or_else(wrong)?;
        STANDARD.decode(der).map_err(|_| wrong())?;
        let time = |name: &str, otherwise: i64| {
            one[name]
                .as_str()
                .and_then(super::secrets::parse_time)
                .unwrap_or(crate::clock::Instant(otherwise))
        };
        made.push(Certificate {
            key_id: cloud.uuid(),
            display_name: one["displayName"].as_str().map(str::to_owned),
            der: der.to_owned(),
            start: time("startDateTime", 0),
            end: time("endDateTime", i64::MAX / 2_000_000),
        });
    }
    Ok(made)
}

pub(super) fn update(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let mut changed = access::application(tenant, &id)?.clone();
    apply(cloud, &mut changed, &body)?;
    tenant_mut(cloud, ask)?.applications.insert(id, changed);
    Ok(Answer::empty(204))
}

/// The application goes to the deleted items; its principal here goes for good.
pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let at = ask.context.moment.wall;
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let application = tenant
        .applications
        .remove(&id)
        .ok_or_else(|| not_found(key))?;
    if let Some(principal) = tenant.principal_of(&application.app_id) {
        let principal = principal.id.clone();
        super::principals::forget(tenant, &principal);
    }
    tenant.deleted.insert(id, Deleted { at, application });
    Ok(Answer::empty(204))
}

fn is_kept(ask: &Ask<'_>, deleted: &Deleted) -> bool {
    deleted.at.plus(KEPT) > ask.context.moment.wall
}

fn render_deleted(deleted: &Deleted) -> Value {
    let mut value = render::application(&deleted.application);
    value["deletedDateTime"] = json!(deleted.at.iso8601());
    value
}

pub(super) fn deleted(tenant: &Tenant, ask: &Ask<'_>) -> Outcome {
    access::read_any(ask)?;
    let items = tenant
        .deleted
        .values()
        .filter(|deleted| is_kept(ask, deleted) && access::may_read(ask, &deleted.application))
        .map(render_deleted)
        .collect();
    collection(ask, "directoryObjects", items)
}

pub(super) fn deleted_one(tenant: &Tenant, ask: &Ask<'_>, id: &str) -> Outcome {
    let deleted = tenant
        .deleted
        .get(id)
        .filter(|deleted| is_kept(ask, deleted));
    let deleted = deleted.ok_or_else(|| not_found(id))?;
    access::read(ask, &deleted.application)?;
    Ok(Answer::ok(render_deleted(deleted)))
}

/// Who may change the application may also restore or purge it.
fn take_deleted(tenant: &mut Tenant, ask: &Ask<'_>, id: &str) -> Result<Application, Failure> {
    let deleted = tenant
        .deleted
        .get(id)
        .filter(|deleted| is_kept(ask, deleted));
    access::write(ask, &deleted.ok_or_else(|| not_found(id))?.application)?;
    let deleted = tenant.deleted.remove(id).ok_or_else(|| not_found(id))?;
    Ok(deleted.application)
}

pub(super) fn restore(cloud: &mut Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    let tenant = tenant_mut(cloud, ask)?;
    let application = take_deleted(tenant, ask, id)?;
    let answer = render::application(&application);
    tenant.applications.insert(id.to_owned(), application);
    Ok(Answer::ok(answer))
}

pub(super) fn purge(cloud: &mut Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    take_deleted(tenant_mut(cloud, ask)?, ask, id)?;
    Ok(Answer::empty(204))
}

pub(super) fn add_owner(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let owner = body["@odata.id"]
        .as_str()
        .and_then(|url| url.rsplit('/').next())
        .unwrap_or_default()
        .to_owned();
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    if tenant.principal_type(&owner).is_none() {
        return Err(not_found(&owner));
    }
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    if !application.owners.insert(owner) {
        return Err(bad(
            "One or more added object references already exist for the following modified \
             properties: 'owners'.",
        ));
    }
    Ok(Answer::empty(204))
}

pub(super) fn remove_owner(cloud: &mut Cloud, ask: &Ask<'_>, key: &str, owner: &str) -> Outcome {
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    if application.owners.remove(owner) {
        Ok(Answer::empty(204))
    } else {
        Err(not_found(owner))
    }
}
