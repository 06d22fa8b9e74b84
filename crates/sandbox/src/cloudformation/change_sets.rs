//! Change sets, as far as `aws cloudformation deploy` needs them.

use super::api::wanted;
use super::operations::{
    self, Source, acting, allow, begin_creation, check_capability, check_name, draft, find,
    missing, parse, state_mut,
};
use super::stack::{OnFailure, Status};
use super::steps::included;
use super::update;
use crate::clock::SimTime;
use crate::cloudcontrol::Place;
use crate::iam::Caller;
use crate::wire::{AwsError, Params, Reply, Xml};
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A change that is described before it is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    id: String,
    name: String,
    stack_id: String,
    stack_name: String,
    creates: bool,
    body: String,
    parameters: BTreeMap<String, String>,
    capabilities: Vec<String>,
    tags: BTreeMap<String, String>,
    role_arn: Option<String>,
    created_at: SimTime,
    changes: Vec<(String, String, String)>,
    executed: bool,
}

pub(super) fn handle(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    operation: &str,
    params: &Params,
) -> Result<Reply, AwsError> {
    let stack = params.get("StackName");
    allow(world, caller, &place.region, operation, stack)?;
    match operation {
        "CreateChangeSet" => create(world, caller, place, params),
        "DescribeChangeSet" => Ok(Reply::Xml(describe(named(world, place, params)?))),
        "ExecuteChangeSet" => execute(world, caller, place, params),
        "DeleteChangeSet" => {
            let id = named(world, place, params)?.id.clone();
            state_mut(world, place)?.change_sets.remove(&id);
            Ok(Reply::Xml(Xml::new()))
        }
        _ => {
            let name = params.required("StackName")?;
            let found: Vec<&ChangeSet> = operations::state(world, place)
                .into_iter()
                .flat_map(|state| state.change_sets.values())
                .filter(|set| set.stack_name == name || set.stack_id == name)
                .collect();
            let mut xml = Xml::new();
            xml.list("Summaries", found, head);
            Ok(Reply::Xml(xml))
        }
    }
}

fn create(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    params: &Params,
) -> Result<Reply, AwsError> {
    let mut wanted = wanted(params)?;
    wanted.on_failure = OnFailure::Rollback;
    let name = params.required("ChangeSetName")?.to_owned();
    check_name(&name)?;
    check_name(&wanted.name)?;
    let existing = find(world, place, &wanted.name).cloned();
    let reviewed = existing
        .as_ref()
        .is_some_and(|stack| stack.status == Status::ReviewInProgress);
    let creates = params.get("ChangeSetType") == Some("CREATE");
    if !creates && existing.is_none() {
        return Err(missing(&wanted.name));
    }
    if creates && existing.is_some() && !reviewed {
        return Err(AwsError::validation(format!(
            "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
            wanted.name
        )));
    }
    let body = match (&wanted.source, &existing) {
        (Source::Previous, Some(stack)) => stack.body.clone(),
        (source, _) => operations::fetch(world, source)?,
    };
    let template = parse(&body)?;
    check_capability(&template, &wanted.capabilities)?;
    let mut given = wanted.parameters.clone();
    for (key, value) in existing.iter().flat_map(|stack| &stack.parameters) {
        if wanted.kept.contains(key) {
            given.insert(key.clone(), value.clone());
        }
    }
    let parameters = template.values(&given).map_err(AwsError::validation)?;
    let stack = match existing {
        Some(stack) => stack,
        None => {
            let acting = acting(world, caller, wanted.role_arn.as_deref())?;
            let stack = draft(
                world,
                &acting,
                place,
                &wanted,
                body.clone(),
                parameters.clone(),
                Status::ReviewInProgress,
            );
            state_mut(world, place)?
                .stacks
                .insert(stack.id.clone(), stack.clone());
            stack
        }
    };
    let mut after = stack.clone();
    after.parameters.clone_from(&parameters);
    let names = included(world, place, &after, &template).map_err(AwsError::validation)?;
    let mut changes: Vec<(String, String, String)> = Vec::new();
    for logical in &names {
        let kind = template
            .resources
            .get(logical)
            .map(|it| it.type_name.clone());
        let known = stack.resources.contains_key(logical);
        // Whether a known resource changes is only known when it is resolved.
        let differs =
            body != stack.body || parameters != stack.parameters || wanted.tags != stack.tags;
        if !known || differs {
            let action = if known { "Modify" } else { "Add" };
            changes.push((action.to_owned(), logical.clone(), kind.unwrap_or_default()));
        }
    }
    for (logical, resource) in &stack.resources {
        if !names.contains(logical) {
            changes.push((
                "Remove".to_owned(),
                logical.clone(),
                resource.type_name.clone(),
            ));
        }
    }
    let set = ChangeSet {
        id: format!(
            "arn:aws:cloudformation:{}:{}:changeSet/{name}/{}",
            place.region,
            place.account,
            world.rng.uuid()
        ),
        name,
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        creates: stack.status == Status::ReviewInProgress,
        body,
        parameters,
        capabilities: wanted.capabilities,
        tags: wanted.tags,
        role_arn: wanted.role_arn,
        created_at: world.now(),
        changes,
        executed: false,
    };
    let mut xml = Xml::new();
    xml.text("Id", &set.id).text("StackId", &set.stack_id);
    state_mut(world, place)?
        .change_sets
        .insert(set.id.clone(), set);
    Ok(Reply::Xml(xml))
}

