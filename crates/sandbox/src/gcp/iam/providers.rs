//! OIDC providers of a workload identity pool.

use super::pools::{self, TAKES};
use crate::gcp::call::{Answer, Call, page};
use crate::gcp::cel;
use crate::gcp::error::Refusal;
use crate::gcp::resources::constraint;
use crate::gcp::state::{Life, Pool, Project, Provider};
use crate::gcp::tokens::mapped_attribute;
use crate::jwt::KeySet;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn permission(verb: &str) -> String {
    format!("iam.googleapis.com/workloadIdentityPoolProviders.{verb}")
}

fn path(project: &Project, pool: &str, id: &str) -> String {
    format!("{}/providers/{id}", pools::path(project, pool))
}

fn render(project: &Project, pool: &str, id: &str, provider: &Provider) -> Value {
    let mut oidc = json!({ "issuerUri": provider.issuer_uri });
    if !provider.allowed_audiences.is_empty() {
        oidc["allowedAudiences"] = json!(provider.allowed_audiences);
    }
    if let Some(jwks) = &provider.jwks_json {
        oidc["jwksJson"] = json!(jwks);
    }
    let mut shown = json!({
        "name": path(project, pool, id),
        "oidc": oidc,
        "attributeMapping": provider.attribute_mapping,
    });
    for (field, value) in [
        ("displayName", &provider.display_name),
        ("description", &provider.description),
        ("attributeCondition", &provider.attribute_condition),
    ] {
        if !value.is_empty() {
            shown[field] = json!(value);
        }
    }
    pools::life(&mut shown, provider.life, provider.disabled);
    shown
}

fn find<'c>(
    call: &'c Call<'_, '_>,
    verb: &str,
) -> Result<(&'c Project, &'c Pool, &'c Provider), Refusal> {
    let (project, pool) = pools::find(call, &permission(verb))?;
    let now = call.at.now;
    pool.providers
        .get(&call.param("provider"))
        .filter(|provider| !provider.life.is_over(now))
        .map(|provider| (project, pool, provider))
        .ok_or_else(|| Refusal::not_found("Requested entity was not found."))
}

fn changed(call: &mut Call<'_, '_>, number: &str, id: &str) -> Answer {
    let pool_id = call.param("pool");
    let (_, project) = call
        .state()
        .find_project(number)
        .ok_or_else(Refusal::internal)?;
    let provider = project
        .pools
        .get(&pool_id)
        .and_then(|pool| pool.providers.get(id))
        .ok_or_else(Refusal::internal)?;
    let prefix = path(project, &pool_id, id);
    let mut response = render(project, &pool_id, id, provider);
    response["@type"] = json!("type.googleapis.com/google.iam.v1.WorkloadIdentityPoolProvider");
    let metadata = json!({
        "@type": "type.googleapis.com/google.iam.v1.WorkloadIdentityPoolProviderOperationMetadata",
    });
    Ok(call.operation(&format!("{prefix}/operations/"), TAKES, metadata, response))
}

/// Takes over the fields that a mask names, and checks the result as a whole.
fn merged(
    call: &Call<'_, '_>,
    node: &str,
    mut provider: Provider,
    mask: &dyn Fn(&str) -> bool,
) -> Result<Provider, Refusal> {
    let text = |pointer: &str| call.text(pointer).to_owned();
    if mask("displayName") {
        provider.display_name = text("/displayName");
    }
    if mask("description") {
        provider.description = text("/description");
    }
    if mask("disabled") {
        provider.disabled = call.body["disabled"] == true;
    }
    if mask("attributeCondition") {
        provider.attribute_condition = text("/attributeCondition");
    }
    if mask("attributeMapping") {
        provider.attribute_mapping =
            serde_json::from_value(call.body["attributeMapping"].clone()).unwrap_or_default();
    }
    if mask("oidc") || mask("oidc.issuerUri") {
        provider.issuer_uri = text("/oidc/issuerUri");
    }
    if mask("oidc") || mask("oidc.allowedAudiences") {
        provider.allowed_audiences =
            serde_json::from_value(call.body["oidc"]["allowedAudiences"].clone())
                .unwrap_or_default();
    }
    if mask("oidc") || mask("oidc.jwksJson") {
        provider.jwks_json = Some(text("/oidc/jwksJson")).filter(|text| !text.is_empty());
    }
    check(call, node, &provider)?;
    Ok(provider)
}

/// An uploaded set has ids in all of its keys, and none that could not be used.
fn check_keys(text: &str) -> Result<(), String> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let set = KeySet::read(&document)?;
    if document["keys"].as_array().map(Vec::len) != Some(set.keys().len()) {
        return Err("a key is not an RSA key for RS256 signatures".to_owned());
    }
    if set
        .keys()
        .iter()
        .any(|key| key.id.as_deref().is_none_or(str::is_empty))
    {
        return Err("a key has no kid".to_owned());
    }
    Ok(())
}

