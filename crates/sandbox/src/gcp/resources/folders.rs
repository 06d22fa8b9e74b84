//! Folders and organizations.

use super::named;
use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::state::{Kind, Node};
use serde_json::{Value, json};

fn render(node: &Node) -> Value {
    let mut shown = json!({
        "name": node.name,
        "displayName": node.display_name,
        "state": "ACTIVE",
        "createTime": node.created.iso8601_millis(),
        "updateTime": node.created.iso8601_millis(),
        "etag": format!("W/\"{}\"", node.policy.latest().etag()),
    });
    if let Some(parent) = &node.parent {
        shown["parent"] = json!(parent);
    }
    if let Kind::Organization { customer_id, .. } = &node.kind {
        shown["directoryCustomerId"] = json!(customer_id);
    }
    shown
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    call.node(&named(call), "resourcemanager.folders.get")
        .map(render)
}

pub(super) fn get_organization(call: &mut Call<'_, '_>) -> Answer {
    call.node(&named(call), "resourcemanager.organizations.get")
        .map(render)
}

fn visible(call: &Call<'_, '_>, permission: &str, wanted: impl Fn(&Node) -> bool) -> Vec<Value> {
    call.state()
        .nodes
        .values()
        .filter(|node| wanted(node) && call.may(permission, &node.name))
        .map(render)
        .collect()
}

pub(super) fn search(call: &mut Call<'_, '_>) -> Answer {
    let all = visible(call, "resourcemanager.folders.get", |node| {
        matches!(node.kind, Kind::Folder)
    });
    page(call, "folders", all, 300)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let parent = call.query("parent").unwrap_or_default().to_owned();
    if parent.is_empty() {
        return Err(Refusal::invalid("The parent is required."));
    }
    call.node(&parent, "resourcemanager.folders.list")?;
    let all = visible(call, "resourcemanager.folders.list", |node| {
        matches!(node.kind, Kind::Folder) && node.parent.as_deref() == Some(&parent)
    });
    page(call, "folders", all, 300)
}

pub(super) fn search_organizations(call: &mut Call<'_, '_>) -> Answer {
    let query = call.query("query").unwrap_or_default();
    let all = visible(
        call,
        "resourcemanager.organizations.get",
        |node| match &node.kind {
            Kind::Organization { domain, .. } => query
                .strip_prefix("domain:")
                .is_none_or(|wanted| wanted == domain),
            _ => false,
        },
    );
    page(call, "organizations", all, 300)
}