fn named<'w>(world: &'w World, place: &Place, params: &Params) -> Result<&'w ChangeSet, AwsError> {
    let wanted = params.required("ChangeSetName")?;
    let stack = params.get("StackName");
    operations::state(world, place)
        .into_iter()
        .flat_map(|state| state.change_sets.values())
        .find(|set| {
            set.id == wanted
                || (set.name == wanted
                    && stack.is_some_and(|it| it == set.stack_name || it == set.stack_id))
        })
        .ok_or_else(|| {
            AwsError::new(
                404,
                "ChangeSetNotFound",
                format!("ChangeSet [{wanted}] does not exist"),
            )
        })
}

fn head(xml: &mut Xml, set: &ChangeSet) {
    let (status, execution, reason) = if set.changes.is_empty() {
        (
            "FAILED",
            "UNAVAILABLE",
            Some(
                "The submitted information didn't contain changes. Submit different information \
                 to create a change set.",
            ),
        )
    } else if set.executed {
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE", None)
    } else {
        ("CREATE_COMPLETE", "AVAILABLE", None)
    };
    xml.text("ChangeSetId", &set.id)
        .text("ChangeSetName", &set.name)
        .text("StackId", &set.stack_id)
        .text("StackName", &set.stack_name)
        .text("CreationTime", set.created_at.iso8601())
        .text("Status", status)
        .text("ExecutionStatus", execution)
        .maybe("StatusReason", reason);
}

fn describe(set: &ChangeSet) -> Xml {
    let template = parse(&set.body).ok();
    let mut xml = Xml::new();
    head(&mut xml, set);
    xml.list("Parameters", &set.parameters, |xml, (name, value)| {
        let value = super::render::shown(template.as_ref(), name, value);
        xml.text("ParameterKey", name).text("ParameterValue", value);
    })
    .texts("Capabilities", &set.capabilities)
    .list("Changes", &set.changes, |xml, (action, logical, kind)| {
        xml.text("Type", "Resource").node("ResourceChange", |xml| {
            xml.text("Action", action)
                .text("LogicalResourceId", logical)
                .text("ResourceType", kind);
        });
    });
    xml
}

fn execute(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    params: &Params,
) -> Result<Reply, AwsError> {
    let set = named(world, place, params)?.clone();
    if set.executed || set.changes.is_empty() {
        return Err(AwsError::bad(
            "InvalidChangeSetStatus",
            format!(
                "ChangeSet [{}] cannot be executed in its current status",
                set.id
            ),
        ));
    }
    if let Some(known) = state_mut(world, place)?.change_sets.get_mut(&set.id) {
        known.executed = true;
    }
    let acting = acting(world, caller, set.role_arn.as_deref())?;
    if set.creates {
        let template = parse(&set.body)?;
        let now = world.now();
        let mut stack = find(world, place, &set.stack_id)
            .ok_or_else(|| missing(&set.stack_name))?
            .clone();
        stack.body = set.body;
        stack.parameters = set.parameters;
        stack.tags = set.tags;
        stack.capabilities = set.capabilities;
        stack.caller = acting;
        stack.turn(
            now,
            Status::CreateInProgress,
            Some("User Initiated".to_owned()),
        );
        begin_creation(world, place, stack, &template)?;
        return Ok(Reply::Xml(Xml::new()));
    }
    update::change(
        world,
        caller,
        place,
        &operations::Wanted {
            name: set.stack_id,
            source: Source::Body(set.body),
            parameters: set.parameters,
            kept: BTreeSet::new(),
            capabilities: set.capabilities,
            tags: set.tags,
            role_arn: set.role_arn,
            client_token: None,
            on_failure: OnFailure::Rollback,
            protected: false,
        },
    )?;
    Ok(Reply::Xml(Xml::new()))
}