fn check(call: &Call<'_, '_>, node: &str, provider: &Provider) -> Result<(), Refusal> {
    let issuer = url::Url::parse(&provider.issuer_uri)
        .ok()
        .filter(|url| url.scheme() == "https" && url.query().is_none() && url.fragment().is_none());
    if issuer.is_none() || provider.issuer_uri.len() > 2000 {
        return Err(Refusal::invalid(
            "The OIDC issuer URI must be a valid URI with the https scheme.",
        ));
    }
    if !constraint::allows_value(
        call.state(),
        node,
        "iam.workloadIdentityPoolProviders",
        &provider.issuer_uri,
    ) {
        return Err(
            Refusal::precondition("Precondition check failed.").violation(
                "constraints/iam.workloadIdentityPoolProviders",
                &format!("orgpolicy:{node}"),
                "Org Policy violated for value: the issuer is not allowed.",
            ),
        );
    }
    if let Some(jwks) = &provider.jwks_json {
        check_keys(jwks).map_err(|error| Refusal::invalid(format!("Invalid JWKS: {error}.")))?;
    }
    if provider.allowed_audiences.len() > 10
        || provider
            .allowed_audiences
            .iter()
            .any(|audience| audience.len() > 256)
    {
        return Err(Refusal::invalid(
            "At most 10 audiences of at most 256 characters are allowed.",
        ));
    }
    if !provider.attribute_mapping.contains_key("google.subject") {
        return Err(Refusal::invalid(
            "The attribute mapping must map google.subject.",
        ));
    }
    for (name, expression) in &provider.attribute_mapping {
        if !mapped_attribute(name) {
            return Err(Refusal::invalid(format!(
                "Invalid mapped attribute key: {name}."
            )));
        }
        cel::parse(expression).map_err(|error| {
            Refusal::invalid(format!(
                "Error compiling CEL expression '{expression}': {error}."
            ))
        })?;
    }
    let condition = &provider.attribute_condition;
    if condition.len() > 4096 {
        return Err(Refusal::invalid("The attribute condition is too long."));
    }
    if !condition.is_empty() {
        cel::parse(condition).map_err(|error| {
            Refusal::invalid(format!(
                "Error compiling CEL expression '{condition}': {error}."
            ))
        })?;
    }
    Ok(())
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = pools::find(call, &permission("create"))?;
    let number = project.number.clone();
    if pool.life != Life::Active {
        return Err(Refusal::precondition(
            "The workload identity pool is deleted.",
        ));
    }
    let id = call
        .query("workloadIdentityPoolProviderId")
        .unwrap_or_default()
        .to_owned();
    if !pools::id_is_well_formed(&id) {
        return Err(Refusal::invalid(format!(
            "Invalid workload identity pool provider ID: '{id}'."
        )));
    }
    let now = call.at.now;
    if pool
        .providers
        .get(&id)
        .is_some_and(|provider| !provider.life.is_over(now))
    {
        return Err(Refusal::exists("Requested entity already exists"));
    }
    if call.body.get("oidc").is_none() {
        return Err(Refusal::invalid("Only OIDC providers are simulated here."));
    }
    let empty = Provider {
        display_name: String::new(),
        description: String::new(),
        disabled: false,
        life: Life::Active,
        attribute_mapping: BTreeMap::new(),
        attribute_condition: String::new(),
        issuer_uri: String::new(),
        allowed_audiences: Vec::new(),
        jwks_json: None,
    };
    let provider = merged(call, &format!("projects/{number}"), empty, &|_| true)?;
    pools::edit(call, &number, |pool| {
        pool.providers.insert(id.clone(), provider)
    })?;
    changed(call, &number, &id)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = pools::find(call, &permission("list"))?;
    let deleted = call.query("showDeleted") == Some("true");
    let (now, pool_id) = (call.at.now, call.param("pool"));
    let all = pool
        .providers
        .iter()
        .filter(|(_, one)| one.life == Life::Active || deleted && !one.life.is_over(now))
        .map(|(id, provider)| render(project, &pool_id, id, provider))
        .collect();
    page(call, "workloadIdentityPoolProviders", all, 100)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let (project, _, provider) = find(call, "get")?;
    Ok(render(
        project,
        &call.param("pool"),
        &call.param("provider"),
        provider,
    ))
}

pub(super) fn patch(call: &mut Call<'_, '_>) -> Answer {
    let (project, _, provider) = find(call, "update")?;
    if provider.life != Life::Active {
        return Err(Refusal::precondition(
            "The workload identity pool provider is deleted.",
        ));
    }
    let (number, id) = (project.number.clone(), call.param("provider"));
    let mask = call.mask(&call.body);
    let node = format!("projects/{number}");
    let provider = merged(call, &node, provider.clone(), &|field| mask.contains(field))?;
    pools::edit(call, &number, |pool| {
        pool.providers.insert(id.clone(), provider)
    })?;
    changed(call, &number, &id)
}

fn live(call: &mut Call<'_, '_>, number: &str, id: &str, life: Life) -> Answer {
    pools::edit(call, number, |pool| {
        if let Some(provider) = pool.providers.get_mut(id) {
            provider.life = life;
        }
    })?;
    changed(call, number, id)
}

pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    let (project, _, provider) = find(call, "delete")?;
    if provider.life != Life::Active {
        return Err(Refusal::not_found("Requested entity was not found."));
    }
    let number = project.number.clone();
    let (at, id) = (call.at.now, call.param("provider"));
    live(call, &number, &id, Life::Deleted { at })
}

pub(super) fn undelete(call: &mut Call<'_, '_>) -> Answer {
    let (project, _, provider) = find(call, "undelete")?;
    if provider.life == Life::Active {
        return Err(Refusal::precondition(
            "The workload identity pool provider is not deleted.",
        ));
    }
    let (number, id) = (project.number.clone(), call.param("provider"));
    live(call, &number, &id, Life::Active)
}

pub(super) fn operation(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project(&permission("get"))?;
    let prefix = path(project, &call.param("pool"), &call.param("provider"));
    call.poll(&format!("{prefix}/operations/{}", call.param("operation")))
}
