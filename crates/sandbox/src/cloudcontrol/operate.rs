//! Accepting mutations: what is decided when a request comes in.
//!
//! How an operation ends is decided when its handler makes its first call,
//! which is when it is accepted: permissions, references and faults are looked
//! at once, and a resource exists from then on, as it does in AWS while Cloud
//! Control still waits for it. Only time has to pass afterwards.

use super::course::{Accepted, accept, decide, refuse_concurrent};
use super::env::{Env, Place};
use super::failure::{
    Failure, HandlerErrorCode, resource_not_found, unknown_type, unsupported, validation,
};
use super::make::{bring_into_being, overwrite};
use super::permissions;
use super::rules::{self, Rules};
use super::state::{Course, OperationKind, Reveal};
use super::targets::Subject;
use crate::clock::SimTime;
use crate::iam::{AccessDenied, Caller};
use crate::types::{self, Change, Model, TypeInfo};
use crate::wire::AwsError;
use crate::world::World;

/// Who asks for what kind of resource, where and when.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub caller: &'a Caller,
    pub place: &'a Place,
    pub type_name: &'a str,
    pub at: SimTime,
    /// The stack on whose behalf, if any.
    pub stack: Option<&'a str>,
}

/// A type that has this handler.
pub(super) fn known(type_name: &str, handler: &str) -> Result<&'static TypeInfo, AwsError> {
    let info = types::lookup(type_name).ok_or_else(|| unknown_type(type_name))?;
    if info.handlers.contains_key(handler) {
        Ok(info)
    } else {
        Err(unsupported(type_name, &handler.to_ascii_uppercase()))
    }
}

pub(super) fn check_model(info: &TypeInfo, model: &Model) -> Result<(), AwsError> {
    let violations = types::violations(info, model);
    match violations.as_slice() {
        [] => Ok(()),
        [only] => Err(validation(format!("Model validation failed ({only})"))),
        many => Err(validation(format!(
            "Model validation failed (#: {} schema violations found)\n{}",
            many.len(),
            many.join("\n")
        ))),
    }
}

fn pointers(paths: &[&String]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| format!("/properties/{path}"))
        .collect();
    format!("[{}]", paths.join(", "))
}

fn denied(env: &Env<'_>, denied: &AccessDenied) -> Failure {
    let service = denied.action.split(':').next().unwrap_or_default();
    let mut letters = service.chars();
    let service: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    Failure::new(
        HandlerErrorCode::AccessDenied,
        env.service_message(&service, 403, &denied.message),
    )
}

/// Accepts a creation and returns its request token.
pub(crate) fn create(
    world: &mut World,
    request: &Request<'_>,
    desired: Model,
) -> Result<String, AwsError> {
    let info = known(request.type_name, "create")?;
    let read_only: Vec<&String> = info
        .read_only
        .iter()
        .filter(|path| types::touched(&desired, path))
        .collect();
    if !read_only.is_empty() {
        return Err(validation(format!(
            "Invalid request: readOnlyProperties {} cannot be specified",
            pointers(&read_only)
        )));
    }
    check_model(info, &desired)?;

    let rules = rules::of(request.type_name);
    let env = Env::new(world, request.place, request.at);
    let mut model = desired.clone();
    rules.fill(&env, request.type_name, info, &mut model);
    let identifier = info
        .identifier(&model)
        .ok_or_else(|| AwsError::internal("a filled model has no identifier"))?;
    refuse_concurrent(&env, request.type_name, &identifier)?;
    let subject = Subject {
        type_name: request.type_name,
        info,
        change: Change::Create(&model),
    };
    let obstacle = permissions::handler(&env, request.caller, &subject, Change::Create(&desired))
        .map_err(|refusal| denied(&env, &refusal))
        .and_then(|()| rules.check_create(&env, &model))
        .and_then(|()| match env.find(request.type_name, &identifier) {
            None => Ok(()),
            Some(_) => Err(Failure::exists(format!(
                "Resource of type '{}' with identifier '{identifier}' already exists.",
                request.type_name
            ))),
        })
        .err();
    let seconds = rules.seconds(info, &model);
    world.rng = env.into_rng();

    let mut course = decide(world, request, OperationKind::Create, &identifier, obstacle);
    let reveal = if info.is_named_by(&desired) {
        Reveal::AtOnce
    } else {
        rules.reveal()
    };
    let token = world.rng.uuid();
    if !matches!(course.0, Course::Fail(_))
        && let Err(failure) = bring_into_being(world, request, info, &identifier, model, &token)
    {
        course.0 = Course::Fail(failure);
    }
    let accepted = Accepted {
        kind: OperationKind::Create,
        identifier,
        reveal,
        seconds,
        course,
        token,
    };
    Ok(accept(world, request, accepted))
}

