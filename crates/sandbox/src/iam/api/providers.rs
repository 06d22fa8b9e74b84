//! OpenID Connect providers.

use super::{Api, pairs, render, tagged};
use crate::iam::{Context, NewOidcProvider};
use crate::wire::{AwsError, Reply, Xml};

pub(super) fn create(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let url = api.params.required("Url")?.to_owned();
    let tags = api.tags()?;
    let mut context = Context::new();
    context.request_tags(pairs(&tags));
    let arn = api.account()?.iam.oidc_provider_arn(&url);
    api.allow(&arn, &context)?;
    if !tags.is_empty() {
        api.allow_also("TagOpenIDConnectProvider", &arn, &context)?;
    }
    let new = NewOidcProvider {
        url,
        client_ids: api.params.values("ClientIDList"),
        thumbprints: api.params.values("ThumbprintList"),
        tags,
    };
    let at = api.world.moment();
    let account = api.world.account_mut(&api.caller.account_id)?;
    let provider = account.iam.create_oidc_provider(&at, new)?;
    let mut xml = Xml::new();
    xml.text("OpenIDConnectProviderArn", &provider.arn);
    if !provider.tags.is_empty() {
        render::tags(&mut xml, &provider.tags);
    }
    Ok(Reply::Xml(xml))
}

/// Requires the action on the provider that the call names.
fn allowed(api: &Api<'_>, context: &mut Context) -> Result<String, AwsError> {
    let arn = api.params.required("OpenIDConnectProviderArn")?;
    if let Ok(provider) = api.account()?.iam.oidc_provider(arn) {
        tagged(context, &provider.tags);
    }
    api.allow(arn, context)?;
    Ok(arn.to_owned())
}

pub(super) fn get(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = allowed(&api, &mut Context::new())?;
    let provider = api.account()?.iam.oidc_provider(&arn)?;
    let mut xml = Xml::new();
    // Without its scheme, whatever it was created with.
    xml.text("Url", provider.host_and_path())
        .text("CreateDate", provider.created.iso8601());
    xml.texts("ClientIDList", provider.client_ids.latest())
        .texts("ThumbprintList", &provider.thumbprints);
    if !provider.tags.is_empty() {
        render::tags(&mut xml, &provider.tags);
    }
    Ok(Reply::Xml(xml))
}

pub(super) fn list(api: Api<'_>) -> Result<Reply, AwsError> {
    let account = api.account()?;
    let resource = format!("arn:aws:iam::{}:oidc-provider/*", account.id);
    api.allow(&resource, &Context::new())?;
    let mut xml = Xml::new();
    xml.list(
        "OpenIDConnectProviderList",
        account.iam.oidc_providers(),
        |xml, provider| {
            xml.text("Arn", &provider.arn);
        },
    );
    Ok(Reply::Xml(xml))
}

/// Idempotent: no error for a provider that does not exist (AWS docs:
/// "DeleteOpenIDConnectProvider").
pub(super) fn delete(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = allowed(&api, &mut Context::new())?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.remove_oidc_provider(&arn);
    Ok(Reply::Empty)
}

pub(super) fn add_client_id(api: Api<'_>) -> Result<Reply, AwsError> {
    change_client_ids(api, |ids, id| ids.push(id))
}

pub(super) fn remove_client_id(api: Api<'_>) -> Result<Reply, AwsError> {
    change_client_ids(api, |ids, id| ids.retain(|known| *known != id))
}

fn change_client_ids(
    mut api: Api<'_>,
    change: impl FnOnce(&mut Vec<String>, String),
) -> Result<Reply, AwsError> {
    let arn = allowed(&api, &mut Context::new())?;
    let id = api.params.required("ClientID")?.to_owned();
    let at = api.world.moment();
    let iam = &mut api.world.account_mut(&api.caller.account_id)?.iam;
    let mut ids = iam.oidc_provider(&arn)?.client_ids.latest().clone();
    change(&mut ids, id);
    iam.set_client_ids(&at, &arn, ids)?;
    Ok(Reply::Empty)
}

pub(super) fn update_thumbprints(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = allowed(&api, &mut Context::new())?;
    let thumbprints = api.params.values("ThumbprintList");
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.set_thumbprints(&arn, thumbprints)?;
    Ok(Reply::Empty)
}

pub(super) fn tag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let tags = api.tags()?;
    let mut context = Context::new();
    context.request_tags(pairs(&tags));
    let arn = allowed(&api, &mut context)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.tag_oidc_provider(&arn, tags)?;
    Ok(Reply::Empty)
}

pub(super) fn untag(mut api: Api<'_>) -> Result<Reply, AwsError> {
    let keys = api.params.values("TagKeys");
    let mut context = Context::new();
    context.set_all("aws:TagKeys", keys.clone());
    let arn = allowed(&api, &mut context)?;
    let account = api.world.account_mut(&api.caller.account_id)?;
    account.iam.untag_oidc_provider(&arn, &keys)?;
    Ok(Reply::Empty)
}

pub(super) fn list_tags(api: Api<'_>) -> Result<Reply, AwsError> {
    let arn = allowed(&api, &mut Context::new())?;
    let tags = api
        .account()?
        .iam
        .oidc_provider(&arn)?
        .tags
        .iter()
        .collect();
    let mut xml = Xml::new();
    api.page(&mut xml, "Tags", tags, render::tag)?;
    Ok(Reply::Xml(xml))
}
