//! IAM's own API (AWS docs: "IAM API Reference").

mod policies;
mod providers;
mod render;
mod role_policies;
mod roles;
mod simulate;

use super::{Caller, Context, Role, authorize};
use crate::shared::{Shared, WorldGuard};
use crate::wire::{AwsError, Call, Params, Reply, Xml};
use crate::world::Account;
use std::collections::BTreeMap;

pub(crate) fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    let api = Api {
        world: shared.world(),
        caller,
        operation: &call.operation,
        params: call.input.params(),
    };
    match call.operation.as_str() {
        "CreateRole" => roles::create(api),
        "GetRole" => roles::get(api),
        "UpdateRole" => roles::update(api),
        "UpdateAssumeRolePolicy" => roles::update_trust(api),
        "DeleteRole" => roles::delete(api),
        "ListRoles" => roles::list(api),
        "TagRole" => roles::tag(api),
        "UntagRole" => roles::untag(api),
        "ListRoleTags" => roles::list_tags(api),
        "CreateServiceLinkedRole" => roles::create_service_linked(api),
        "GetUser" => roles::get_user(api),
        "PutRolePolicy" => role_policies::put(api),
        "GetRolePolicy" => role_policies::get(api),
        "DeleteRolePolicy" => role_policies::delete(api),
        "ListRolePolicies" => role_policies::list(api),
        "AttachRolePolicy" => role_policies::attach(api),
        "DetachRolePolicy" => role_policies::detach(api),
        "ListAttachedRolePolicies" => role_policies::list_attached(api),
        "PutRolePermissionsBoundary" => role_policies::put_boundary(api),
        "DeleteRolePermissionsBoundary" => role_policies::delete_boundary(api),
        "CreatePolicy" => policies::create(api),
        "GetPolicy" => policies::get(api),
        "ListPolicies" => policies::list(api),
        "DeletePolicy" => policies::delete(api),
        "TagPolicy" => policies::tag(api),
        "UntagPolicy" => policies::untag(api),
        "ListPolicyTags" => policies::list_tags(api),
        "CreatePolicyVersion" => policies::create_version(api),
        "GetPolicyVersion" => policies::get_version(api),
        "ListPolicyVersions" => policies::list_versions(api),
        "SetDefaultPolicyVersion" => policies::set_default_version(api),
        "DeletePolicyVersion" => policies::delete_version(api),
        "ListEntitiesForPolicy" => policies::list_entities(api),
        "CreateOpenIDConnectProvider" => providers::create(api),
        "GetOpenIDConnectProvider" => providers::get(api),
        "ListOpenIDConnectProviders" => providers::list(api),
        "DeleteOpenIDConnectProvider" => providers::delete(api),
        "AddClientIDToOpenIDConnectProvider" => providers::add_client_id(api),
        "RemoveClientIDFromOpenIDConnectProvider" => providers::remove_client_id(api),
        "UpdateOpenIDConnectProviderThumbprint" => providers::update_thumbprints(api),
        "TagOpenIDConnectProvider" => providers::tag(api),
        "UntagOpenIDConnectProvider" => providers::untag(api),
        "ListOpenIDConnectProviderTags" => providers::list_tags(api),
        "SimulatePrincipalPolicy" => simulate::principal(api),
        "SimulateCustomPolicy" => simulate::custom(api),
        other => Err(AwsError::bad(
            "InvalidAction",
            format!("Could not find operation {other} for version 2010-05-08"),
        )),
    }
}

/// One call in progress.
struct Api<'a> {
    world: WorldGuard<'a>,
    caller: &'a Caller,
    operation: &'a str,
    params: Params,
}

impl Api<'_> {
    fn account(&self) -> Result<&Account, AwsError> {
        self.world.account(&self.caller.account_id)
    }

    /// Requires the action of this operation.
    fn allow(&self, resource: &str, context: &Context) -> Result<(), AwsError> {
        self.allow_also(self.operation, resource, context)
    }

    /// Requires another action of IAM.
    fn allow_also(&self, action: &str, resource: &str, context: &Context) -> Result<(), AwsError> {
        authorize(
            &self.world,
            self.caller,
            &format!("iam:{action}"),
            resource,
            context,
        )
        .map_err(|refusal| refusal.for_query())
    }

    /// Requires the action on the role that the call names, with the
    /// conditions that `add` sets besides the role's own, and returns its name.
    /// Refuses before it tells whether the role exists.
    fn allow_on_role(
        &self,
        add: impl FnOnce(&mut Context, Option<&Role>),
    ) -> Result<String, AwsError> {
        let name = self.params.required("RoleName")?;
        let account = self.account()?;
        let role = account.iam.role(name).ok();
        let mut context = Context::new();
        if let Some(role) = role {
            tagged(&mut context, &role.tags);
        }
        add(&mut context, role);
        let arn = role.map_or_else(
            || format!("arn:aws:iam::{}:role/{name}", account.id),
            |role| role.arn.clone(),
        );
        self.allow(&arn, &context)?;
        Ok(name.to_owned())
    }

    /// Requires the action on the managed policy that the call names.
    fn allow_on_policy(&self, context: &mut Context) -> Result<String, AwsError> {
        let arn = self.params.required("PolicyArn")?;
        if let Ok(policy) = self.account()?.iam.policy(arn) {
            tagged(context, &policy.tags);
        }
        self.allow(arn, context)?;
        Ok(arn.to_owned())
    }

    fn tags(&self) -> Result<BTreeMap<String, String>, AwsError> {
        let mut tags = BTreeMap::new();
        for member in self.params.members("Tags") {
            let key = member.required("Key")?.to_owned();
            let value = member.get("Value").unwrap_or_default().to_owned();
            if tags.insert(key, value).is_some() {
                return Err(AwsError::bad(
                    "InvalidInput",
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
        }
        Ok(tags)
    }

    /// Writes one page of `items` as list `name`, with the marker to the next.
    fn page<T>(
        &self,
        xml: &mut Xml,
        name: &str,
        items: Vec<T>,
        fill: impl FnMut(&mut Xml, T),
    ) -> Result<(), AwsError> {
        let size = match self.params.integer("MaxItems")? {
            None => 100,
            Some(size @ 1..=1000) => size as usize,
            Some(size) => {
                return Err(AwsError::validation(format!(
                    "1 validation error detected: Value '{size}' at 'maxItems' failed to satisfy \
                     constraint: Member must have value between 1 and 1000"
                )));
            }
        };
        let start = match self.params.get("Marker") {
            None => 0,
            Some(marker) => marker
                .parse::<usize>()
                .map_err(|_| AwsError::validation("Invalid Marker."))?,
        };
        let more = items.len() > start.saturating_add(size);
        xml.text("IsTruncated", if more { "true" } else { "false" });
        if more {
            xml.text("Marker", (start + size).to_string());
        }
        xml.list(name, items.into_iter().skip(start).take(size), fill);
        Ok(())
    }
}

/// Conditions on the tags of the entity that a call concerns, under both names
/// that IAM gives them.
fn tagged(context: &mut Context, tags: &BTreeMap<String, String>) {
    context.resource_tags(pairs(tags));
    for (key, value) in tags {
        context.set(&format!("iam:ResourceTag/{key}"), value);
    }
}

fn pairs(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|(k, v)| (k.as_str(), v.as_str()))
}
