//! Accepting mutations: what is decided when a request comes in.
//!
//! How an operation ends is decided when its handler makes its first call,
//! which is when it is accepted: permissions, references and faults are looked
//! at once, and a resource exists from then on, as it does in AWS while Cloud
//! Control still waits for it. Only time has to pass afterwards.

use super::env::{Env, Place};
use super::failure::{
    Failure, HandlerErrorCode, concurrent, resource_not_found, unknown_type, unsupported,
    validation,
};
use super::rules::{self, Rules};
use super::state::{
    Course, CreatedBy, InFlight, Operation, OperationKind, Origin, PENDING, Resource, Reveal,
    Stage, key,
};
use super::targets::Subject;
use super::{iam_backed, permissions};
use crate::clock::SimTime;
use crate::faults::{FaultKind, Probe};
use crate::iam::{AccessDenied, Caller, Moment, NewRole};
use crate::types::{self, Change, Model, TypeInfo};
use crate::wire::AwsError;
use crate::world::World;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

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

/// How long it takes a handler to find out that it cannot.
const REFUSAL: Duration = Duration::from_secs(1);

/// Write-only properties that must not outlive the call, not even hidden.
const SECRETS: [&str; 5] = [
    "MasterUserPassword",
    "SecretString",
    "GenerateSecretString",
    "AuthToken",
    "TdeCredentialPassword",
];

fn known(type_name: &str, handler: &str) -> Result<&'static TypeInfo, AwsError> {
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

fn bring_into_being(
    world: &mut World,
    request: &Request<'_>,
    info: &TypeInfo,
    identifier: &str,
    model: Model,
    token: &str,
) -> Result<(), Failure> {
    let origin = Origin {
        at: request.at,
        by: request.stack.map_or_else(
            || CreatedBy::Request(token.to_owned()),
            |stack| CreatedBy::Stack(stack.to_owned()),
        ),
    };
    link_service_role(world, request);
    insert(
        world,
        request.place,
        request.type_name,
        info,
        identifier,
        model,
        origin,
        request.at,
    )
}

/// Puts a filled model into the world as a resource.
#[expect(clippy::too_many_arguments, reason = "every one is a different noun")]
pub(super) fn insert(
    world: &mut World,
    place: &Place,
    type_name: &str,
    info: &TypeInfo,
    identifier: &str,
    model: Model,
    origin: Origin,
    at: SimTime,
) -> Result<(), Failure> {
    let moment = moment(world, at);
    let Some(account) = world.accounts.get_mut(&place.account) else {
        return Err(Failure::general("The account is gone."));
    };
    let home = account
        .cloudcontrol
        .entry(place.home(type_name).region)
        .or_default();
    if iam_backed::keeps(type_name) {
        iam_backed::create(&mut account.iam, &moment, type_name, &model)?;
        home.origins.insert(key(type_name, identifier), origin);
        return Ok(());
    }
    if let Some((family, revision)) = super::env::text(&model, "TaskDefinitionArn")
        .and_then(|arn| arn.rsplit('/').next())
        .and_then(|name| name.rsplit_once(':'))
        && let Ok(revision) = revision.parse()
        && type_name == rules::TASK_DEFINITION
    {
        home.revisions.insert(family.to_owned(), revision);
    }
    let (properties, hidden) = split(info, model);
    home.insert(
        type_name,
        Resource {
            identifier: identifier.to_owned(),
            properties,
            hidden,
            ready: false,
            origin: Some(origin),
            contents: BTreeSet::new(),
        },
    );
    Ok(())
}

pub(super) fn moment(world: &mut World, at: SimTime) -> Moment {
    let lag = world.iam_lag;
    Moment {
        now: at,
        effective_at: at.plus(lag),
        ..world.moment()
    }
}

/// Splits a model into what reads show and what they never show. Secrets end
/// here: the sandbox's memory and snapshot do not hold them.
fn split(info: &TypeInfo, model: Model) -> (Model, Model) {
    let mut properties = model;
    let mut hidden = Model::new();
    for path in &info.write_only {
        if let Some(value) = properties.get(path)
            && !SECRETS.contains(&path.as_str())
        {
            hidden.insert(path.clone(), value.clone());
        }
    }
    types::strip(&mut properties, &info.write_only);
    (properties, hidden)
}

/// A wanted model as it may be kept.
pub(crate) fn without_secrets(model: &Model) -> Model {
    let mut kept = model.clone();
    kept.retain(|name, _| !SECRETS.contains(&name.as_str()));
    kept
}

