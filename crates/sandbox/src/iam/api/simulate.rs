//! What would be allowed, without doing it (AWS docs: "SimulatePrincipalPolicy").

use super::Api;
use crate::iam::policy::{Decision, Form, Layer, Layers, Policy, Request, Verdict};
use crate::iam::state::no_entity;
use crate::iam::{Caller, CallerKind, Context, complete, layers, of_role};
use crate::wire::{AwsError, Reply, Xml};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn principal(api: Api<'_>) -> Result<Reply, AwsError> {
    let source = api.params.required("PolicySourceArn")?.to_owned();
    api.allow(&source, &Context::new())?;
    let (mut layers, caller) = subject(&api, &source)?;
    for (i, policy) in inputs(&api, "PolicyInputList")?.into_iter().enumerate() {
        layers.identity.push(policy);
        layers
            .identity_sources
            .push(format!("PolicyInputList.{}", i + 1));
    }
    run(&api, layers, &caller)
}

pub(super) fn custom(api: Api<'_>) -> Result<Reply, AwsError> {
    api.allow("*", &Context::new())?;
    let identity = inputs(&api, "PolicyInputList")?;
    let identity_sources = (1..=identity.len())
        .map(|i| format!("PolicyInputList.{i}"))
        .collect();
    let layers = Layers {
        identity,
        identity_sources,
        ..Layers::default()
    };
    let caller = api.caller.clone();
    run(&api, layers, &caller)
}

/// The policies of a principal of this account, and who it would be.
fn subject(api: &Api<'_>, arn: &str) -> Result<(Layers, Caller), AwsError> {
    let account = api.account()?;
    let administrator = Caller::administrator(&account.id);
    if arn == administrator.arn {
        return Ok((layers(&api.world, &administrator), administrator));
    }
    let role = account
        .iam
        .roles()
        .find(|role| role.arn == arn)
        .ok_or_else(|| no_entity(format!("The entity with ARN {arn} cannot be found.")))?;
    let caller = Caller {
        account_id: account.id.clone(),
        arn: role.arn.clone(),
        user_id: role.id.clone(),
        kind: CallerKind::AssumedRole {
            role_name: role.name.clone(),
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: String::new(),
            session_policies: Vec::new(),
            session_tags: role.tags.clone(),
            federated: std::collections::BTreeMap::new(),
        },
    };
    Ok((of_role(&api.world, account, role), caller))
}

fn inputs(api: &Api<'_>, name: &str) -> Result<Vec<Arc<Policy>>, AwsError> {
    api.params
        .values(name)
        .iter()
        .map(|document| {
            Policy::parse(document, Form::Identity)
                .map(Arc::new)
                .map_err(|error| AwsError::bad("InvalidInput", error.message))
        })
        .collect()
}

fn run(api: &Api<'_>, mut layers: Layers, caller: &Caller) -> Result<Reply, AwsError> {
    if api.params.get("ResourcePolicy").is_some() {
        return Err(AwsError::bad(
            "InvalidInput",
            "The sandbox does not simulate ResourcePolicy.",
        ));
    }
    let boundary = inputs(api, "PermissionsBoundaryPolicyInputList")?;
    if !boundary.is_empty() {
        layers.boundary = Some(boundary);
    }
    let actions = api.params.values("ActionNames");
    if actions.is_empty() {
        return Err(AwsError::validation(
            "1 validation error detected: Value at 'actionNames' failed to satisfy constraint: \
             Member must not be null",
        ));
    }
    if let Some(action) = actions
        .iter()
        .find(|action| !action.contains(':') || action.contains(['*', '?']))
    {
        return Err(AwsError::bad(
            "InvalidInput",
            format!("Invalid Action Name: {action}"),
        ));
    }
    let mut resources = api.params.values("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let mut given = Context::new();
    for entry in api.params.members("ContextEntries") {
        given.set_all(
            entry.required("ContextKeyName")?,
            entry.values("ContextKeyValues"),
        );
    }
    let pairs = actions
        .iter()
        .flat_map(|action| resources.iter().map(move |resource| (action, resource)))
        .collect();
    let mut xml = Xml::new();
    api.page(
        &mut xml,
        "EvaluationResults",
        pairs,
        |xml, (action, resource)| {
            let mut context = complete(&api.world, caller, resource, &given);
            // A caller may pretend any key, also those known here.
            context.overlay(&given);
            let request = Request {
                action,
                resource,
                context: &context,
            };
            result(xml, &layers, &request);
        },
    )?;
    Ok(Reply::Xml(xml))
}

fn result(xml: &mut Xml, layers: &Layers, request: &Request<'_>) {
    let verdicts = layers.verdicts(request);
    let says = |layer: Layer| {
        verdicts
            .iter()
            .find(|(of, _)| *of == layer)
            .map(|(_, verdict)| verdict)
    };
    let decision = match layers.decide(request) {
        Decision::Allowed => "allowed",
        Decision::ExplicitDeny(_) => "explicitDeny",
        Decision::ImplicitDeny(_) => "implicitDeny",
    };
    xml.text("EvalActionName", request.action)
        .text("EvalResourceName", request.resource)
        .text("EvalDecision", decision);
    if let Some(verdict) = says(Layer::Identity) {
        matched(xml, layers, verdict);
    }
    xml.texts("MissingContextValues", missing(layers, request));
    if let Some(verdict) = says(Layer::Organization) {
        xml.node("OrganizationsDecisionDetail", |xml| {
            xml.text("AllowedByOrganizations", verdict.is_allowed().to_string());
        });
    }
    let bounded = says(Layer::Boundary).map(Verdict::is_allowed);
    let boundary = |xml: &mut Xml| {
        if let Some(allowed) = bounded {
            xml.node("PermissionsBoundaryDecisionDetail", |xml| {
                xml.text("AllowedByPermissionsBoundary", allowed.to_string());
            });
        }
    };
    boundary(xml);
    if request.resource != "*" {
        xml.list("ResourceSpecificResults", [()], |xml, ()| {
            xml.text("EvalResourceName", request.resource)
                .text("EvalResourceDecision", decision);
            boundary(xml);
        });
    }
}

fn matched(xml: &mut Xml, layers: &Layers, verdict: &Verdict) {
    xml.list(
        "MatchedStatements",
        verdict.matched(),
        |xml, (policy, _)| {
            let source = layers.identity_sources.get(*policy);
            xml.maybe("SourcePolicyId", source)
                .text("SourcePolicyType", "IAM Policy");
        },
    );
}

/// Keys that some statement about this request asks for and nobody gave.
fn missing(layers: &Layers, request: &Request<'_>) -> BTreeSet<String> {
    let limits = [&layers.organization, &layers.boundary];
    layers
        .identity
        .iter()
        .chain(limits.into_iter().flatten().flatten())
        .flat_map(|policy| {
            policy
                .statements
                .iter()
                .filter(|statement| statement.concerns(request, policy.variables))
        })
        .flat_map(|statement| &statement.conditions)
        .filter(|condition| request.context.get(&condition.key).is_none())
        .map(|condition| condition.key.clone())
        .collect()
}
