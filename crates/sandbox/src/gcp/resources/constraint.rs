//! Organization policies, as they decide: the nearest that is set counts,
//! unless it inherits.

use crate::gcp::call::Call;
use crate::gcp::error::Refusal;
use crate::gcp::state::{Kind, State};
use serde_json::{Value, json};

/// The rules that count on a node, nearest first.
pub(in crate::gcp) fn rules(state: &State, node: &str, constraint: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    for node in state.chain(node) {
        let Some(policy) = node.org_policies.get(constraint) else {
            continue;
        };
        if policy.spec["reset"] == true {
            return rules;
        }
        rules.extend(
            policy.spec["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .cloned(),
        );
        if policy.spec["inheritFromParent"] != true {
            return rules;
        }
    }
    rules
}

/// Whether a boolean constraint is enforced on a node.
pub(in crate::gcp) fn enforced(state: &State, node: &str, constraint: &str) -> bool {
    rules(state, node, constraint)
        .first()
        .is_some_and(|rule| rule["enforce"] == true)
}

/// Whether a list constraint allows a value on a node.
pub(in crate::gcp) fn allows_value(state: &State, node: &str, name: &str, value: &str) -> bool {
    allows(&rules(state, node, name), &|allowed| {
        let allowed = allowed.strip_prefix("is:").unwrap_or(allowed);
        allowed == value
            || allowed
                .strip_prefix("under:")
                .is_some_and(|root| value.starts_with(root))
    })
}

fn allows(rules: &[Value], matches: &dyn Fn(&str) -> bool) -> bool {
    let listed = |field: &str| {
        let mut values = rules
            .iter()
            .filter_map(|rule| rule["values"][field].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .peekable();
        values.peek().is_some().then(|| values.any(matches))
    };
    if rules.iter().any(|rule| rule["denyAll"] == true) || listed("deniedValues") == Some(true) {
        return false;
    }
    rules.is_empty()
        || rules.iter().any(|rule| rule["allowAll"] == true)
        || listed("allowedValues") != Some(false)
}

/// Refuses a member whom domain restricted sharing keeps out.
pub(super) fn admits(call: &Call<'_, '_>, node: &str, member: &str) -> Result<(), Refusal> {
    let state = call.state();
    let home = home(state, member);
    let name = "iam.allowedPolicyMemberDomains";
    let within = |allowed: &str| {
        let allowed = allowed.strip_prefix("is:").unwrap_or(allowed);
        home.as_ref().is_some_and(|(organization, customer)| {
            allowed == customer
                || allowed == format!("principalSet://iam.googleapis.com/{organization}")
        })
    };
    if !allows(&rules(state, node, name), &within) {
        let who = member.split_once(':').map_or(member, |(_, who)| who);
        return Err(Refusal::precondition(
            "One or more users named in the policy do not belong to a permitted customer.",
        )
        .violation(
            &format!("constraints/{name}"),
            &format!("orgpolicy:{node}?configvalue={who}"),
            &format!("User {who} is not in permitted organization."),
        ));
    }
    let name = "iam.managed.allowedPolicyMembers";
    let managed = rules(state, node, name);
    let Some(rule) = managed.first().filter(|rule| rule["enforce"] == true) else {
        return Ok(());
    };
    let listed = |field: &str, wanted: &dyn Fn(&str) -> bool| {
        rule["parameters"][field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(wanted)
    };
    if listed("allowedMemberSubjects", &|subject| subject == member)
        || listed("allowedPrincipalSets", &|set| {
            set.strip_prefix("//cloudresourcemanager.googleapis.com/")
                .is_some_and(|allowed| {
                    home.as_ref()
                        .is_some_and(|(organization, _)| organization == allowed)
                })
                || within(set)
        })
    {
        return Ok(());
    }
    Err(Refusal::precondition(format!(
        "Operation denied by org policy on resource '{node}': [\"constraints/{name}\": \"This \
         constraint lets only the principals of allowed principal sets be granted roles.\"]."
    ))
    .info(
        "CUSTOM_ORG_POLICY_VIOLATION",
        "googleapis.com",
        json!({ "customConstraints": format!("constraints/{name}") }),
    ))
}

/// The organization that a member belongs to, with its customer id. Nobody
/// knows where `allUsers` live.
fn home(state: &State, member: &str) -> Option<(String, String)> {
    let within = |node: &str| {
        state
            .chain(node)
            .into_iter()
            .find_map(|node| match &node.kind {
                Kind::Organization { customer_id, .. } => {
                    Some((node.name.clone(), customer_id.clone()))
                }
                _ => None,
            })
    };
    if let Some(email) = member.strip_prefix("serviceAccount:") {
        let (project, _) = state.account(email)?;
        return within(&format!("projects/{}", project.number));
    }
    if let Some((_, rest)) = member.split_once("://iam.googleapis.com/projects/") {
        return within(&format!("projects/{}", rest.split('/').next()?));
    }
    let (_, who) = member.split_once(':')?;
    let host = who.rsplit('@').next()?;
    state.nodes.values().find_map(|node| match &node.kind {
        Kind::Organization {
            domain,
            customer_id,
        } if domain == host => Some((node.name.clone(), customer_id.clone())),
        _ => None,
    })
}
