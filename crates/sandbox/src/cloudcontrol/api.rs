//! The eight operations as calls.

use super::env::Place;
use super::failure::validation;
use super::operate::{self, Request};
use super::state::{CLIENT_TOKEN_LIFE, ClientToken};
use super::{patch, permissions, read, requests};
use crate::iam::policy::{self, Effect, Form};
use crate::iam::{Caller, CallerKind, Context, Role, authorize};
use crate::shared::Shared;
use crate::types::Model;
use crate::wire::{AwsError, Call, Reply};
use crate::world::World;
use serde_json::Value;

/// Longest DesiredState or PatchDocument (AWS docs: CreateResource).
const BODY_LIMIT: usize = 262_144;

pub(crate) fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    let input = call.input.json();
    let reply = match call.operation.as_str() {
        "CreateResource" | "UpdateResource" | "DeleteResource" => {
            mutate(&mut shared.world(), caller, call)
        }
        "GetResource" => read::get(&shared.world(), caller, &call.region, input),
        "ListResources" => read::list(&shared.world(), caller, &call.region, input),
        "GetResourceRequestStatus" => {
            requests::status(&shared.world(), caller, &call.region, input)
        }
        "ListResourceRequests" => requests::list(&shared.world(), caller, &call.region, input),
        "CancelResourceRequest" => {
            requests::cancel(&mut shared.world(), caller, &call.region, input)
        }
        other => Err(AwsError::bad(
            "UnknownOperationException",
            format!("There is no operation {other}."),
        )),
    };
    reply.map(Reply::Json)
}

/// A string member, or null when it is absent.
pub(super) fn optional<'v>(input: &'v Value, name: &str) -> Result<Option<&'v str>, AwsError> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(AwsError::bad(
            "SerializationException",
            format!("{name} must be a string"),
        )),
    }
}

pub(super) fn required<'v>(input: &'v Value, name: &str) -> Result<&'v str, AwsError> {
    optional(input, name)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| {
            let field: String = name
                .chars()
                .enumerate()
                .map(|(i, c)| if i == 0 { c.to_ascii_lowercase() } else { c })
                .collect();
            validation(format!(
                "1 validation error detected: Value null at '{field}' failed to satisfy \
                 constraint: Member must not be null"
            ))
        })
}

/// A JSON object written as a string.
pub(super) fn object(name: &str, text: &str) -> Result<Model, AwsError> {
    if text.len() > BODY_LIMIT {
        return Err(validation(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member \
             must have length less than or equal to {BODY_LIMIT}"
        )));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(model)) => Ok(model),
        Ok(_) => Err(validation(format!("{name} must be a JSON object"))),
        Err(error) => Err(validation(format!("{name} is not valid JSON: {error}"))),
    }
}

fn mutate(world: &mut World, caller: &Caller, call: &Call) -> Result<Value, AwsError> {
    let input = call.input.json();
    permissions::api(world, caller, &call.region, &call.operation)?;
    let type_name = required(input, "TypeName")?;
    let place = Place::new(&caller.account_id, &call.region);
    let now = world.now();
    let token = client_token(input)?;
    let digest = digest(call);
    if let Some(token) = token
        && let Some(known) = remembered(world, &place, token, &digest)?
    {
        return requests::event(world, &place, &known);
    }
    let acting = acting(world, caller, input)?;
    let request = Request {
        caller: &acting,
        place: &place,
        type_name,
        at: now,
        stack: None,
    };
    let request_token = match call.operation.as_str() {
        "CreateResource" => {
            let desired = object("DesiredState", required(input, "DesiredState")?)?;
            operate::create(world, &request, desired)?
        }
        "UpdateResource" => {
            let identifier = required(input, "Identifier")?;
            let document = required(input, "PatchDocument")?;
            if document.len() > BODY_LIMIT {
                return Err(validation("PatchDocument is too long"));
            }
            let patch = patch::parse(document)?;
            operate::update(world, &request, identifier, |info, before| {
                patch::apply(info, before, &patch)
            })?
        }
        _ => operate::delete(world, &request, required(input, "Identifier")?)?,
    };
    if let Some(token) = token
        && let Some(account) = world.accounts.get_mut(&place.account)
    {
        account
            .cloudcontrol
            .entry(place.region.clone())
            .or_default()
            .client_tokens
            .insert(
                token.to_owned(),
                ClientToken {
                    request_token: request_token.clone(),
                    digest,
                    used_at: now,
                },
            );
    }
    requests::event(world, &place, &request_token)
}

