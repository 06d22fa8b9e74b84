//! AssumeRoleWithWebIdentity: a token of an issuer that the role's account
//! knows, in place of a signature.

use super::ask::Ask;
use super::assume_role::{find, issue, session_policies};
use super::token::{Unverified, invalid, no_key};
use crate::iam::policy::{Effect, Form, Principals, Request};
use crate::iam::{Caller, CallerKind, Context, OidcProvider, Role, host_and_path};
use crate::issuers::IssuerError;
use crate::jwt::KeySet;
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Params, Reply, Xml};
use crate::world::{Account, World};
use std::collections::BTreeMap;
use std::time::Duration;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// The issuer whose keys are needed to decide a call: nothing when the call is
/// refused without them. AWS asks only issuers that the account knows.
pub(crate) fn issuer_to_ask(world: &World, params: &Params) -> Option<String> {
    let token = Unverified::read(params.get("WebIdentityToken")?).ok()?;
    let account = account_of(world, params.get("RoleArn")?)?;
    provider(world, account, &token.issuer)
        .ok()
        .map(|_| token.issuer)
}

/// The account that a role's ARN names.
pub(crate) fn account_of<'w>(world: &'w World, role_arn: &str) -> Option<&'w Account> {
    world.accounts.get(role_arn.split(':').nth(4)?)
}

pub(crate) fn assume_role_with_web_identity(
    shared: &Shared,
    call: &Call,
    keys: Option<Result<KeySet, IssuerError>>,
) -> Result<Reply, AwsError> {
    let params = call.input.params();
    let mut ask = Ask::read(&params)?;
    // Neither is a parameter of this operation.
    ask.external_id = None;
    ask.tags = BTreeMap::new();
    let token = params.required("WebIdentityToken")?;
    if !(4..=20_000).contains(&token.len()) {
        return Err(AwsError::validation(
            "1 validation error detected: Value at 'webIdentityToken' failed to satisfy \
             constraint: Member must have length between 4 and 20000",
        ));
    }
    let token = Unverified::read(token)?;
    let mut world = shared.world();
    let account = account_of(&world, ask.role_arn).ok_or_else(|| unknown(&token.issuer))?;
    let provider = provider(&world, account, &token.issuer)?;
    match keys {
        Some(Ok(keys)) => token.verify(&keys)?,
        Some(Err(IssuerError::Unreachable(_))) => {
            return Err(AwsError::bad(
                "IDPCommunicationError",
                "The request could not be fulfilled because the identity provider (IDP) that was \
                 asked to verify the incoming identity token could not be reached.",
            ));
        }
        // None: the provider was registered while the token was on its way.
        Some(Err(IssuerError::Unusable(_))) | None => return Err(no_key()),
    }
    let client_now = token.check_time(&world.clock)?;
    let audience = token.audience();
    let client_ids = provider.client_ids.effective(world.now());
    if !client_ids.is_some_and(|ids| audience.iter().any(|aud| ids.contains(aud))) {
        return Err(invalid("Incorrect token audience"));
    }
    let claims = claims(provider, &token);
    let (account, role) = find(&world, ask.role_arn)
        .filter(|(account, role)| trusts(&world, account, role, provider, &claims, &ask))
        .ok_or_else(denied)?;
    if ask.duration > role.max_session_duration {
        return Err(AwsError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let (documents, packed) = session_policies(&world, account, &ask)?;

    let session_arn = format!(
        "arn:aws:sts::{}:assumed-role/{}/{}",
        account.id, role.name, ask.session_name
    );
    let mut federated: BTreeMap<String, String> = claims
        .into_iter()
        .filter_map(|(key, mut values)| Some((key, values.pop()?)))
        .collect();
    federated.insert("aws:FederatedProvider".to_owned(), provider.arn.clone());
    let caller = Caller {
        account_id: account.id.clone(),
        arn: session_arn.clone(),
        user_id: format!("{}:{}", role.id, ask.session_name),
        kind: CallerKind::AssumedRole {
            role_name: role.name.clone(),
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: ask.session_name.to_owned(),
            session_policies: documents,
            session_tags: BTreeMap::new(),
            federated,
        },
    };
    let duration = Duration::from_secs(u64::from(ask.duration));
    let (key, session) = issue(&mut world, caller, duration);

    let mut xml = Xml::new();
    xml.node("Credentials", |xml| {
        xml.text("AccessKeyId", &key)
            .text("SecretAccessKey", &session.secret_access_key)
            .text("SessionToken", &session.session_token)
            .text("Expiration", client_now.plus(duration).iso8601());
    })
    .text("SubjectFromWebIdentityToken", &token.subject)
    .node("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &session.caller.user_id)
            .text("Arn", &session_arn);
    });
    if let Some(percent) = packed {
        xml.text("PackedPolicySize", percent.to_string());
    }
    xml.text("Provider", &token.issuer)
        .text("Audience", audience.join(","));
    Ok(Reply::Xml(xml))
}

/// The account's provider for an issuer, once it counts.
fn provider<'w>(
    world: &World,
    account: &'w Account,
    issuer: &str,
) -> Result<&'w OidcProvider, AwsError> {
    account
        .iam
        .oidc_providers()
        .find(|provider| provider.url == issuer)
        .filter(|provider| provider.client_ids.effective(world.now()).is_some())
        .ok_or_else(|| unknown(issuer))
}

