//! What can be asked of stacks, by callers and by the console.

use super::run::{blank, deletion, deletion_steps, included, settle_until, steps_in_order};
use super::stack::{Action, Goal, OnFailure, Previous, Stack, State, Status, StepState, Work};
use super::template::Template;
use crate::cloudcontrol::{self, Place};
use crate::iam::{Caller, Context, authorize};
use crate::wire::AwsError;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Where a template comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Body(String),
    Url(String),
    /// The template that the stack has.
    Previous,
}

/// A stack to make, or to change one to.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub name: String,
    pub source: Source,
    pub parameters: BTreeMap<String, String>,
    /// Parameters that keep their value in an update.
    pub kept: BTreeSet<String>,
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub role_arn: Option<String>,
    pub client_token: Option<String>,
    pub on_failure: OnFailure,
    pub protected: bool,
}

/// Longest template body, and longest template behind a URL (AWS docs:
/// CloudFormation quotas).
const BODY_LIMIT: usize = 51_200;
const OBJECT_LIMIT: usize = 1_048_576;

pub(super) fn state<'w>(world: &'w World, place: &Place) -> Option<&'w State> {
    world
        .accounts
        .get(&place.account)?
        .cloudformation
        .get(&place.region)
}

pub(super) fn state_mut<'w>(
    world: &'w mut World,
    place: &Place,
) -> Result<&'w mut State, AwsError> {
    Ok(world
        .account_mut(&place.account)?
        .cloudformation
        .entry(place.region.clone())
        .or_default())
}

/// Decides an action on a stack, or on all when there is no name.
pub(super) fn allow(
    world: &World,
    caller: &Caller,
    region: &str,
    action: &str,
    stack: Option<&str>,
) -> Result<(), AwsError> {
    let resource = match stack {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => format!(
            "arn:aws:cloudformation:{region}:{}:stack/{name}/*",
            caller.account_id
        ),
        None => "*".to_owned(),
    };
    let mut context = Context::new();
    context.set("aws:RequestedRegion", region);
    let action = format!("cloudformation:{action}");
    authorize(world, caller, &action, &resource, &context).map_err(|denied| denied.for_query())
}

/// The text of a template.
pub(crate) fn fetch(world: &World, source: &Source) -> Result<String, AwsError> {
    match source {
        Source::Body(body) if body.len() > BODY_LIMIT => Err(AwsError::validation(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: \
             Member must have length less than or equal to {BODY_LIMIT}"
        ))),
        Source::Body(body) => Ok(body.clone()),
        Source::Url(url) => match world.template(url) {
            Some(body) if body.len() > OBJECT_LIMIT => Err(AwsError::validation(
                "Template may not exceed 1000000 bytes in size.",
            )),
            Some(body) => Ok(body.to_owned()),
            None if url.contains("/templates/") => {
                Err(AwsError::validation("S3 error: Access Denied"))
            }
            None => Err(AwsError::validation("TemplateURL must be a supported URL.")),
        },
        Source::Previous => Err(AwsError::validation(
            "Either Template URL or Template Body must be specified.",
        )),
    }
}

pub(super) fn parse(body: &str) -> Result<Template, AwsError> {
    Template::parse(body).map_err(AwsError::validation)
}

pub(super) fn check_capability(template: &Template, given: &[String]) -> Result<(), AwsError> {
    let Some(needed) = template.capability() else {
        return Ok(());
    };
    let enough = given.iter().any(|given| {
        given == needed || (needed == "CAPABILITY_IAM" && given == "CAPABILITY_NAMED_IAM")
    });
    if enough {
        return Ok(());
    }
    Err(AwsError::bad(
        "InsufficientCapabilitiesException",
        format!("Requires capabilities : [{needed}]"),
    ))
}

pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    let fine = (1..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fine {
        return Ok(());
    }
    Err(AwsError::validation(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

/// A stack by name or id; a deleted one only by id.
pub(crate) fn find<'w>(world: &'w World, place: &Place, wanted: &str) -> Option<&'w Stack> {
    let stacks = &state(world, place)?.stacks;
    stacks.get(wanted).or_else(|| {
        stacks
            .values()
            .find(|stack| stack.name == wanted && stack.status != Status::DeleteComplete)
    })
}

pub(super) fn missing(wanted: &str) -> AwsError {
    AwsError::validation(format!("Stack with id {wanted} does not exist"))
}

fn taken<'w>(world: &'w World, place: &Place, name: &str) -> Option<&'w Stack> {
    find(world, place, name).filter(|stack| stack.name == name)
}