fn client_token(input: &Value) -> Result<Option<&str>, AwsError> {
    let Some(token) = optional(input, "ClientToken")? else {
        return Ok(None);
    };
    let fine = (1..=128).contains(&token.len())
        && token
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-+/=".contains(c));
    if fine {
        Ok(Some(token))
    } else {
        Err(validation(format!(
            "1 validation error detected: Value '{token}' at 'clientToken' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [-A-Za-z0-9+/=]+"
        )))
    }
}

/// What a request asks for, without its token.
fn digest(call: &Call) -> String {
    let mut body = call.input.json().clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("ClientToken");
    }
    let text = format!("{}\n{body}", call.operation);
    hex::encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        text.as_bytes(),
    ))
}

/// The request that a token stood for, if it still does.
fn remembered(
    world: &World,
    place: &Place,
    token: &str,
    digest: &str,
) -> Result<Option<String>, AwsError> {
    let known = world
        .accounts
        .get(&place.account)
        .and_then(|account| account.cloudcontrol.get(&place.region))
        .and_then(|region| region.client_tokens.get(token))
        .filter(|known| world.now().since(known.used_at) < CLIENT_TOKEN_LIFE);
    match known {
        Some(known) if known.digest == digest => Ok(Some(known.request_token.clone())),
        Some(_) => Err(AwsError::bad(
            "ClientTokenConflictException",
            format!(
                "The specified client token has already been used in another resource request: \
                 {token}"
            ),
        )),
        None => Ok(None),
    }
}

/// As whom handlers act: the caller, or the role that was passed for them.
pub(super) fn acting(world: &World, caller: &Caller, input: &Value) -> Result<Caller, AwsError> {
    match optional(input, "RoleArn")? {
        Some(arn) => as_role(world, caller, arn),
        None => Ok(caller.clone()),
    }
}

/// The session of a role that a caller passes to CloudFormation.
pub(crate) fn as_role(world: &World, caller: &Caller, arn: &str) -> Result<Caller, AwsError> {
    const SERVICE: &str = "cloudformation.amazonaws.com";
    let mut context = Context::new();
    context.set("iam:PassedToService", SERVICE);
    authorize(world, caller, "iam:PassRole", arn, &context).map_err(|denied| denied.for_json())?;
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let role = world
        .account(&caller.account_id)?
        .iam
        .role(name)
        .ok()
        .filter(|role| role.arn == arn)
        .filter(|role| trusts(world, role, SERVICE, &caller.account_id))
        .ok_or_else(|| validation(format!("Role {arn} is invalid or cannot be assumed")))?;
    Ok(Caller {
        account_id: caller.account_id.clone(),
        arn: format!(
            "arn:aws:sts::{}:assumed-role/{name}/AWSCloudFormation",
            caller.account_id
        ),
        user_id: format!("{}:AWSCloudFormation", role.id),
        kind: CallerKind::AssumedRole {
            role_name: role.name.clone(),
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: "AWSCloudFormation".to_owned(),
            session_policies: Vec::new(),
            session_tags: std::collections::BTreeMap::new(),
            federated: std::collections::BTreeMap::new(),
        },
    })
}

/// Whether a role lets a service of its own account in, as far as its trust
/// policy counts yet.
fn trusts(world: &World, role: &Role, service: &str, account: &str) -> bool {
    let mut context = Context::new();
    context
        .set("aws:PrincipalIsAWSService", "true")
        .set("aws:PrincipalServiceName", service)
        .set("aws:SourceAccount", account);
    let request = policy::Request {
        action: "sts:AssumeRole",
        resource: &role.arn,
        context: &context,
    };
    let Some(document) = role.trust.effective(world.now()) else {
        return false;
    };
    let trust = world.parsed.policy(document, Form::Trust);
    let mut effects = trust
        .statements
        .iter()
        .filter(|statement| {
            let principals = statement.principals.as_ref();
            principals.is_some_and(|it| it.names_service(service))
                && statement.applies(&request, trust.variables)
        })
        .map(|statement| statement.effect)
        .peekable();
    effects.peek().is_some() && effects.all(|effect| effect == Effect::Allow)
}
