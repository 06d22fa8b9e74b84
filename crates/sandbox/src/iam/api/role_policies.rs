//! What gives and limits a role's permissions.

use super::{Api, render};
use crate::iam::state::no_entity;
use crate::iam::{Context, Role};
use crate::wire::{AwsError, Reply, Xml};

/// The boundary that a role has now, on which policy changes may be conditional.
fn bounded(context: &mut Context, role: Option<&Role>) {
    if let Some(boundary) = role.and_then(|role| role.grants.latest().boundary.as_ref()) {
        context.set("iam:PermissionsBoundary", boundary);
    }
}

pub(super) fn put(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(bounded)?;
    let policy = api.params.required("PolicyName")?.to_owned();
    let document = api.params.required("PolicyDocument")?.to_owned();
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.put_inline(&at, &name, &policy, &document)?;
    Ok(Reply::Empty)
}

pub(super) fn get(api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let policy = api.params.required("PolicyName")?;
    let role = api.account()?.iam.role(&name)?;
    let document = role.grants.latest().inline.get(policy).ok_or_else(|| {
        no_entity(format!(
            "The role policy with name {policy} cannot be found."
        ))
    })?;
    let mut xml = Xml::new();
    xml.text("RoleName", &name)
        .text("PolicyName", policy)
        .text("PolicyDocument", render::document(document));
    Ok(Reply::Xml(xml))
}

pub(super) fn delete(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(bounded)?;
    let policy = api.params.required("PolicyName")?.to_owned();
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.delete_inline(&at, &name, &policy)?;
    Ok(Reply::Empty)
}

pub(super) fn list(api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let grants = api.account()?.iam.role(&name)?.grants.latest();
    let mut xml = Xml::new();
    api.page(
        &mut xml,
        "PolicyNames",
        grants.inline.keys().collect(),
        |xml, name| xml.raw_text(name),
    )?;
    Ok(Reply::Xml(xml))
}

pub(super) fn attach(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let (name, arn) = allow_attachment(&api)?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.attach(&at, &name, &arn)?;
    Ok(Reply::Empty)
}

pub(super) fn detach(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let (name, arn) = allow_attachment(&api)?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.detach(&at, &name, &arn)?;
    Ok(Reply::Empty)
}

fn allow_attachment(api: &Api<'_>) -> Result<(String, String), AwsError> {
    let arn = api.params.required("PolicyArn")?.to_owned();
    let name = api.allow_on_role(|context, role| {
        bounded(context, role);
        context.set("iam:PolicyARN", &arn);
    })?;
    Ok((name, arn))
}

pub(super) fn list_attached(api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let grants = api.account()?.iam.role(&name)?.grants.latest();
    let mut xml = Xml::new();
    api.page(
        &mut xml,
        "AttachedPolicies",
        grants.attached.iter().collect(),
        |xml, arn| {
            xml.text("PolicyName", render::name_of(arn))
                .text("PolicyArn", arn);
        },
    )?;
    Ok(Reply::Xml(xml))
}

pub(super) fn put_boundary(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let boundary = api.params.required("PermissionsBoundary")?.to_owned();
    let name = api.allow_on_role(|context, _| {
        context.set("iam:PermissionsBoundary", &boundary);
    })?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.set_boundary(&at, &name, Some(&boundary))?;
    Ok(Reply::Empty)
}

pub(super) fn delete_boundary(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(bounded)?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.set_boundary(&at, &name, None)?;
    Ok(Reply::Empty)
}
