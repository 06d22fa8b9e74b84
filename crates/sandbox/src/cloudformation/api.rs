//! The query API.

use super::change_sets;
use super::operations::{self, Source, Wanted, allow, missing};
use super::render;
use super::stack::{OnFailure, Stack, Status};
use super::{delete, update};
use crate::cloudcontrol::Place;
use crate::iam::Caller;
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Params, Reply, Xml};
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Entries on a page of events or stacks.
const PAGE: usize = 100;

pub(crate) fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    let params = call.input.params();
    let region = call.region.as_str();
    let place = Place::new(&caller.account_id, region);
    match call.operation.as_str() {
        "CreateStack" => {
            let wanted = wanted(&params)?;
            let id = operations::create(&mut shared.world(), caller, region, &wanted)?;
            Ok(stack_id(&id))
        }
        "UpdateStack" => {
            let wanted = wanted(&params)?;
            let id = update::update(&mut shared.world(), caller, region, &wanted)?;
            Ok(stack_id(&id))
        }
        "DeleteStack" => {
            delete::delete(
                &mut shared.world(),
                caller,
                region,
                params.required("StackName")?,
                &params.values("RetainResources"),
                params.get("RoleARN"),
            )?;
            Ok(Reply::Empty)
        }
        "DescribeStacks" => describe(&shared.world(), caller, &place, &params),
        "ListStacks" => list(&shared.world(), caller, &place, &params),
        "DescribeStackEvents" => events(&shared.world(), caller, &place, &params),
        "DescribeStackResources" | "ListStackResources" | "DescribeStackResource" => {
            resources(&shared.world(), caller, &place, &call.operation, &params)
        }
        "GetTemplate" => {
            let world = shared.world();
            let stack = named(&world, caller, &place, "GetTemplate", &params)?;
            let mut xml = Xml::new();
            xml.text("TemplateBody", &stack.body)
                .texts("StagesAvailable", ["Original", "Processed"]);
            Ok(Reply::Xml(xml))
        }
        "ValidateTemplate" => {
            let world = shared.world();
            allow(&world, caller, region, "ValidateTemplate", None)?;
            let body = operations::fetch(&world, &source(&params))?;
            Ok(Reply::Xml(render::validated(&operations::parse(&body)?)))
        }
        "GetTemplateSummary" => {
            let world = shared.world();
            allow(&world, caller, region, "GetTemplateSummary", None)?;
            let body = match params.get("StackName") {
                Some(_) => named(&world, caller, &place, "GetTemplateSummary", &params)?
                    .body
                    .clone(),
                None => operations::fetch(&world, &source(&params))?,
            };
            Ok(Reply::Xml(render::summary(&operations::parse(&body)?)))
        }
        "CreateChangeSet" | "DescribeChangeSet" | "ExecuteChangeSet" | "DeleteChangeSet"
        | "ListChangeSets" => change_sets::handle(
            &mut shared.world(),
            caller,
            &place,
            &call.operation,
            &params,
        ),
        other => Err(AwsError::bad(
            "InvalidAction",
            format!("Could not find operation {other} for version 2010-05-15"),
        )),
    }
}

fn stack_id(id: &str) -> Reply {
    let mut xml = Xml::new();
    xml.text("StackId", id);
    Reply::Xml(xml)
}

pub(super) fn source(params: &Params) -> Source {
    match (params.get("TemplateBody"), params.get("TemplateURL")) {
        (Some(body), _) => Source::Body(body.to_owned()),
        (None, Some(url)) => Source::Url(url.to_owned()),
        (None, None) => Source::Previous,
    }
}

pub(super) fn wanted(params: &Params) -> Result<Wanted, AwsError> {
    let mut wanted = Wanted {
        name: params.required("StackName")?.to_owned(),
        source: source(params),
        parameters: Default::default(),
        kept: Default::default(),
        capabilities: params.values("Capabilities"),
        tags: Default::default(),
        role_arn: params.get("RoleARN").map(str::to_owned),
        client_token: params.get("ClientRequestToken").map(str::to_owned),
        on_failure: OnFailure::Rollback,
        protected: params
            .boolean("EnableTerminationProtection")
            .unwrap_or(false),
    };
    for member in params.members("Parameters") {
        let key = member.get("ParameterKey").unwrap_or_default().to_owned();
        if member.boolean("UsePreviousValue") == Some(true) {
            wanted.kept.insert(key);
        } else {
            let value = member.get("ParameterValue").unwrap_or_default();
            wanted.parameters.insert(key, value.to_owned());
        }
    }
    for member in params.members("Tags") {
        let key = member.get("Key").unwrap_or_default().to_owned();
        wanted
            .tags
            .insert(key, member.get("Value").unwrap_or_default().to_owned());
    }
    wanted.on_failure = match (params.get("OnFailure"), params.boolean("DisableRollback")) {
        (Some(_), Some(_)) => {
            return Err(AwsError::validation(
                "You can specify either DisableRollback or OnFailure, but not both.",
            ));
        }
        (Some("DELETE"), None) => OnFailure::Delete,
        (Some("DO_NOTHING"), None) | (None, Some(true)) => OnFailure::DoNothing,
        _ => OnFailure::Rollback,
    };
    Ok(wanted)
}

