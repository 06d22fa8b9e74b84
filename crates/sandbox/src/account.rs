//! The account service: regions, and which of them are switched on.

use crate::iam::{Caller, Context, authorize};
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Reply};
use crate::world::{Account, REGIONS};
use serde_json::{Value, json};

/// The operation behind a path.
pub(crate) fn operation(path: &str) -> Option<&'static str> {
    Some(match path {
        "/listRegions" => "ListRegions",
        "/getRegionOptStatus" => "GetRegionOptStatus",
        "/enableRegion" => "EnableRegion",
        "/disableRegion" => "DisableRegion",
        _ => return None,
    })
}

pub(crate) fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    let input = call.input.json();
    let id = &caller.account_id;
    if let Some(other) = input["AccountId"].as_str()
        && other != id
    {
        return Err(denied(format!(
            "User: {} is not authorized to perform: account:{} on account {other}",
            caller.arn, call.operation
        )));
    }
    let mut context = Context::new();
    if let Some(region) = input["RegionName"].as_str() {
        context.set("account:TargetRegion", region);
    }
    let action = format!("account:{}", call.operation);
    let resource = format!("arn:aws:account::{id}:account");
    let mut world = shared.world();
    authorize(&world, caller, &action, &resource, &context)
        .map_err(|refusal| denied(refusal.message))?;
    match call.operation.as_str() {
        "ListRegions" => list(world.account(id)?, input),
        "GetRegionOptStatus" => {
            let region = region_name(input)?;
            Ok(Reply::Json(json!({
                "RegionName": region,
                "RegionOptStatus": status(world.account(id)?, region),
            })))
        }
        operation => {
            let region = region_name(input)?;
            if !REGIONS.contains(&(region, true)) {
                return Err(AwsError::bad(
                    "ValidationException",
                    format!("Region {region} cannot be enabled or disabled."),
                ));
            }
            let opted_in = &mut world.account_mut(id)?.opted_in;
            if operation == "EnableRegion" {
                opted_in.insert(region.to_owned());
            } else {
                opted_in.remove(region);
            }
            Ok(Reply::Empty)
        }
    }
}

fn list(account: &Account, input: &Value) -> Result<Reply, AwsError> {
    let wanted: Option<Vec<&str>> = input["RegionOptStatusContains"]
        .as_array()
        .map(|list| list.iter().filter_map(Value::as_str).collect());
    let size = match input["MaxResults"].as_u64() {
        None => REGIONS.len(),
        Some(size @ 1..=50) => size as usize,
        Some(size) => {
            return Err(AwsError::bad(
                "ValidationException",
                format!("MaxResults must be between 1 and 50, not {size}"),
            ));
        }
    };
    let start = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| AwsError::bad("ValidationException", "NextToken is not one of ours"))?,
    };
    let matching: Vec<Value> = REGIONS
        .iter()
        .map(|(name, _)| (name, status(account, name)))
        .filter(|(_, status)| wanted.as_ref().is_none_or(|wanted| wanted.contains(status)))
        .map(|(name, status)| json!({ "RegionName": name, "RegionOptStatus": status }))
        .collect();
    let end = start.saturating_add(size).min(matching.len());
    let mut reply = json!({ "Regions": matching.get(start..end).unwrap_or_default() });
    if end < matching.len() {
        reply["NextToken"] = json!(end.to_string());
    }
    Ok(Reply::Json(reply))
}

fn status(account: &Account, region: &str) -> &'static str {
    match REGIONS.iter().find(|(name, _)| *name == region) {
        Some((_, false)) => "ENABLED_BY_DEFAULT",
        Some((_, true)) if account.opted_in.contains(region) => "ENABLED",
        _ => "DISABLED",
    }
}

fn region_name(input: &Value) -> Result<&str, AwsError> {
    input["RegionName"]
        .as_str()
        .filter(|region| REGIONS.iter().any(|(name, _)| name == region))
        .ok_or_else(|| AwsError::bad("ValidationException", "RegionName is not a region."))
}

fn denied(message: String) -> AwsError {
    AwsError::new(403, "AccessDeniedException", message)
}
