//! What can be asked of stacks, by callers and by the console.

use super::run::settle_until;
use super::stack::{Action, Goal, OnFailure, Stack, State, Status, Work};
use super::steps::{blank, included, steps_in_order};
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

/// All stacks of a region, newest first.
pub(crate) fn all<'w>(world: &'w World, place: &Place) -> Vec<&'w Stack> {
    let mut stacks: Vec<&Stack> = state(world, place)
        .into_iter()
        .flat_map(|state| state.stacks.values())
        .collect();
    stacks.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    stacks
}