/// Creates the service-linked role that the service makes on first use.
fn link_service_role(world: &mut World, request: &Request<'_>) {
    let Some(linked) = types::service_linked_role(request.type_name) else {
        return;
    };
    if permissions::has_role(world, request.place, &linked.role) {
        return;
    }
    let moment = moment(world, request.at);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": linked.service}}]});
    if let Some(account) = world.accounts.get_mut(&request.place.account) {
        let made = account.iam.create_role(
            &moment,
            NewRole {
                name: linked.role.clone(),
                path: format!("/aws-service-role/{}/", linked.service),
                trust: trust.to_string(),
                ..NewRole::default()
            },
        );
        if let Err(error) = made {
            tracing::warn!(%error, role = linked.role, "no service-linked role");
        }
    }
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

fn overwrite(
    world: &mut World,
    request: &Request<'_>,
    info: &TypeInfo,
    identifier: &str,
    before: &Model,
    after: Model,
) -> Result<(), Failure> {
    let moment = moment(world, request.at);
    let Some(account) = world.accounts.get_mut(&request.place.account) else {
        return Err(Failure::general("The account is gone."));
    };
    if iam_backed::keeps(request.type_name) {
        return iam_backed::update(
            &mut account.iam,
            &moment,
            request.type_name,
            identifier,
            before,
            &after,
        );
    }
    let (properties, hidden) = split(info, after);
    let home = request.place.home(request.type_name).region;
    if let Some(resource) = account
        .cloudcontrol
        .entry(home)
        .or_default()
        .resource_mut(request.type_name, identifier)
    {
        resource.properties = properties;
        resource.hidden = hidden;
    }
    Ok(())
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

fn refuse_concurrent(env: &Env<'_>, type_name: &str, identifier: &str) -> Result<(), AwsError> {
    let busy = env
        .home(type_name)
        .is_some_and(|region| region.in_flight(type_name, identifier).is_some());
    if busy {
        return Err(concurrent(type_name, identifier));
    }
    Ok(())
}

/// Whether the operation will ever end, besides how.
struct Ending {
    never: bool,
}

/// How the operation goes: an obstacle decides, then a fault that was asked
/// for, then nothing.
fn decide(
    world: &mut World,
    request: &Request<'_>,
    kind: OperationKind,
    identifier: &str,
    obstacle: Option<Failure>,
) -> (Course, Ending) {
    if let Some(failure) = obstacle {
        return (Course::Fail(failure), Ending { never: false });
    }
    let operation = match kind {
        OperationKind::Create => "CreateResource",
        OperationKind::Update => "UpdateResource",
        OperationKind::Delete => "DeleteResource",
    };
    let probe = Probe {
        account: &request.place.account,
        region: &request.place.region,
        service: "cloudcontrolapi",
        operation,
        type_name: Some(request.type_name),
        identifier: Some(identifier),
    };
    let failure = |code: &str, message: Option<String>| {
        let message = message.unwrap_or_else(|| "Internal error reported by the service.".into());
        Failure::new(HandlerErrorCode::from_name(code), message)
    };
    let (course, never) = match world.faults.take(&probe, |fault| !fault.is_transport()) {
        Some(FaultKind::Fail { code, message }) => (Course::Fail(failure(&code, message)), false),
        Some(FaultKind::FailWithIdentifier { code, message }) => {
            (Course::FailButDone(failure(&code, message)), false)
        }
        Some(FaultKind::NeverEnds) => (Course::Succeed, true),
        _ => (Course::Succeed, false),
    };
    (course, Ending { never })
}

struct Accepted {
    kind: OperationKind,
    identifier: String,
    reveal: Reveal,
    seconds: u32,
    course: (Course, Ending),
    token: String,
}

fn accept(world: &mut World, request: &Request<'_>, accepted: Accepted) -> String {
    let (course, ending) = accepted.course;
    let starts_at = request.at.plus(PENDING);
    // Ten percent either way, so that siblings do not finish in lockstep.
    let spread = 0.9 + 0.2 * world.rng.unit();
    let run = match &course {
        // A fault strikes where the operation would have ended well.
        Course::Fail(_) => REFUSAL,
        _ => Duration::from_secs_f64(f64::from(accepted.seconds) * spread),
    };
    let operation = Operation {
        token: accepted.token.clone(),
        kind: accepted.kind,
        type_name: request.type_name.to_owned(),
        identifier: accepted.identifier.clone(),
        reveal: accepted.reveal,
        accepted_at: request.at,
        starts_at,
        ends_at: (!ending.never).then(|| starts_at.plus(run)),
        course,
        stage: Stage::Running,
        listed: request.stack.is_none(),
    };
    let Some(account) = world.accounts.get_mut(&request.place.account) else {
        return accepted.token;
    };
    let home = request.place.home(request.type_name).region;
    account
        .cloudcontrol
        .entry(home)
        .or_default()
        .in_flight
        .insert(
            key(request.type_name, &accepted.identifier),
            InFlight {
                kind: accepted.kind,
                region: request.place.region.clone(),
                token: accepted.token.clone(),
            },
        );
    let region = account
        .cloudcontrol
        .entry(request.place.region.clone())
        .or_default();
    region.forget(request.at);
    region.operations.insert(accepted.token.clone(), operation);
    accepted.token
}
