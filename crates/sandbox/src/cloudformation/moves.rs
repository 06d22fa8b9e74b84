//! What a step does to its resource: the operations that lead from what there
//! is to what the template wants.

use super::intrinsics::{Existing, Scope};
use super::stack::{Action, Move, Part, Stack, Step};
use super::template::{INLINE_POLICY, Template};
use crate::cloudcontrol::{self, Env, Place};
use crate::types::{self, Model};
use crate::world::World;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const ROLE_POLICY: &str = "AWS::IAM::RolePolicy";

/// The operations that a step takes.
pub(super) fn moves(
    world: &World,
    place: &Place,
    stack: &Stack,
    step: &Step,
) -> Result<Vec<Move>, String> {
    let Some(resource) = stack.resources.get(&step.logical_id) else {
        return Ok(Vec::new());
    };
    let wanted: Vec<(String, Model)> = match step.action {
        Action::Create | Action::Update => wanted(world, place, stack, &step.logical_id)?,
        Action::Restore => stack
            .previous
            .as_ref()
            .and_then(|previous| previous.resources.get(&step.logical_id))
            .into_iter()
            .flat_map(|resource| &resource.parts)
            .map(|part| (part.type_name.clone(), part.desired.clone()))
            .collect(),
        Action::Delete => Vec::new(),
    };
    let restores = step.action == Action::Restore;
    let mut moves = Vec::new();
    let mut obsolete = Vec::new();
    for (index, (type_name, desired)) in wanted.iter().enumerate() {
        let create = || Move::Create {
            type_name: type_name.clone(),
            desired: desired.clone(),
        };
        match resource.parts.get(index) {
            None => moves.push(create()),
            Some(part) if part.desired == cloudcontrol::without_secrets(desired) => {}
            Some(part) if replaces(part, desired) => {
                moves.push(match former(world, place, stack, step, index) {
                    Some(former) => Move::Adopt(former.clone()),
                    None => create(),
                });
                obsolete.push((part, resource.keeps_replaced && !restores));
            }
            Some(part) => moves.push(Move::Update {
                type_name: type_name.clone(),
                identifier: part.identifier.clone(),
                before: part.desired.clone(),
                desired: desired.clone(),
            }),
        }
    }
    obsolete.extend(
        resource
            .parts
            .iter()
            .skip(wanted.len())
            .map(|part| (part, false)),
    );
    moves.extend(obsolete.into_iter().rev().map(|(part, kept)| {
        if kept {
            return Move::Release(part.clone());
        }
        Move::Delete {
            type_name: part.type_name.clone(),
            identifier: part.identifier.clone(),
        }
    }));
    Ok(moves)
}

/// What an update replaced and kept, when its rollback returns to it.
fn former<'s>(
    world: &World,
    place: &Place,
    stack: &'s Stack,
    step: &Step,
    index: usize,
) -> Option<&'s Part> {
    if step.action != Action::Restore {
        return None;
    }
    let resource = stack.previous.as_ref()?.resources.get(&step.logical_id)?;
    let part = resource.parts.get(index)?;
    Env::new(world, place, world.now())
        .find(&part.type_name, &part.identifier)
        .map(|_| part)
}

/// Whether a change can only be made by making the resource anew.
fn replaces(part: &Part, desired: &Model) -> bool {
    types::lookup(&part.type_name).is_some_and(|info| {
        info.create_only
            .iter()
            .filter_map(|path| path.split('/').next())
            .any(|name| part.desired.get(name) != desired.get(name))
    })
}

/// What the template wants of a resource now.
fn wanted(
    world: &World,
    place: &Place,
    stack: &Stack,
    logical_id: &str,
) -> Result<Vec<(String, Model)>, String> {
    let template = Template::parse(&stack.body)?;
    let Some(declared) = template.resources.get(logical_id) else {
        return Ok(Vec::new());
    };
    let lists = template.lists();
    let scope = scope(world, place, stack, &template, &lists);
    let Some(Value::Object(mut properties)) = scope.resolve(&declared.properties)? else {
        return Err("Properties must be a map".to_owned());
    };
    if declared.type_name == INLINE_POLICY {
        return Ok(inline_policies(&properties));
    }
    add_stack_tags(stack, &declared.type_name, &mut properties);
    Ok(vec![(declared.type_name.clone(), properties)])
}

/// One inline policy per role.
fn inline_policies(properties: &Model) -> Vec<(String, Model)> {
    cloudcontrol::strings(properties, "Roles")
        .into_iter()
        .map(|role| {
            let mut policy = Map::new();
            policy.insert("RoleName".into(), role.into());
            for name in ["PolicyName", "PolicyDocument"] {
                if let Some(value) = properties.get(name) {
                    policy.insert(name.to_owned(), value.clone());
                }
            }
            (ROLE_POLICY.to_owned(), policy)
        })
        .collect()
}

/// A stack's tags go to every resource that can carry a list of them.
fn add_stack_tags(stack: &Stack, type_name: &str, properties: &mut Model) {
    let Some(name) = types::lookup(type_name).and_then(|info| info.taggable.as_ref()) else {
        return;
    };
    if stack.tags.is_empty() {
        return;
    }
    let own = properties
        .entry(name.clone())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(own) = own {
        for (key, value) in &stack.tags {
            if !own.iter().any(|tag| tag["Key"] == **key) {
                own.push(serde_json::json!({"Key": key, "Value": value}));
            }
        }
    }
}

/// What functions can refer to, as the stack is now.
pub(super) fn scope<'s>(
    world: &World,
    place: &Place,
    stack: &'s Stack,
    template: &'s Template,
    lists: &'s [String],
) -> Scope<'s> {
    let env = Env::new(world, place, world.now());
    let resources = stack
        .resources
        .iter()
        .filter_map(|(name, resource)| {
            let part = resource.parts.last()?;
            let found = env.find(&part.type_name, &part.identifier)?;
            let existing = Existing {
                reference: reference(&part.type_name, &part.identifier),
                attributes: cloudcontrol::view(&env, &part.type_name, &found),
            };
            Some((name.clone(), existing))
        })
        .collect();
    Scope {
        parameters: &stack.parameters,
        lists,
        pseudo: BTreeMap::from([
            ("AWS::AccountId", place.account.clone()),
            ("AWS::Partition", "aws".to_owned()),
            ("AWS::Region", place.region.clone()),
            ("AWS::StackId", stack.id.clone()),
            ("AWS::StackName", stack.name.clone()),
            ("AWS::URLSuffix", "amazonaws.com".to_owned()),
        ]),
        conditions: &template.conditions,
        mappings: &template.mappings,
        resources,
    }
}

/// What `Ref` gives: nearly always the identifier.
pub(super) fn reference(type_name: &str, identifier: &str) -> String {
    let part = match type_name {
        "AWS::EC2::EIP" | "AWS::ECS::Service" | ROLE_POLICY => identifier.split('|').next(),
        _ => None,
    };
    part.unwrap_or(identifier).to_owned()
}
