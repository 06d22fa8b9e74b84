//! Reading, writing and testing allow policies.

use super::{constraint, named, requested_version, test};
use crate::gcp::access;
use crate::gcp::call::{Answer, Call};
use crate::gcp::error::Refusal;
use crate::gcp::policy::Policy;
use serde_json::Value;

/// `resourcemanager.projects.<verb>` for what the path names.
fn permission(call: &Call<'_, '_>, verb: &str) -> String {
    let name = named(call);
    let collection = name.split('/').next().unwrap_or_default();
    format!("resourcemanager.{collection}.{verb}")
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let version = requested_version(call)?;
    let node = call.node(&named(call), &permission(call, "getIamPolicy"))?;
    Ok(node.policy.latest().render(version))
}

pub(super) fn set(call: &mut Call<'_, '_>) -> Answer {
    let (name, permission) = (named(call), permission(call, "setIamPolicy"));
    let node = call.node(&name, &permission)?;
    let (node, current) = (node.name.clone(), node.policy.latest().clone());
    let policy = checked(call, &current, &node)?;
    // Whether the caller may is decided again with what the change modifies:
    // a condition may confine its grant to some roles.
    if !call.may_modify(&permission, &node, &policy.modified(&current)) {
        return Err(call.denied(&permission, &name));
    }
    let (shown, at) = (policy.render(3), call.at);
    call.node_mut(&node)?.policy.set(policy, &at);
    Ok(shown)
}

pub(super) fn test_permissions(call: &mut Call<'_, '_>) -> Answer {
    let name = named(call);
    // Something of what is above cannot be asked below it.
    let above: &[&str] = match name.split('/').next() {
        Some("projects") => &["resourcemanager.folders.", "resourcemanager.organizations."],
        Some("folders") => &["resourcemanager.organizations."],
        _ => &[],
    };
    let asked = call.body["permissions"].as_array().into_iter().flatten();
    if let Some(wrong) = asked
        .filter_map(Value::as_str)
        .find(|asked| above.iter().any(|prefix| asked.starts_with(prefix)))
    {
        return Err(Refusal::invalid(format!(
            "Permission {wrong} is not valid for this resource."
        )));
    }
    let node = call.find_node(&name).map(|node| node.name.clone());
    test(call, |permission| {
        node.as_ref().is_some_and(|node| call.may(permission, node))
    })
}

/// The policy of the body, if it may be set on something under `node`: its
/// roles and members exist, and organization policies let the members in.
pub(in crate::gcp) fn checked(
    call: &Call<'_, '_>,
    current: &Policy,
    node: &str,
) -> Result<Policy, Refusal> {
    let policy = Policy::parse(&call.body["policy"], current)?;
    for (role, member) in policy.added(current) {
        access::grantable(call.state(), role, node)?;
        if let Some(email) = member.strip_prefix("serviceAccount:")
            && !google_managed(email)
            && call.state().account(email).is_none()
        {
            return Err(Refusal::invalid(format!(
                "Service account {email} does not exist."
            )));
        }
        if member.starts_with("deleted:") {
            return Err(Refusal::invalid(format!("Member {member} is deleted.")));
        }
        constraint::admits(call, node, member)?;
    }
    Ok(policy)
}

/// Service agents, which belong to Google and exist without being made.
fn google_managed(email: &str) -> bool {
    email.split_once('@').is_some_and(|(_, host)| {
        (host.starts_with("gcp-sa-") && host.ends_with(".iam.gserviceaccount.com"))
            || matches!(
                host,
                "cloudservices.gserviceaccount.com"
                    | "developer.gserviceaccount.com"
                    | "container-engine-robot.iam.gserviceaccount.com"
                    | "serverless-robot-prod.iam.gserviceaccount.com"
                    | "compute-system.iam.gserviceaccount.com"
                    | "cloudbuild.gserviceaccount.com"
                    | "service-networking.iam.gserviceaccount.com"
            )
    })
}