/// A new stack without resources; the caller says what it is to do.
pub(super) fn draft(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    wanted: &Wanted,
    body: String,
    parameters: BTreeMap<String, String>,
    status: Status,
) -> Stack {
    let id = format!(
        "arn:aws:cloudformation:{}:{}:stack/{}/{}",
        place.region,
        place.account,
        wanted.name,
        world.rng.uuid()
    );
    let now = world.now();
    let mut stack = Stack {
        id,
        name: wanted.name.clone(),
        status,
        reason: None,
        body,
        parameters,
        capabilities: wanted.capabilities.clone(),
        tags: wanted.tags.clone(),
        outputs: Vec::new(),
        created_at: now,
        updated_at: None,
        deleted_at: None,
        caller: caller.clone(),
        role_arn: wanted.role_arn.clone(),
        on_failure: wanted.on_failure,
        protected: wanted.protected,
        client_token: wanted.client_token.clone(),
        resources: BTreeMap::new(),
        events: Vec::new(),
        work: None,
        previous: None,
    };
    stack.turn(now, status, Some("User Initiated".to_owned()));
    stack
}

/// As whom a stack's resources are made.
pub(super) fn acting(
    world: &World,
    caller: &Caller,
    role_arn: Option<&str>,
) -> Result<Caller, AwsError> {
    match role_arn {
        Some(arn) => cloudcontrol::as_role(world, caller, arn),
        None => Ok(caller.clone()),
    }
}

/// Creates a stack and returns its id.
pub(crate) fn create(
    world: &mut World,
    caller: &Caller,
    region: &str,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    allow(world, caller, region, "CreateStack", Some(&wanted.name))?;
    let place = Place::new(&caller.account_id, region);
    check_name(&wanted.name)?;
    let body = fetch(world, &wanted.source)?;
    let template = parse(&body)?;
    if let Some(existing) = taken(world, &place, &wanted.name) {
        if wanted.client_token.is_some() && existing.client_token == wanted.client_token {
            return Ok(existing.id.clone());
        }
        return Err(AwsError::bad(
            "AlreadyExistsException",
            format!("Stack [{}] already exists", wanted.name),
        ));
    }
    let parameters = template
        .values(&wanted.parameters)
        .map_err(AwsError::validation)?;
    check_capability(&template, &wanted.capabilities)?;
    let acting = acting(world, caller, wanted.role_arn.as_deref())?;
    let stack = draft(
        world,
        &acting,
        &place,
        wanted,
        body,
        parameters,
        Status::CreateInProgress,
    );
    let id = stack.id.clone();
    begin_creation(world, &place, stack, &template)?;
    Ok(id)
}

/// Sets a drafted stack to work.
pub(super) fn begin_creation(
    world: &mut World,
    place: &Place,
    mut stack: Stack,
    template: &Template,
) -> Result<(), AwsError> {
    let now = world.now();
    let names = included(world, place, &stack, template).map_err(AwsError::validation)?;
    for name in &names {
        if let Some(resource) = blank(template, name, now) {
            stack.resources.insert(name.clone(), resource);
        }
    }
    stack.work = Some(Work {
        goal: Goal::Create,
        started_at: now,
        steps: steps_in_order(&stack, &names, Action::Create),
    });
    state_mut(world, place)?
        .stacks
        .insert(stack.id.clone(), stack);
    settle_until(world, now);
    Ok(())
}

/// Updates a stack and returns its id.
pub(crate) fn update(
    world: &mut World,
    caller: &Caller,
    region: &str,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    allow(world, caller, region, "UpdateStack", Some(&wanted.name))?;
    change(
        world,
        caller,
        &Place::new(&caller.account_id, region),
        wanted,
    )
}

/// Updates a stack that the caller was allowed to update.
pub(super) fn change(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    let stack = find(world, place, &wanted.name)
        .ok_or_else(|| missing(&wanted.name))?
        .clone();
    let updatable = matches!(
        stack.status,
        Status::CreateComplete | Status::UpdateComplete | Status::UpdateRollbackComplete
    );
    if !updatable {
        return Err(AwsError::validation(format!(
            "Stack:{} is in {} state and can not be updated.",
            stack.id,
            stack.status.as_str()
        )));
    }
    let body = match wanted.source {
        Source::Previous => stack.body.clone(),
        _ => fetch(world, &wanted.source)?,
    };
    let template = parse(&body)?;
    let mut given = wanted.parameters.clone();
    for name in &wanted.kept {
        if let Some(value) = stack.parameters.get(name) {
            given.insert(name.clone(), value.clone());
        }
    }
    let parameters = template.values(&given).map_err(AwsError::validation)?;
    check_capability(&template, &wanted.capabilities)?;
    if body == stack.body && parameters == stack.parameters && wanted.tags == stack.tags {
        return Err(AwsError::validation("No updates are to be performed."));
    }
    let role = wanted.role_arn.as_ref().or(stack.role_arn.as_ref());
    let acting = acting(world, caller, role.map(String::as_str))?;
    begin_update(
        world, place, stack, acting, body, &template, parameters, wanted,
    )
}

