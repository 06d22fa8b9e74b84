//! Roles.

use super::{Api, pairs, render};
use crate::iam::state::no_entity;
use crate::iam::{ADMINISTRATOR, Caller, Context, NewRole};
use crate::wire::{AwsError, Params, Reply, Xml};

pub(super) fn create(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let params = &api.params;
    let name = params.required("RoleName")?.to_owned();
    let path = params.get("Path").unwrap_or("/").to_owned();
    let trust = params.required("AssumeRolePolicyDocument")?.to_owned();
    let boundary = params.get("PermissionsBoundary").map(str::to_owned);
    let tags = api.tags()?;
    let mut context = Context::new();
    context.request_tags(pairs(&tags));
    if let Some(boundary) = &boundary {
        context.set("iam:PermissionsBoundary", boundary);
    }
    let arn = format!("arn:aws:iam::{}:role{path}{name}", api.caller.account_id);
    api.allow(&arn, &context)?;
    if !tags.is_empty() {
        api.allow_also("TagRole", &arn, &context)?;
    }
    let new = NewRole {
        name,
        path,
        trust,
        description: params.get("Description").map(str::to_owned),
        max_session_duration: session_duration(params)?,
        permissions_boundary: boundary,
        tags,
        ..NewRole::default()
    };
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    let role = account.iam.create_role(&at, new)?;
    let mut xml = Xml::new();
    xml.node("Role", |xml| {
        render::role(xml, role);
        render::role_details(xml, role);
    });
    Ok(Reply::Xml(xml))
}

fn session_duration(params: &Params) -> Result<Option<u32>, AwsError> {
    Ok(params
        .integer("MaxSessionDuration")?
        .map(|seconds| u32::try_from(seconds).unwrap_or(0)))
}

pub(super) fn get(api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let role = api.account()?.iam.role(&name)?;
    let mut xml = Xml::new();
    xml.node("Role", |xml| {
        render::role(xml, role);
        render::role_details(xml, role);
        xml.node("RoleLastUsed", |_| {});
    });
    Ok(Reply::Xml(xml))
}

pub(super) fn update(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let description = api.params.get("Description").map(str::to_owned);
    let duration = session_duration(&api.params)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.update_role(&name, description, duration)?;
    Ok(Reply::Xml(Xml::new()))
}

pub(super) fn update_trust(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let document = api.params.required("PolicyDocument")?.to_owned();
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.set_trust(&at, &name, &document)?;
    Ok(Reply::Empty)
}

pub(super) fn delete(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    if api
        .account()?
        .iam
        .role(&name)?
        .path
        .starts_with("/aws-service-role/")
    {
        return Err(AwsError::bad(
            "UnmodifiableEntity",
            format!(
                "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
            ),
        ));
    }
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.delete_role(&name)?;
    Ok(Reply::Empty)
}

pub(super) fn list(api: Api<'_>) -> Result<Reply, AwsError> {
    let account = api.account()?;
    let prefix = api.params.get("PathPrefix").unwrap_or("/");
    let resource = format!("arn:aws:iam::{}:role{prefix}", account.id);
    api.allow(&resource, &Context::new())?;
    let roles = account
        .iam
        .roles()
        .filter(|role| role.path.starts_with(prefix))
        .collect();
    let mut xml = Xml::new();
    api.page(&mut xml, "Roles", roles, render::role)?;
    Ok(Reply::Xml(xml))
}

pub(super) fn tag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let tags = api.tags()?;
    let name = api.allow_on_role(|context, _| {
        context.request_tags(pairs(&tags));
    })?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.tag_role(&name, tags)?;
    Ok(Reply::Empty)
}

pub(super) fn untag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let keys = api.params.values("TagKeys");
    let name = api.allow_on_role(|context, _| {
        context.set_all("aws:TagKeys", keys.clone());
    })?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.untag_role(&name, &keys)?;
    Ok(Reply::Empty)
}

pub(super) fn list_tags(api: Api<'_>) -> Result<Reply, AwsError> {
    let name = api.allow_on_role(|_, _| {})?;
    let tags = api.account()?.iam.role(&name)?.tags.iter().collect();
    let mut xml = Xml::new();
    api.page(&mut xml, "Tags", tags, render::tag)?;
    Ok(Reply::Xml(xml))
}

pub(super) fn create_service_linked(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let service = api.params.required("AWSServiceName")?.to_owned();
    let mut context = Context::new();
    context.set("iam:AWSServiceName", &service);
    let arn = format!(
        "arn:aws:iam::{}:role/aws-service-role/{service}/*",
        api.caller.account_id
    );
    api.allow(&arn, &context)?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    let role = account.iam.create_service_linked_role(&at, &service)?;
    let mut xml = Xml::new();
    xml.node("Role", |xml| render::role(xml, role));
    Ok(Reply::Xml(xml))
}

/// The administrator is the only user there is.
pub(super) fn get_user(api: Api<'_>) -> Result<Reply, AwsError> {
    let administrator = Caller::administrator(&api.caller.account_id);
    let name = api.params.get("UserName").unwrap_or(ADMINISTRATOR);
    let arn = format!("arn:aws:iam::{}:user/{name}", api.caller.account_id);
    api.allow(&arn, &Context::new())?;
    if name != ADMINISTRATOR {
        return Err(no_entity(format!(
            "The user with name {name} cannot be found."
        )));
    }
    let mut xml = Xml::new();
    xml.node("User", |xml| {
        xml.text("Path", "/")
            .text("UserName", ADMINISTRATOR)
            .text("UserId", &administrator.user_id)
            .text("Arn", &administrator.arn)
            .text("CreateDate", "2026-01-01T00:00:00Z");
    });
    Ok(Reply::Xml(xml))
}
