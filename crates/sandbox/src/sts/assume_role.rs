//! AssumeRole: who may become whom, for how long, with how much left.

use super::ask::Ask;
use crate::iam::policy::{
    Decision, Effect, Form, Layers, Named, Policy, Request, Statement, Verdict,
};
use crate::iam::{
    self, Caller, CallerKind, Context, Role, Session, complete, layers, managed_document,
};
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Reply, Xml};
use crate::world::{Account, SECRET_ALPHABET, World};
use std::collections::BTreeMap;
use std::time::Duration;

/// What session policies and tags may take together. AWS packs them in a
/// format that it does not publish; counting minified text errs on the side of
/// refusing too early.
const PACKED: usize = 2_048;
const CHAINED_LIMIT: u32 = 3_600;

pub(super) fn assume_role(
    shared: &Shared,
    caller: &Caller,
    call: &Call,
) -> Result<Reply, AwsError> {
    let params = call.input.params();
    let ask = Ask::read(&params)?;
    let mut world = shared.world();
    let (account, role) =
        find(&world, ask.role_arn).ok_or_else(|| denied(caller, "sts:AssumeRole", ask.role_arn))?;
    let mut actions = vec!["sts:AssumeRole"];
    if !ask.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    for action in actions {
        if !may_assume(&world, caller, account, role, action, &ask) {
            return Err(denied(caller, action, ask.role_arn));
        }
    }
    check_duration(caller, role, ask.duration)?;
    let (session_policies, packed) = session_policies(&world, account, &ask)?;

    let session_arn = format!(
        "arn:aws:sts::{}:assumed-role/{}/{}",
        account.id, role.name, ask.session_name
    );
    let session_caller = Caller {
        account_id: account.id.clone(),
        arn: session_arn.clone(),
        user_id: format!("{}:{}", role.id, ask.session_name),
        kind: CallerKind::AssumedRole {
            role_name: role.name.clone(),
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: ask.session_name.to_owned(),
            session_policies,
            session_tags: ask.tags.clone(),
            federated: BTreeMap::new(),
        },
    };
    let duration = Duration::from_secs(u64::from(ask.duration));
    let (key, session) = issue(&mut world, session_caller, duration);

    let mut xml = Xml::new();
    xml.node("Credentials", |xml| {
        xml.text("AccessKeyId", &key)
            .text("SecretAccessKey", &session.secret_access_key)
            .text("SessionToken", &session.session_token)
            // By the caller's clock, not by ours, see `crate::clock`.
            .text("Expiration", call.client_now.plus(duration).iso8601());
    })
    .node("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &session.caller.user_id)
            .text("Arn", &session_arn);
    });
    if let Some(percent) = packed {
        xml.text("PackedPolicySize", percent.to_string());
    }
    Ok(Reply::Xml(xml))
}

/// The role that an ARN names exactly, path included.
pub(super) fn find<'w>(world: &'w World, arn: &str) -> Option<(&'w Account, &'w Role)> {
    let (_, rest) = arn.split_once("arn:aws:iam::")?;
    let (account, path) = rest.split_once(":role/")?;
    let account = world.accounts.get(account)?;
    let name = path.rsplit('/').next()?;
    let role = account.iam.role(name).ok()?;
    (role.arn == arn).then_some((account, role))
}

/// Both sides decide: the role's trust policy, and what the caller may do
/// (AWS docs: "Cross-account policy evaluation logic").
fn may_assume(
    world: &World,
    caller: &Caller,
    account: &Account,
    role: &Role,
    action: &str,
    ask: &Ask<'_>,
) -> bool {
    let mut context = Context::new();
    context.set("sts:RoleSessionName", ask.session_name);
    if let Some(id) = ask.external_id {
        context.set("sts:ExternalId", id);
    }
    context
        .request_tags(ask.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())))
        .resource_tags(role.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    for (key, value) in &role.tags {
        context.set(&format!("iam:ResourceTag/{key}"), value);
    }
    let context = complete(world, caller, &role.arn, &context);
    let request = Request {
        action,
        resource: &role.arn,
        context: &context,
    };
    // A role that is still on its way trusts nobody.
    let Some(trust) = role.trust.effective(world.now()) else {
        return false;
    };
    let trust = world.parsed.policy(trust, Form::Trust);
    let Some(named) = trusted(&trust, caller, &request) else {
        return false;
    };
    let own = layers(world, caller);
    if caller.account_id == account.id && named == Named::Itself {
        return not_refused(&own, &request);
    }
    own.decide(&request) == Decision::Allowed
}

