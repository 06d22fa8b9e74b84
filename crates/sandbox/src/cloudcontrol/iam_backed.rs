//! Types whose state IAM itself keeps: a role made here is a real role.

use super::env::Env;
use super::failure::Failure;
use super::state::{Origin, Resource, key};
use crate::iam::{
    ManagedPolicy, Moment, NewOidcProvider, NewPolicy, NewRole, OidcProvider, Role, State,
};
use crate::types::Model;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ROLE: &str = "AWS::IAM::Role";
pub(super) const ROLE_POLICY: &str = "AWS::IAM::RolePolicy";
pub(super) const MANAGED_POLICY: &str = "AWS::IAM::ManagedPolicy";
pub(super) const OIDC_PROVIDER: &str = "AWS::IAM::OIDCProvider";

/// Whether IAM keeps the resources of this type.
pub(super) fn keeps(type_name: &str) -> bool {
    [ROLE, ROLE_POLICY, MANAGED_POLICY, OIDC_PROVIDER].contains(&type_name)
}

pub(super) fn find(env: &Env<'_>, type_name: &str, identifier: &str) -> Option<Resource> {
    let iam = &env.account()?.iam;
    let properties = match type_name {
        ROLE => role_model(iam.role(identifier).ok()?),
        MANAGED_POLICY => policy_model(iam, iam.policy(identifier).ok()?),
        OIDC_PROVIDER => provider_model(iam.oidc_provider(identifier).ok()?),
        _ => {
            let (policy, role) = identifier.split_once('|')?;
            let document = iam.role(role).ok()?.grants.latest().inline.get(policy)?;
            inline_model(role, policy, document)
        }
    };
    Some(resource(env, type_name, identifier.to_owned(), properties))
}

pub(super) fn all(env: &Env<'_>, type_name: &str) -> Vec<Resource> {
    let Some(account) = env.account() else {
        return Vec::new();
    };
    let iam = &account.iam;
    let found: Vec<(String, Model)> = match type_name {
        ROLE => iam
            .roles()
            .map(|role| (role.name.clone(), role_model(role)))
            .collect(),
        MANAGED_POLICY => iam
            .policies()
            .map(|policy| (policy.arn.clone(), policy_model(iam, policy)))
            .collect(),
        OIDC_PROVIDER => iam
            .oidc_providers()
            .map(|provider| (provider.arn.clone(), provider_model(provider)))
            .collect(),
        _ => iam
            .roles()
            .flat_map(|role| {
                role.grants.latest().inline.iter().map(|(name, document)| {
                    (
                        format!("{name}|{}", role.name),
                        inline_model(&role.name, name, document),
                    )
                })
            })
            .collect(),
    };
    found
        .into_iter()
        .map(|(identifier, model)| resource(env, type_name, identifier, model))
        .collect()
}

fn resource(env: &Env<'_>, type_name: &str, identifier: String, properties: Model) -> Resource {
    let origin: Option<Origin> = env
        .home(type_name)
        .and_then(|region| region.origins.get(&key(type_name, &identifier)))
        .cloned();
    Resource {
        identifier,
        properties,
        hidden: Model::new(),
        ready: true,
        origin,
        contents: BTreeSet::new(),
    }
}

fn role_model(role: &Role) -> Model {
    let grants = role.grants.latest();
    let mut model = Map::new();
    model.insert("Arn".into(), role.arn.clone().into());
    model.insert("RoleId".into(), role.id.clone().into());
    model.insert("RoleName".into(), role.name.clone().into());
    model.insert("Path".into(), role.path.clone().into());
    model.insert(
        "AssumeRolePolicyDocument".into(),
        document(role.trust.latest()),
    );
    model.insert(
        "MaxSessionDuration".into(),
        role.max_session_duration.into(),
    );
    if let Some(text) = &role.description {
        model.insert("Description".into(), text.clone().into());
    }
    if let Some(arn) = &grants.boundary {
        model.insert("PermissionsBoundary".into(), arn.clone().into());
    }
    if !grants.attached.is_empty() {
        model.insert("ManagedPolicyArns".into(), json!(grants.attached));
    }
    if !grants.inline.is_empty() {
        let policies: Vec<Value> = grants
            .inline
            .iter()
            .map(|(name, text)| json!({"PolicyName": name, "PolicyDocument": document(text)}))
            .collect();
        model.insert("Policies".into(), policies.into());
    }
    insert_tags(&mut model, &role.tags);
    model
}

fn policy_model(iam: &State, policy: &ManagedPolicy) -> Model {
    let roles: Vec<&str> = iam
        .attached_to(&policy.arn)
        .map(|role| role.name.as_str())
        .collect();
    let mut model = Map::new();
    model.insert("PolicyArn".into(), policy.arn.clone().into());
    model.insert("PolicyId".into(), policy.id.clone().into());
    model.insert("ManagedPolicyName".into(), policy.name.clone().into());
    model.insert("Path".into(), policy.path.clone().into());
    model.insert("PolicyDocument".into(), document(policy.document()));
    model.insert("AttachmentCount".into(), roles.len().into());
    model.insert(
        "PermissionsBoundaryUsageCount".into(),
        iam.bounded_by(&policy.arn).count().into(),
    );
    model.insert("IsAttachable".into(), true.into());
    model.insert(
        "DefaultVersionId".into(),
        format!("v{}", policy.default_version.latest()).into(),
    );
    model.insert("CreateDate".into(), policy.created.iso8601().into());
    model.insert("UpdateDate".into(), policy.updated.iso8601().into());
    if let Some(text) = &policy.description {
        model.insert("Description".into(), text.clone().into());
    }
    if !roles.is_empty() {
        model.insert("Roles".into(), json!(roles));
    }
    model
}

