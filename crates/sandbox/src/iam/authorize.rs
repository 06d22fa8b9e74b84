//! May this caller do that?

use super::policy::{Decision, Form, Layers, Policy, Request};
use super::{Caller, CallerKind, Context, Role, managed};
use crate::wire::AwsError;
use crate::world::{Account, World};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A refusal, worded as AWS words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AccessDenied {
    pub action: String,
    pub resource: String,
    pub message: String,
}

impl AccessDenied {
    /// `AccessDenied` with status 403, as the query services answer.
    pub fn for_query(&self) -> AwsError {
        AwsError::new(403, "AccessDenied", self.message.clone())
    }

    /// `AccessDeniedException` with status 400, as JSON services answer.
    pub fn for_json(&self) -> AwsError {
        AwsError::bad("AccessDeniedException", self.message.clone())
    }
}

/// Decides one action on one resource. `resource` is an ARN, or `*` when the
/// action has no resource or it does not exist yet. The context carries what
/// the request says (tags, passed role…); what it says of the caller and the
/// time is added here.
pub fn authorize(
    world: &World,
    caller: &Caller,
    action: &str,
    resource: &str,
    context: &Context,
) -> Result<(), AccessDenied> {
    let context = complete(world, caller, resource, context);
    let request = Request {
        action,
        resource,
        context: &context,
    };
    let reason = match layers(world, caller).decide(&request) {
        Decision::Allowed => return Ok(()),
        Decision::ExplicitDeny(layer) => {
            format!("with an explicit deny in {}", layer.with_article())
        }
        Decision::ImplicitDeny(layer) => format!(
            "because no {} allows the {action} action",
            layer.described()
        ),
    };
    Err(AccessDenied {
        action: action.to_owned(),
        resource: resource.to_owned(),
        message: format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} {reason}",
            caller.arn
        ),
    })
}

/// Whether the principal behind credentials still exists. A role made anew
/// under the same name is another role.
pub(crate) fn exists(world: &World, caller: &Caller) -> bool {
    match &caller.kind {
        CallerKind::User { .. } => world.accounts.contains_key(&caller.account_id),
        CallerKind::AssumedRole {
            role_name, role_id, ..
        } => world
            .account(&caller.account_id)
            .and_then(|account| account.iam.role(role_name))
            .is_ok_and(|role| role.id == *role_id),
    }
}

/// The policies that bear on a caller now.
pub(crate) fn layers(world: &World, caller: &Caller) -> Layers {
    let Some(account) = world.accounts.get(&caller.account_id) else {
        return Layers::default();
    };
    let organization = organization(world, account);
    match &caller.kind {
        CallerKind::User { .. } => Layers {
            organization,
            identity: world
                .parsed
                .policies([managed::document(managed::ADMINISTRATOR_ACCESS).unwrap_or_default()]),
            identity_sources: vec!["AdministratorAccess".to_owned()],
            ..Layers::default()
        },
        CallerKind::AssumedRole {
            role_name,
            role_id,
            session_policies,
            ..
        } => {
            let role = account.iam.role(role_name).ok();
            let Some(role) = role.filter(|role| role.id == *role_id) else {
                return Layers {
                    organization,
                    ..Layers::default()
                };
            };
            let session = (!session_policies.is_empty()).then(|| {
                world
                    .parsed
                    .policies(session_policies.iter().map(String::as_str))
            });
            Layers {
                organization,
                session,
                ..of_role(world, account, role)
            }
        }
    }
}

fn organization(world: &World, account: &Account) -> Option<Vec<Arc<Policy>>> {
    account
        .scp
        .as_deref()
        .map(|document| world.parsed.policies([document]))
}

