//! Managed policies.

use super::{Api, pairs, render};
use crate::iam::state::no_entity;
use crate::iam::{Context, ManagedPolicy, NewPolicy, managed};
use crate::wire::{AwsError, Reply, Xml};

pub(super) fn create(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let params = &api.params;
    let name = params.required("PolicyName")?.to_owned();
    let path = params.get("Path").unwrap_or("/").to_owned();
    let tags = api.tags()?;
    let mut context = Context::new();
    context.request_tags(pairs(&tags));
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", api.caller.account_id);
    api.allow(&arn, &context)?;
    if !tags.is_empty() {
        api.allow_also("TagPolicy", &arn, &context)?;
    }
    let new = NewPolicy {
        name,
        path,
        document: params.required("PolicyDocument")?.to_owned(),
        description: params.get("Description").map(str::to_owned),
        tags,
    };
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    let policy = account.iam.create_policy(&at, new)?;
    let mut xml = Xml::new();
    xml.node("Policy", |xml| render::policy(xml, policy, 0, 0));
    Ok(Reply::Xml(xml))
}

pub(super) fn get(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let mut xml = Xml::new();
    if managed::document(&arn).is_some() {
        xml.node("Policy", |xml| aws_managed(xml, &arn));
    } else {
        let iam = &api.account()?.iam;
        let policy = iam.policy(&arn)?;
        let counts = (iam.attached_to(&arn).count(), iam.bounded_by(&arn).count());
        xml.node("Policy", |xml| {
            render::policy(xml, policy, counts.0, counts.1);
            xml.maybe("Description", policy.description.as_ref());
            if !policy.tags.is_empty() {
                render::tags(xml, &policy.tags);
            }
        });
    }
    Ok(Reply::Xml(xml))
}

fn aws_managed(xml: &mut Xml, arn: &str) {
    xml.text("PolicyName", render::name_of(arn))
        .text("Arn", arn)
        .text("DefaultVersionId", "v1")
        .text("IsAttachable", "true");
}

pub(super) fn list(api: Api<'_>) -> Result<Reply, AwsError> {
    let account = api.account()?;
    let prefix = api.params.get("PathPrefix").unwrap_or("/");
    let resource = format!("arn:aws:iam::{}:policy{prefix}", account.id);
    api.allow(&resource, &Context::new())?;
    let scope = api.params.get("Scope").unwrap_or("All");
    let mut shown: Vec<Xml> = Vec::new();
    if scope != "AWS" {
        for policy in account
            .iam
            .policies()
            .filter(|p| p.path.starts_with(prefix))
        {
            let attached = account.iam.attached_to(&policy.arn).count();
            let bounded = account.iam.bounded_by(&policy.arn).count();
            if api.params.boolean("OnlyAttached") == Some(true) && attached + bounded == 0 {
                continue;
            }
            let mut xml = Xml::new();
            render::policy(&mut xml, policy, attached, bounded);
            shown.push(xml);
        }
    }
    if scope != "Local" && prefix == "/" {
        for arn in managed::arns() {
            let mut xml = Xml::new();
            aws_managed(&mut xml, &arn);
            shown.push(xml);
        }
    }
    let mut xml = Xml::new();
    api.page(&mut xml, "Policies", shown, |xml, policy| {
        xml.append(&policy);
    })?;
    Ok(Reply::Xml(xml))
}

pub(super) fn delete(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.delete_policy(&arn)?;
    Ok(Reply::Empty)
}

pub(super) fn tag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let tags = api.tags()?;
    let mut context = Context::new();
    context.request_tags(pairs(&tags));
    let arn = api.allow_on_policy(&mut context)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.tag_policy(&arn, tags)?;
    Ok(Reply::Empty)
}

pub(super) fn untag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let keys = api.params.values("TagKeys");
    let mut context = Context::new();
    context.set_all("aws:TagKeys", keys.clone());
    let arn = api.allow_on_policy(&mut context)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.untag_policy(&arn, &keys)?;
    Ok(Reply::Empty)
}