fn unknown(issuer: &str) -> AwsError {
    invalid(format!(
        "No OpenIDConnect provider found in your account for {issuer}"
    ))
}

/// Condition keys that the token gives: the issuer's host and path, and the claim.
fn claims(provider: &OidcProvider, token: &Unverified) -> BTreeMap<String, Vec<String>> {
    let issuer = host_and_path(&provider.url);
    BTreeMap::from([
        (format!("{issuer}:aud"), token.audience()),
        (format!("{issuer}:oaud"), token.audiences.clone()),
        (format!("{issuer}:sub"), vec![token.subject.clone()]),
    ])
}

/// Nobody but the trust policy decides: the caller has no policies of its own.
fn trusts(
    world: &World,
    account: &Account,
    role: &Role,
    provider: &OidcProvider,
    claims: &BTreeMap<String, Vec<String>>,
    ask: &Ask<'_>,
) -> bool {
    // A role that is still on its way trusts nobody.
    let Some(trust) = role.trust.effective(world.now()) else {
        return false;
    };
    let mut context = Context::new();
    context
        .set("sts:RoleSessionName", ask.session_name)
        .set("aws:FederatedProvider", &provider.arn)
        .set("aws:ResourceAccount", &account.id)
        .set("aws:PrincipalIsAWSService", "false")
        .set("aws:SecureTransport", "true")
        .set("aws:SourceIp", "127.0.0.1")
        .set("aws:CurrentTime", world.clock.wall().iso8601())
        .resource_tags(role.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    for (key, value) in &role.tags {
        context.set(&format!("iam:ResourceTag/{key}"), value);
    }
    for (key, values) in claims {
        context.set_all(key, values.clone());
    }
    let request = Request {
        action: ACTION,
        resource: &role.arn,
        context: &context,
    };
    let trust = world.parsed.policy(trust, Form::Trust);
    let names = |principals: &Principals| {
        let named = principals.federated.contains(&provider.arn)
            || principals.aws.iter().any(|entry| entry == "*");
        named != principals.negated
    };
    let mut allowed = false;
    for statement in &trust.statements {
        if !statement.principals.as_ref().is_some_and(names)
            || !statement.applies(&request, trust.variables)
        {
            continue;
        }
        match statement.effect {
            Effect::Deny => return false,
            Effect::Allow => allowed = true,
        }
    }
    allowed
}

/// The same words whether the role does not exist or does not trust the token.
fn denied() -> AwsError {
    AwsError::new(
        403,
        "AccessDenied",
        format!("Not authorized to perform {ACTION}"),
    )
}
