//! Entities as IAM writes them.

use crate::iam::{ManagedPolicy, Role};
use crate::wire::Xml;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;

/// Documents travel percent-encoded (AWS docs: "The policy document returned …
/// is URL-encoded compliant with RFC 3986").
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn document(text: &str) -> String {
    utf8_percent_encode(text, DOCUMENT).to_string()
}

/// What CreateRole, GetRole and ListRoles show alike.
pub(super) fn role(xml: &mut Xml, role: &Role) {
    xml.text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", &role.arn)
        .text("CreateDate", role.created.iso8601())
        .text("AssumeRolePolicyDocument", document(role.trust.latest()))
        .maybe("Description", role.description.as_ref())
        .text("MaxSessionDuration", role.max_session_duration.to_string());
}

/// What only CreateRole and GetRole show besides (AWS docs: "ListRoles").
pub(super) fn role_details(xml: &mut Xml, role: &Role) {
    if let Some(boundary) = &role.grants.latest().boundary {
        xml.node("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy")
                .text("PermissionsBoundaryArn", boundary);
        });
    }
    if !role.tags.is_empty() {
        tags(xml, &role.tags);
    }
}

pub(super) fn tags(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    xml.list("Tags", tags, tag);
}

pub(super) fn tag(xml: &mut Xml, (key, value): (&String, &String)) {
    xml.text("Key", key).text("Value", value);
}

pub(super) fn policy(xml: &mut Xml, policy: &ManagedPolicy, attachments: usize, bounded: usize) {
    xml.text("PolicyName", &policy.name)
        .text("PolicyId", &policy.id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text(
            "DefaultVersionId",
            version(*policy.default_version.latest()),
        )
        .text("AttachmentCount", attachments.to_string())
        .text("PermissionsBoundaryUsageCount", bounded.to_string())
        .text("IsAttachable", "true")
        .text("CreateDate", policy.created.iso8601())
        .text("UpdateDate", policy.updated.iso8601());
}

pub(super) fn version(number: u32) -> String {
    format!("v{number}")
}

/// The last part of an ARN's path.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