/// The stack that a call names, if the caller may do this to it.
fn named<'w>(
    world: &'w World,
    caller: &Caller,
    place: &Place,
    action: &str,
    params: &Params,
) -> Result<&'w Stack, AwsError> {
    let name = params.required("StackName")?;
    let found = operations::find(world, place, name);
    let resource = found.map_or(name, |stack| stack.id.as_str());
    allow(world, caller, &place.region, action, Some(resource))?;
    found.ok_or_else(|| missing(name))
}

/// A page of items, and the token of the next one.
fn page<T>(items: Vec<T>, params: &Params) -> Result<(Vec<T>, Option<String>), AwsError> {
    let start: usize = match params.get("NextToken") {
        None => 0,
        Some(token) => BASE64
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| AwsError::validation("NextToken is not valid"))?,
    };
    let more = items.len() > start.saturating_add(PAGE);
    let rest = items.into_iter().skip(start).take(PAGE).collect();
    let next = more.then(|| BASE64.encode((start + PAGE).to_string()));
    Ok((rest, next))
}

fn describe(
    world: &World,
    caller: &Caller,
    place: &Place,
    params: &Params,
) -> Result<Reply, AwsError> {
    let stacks = match params.get("StackName") {
        Some(_) => vec![named(world, caller, place, "DescribeStacks", params)?],
        None => {
            allow(world, caller, &place.region, "DescribeStacks", None)?;
            operations::all(world, place)
                .into_iter()
                .filter(|stack| stack.status != Status::DeleteComplete)
                .collect()
        }
    };
    let (stacks, next) = page(stacks, params)?;
    let mut xml = Xml::new();
    xml.list("Stacks", stacks, render::stack)
        .maybe("NextToken", next);
    Ok(Reply::Xml(xml))
}

fn list(world: &World, caller: &Caller, place: &Place, params: &Params) -> Result<Reply, AwsError> {
    allow(world, caller, &place.region, "ListStacks", None)?;
    let wanted = params.values("StackStatusFilter");
    let stacks = operations::all(world, place)
        .into_iter()
        .filter(|stack| wanted.is_empty() || wanted.iter().any(|it| it == stack.status.as_str()))
        .collect();
    let (stacks, next) = page(stacks, params)?;
    let mut xml = Xml::new();
    xml.list("StackSummaries", stacks, render::stack_summary)
        .maybe("NextToken", next);
    Ok(Reply::Xml(xml))
}

/// Newest first.
fn events(
    world: &World,
    caller: &Caller,
    place: &Place,
    params: &Params,
) -> Result<Reply, AwsError> {
    let stack = named(world, caller, place, "DescribeStackEvents", params)?;
    let (events, next) = page(stack.events.iter().rev().collect(), params)?;
    let mut xml = Xml::new();
    xml.list("StackEvents", events, |xml, event| {
        render::event(xml, stack, event)
    })
    .maybe("NextToken", next);
    Ok(Reply::Xml(xml))
}

fn resources(
    world: &World,
    caller: &Caller,
    place: &Place,
    action: &str,
    params: &Params,
) -> Result<Reply, AwsError> {
    let stack = named(world, caller, place, action, params)?;
    let wanted = params.get("LogicalResourceId");
    let found: Vec<_> = stack
        .resources
        .iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name))
        .collect();
    let mut xml = Xml::new();
    match action {
        "DescribeStackResource" => {
            let (name, resource) = found.first().ok_or_else(|| {
                AwsError::validation(format!(
                    "Resource {} does not exist for stack {}",
                    wanted.unwrap_or_default(),
                    stack.name
                ))
            })?;
            xml.node("StackResourceDetail", |xml| {
                render::resource(xml, stack, name, resource, "LastUpdatedTimestamp");
            });
        }
        "ListStackResources" => {
            xml.list("StackResourceSummaries", found, |xml, (name, resource)| {
                render::resource(xml, stack, name, resource, "LastUpdatedTimestamp");
            });
        }
        _ => {
            xml.list("StackResources", found, |xml, (name, resource)| {
                render::resource(xml, stack, name, resource, "Timestamp");
            });
        }
    }
    Ok(Reply::Xml(xml))
}