/// How the trust policy lets the caller in, nothing when it does not.
fn trusted(trust: &Policy, caller: &Caller, request: &Request<'_>) -> Option<Named> {
    let names = |statement: &Statement| {
        statement
            .principals
            .as_ref()
            .map_or(Named::No, |principals| {
                principals.names(&caller.account_id, caller.principal_arn(), &caller.arn)
            })
    };
    let mut best = None;
    for statement in &trust.statements {
        let named = names(statement);
        if named == Named::No || !statement.applies(request, trust.variables) {
            continue;
        }
        match statement.effect {
            Effect::Deny => return None,
            Effect::Allow => best = best.max(Some(named)),
        }
    }
    best
}

/// A trust policy of the same account that names the principal itself grants
/// without an identity policy; what limits the principal still limits it.
fn not_refused(own: &Layers, request: &Request<'_>) -> bool {
    own.verdicts(request).iter().all(|(layer, verdict)| {
        use crate::iam::policy::Layer;
        match verdict {
            Verdict::Allowed(_) => true,
            Verdict::Denied(_) => false,
            Verdict::Silent => *layer == Layer::Identity,
        }
    })
}

fn check_duration(caller: &Caller, role: &Role, seconds: u32) -> Result<(), AwsError> {
    if seconds > role.max_session_duration {
        return Err(AwsError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let chained = matches!(caller.kind, CallerKind::AssumedRole { .. });
    if chained && seconds > CHAINED_LIMIT {
        return Err(AwsError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    Ok(())
}

/// Documents of the session policies, and the percentage of the packed size.
pub(super) fn session_policies(
    world: &World,
    account: &Account,
    ask: &Ask<'_>,
) -> Result<(Vec<String>, Option<usize>), AwsError> {
    let mut documents = Vec::new();
    let mut packed = 0;
    if let Some(policy) = ask.policy {
        Policy::parse(policy, Form::Identity)
            .map_err(|error| AwsError::bad("MalformedPolicyDocument", error.message))?;
        packed += serde_json::from_str::<serde_json::Value>(policy)
            .map_or(policy.len(), |minified| minified.to_string().len());
        documents.push(policy.to_owned());
    }
    for arn in &ask.policy_arns {
        let document = managed_document(world, account, arn).ok_or_else(|| {
            AwsError::validation(format!(
                "The requested policy {arn} is not attachable to a session of this role."
            ))
        })?;
        packed += arn.len();
        documents.push(document.to_owned());
    }
    packed += ask
        .tags
        .iter()
        .map(|(k, v)| k.len() + v.len())
        .sum::<usize>();
    if packed == 0 {
        return Ok((documents, None));
    }
    let percent = packed.saturating_mul(100).div_ceil(PACKED);
    if percent > 100 {
        return Err(AwsError::bad(
            "PackedPolicyTooLarge",
            format!(
                "Packed size of policies and session tags consumes {percent}% of allotted space"
            ),
        ));
    }
    Ok((documents, Some(percent)))
}

/// Makes credentials for a session and remembers them.
pub(super) fn issue(world: &mut World, caller: Caller, duration: Duration) -> (String, Session) {
    let wall = world.clock.wall();
    // Sessions that ended long ago need no better answer than unknown ones.
    let horizon = Duration::from_secs(24 * 3_600);
    world
        .sessions
        .retain(|_, session| wall.since(session.expires) < horizon);
    let key = world.rng.iam_id("ASIA");
    let session = Session {
        caller,
        secret_access_key: world.rng.text(40, SECRET_ALPHABET),
        session_token: format!("IQoJb3JpZ2lu{}", world.rng.text(200, SECRET_ALPHABET)),
        expires: wall.plus(duration),
    };
    world.sessions.insert(key.clone(), session.clone());
    (key, session)
}

/// The same words whether the role does not exist, does not trust the caller
/// or the caller may not assume it: AWS does not say which.
fn denied(caller: &Caller, action: &str, role_arn: &str) -> AwsError {
    iam::AccessDenied {
        action: action.to_owned(),
        resource: role_arn.to_owned(),
        message: format!(
            "User: {} is not authorized to perform: {action} on resource: {role_arn}",
            caller.arn
        ),
    }
    .for_query()
}