/// Accepts an update to `after`, the whole model as the caller wants it, and
/// returns its request token. `before` is what a read shows.
pub(crate) fn update(
    world: &mut World,
    request: &Request<'_>,
    identifier: &str,
    apply: impl FnOnce(&TypeInfo, &Model) -> Result<Model, AwsError>,
) -> Result<String, AwsError> {
    let info = known(request.type_name, "update")?;
    let env = Env::new(world, request.place, request.at);
    let rules = rules::of(request.type_name);
    let Some(found) = env.find(request.type_name, identifier) else {
        let uuid = env.uuid();
        return Err(
            resource_not_found(request.type_name, identifier).into_answer(request.type_name, &uuid)
        );
    };
    refuse_concurrent(&env, request.type_name, identifier)?;
    let mut before = found.properties.clone();
    rules.view(&env, &found, &mut before);
    let asked = apply(info, &before)?;
    let refused: Vec<&String> = info
        .create_only
        .iter()
        .filter(|path| changed(&before, &asked, path, info))
        .collect();
    if !refused.is_empty() {
        return Err(AwsError::bad(
            "NotUpdatableException",
            format!(
                "Invalid patch update: createOnlyProperties {} cannot be updated",
                pointers(&refused)
            ),
        ));
    }
    let mut judged = merged(&asked, &found.hidden);
    types::strip(&mut judged, &info.read_only);
    check_model(info, &judged)?;

    let mut after = merged(&asked, &found.hidden);
    let known_before = merged(&before, &found.hidden);
    let subject = Subject {
        type_name: request.type_name,
        info,
        change: Change::Update {
            before: &known_before,
            after: &after,
        },
    };
    let obstacle = permissions::handler(&env, request.caller, &subject, subject.change)
        .map_err(|refusal| denied(&env, &refusal))
        .and_then(|()| conditionally(info, rules, &before, &asked))
        .and_then(|()| rules.check_update(&env, &known_before, &after))
        .err();
    rules.fill(&env, request.type_name, info, &mut after);
    let seconds = (rules.seconds(info, &after) / 2).clamp(2, 120);
    world.rng = env.into_rng();

    let mut course = decide(world, request, OperationKind::Update, identifier, obstacle);
    if !matches!(course.0, Course::Fail(_))
        && let Err(failure) = overwrite(world, request, info, identifier, &before, after)
    {
        course.0 = Course::Fail(failure);
    }
    let accepted = Accepted {
        kind: OperationKind::Update,
        identifier: identifier.to_owned(),
        reveal: Reveal::AtOnce,
        seconds,
        course,
        token: world.rng.uuid(),
    };
    Ok(accept(world, request, accepted))
}

fn merged(visible: &Model, hidden: &Model) -> Model {
    let mut all = hidden.clone();
    all.extend(visible.clone());
    all
}

/// Whether two models differ at a create-only path.
fn changed(before: &Model, after: &Model, path: &str, info: &TypeInfo) -> bool {
    // What cannot be read back cannot be compared: naming it is changing it.
    if info.write_only.iter().any(|hidden| hidden == path) {
        return types::touched(after, path) && !types::touched(before, path);
    }
    if path.contains('*') {
        let first = path.split('/').next().unwrap_or(path);
        return before.get(first) != after.get(first);
    }
    types::get(before, path) != types::get(after, path)
}

fn conditionally(
    info: &TypeInfo,
    rules: &dyn Rules,
    before: &Model,
    after: &Model,
) -> Result<(), Failure> {
    let refused: Vec<&String> = info
        .conditional_create_only
        .iter()
        .filter(|path| changed(before, after, path, info))
        .filter(|path| !rules.may_change(path, before, after))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        HandlerErrorCode::NotUpdatable,
        format!(
            "conditionalCreateOnlyProperties {} cannot be updated here",
            pointers(&refused)
        ),
    ))
}

/// Accepts a deletion and returns its request token. What does not exist fails
/// later, in the operation.
pub(crate) fn delete(
    world: &mut World,
    request: &Request<'_>,
    identifier: &str,
) -> Result<String, AwsError> {
    let info = known(request.type_name, "delete")?;
    let env = Env::new(world, request.place, request.at);
    refuse_concurrent(&env, request.type_name, identifier)?;
    let rules = rules::of(request.type_name);
    let found = env.find(request.type_name, identifier);
    let obstacle = match &found {
        None => Some(resource_not_found(request.type_name, identifier)),
        Some(resource) => {
            let model = merged(&resource.properties, &resource.hidden);
            let subject = Subject {
                type_name: request.type_name,
                info,
                change: Change::Delete(&model),
            };
            permissions::handler(&env, request.caller, &subject, subject.change)
                .map_err(|refusal| denied(&env, &refusal))
                .and_then(|()| rules.check_delete(&env, resource))
                .err()
        }
    };
    let seconds = found.map_or(1, |resource| {
        (rules.seconds(info, &resource.properties) / 2).clamp(2, 180)
    });
    world.rng = env.into_rng();
    let course = decide(world, request, OperationKind::Delete, identifier, obstacle);
    let accepted = Accepted {
        kind: OperationKind::Delete,
        identifier: identifier.to_owned(),
        reveal: Reveal::AtOnce,
        seconds,
        course,
        token: world.rng.uuid(),
    };
    Ok(accept(world, request, accepted))
}