pub(super) fn list_tags(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let tags = api.account()?.iam.policy(&arn)?.tags.iter().collect();
    let mut xml = Xml::new();
    api.page(&mut xml, "Tags", tags, render::tag)?;
    Ok(Reply::Xml(xml))
}

pub(super) fn create_version(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let document = api.params.required("PolicyDocument")?.to_owned();
    let default = api.params.boolean("SetAsDefault").unwrap_or(false);
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    let number = account
        .iam
        .create_policy_version(&at, &arn, &document, default)?;
    let mut xml = Xml::new();
    xml.node("PolicyVersion", |xml| {
        xml.text("VersionId", render::version(number))
            .text("IsDefaultVersion", default.to_string())
            .text("CreateDate", at.wall.iso8601());
    });
    Ok(Reply::Xml(xml))
}

pub(super) fn get_version(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let id = api.params.required("VersionId")?;
    let mut xml = Xml::new();
    if let (Some(document), "v1") = (managed::document(&arn), id) {
        xml.node("PolicyVersion", |xml| {
            xml.text("Document", render::document(document))
                .text("VersionId", "v1")
                .text("IsDefaultVersion", "true");
        });
        return Ok(Reply::Xml(xml));
    }
    let policy = api.account()?.iam.policy(&arn)?;
    let number = version_number(id)?;
    if !policy.versions.contains_key(&number) {
        return Err(no_entity(format!(
            "Policy {arn} version {id} does not exist or is not attachable."
        )));
    }
    xml.node("PolicyVersion", |xml| version(xml, policy, number, true));
    Ok(Reply::Xml(xml))
}

pub(super) fn list_versions(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let policy = api.account()?.iam.policy(&arn)?;
    let numbers = policy.versions.keys().rev().copied().collect();
    let mut xml = Xml::new();
    api.page(&mut xml, "Versions", numbers, |xml, number| {
        version(xml, policy, number, false);
    })?;
    Ok(Reply::Xml(xml))
}

fn version(xml: &mut Xml, policy: &ManagedPolicy, number: u32, with_document: bool) {
    let Some(version) = policy.versions.get(&number) else {
        return;
    };
    if with_document {
        xml.text("Document", render::document(&version.document));
    }
    let is_default = *policy.default_version.latest() == number;
    xml.text("VersionId", render::version(number))
        .text("IsDefaultVersion", is_default.to_string())
        .text("CreateDate", version.created.iso8601());
}

pub(super) fn set_default_version(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let number = version_number(api.params.required("VersionId")?)?;
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.set_default_policy_version(&at, &arn, number)?;
    Ok(Reply::Empty)
}

pub(super) fn delete_version(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let number = version_number(api.params.required("VersionId")?)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.delete_policy_version(&arn, number)?;
    Ok(Reply::Empty)
}

pub(super) fn list_entities(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = api.allow_on_policy(&mut Context::new())?;
    let iam = &api.account()?.iam;
    iam.policy(&arn)?;
    let roles = match api.params.get("PolicyUsageFilter") {
        Some("PermissionsBoundary") => iam.bounded_by(&arn).collect(),
        _ => iam.attached_to(&arn).collect(),
    };
    let mut xml = Xml::new();
    api.page(&mut xml, "PolicyRoles", roles, |xml, role| {
        xml.text("RoleName", &role.name).text("RoleId", &role.id);
    })?;
    xml.node("PolicyUsers", |_| {}).node("PolicyGroups", |_| {});
    Ok(Reply::Xml(xml))
}

fn version_number(id: &str) -> Result<u32, AwsError> {
    id.strip_prefix('v')
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            AwsError::validation(format!(
                "1 validation error detected: Value '{id}' at 'versionId' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: \
                 v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"
            ))
        })
}
