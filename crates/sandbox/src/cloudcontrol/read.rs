//! Reading one resource, and listing those of a type.

use super::api::{acting, object, optional, required};
use super::env::{Env, Place};
use super::failure::{Failure, HandlerErrorCode, resource_not_found};
use super::operate::known;
use super::targets::Subject;
use super::{permissions, rules};
use crate::iam::Caller;
use crate::types::{Change, Model, TypeInfo};
use crate::wire::AwsError;
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// Resources on a page unless the caller asks for another number.
const PAGE: usize = 20;

/// What a read shows of a resource.
pub(crate) fn view(env: &Env<'_>, type_name: &str, resource: &super::Resource) -> Model {
    let mut model = resource.properties.clone();
    rules::of(type_name).view(env, resource, &mut model);
    model
}

pub(super) fn get(
    world: &World,
    caller: &Caller,
    region: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    permissions::api(world, caller, region, "GetResource")?;
    let type_name = required(input, "TypeName")?;
    let identifier = required(input, "Identifier")?;
    let info = known(type_name, "read")?;
    let caller = acting(world, caller, input)?;
    let place = Place::new(&caller.account_id, region);
    let env = Env::new(world, &place, world.now());
    let found = env.find(type_name, identifier);
    let model = found.as_ref().map_or_else(
        || stand_in(info, identifier),
        |resource| view(&env, type_name, resource),
    );
    let answer = check(&env, &caller, type_name, info, Change::Read(&model)).and_then(|()| {
        found
            .map(|_| ())
            .ok_or_else(|| resource_not_found(type_name, identifier))
    });
    answer.map_err(|failure| failure.into_answer(type_name, &env.uuid()))?;
    Ok(json!({
        "TypeName": type_name,
        "ResourceDescription": {
            "Identifier": identifier,
            "Properties": Value::Object(model).to_string(),
        },
    }))
}

/// As much of a model as an identifier tells, to name what does not exist.
fn stand_in(info: &TypeInfo, identifier: &str) -> Model {
    info.primary_identifier
        .iter()
        .zip(identifier.split('|'))
        .map(|(name, part)| (name.clone(), part.into()))
        .collect()
}

fn check(
    env: &Env<'_>,
    caller: &Caller,
    type_name: &str,
    info: &TypeInfo,
    change: Change<'_>,
) -> Result<(), Failure> {
    let subject = Subject {
        type_name,
        info,
        change,
    };
    permissions::handler(env, caller, &subject, change)
        .map_err(|denied| Failure::new(HandlerErrorCode::AccessDenied, denied.message))
}

pub(super) fn list(
    world: &World,
    caller: &Caller,
    region: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    permissions::api(world, caller, region, "ListResources")?;
    let type_name = required(input, "TypeName")?;
    let info = known(type_name, "list")?;
    let caller = acting(world, caller, input)?;
    let place = Place::new(&caller.account_id, region);
    let env = Env::new(world, &place, world.now());
    let filter = match optional(input, "ResourceModel")? {
        Some(text) => object("ResourceModel", text)?,
        None => Model::new(),
    };
    let parents = parents(type_name, info, &filter)?;
    check(&env, &caller, type_name, info, Change::List)
        .map_err(|failure| failure.into_answer(type_name, &env.uuid()))?;
    let (after, size) = page(input)?;
    let belongs = |resource: &super::Resource| {
        parents.iter().all(|name| {
            [&resource.properties, &resource.hidden]
                .iter()
                .any(|model| model.get(*name).is_some() && model.get(*name) == filter.get(*name))
        })
    };
    let mut rest = env
        .all(type_name)
        .into_iter()
        .filter(|resource| belongs(resource))
        .skip_while(|resource| {
            after
                .as_deref()
                .is_some_and(|after| resource.identifier.as_str() <= after)
        })
        .peekable();
    let mut descriptions = Vec::new();
    let mut last = None;
    while let Some(resource) = rest.next_if(|_| descriptions.len() < size) {
        // List handlers return identifiers; what else they return differs by
        // type, so nobody should rely on it.
        let model: Model = info
            .primary_identifier
            .iter()
            .filter_map(|name| Some((name.clone(), resource.properties.get(name)?.clone())))
            .collect();
        descriptions.push(json!({
            "Identifier": resource.identifier,
            "Properties": Value::Object(model).to_string(),
        }));
        last = Some(resource.identifier.clone());
    }
    let mut answer = json!({
        "TypeName": type_name,
        "ResourceDescriptions": descriptions,
    });
    if let (Some(_), Some(last)) = (rest.peek(), last) {
        answer["NextToken"] = BASE64.encode(last).into();
    }
    Ok(answer)
}

/// The properties by which a type's resources must be asked for.
fn parents<'i>(
    type_name: &str,
    info: &'i TypeInfo,
    filter: &Model,
) -> Result<Vec<&'i String>, AwsError> {
    if info.list_parents.is_empty() {
        return Ok(Vec::new());
    }
    info.list_parents
        .iter()
        .find(|set| set.iter().all(|name| filter.contains_key(name)))
        .map(|set| set.iter().collect())
        .ok_or_else(|| {
            let wanted: Vec<String> = info
                .list_parents
                .iter()
                .map(|set| format!("[{}]", set.join(", ")))
                .collect();
            AwsError::bad(
                "InvalidRequestException",
                format!(
                    "Missing or invalid ResourceModel property in {type_name} list handler \
                     request input. Required property: {}",
                    wanted.join(" or ")
                ),
            )
        })
}

/// After which identifier the page begins, and how long it is at most.
pub(super) fn page(input: &Value) -> Result<(Option<String>, usize), AwsError> {
    let after = optional(input, "NextToken")?
        .map(|token| {
            BASE64
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| AwsError::bad("InvalidRequestException", "Invalid NextToken"))
        })
        .transpose()?;
    let size = match input.get("MaxResults") {
        None | Some(Value::Null) => PAGE,
        Some(given) => given
            .as_u64()
            .filter(|size| (1..=100).contains(size))
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| {
                super::failure::validation(
                    "1 validation error detected: Value at 'maxResults' failed to satisfy \
                     constraint: Member must be between 1 and 100",
                )
            })?,
    };
    Ok((after, size))
}

pub(super) fn next_token(last: &str) -> Value {
    BASE64.encode(last).into()
}