#[expect(clippy::too_many_arguments, reason = "every one is a different noun")]
fn begin_update(
    world: &mut World,
    place: &Place,
    mut stack: Stack,
    acting: Caller,
    body: String,
    template: &Template,
    parameters: BTreeMap<String, String>,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    let now = world.now();
    stack.previous = Some(Previous {
        body: std::mem::replace(&mut stack.body, body),
        parameters: std::mem::replace(&mut stack.parameters, parameters),
        tags: std::mem::replace(&mut stack.tags, wanted.tags.clone()),
        resources: stack.resources.clone(),
    });
    stack.caller = acting;
    stack.capabilities.clone_from(&wanted.capabilities);
    stack.updated_at = Some(now);
    let names = included(world, place, &stack, template).map_err(AwsError::validation)?;
    for name in &names {
        let Some(declared) = blank(template, name, now) else {
            continue;
        };
        match stack.resources.get_mut(name) {
            Some(known) if known.type_name != declared.type_name => {
                return Err(AwsError::validation(format!(
                    "Update of resource type is not permitted. The new template modifies resource \
                     type of the following resources: [{name}]"
                )));
            }
            Some(known) => {
                known.needs = declared.needs;
                known.retained = declared.retained;
            }
            None => {
                stack.resources.insert(name.clone(), declared);
            }
        }
    }
    stack.turn(
        now,
        Status::UpdateInProgress,
        Some("User Initiated".to_owned()),
    );
    let mut steps = steps_in_order(&stack, &names, Action::Update);
    for step in &mut steps {
        let is_new = stack
            .resources
            .get(&step.logical_id)
            .is_some_and(|resource| resource.parts.is_empty());
        if is_new {
            step.action = Action::Create;
        }
    }
    let gone: Vec<String> = stack
        .resources
        .keys()
        .filter(|name| !names.contains(name))
        .cloned()
        .collect();
    let after: Vec<usize> = (0..steps.len()).collect();
    steps.extend(deletion_steps(&stack, &gone, after.len(), &after));
    stack.work = Some(Work {
        goal: Goal::Update,
        started_at: now,
        steps,
    });
    let id = stack.id.clone();
    state_mut(world, place)?.stacks.insert(id.clone(), stack);
    settle_until(world, now);
    Ok(id)
}

/// Deletes a stack. One that is not there is deleted already.
pub(crate) fn delete(
    world: &mut World,
    caller: &Caller,
    region: &str,
    name: &str,
    retained: &[String],
    role_arn: Option<&str>,
) -> Result<(), AwsError> {
    allow(world, caller, region, "DeleteStack", Some(name))?;
    let place = Place::new(&caller.account_id, region);
    let Some(stack) = find(world, &place, name) else {
        return Ok(());
    };
    if stack.status == Status::DeleteComplete || stack.status == Status::DeleteInProgress {
        return Ok(());
    }
    let mut stack = stack.clone();
    if stack.protected {
        return Err(AwsError::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if stack.status == Status::CreateInProgress {
        return abandon(world, &place, stack);
    }
    if stack.status.is_in_progress() {
        return Err(AwsError::validation(format!(
            "Stack [{}] is in {} state and can not be deleted",
            stack.name,
            stack.status.as_str()
        )));
    }
    let role = role_arn.or(stack.role_arn.as_deref());
    stack.caller = acting(world, caller, role)?;
    let now = world.now();
    stack.turn(
        now,
        Status::DeleteInProgress,
        Some("User Initiated".to_owned()),
    );
    stack.work = Some(deletion(&stack, Goal::Delete, now, retained));
    state_mut(world, &place)?
        .stacks
        .insert(stack.id.clone(), stack);
    settle_until(world, now);
    Ok(())
}

/// Gives up a creation: what runs ends, then everything is deleted.
fn abandon(world: &mut World, place: &Place, mut stack: Stack) -> Result<(), AwsError> {
    let now = world.now();
    stack.on_failure = OnFailure::Delete;
    for step in stack.work.iter_mut().flat_map(|work| &mut work.steps) {
        if matches!(step.state, StepState::Waiting) {
            step.state = StepState::Skipped;
        }
    }
    state_mut(world, place)?
        .stacks
        .insert(stack.id.clone(), stack);
    settle_until(world, now);
    Ok(())
}

/// All stacks of a region, newest first.
pub(crate) fn all<'w>(world: &'w World, place: &Place) -> Vec<&'w Stack> {
    let mut stacks: Vec<&Stack> = state(world, place)
        .into_iter()
        .flat_map(|state| state.stacks.values())
        .collect();
    stacks.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    stacks
}

/// A template as the console's review form shows it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub description: Option<String>,
    pub capability: Option<&'static str>,
    pub parameters: Vec<FormParameter>,
    /// Logical ids and types.
    pub resources: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FormParameter {
    pub name: String,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
}

/// What a form for this template asks.
pub(crate) fn describe_form(world: &World, source: &Source) -> Result<Form, AwsError> {
    let template = parse(&fetch(world, source)?)?;
    Ok(Form {
        description: template.description.clone(),
        capability: template.capability(),
        parameters: template
            .parameters
            .iter()
            .map(|(name, parameter)| FormParameter {
                name: name.clone(),
                default: parameter.default.clone(),
                description: parameter.description.clone(),
                no_echo: parameter.no_echo,
            })
            .collect(),
        resources: template
            .resources
            .iter()
            .map(|(name, declared)| (name.clone(), declared.type_name.clone()))
            .collect(),
    })
}