fn provider_model(provider: &OidcProvider) -> Model {
    let mut model = Map::new();
    model.insert("Arn".into(), provider.arn.clone().into());
    model.insert("Url".into(), provider.url.clone().into());
    model.insert("ClientIdList".into(), json!(provider.client_ids.latest()));
    if !provider.thumbprints.is_empty() {
        model.insert("ThumbprintList".into(), json!(provider.thumbprints));
    }
    insert_tags(&mut model, &provider.tags);
    model
}

fn inline_model(role: &str, name: &str, text: &str) -> Model {
    let mut model = Map::new();
    model.insert("RoleName".into(), role.into());
    model.insert("PolicyName".into(), name.into());
    model.insert("PolicyDocument".into(), document(text));
    model
}

fn insert_tags(model: &mut Model, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        let list: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        model.insert("Tags".into(), list.into());
    }
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A policy document as IAM stores it; schemas allow an object or a string.
fn written(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn texts(model: &Model, name: &str) -> Vec<String> {
    super::env::strings(model, name)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn text(model: &Model, name: &str) -> String {
    super::env::text(model, name).unwrap_or_default().to_owned()
}

fn inline_of(model: &Model) -> BTreeMap<String, String> {
    model
        .get("Policies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|policy| {
            let name = policy.get("PolicyName").and_then(Value::as_str);
            (
                name.unwrap_or_default().to_owned(),
                written(policy.get("PolicyDocument")),
            )
        })
        .collect()
}

fn tags_of(model: &Model) -> BTreeMap<String, String> {
    crate::types::lookup(ROLE)
        .map(|info| crate::types::read_tags(info, model))
        .unwrap_or_default()
}

/// Makes the entity in IAM.
pub(super) fn create(
    iam: &mut State,
    at: &Moment,
    type_name: &str,
    model: &Model,
) -> Result<(), Failure> {
    let made = match type_name {
        ROLE => iam
            .create_role(
                at,
                NewRole {
                    name: text(model, "RoleName"),
                    path: text(model, "Path"),
                    trust: written(model.get("AssumeRolePolicyDocument")),
                    description: super::env::text(model, "Description").map(str::to_owned),
                    max_session_duration: model
                        .get("MaxSessionDuration")
                        .and_then(Value::as_u64)
                        .and_then(|seconds| u32::try_from(seconds).ok()),
                    permissions_boundary: super::env::text(model, "PermissionsBoundary")
                        .map(str::to_owned),
                    tags: tags_of(model),
                    inline: inline_of(model),
                    attached: texts(model, "ManagedPolicyArns"),
                },
            )
            .map(drop),
        MANAGED_POLICY => create_policy(iam, at, model),
        OIDC_PROVIDER => iam
            .create_oidc_provider(
                at,
                NewOidcProvider {
                    url: text(model, "Url"),
                    client_ids: texts(model, "ClientIdList"),
                    thumbprints: texts(model, "ThumbprintList"),
                    tags: tags_of(model),
                },
            )
            .map(drop),
        _ => {
            let (role, name) = (text(model, "RoleName"), text(model, "PolicyName"));
            iam.put_inline(at, &role, &name, &written(model.get("PolicyDocument")))
        }
    };
    made.map_err(|error| Failure::from_service(&error))
}

fn create_policy(iam: &mut State, at: &Moment, model: &Model) -> Result<(), crate::wire::AwsError> {
    let roles = texts(model, "Roles");
    for role in &roles {
        iam.role(role)?;
    }
    let arn = iam
        .create_policy(
            at,
            NewPolicy {
                name: text(model, "ManagedPolicyName"),
                path: text(model, "Path"),
                document: written(model.get("PolicyDocument")),
                description: super::env::text(model, "Description").map(str::to_owned),
                tags: BTreeMap::new(),
            },
        )?
        .arn
        .clone();
    roles
        .iter()
        .try_for_each(|role| iam.attach(at, role, &arn))?;
    iam.set_own_roles(&arn, roles.into_iter().collect())
}

/// Changes the entity in IAM from one model to another, all or nothing.
pub(super) fn update(
    iam: &mut State,
    at: &Moment,
    type_name: &str,
    identifier: &str,
    before: &Model,
    after: &Model,
) -> Result<(), Failure> {
    // IAM has no transactions: a copy makes a refused step undo the earlier ones.
    let mut changed = iam.clone();
    let done = match type_name {
        ROLE => update_role(&mut changed, at, identifier, before, after),
        MANAGED_POLICY => update_policy(&mut changed, at, identifier, before, after),
        OIDC_PROVIDER => update_provider(&mut changed, at, identifier, before, after),
        _ => create(&mut changed, at, type_name, after),
    };
    done.map(|()| *iam = changed)
}

fn update_provider(
    iam: &mut State,
    at: &Moment,
    arn: &str,
    before: &Model,
    after: &Model,
) -> Result<(), Failure> {
    let step = |iam: &mut State| -> Result<(), crate::wire::AwsError> {
        iam.set_client_ids(at, arn, texts(after, "ClientIdList"))?;
        iam.set_thumbprints(arn, texts(after, "ThumbprintList"))?;
        let (set, removed) = crate::types::tags_changed(&tags_of(before), &tags_of(after));
        iam.untag_oidc_provider(arn, &removed)?;
        iam.tag_oidc_provider(arn, set)
    };
    step(iam).map_err(|error| Failure::from_service(&error))
}

fn update_role(
    iam: &mut State,
    at: &Moment,
    name: &str,
    before: &Model,
    after: &Model,
) -> Result<(), Failure> {
    let differs = |property: &str| before.get(property) != after.get(property);
    let step = |iam: &mut State| -> Result<(), crate::wire::AwsError> {
        if differs("AssumeRolePolicyDocument") {
            iam.set_trust(at, name, &written(after.get("AssumeRolePolicyDocument")))?;
        }
        if differs("Description") || differs("MaxSessionDuration") {
            let seconds = after
                .get("MaxSessionDuration")
                .and_then(Value::as_u64)
                .and_then(|seconds| u32::try_from(seconds).ok());
            iam.update_role(name, Some(text(after, "Description")), seconds)?;
        }
        if differs("Policies") {
            iam.set_inline(at, name, inline_of(after))?;
        }
        if differs("PermissionsBoundary") {
            iam.set_boundary(at, name, super::env::text(after, "PermissionsBoundary"))?;
        }
        let (old, new) = (
            texts(before, "ManagedPolicyArns"),
            texts(after, "ManagedPolicyArns"),
        );
        for arn in old.iter().filter(|arn| !new.contains(arn)) {
            iam.detach(at, name, arn)?;
        }
        for arn in &new {
            iam.attach(at, name, arn)?;
        }
        let (set, removed) = crate::types::tags_changed(&tags_of(before), &tags_of(after));
        iam.untag_role(name, &removed)?;
        iam.tag_role(name, set)
    };
    step(iam).map_err(|error| Failure::from_service(&error))
}

fn update_policy(
    iam: &mut State,
    at: &Moment,
    arn: &str,
    before: &Model,
    after: &Model,
) -> Result<(), Failure> {
    let step = |iam: &mut State| -> Result<(), crate::wire::AwsError> {
        if before.get("PolicyDocument") != after.get("PolicyDocument") {
            iam.replace_policy_document(at, arn, &written(after.get("PolicyDocument")))?;
        }
        let (old, new) = (texts(before, "Roles"), texts(after, "Roles"));
        for role in old.iter().filter(|role| !new.contains(role)) {
            iam.detach(at, role, arn)?;
        }
        new.iter().try_for_each(|role| iam.attach(at, role, arn))?;
        // `Roles` reads back every attachment: naming one again claims nothing.
        let mut own = iam.policy(arn)?.own_roles.clone();
        own.retain(|role| new.contains(role));
        own.extend(new.into_iter().filter(|role| !old.contains(role)));
        iam.set_own_roles(arn, own)
    };
    step(iam).map_err(|error| Failure::from_service(&error))
}

/// Whether somebody besides a policy's own resource uses it: as a boundary, or
/// attached to a role that `Roles` did not name. The handler takes back what it
/// attached and nothing else.
pub(super) fn used_by_others(iam: &State, policy: &ManagedPolicy) -> bool {
    iam.bounded_by(&policy.arn).next().is_some()
        || iam
            .attached_to(&policy.arn)
            .any(|role| !policy.own_roles.contains(&role.name))
}

/// Removes the entity from IAM, with what handlers remove before it.
pub(super) fn delete(
    iam: &mut State,
    at: &Moment,
    type_name: &str,
    identifier: &str,
) -> Result<(), Failure> {
    let mut changed = iam.clone();
    let done = match type_name {
        ROLE => changed.remove_role(identifier).map(drop),
        MANAGED_POLICY => {
            let own = iam.policy(identifier).map(|policy| &policy.own_roles);
            let roles: Vec<String> = iam
                .attached_to(identifier)
                .map(|role| role.name.clone())
                .filter(|name| own.as_ref().is_ok_and(|own| own.contains(name)))
                .collect();
            roles
                .iter()
                .try_for_each(|role| changed.detach(at, role, identifier))
                .and_then(|()| changed.remove_policy(identifier))
        }
        OIDC_PROVIDER => {
            changed.remove_oidc_provider(identifier);
            Ok(())
        }
        _ => match identifier.split_once('|') {
            Some((policy, role)) => changed.delete_inline(at, role, policy),
            None => Ok(()),
        },
    };
    done.map(|()| *iam = changed)
        .map_err(|error| Failure::from_service(&error))
}