/// A role's own policies, as far as they count now.
pub(crate) fn of_role(world: &World, account: &Account, role: &Role) -> Layers {
    let Some(grants) = role.grants.effective(world.now()) else {
        return Layers {
            organization: organization(world, account),
            ..Layers::default()
        };
    };
    let mut identity = Vec::new();
    let mut identity_sources = Vec::new();
    for arn in &grants.attached {
        if let Some(document) = managed_document(world, account, arn) {
            identity.push(document);
            identity_sources.push(arn.rsplit('/').next().unwrap_or(arn).to_owned());
        }
    }
    for (name, document) in &grants.inline {
        identity.push(document);
        identity_sources.push(format!("role_{}_{name}", role.name));
    }
    Layers {
        organization: organization(world, account),
        identity: world.parsed.policies(identity),
        identity_sources,
        // A boundary that does not count yet bounds everything away: failing
        // open here would make the lag a way around it.
        boundary: grants
            .boundary
            .as_deref()
            .map(|arn| world.parsed.policies(managed_document(world, account, arn))),
        session: None,
    }
}

/// The document of a managed policy, AWS's or the account's, that counts now.
pub(crate) fn managed_document<'w>(
    world: &World,
    account: &'w Account,
    arn: &str,
) -> Option<&'w str> {
    managed::document(arn).or_else(|| {
        account
            .iam
            .policy(arn)
            .ok()
            .and_then(|policy| policy.effective_document(world.now()))
    })
}

/// Adds what is known without the service's help (AWS docs: "AWS global
/// condition context keys").
pub(crate) fn complete(
    world: &World,
    caller: &Caller,
    resource: &str,
    context: &Context,
) -> Context {
    let mut context = context.clone();
    context
        .set("aws:PrincipalAccount", &caller.account_id)
        .set("aws:PrincipalArn", caller.principal_arn())
        .set("aws:userid", &caller.user_id)
        .set("aws:PrincipalIsAWSService", "false")
        .default_to("aws:ViaAWSService", "false")
        // The sandbox stands for an https endpoint.
        .set("aws:SecureTransport", "true")
        .default_to("aws:SourceIp", "127.0.0.1");
    let wall = world.clock.wall();
    context
        .set("aws:CurrentTime", wall.iso8601())
        .set("aws:EpochTime", wall.unix_seconds().to_string());
    match &caller.kind {
        CallerKind::User { name } => {
            context
                .set("aws:PrincipalType", "User")
                .set("aws:username", name);
        }
        CallerKind::AssumedRole {
            role_name,
            session_tags,
            federated,
            ..
        } => {
            context.set("aws:PrincipalType", "AssumedRole");
            for (key, value) in federated {
                context.set(key, value);
            }
            let role = world
                .account(&caller.account_id)
                .and_then(|account| account.iam.role(role_name));
            let role_tags = role.iter().flat_map(|role| &role.tags);
            for (key, value) in role_tags.chain(session_tags) {
                context.set(&format!("aws:PrincipalTag/{key}"), value);
            }
        }
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    if let [_, _, _, region, account, _] = parts[..] {
        if !region.is_empty() {
            context.default_to("aws:RequestedRegion", region);
        }
        if !account.is_empty() {
            context.default_to("aws:ResourceAccount", account);
        }
    }
    context
}

/// Documents parsed before. Policies are read at every call and changed rarely.
#[derive(Debug, Default)]
pub struct Parsed(Mutex<HashMap<String, Arc<Policy>>>);

impl Parsed {
    /// More distinct documents than any test makes; beyond it, start over.
    const CAPACITY: usize = 4_096;

    pub(crate) fn policies<'d>(
        &self,
        documents: impl IntoIterator<Item = &'d str>,
    ) -> Vec<Arc<Policy>> {
        documents
            .into_iter()
            .map(|document| self.policy(document, Form::Identity))
            .collect()
    }

    pub(crate) fn policy(&self, document: &str, form: Form) -> Arc<Policy> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = known.get(document) {
            return Arc::clone(policy);
        }
        // Documents are validated when they are written; one that cannot be
        // read says nothing, and what nobody allows is denied.
        let policy = Arc::new(Policy::parse(document, form).unwrap_or(Policy {
            variables: false,
            statements: Vec::new(),
        }));
        if known.len() >= Self::CAPACITY {
            known.clear();
        }
        known.insert(document.to_owned(), Arc::clone(&policy));
        policy
    }
}
