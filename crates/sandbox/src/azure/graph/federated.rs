//! Federated identity credentials.
//!
//! Microsoft Learn: "Important considerations and restrictions for federated
//! identity credentials": at most 20, unique issuer and subject, at most 600
//! characters, no wildcards; what they say is not checked.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{Application, Cloud, Federated, Tenant};
use super::{Ask, access, bad, collection, not_found, render, tenant_mut};
use serde_json::Value;

const MOST: usize = 20;
const LONGEST: usize = 600;

fn find<'a>(application: &'a Application, key: &str) -> Result<&'a Federated, Failure> {
    let key = key.strip_prefix("name=").unwrap_or(key);
    application
        .federated
        .iter()
        .find(|credential| credential.id == key || credential.name == key)
        .ok_or_else(|| not_found(key))
}

pub(super) fn list(tenant: &Tenant, ask: &Ask<'_>, key: &str) -> Outcome {
    let application = access::application(tenant, key)?;
    access::read(ask, application)?;
    let all = application
        .federated
        .iter()
        .map(render::federated)
        .collect();
    collection(ask, "federatedIdentityCredentials", all)
}

pub(super) fn get(tenant: &Tenant, ask: &Ask<'_>, key: &str, one: &str) -> Outcome {
    let application = access::application(tenant, key)?;
    access::read(ask, application)?;
    Ok(Answer::ok(render::federated(find(application, one)?)))
}

fn text(body: &Value, name: &str) -> Result<String, Failure> {
    body[name]
        .as_str()
        .filter(|value| !value.is_empty() && value.len() <= LONGEST)
        .map(str::to_owned)
        .ok_or_else(|| {
            bad(format!(
                "Property '{name}' is required and has at most {LONGEST} characters."
            ))
        })
}

fn audiences(body: &Value) -> Result<Vec<String>, Failure> {
    let list = body["audiences"].as_array().cloned().unwrap_or_default();
    match list.as_slice() {
        [Value::String(one)] if !one.is_empty() && one.len() <= LONGEST => Ok(vec![one.clone()]),
        _ => Err(bad("Property 'audiences' must contain exactly one value.")),
    }
}

/// No second credential of the application has this issuer and subject.
fn unique(application: &Application, credential: &Federated) -> Result<(), Failure> {
    let taken = application.federated.iter().any(|other| {
        other.id != credential.id
            && other.issuer == credential.issuer
            && other.subject == credential.subject
    });
    if taken {
        return Err(Failure::new(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "FederatedIdentityCredential with the same issuer and subject already exists.",
        ));
    }
    Ok(())
}

pub(super) fn create(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let id = access::writable(ask, tenant_mut(cloud, ask)?, key)?;
    let name = text(&body, "name")?;
    if name.len() > 120 {
        return Err(bad("Property 'name' has at most 120 characters."));
    }
    let credential = Federated {
        id: cloud.uuid(),
        name,
        description: body["description"].as_str().map(str::to_owned),
        issuer: text(&body, "issuer")?,
        subject: text(&body, "subject")?,
        audiences: audiences(&body)?,
        effective_at: ask.context.moment.now.plus(cloud.lags.federated_credential),
    };
    let tenant = tenant_mut(cloud, ask)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    if application.federated.len() >= MOST {
        return Err(bad(format!(
            "The maximum number of federated identity credentials ({MOST}) has been reached."
        )));
    }
    if application
        .federated
        .iter()
        .any(|other| other.name == credential.name)
    {
        return Err(Failure::new(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "FederatedIdentityCredential with the same name already exists.",
        ));
    }
    unique(application, &credential)?;
    let answer = render::federated(&credential);
    application.federated.push(credential);
    Ok(Answer::json(201, answer))
}

pub(super) fn update(cloud: &mut Cloud, ask: &Ask<'_>, key: &str, one: &str) -> Outcome {
    let body = ask.request.json()?;
    let effective_at = ask.context.moment.now.plus(cloud.lags.federated_credential);
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    let mut changed = find(application, one)?.clone();
    if body.get("issuer").is_some() {
        changed.issuer = text(&body, "issuer")?;
    }
    if body.get("subject").is_some() {
        changed.subject = text(&body, "subject")?;
    }
    if body.get("audiences").is_some() {
        changed.audiences = audiences(&body)?;
    }
    if let Some(description) = body["description"].as_str() {
        changed.description = Some(description.to_owned());
    }
    changed.effective_at = effective_at;
    unique(application, &changed)?;
    for credential in &mut application.federated {
        if credential.id == changed.id {
            credential.clone_from(&changed);
        }
    }
    Ok(Answer::empty(204))
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, key: &str, one: &str) -> Outcome {
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    let gone = find(application, one)?.id.clone();
    application
        .federated
        .retain(|credential| credential.id != gone);
    Ok(Answer::empty(204))
}
