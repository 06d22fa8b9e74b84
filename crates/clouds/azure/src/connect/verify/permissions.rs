//! What the two identities may do, as Resource Manager computes it, and
//! whether they are two keys.

use super::{Found, Question, Run, Signed, few_at_once, grant::Reading, no_session, one};
use crate::connect::reaper::{AUTHORIZATION, last_segment};
use landfall_model::{
    check::Check,
    connection::Breadth,
    driver::Failure,
    grant::{AzurePermissionGroup, Identity},
};
use serde_json::Value;

/// What one role of somebody allows.
#[derive(Clone, Debug)]
pub(in crate::connect) struct Permission {
    actions: Vec<String>,
    not_actions: Vec<String>,
    conditioned: bool,
}

type Effective = Option<Result<Vec<Permission>, Failure>>;

impl Permission {
    pub(in crate::connect) fn of(value: &Value) -> Self {
        let texts = |name: &str| {
            value[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|text| text.as_str().map(str::to_owned))
                .collect()
        };
        Self {
            actions: texts("actions"),
            not_actions: texts("notActions"),
            conditioned: value["condition"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
        }
    }

    pub(in crate::connect) fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, action))
            && !self
                .not_actions
                .iter()
                .any(|pattern| matches(pattern, action))
    }
}

/// Whether an action matches a pattern in which `*` stands for anything, in any
/// case.
pub(super) fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

pub(super) async fn check(
    run: &Run<'_>,
    provisioner: Option<&Signed<'_>>,
    reaper: Option<&Signed<'_>>,
    reading: &Reading,
) -> Vec<Check> {
    let (of_provisioner, of_reaper) =
        futures::join!(effective(run, provisioner), effective(run, reaper));
    let of = |identity: Identity| match identity {
        Identity::Provisioner => &of_provisioner,
        Identity::Reaper => &of_reaper,
    };
    let mut work: Vec<_> = run
        .spec
        .permissions
        .iter()
        .map(|group| one(group_check(run, group, of(group.identity))))
        .collect();
    work.push(one(limited(run, &of_provisioner)));
    work.push(one(two_keys(
        run,
        &of_provisioner,
        provisioner,
        reaper,
        reading,
    )));
    few_at_once(work).await
}

async fn effective(run: &Run<'_>, signed: Option<&Signed<'_>>) -> Effective {
    let signed = signed?;
    let path = format!(
        "{}/providers/Microsoft.Authorization/permissions",
        run.subscription()
    );
    let query = [("api-version", AUTHORIZATION)];
    let answer = run
        .recorder
        .patiently(|| signed.session.list(&path, &query))
        .await;
    Some(answer.map(|all| all.iter().map(Permission::of).collect()))
}

fn allowed(permissions: &[Permission], action: &str) -> bool {
    permissions.iter().any(|one| one.allows(action))
}

/// The permissions, or what to say without them.
fn known<'e>(
    run: &Run<'_>,
    identity: Identity,
    effective: &'e Effective,
) -> Result<&'e [Permission], Found> {
    match effective {
        Some(Ok(permissions)) => Ok(permissions),
        Some(Err(failure)) => Err(run.recorder.failed(failure, "")),
        None if identity == Identity::Provisioner => Err(no_session()),
        None => Err(Found::skipped(
            "not asked: nobody could sign in as the reaper",
        )),
    }
}

async fn group_check(run: &Run<'_>, group: &AzurePermissionGroup, effective: &Effective) -> Check {
    let kind = if group.expect_allowed {
        "permissions"
    } else {
        "refused"
    };
    let question = Question::new(
        format!("azure.{kind}.{}", group.id),
        group.title.clone(),
        format!(
            "effective permissions of the {} at {}: {}",
            group.identity.as_str(),
            run.subscription(),
            group.actions.join(", ")
        ),
    );
    run.recorder
        .record(question, async {
            let permissions = match known(run, group.identity, effective) {
                Ok(permissions) => permissions,
                Err(found) => return found,
            };
            let wrong: Vec<&str> = group
                .actions
                .iter()
                .map(String::as_str)
                .filter(|action| allowed(permissions, action) != group.expect_allowed)
                .collect();
            match (wrong.is_empty(), group.expect_allowed) {
                (true, true) => Found::pass(format!("all {} allowed", group.actions.len())),
                (true, false) => Found::pass(format!("none of {} allowed", group.actions.len())),
                (false, true) => run.recorder.denied(
                    format!("not allowed: {}", wrong.join(", ")),
                    format!(
                        "run the script again: it brings the role {} up to date",
                        run.azure.display_name(group.identity.as_str())
                    ),
                ),
                // A wider role works. What it costs is the second key.
                (false, false) => Found::warn(
                    format!("allowed, and should not be: {}", wrong.join(", ")),
                    narrower(run, group.identity),
                ),
            }
        })
        .await
}

/// Of the broad role that was chosen: the script makes no narrower one.
const LEAVE_BROAD: &str = "the broad role was chosen; where your policy allows a narrow one, make \
                           another connection without the broad role, and disconnect this one \
                           when that one works";

fn narrower(run: &Run<'_>, identity: Identity) -> String {
    let name = run.azure.display_name(identity.as_str());
    format!(
        "run the script, then remove every other role of the {} in the {}: {name} is enough",
        identity.as_str(),
        run.scope(),
    )
}

/// Whether the one permission to assign roles is bound by a condition.
async fn limited(run: &Run<'_>, effective: &Effective) -> Check {
    const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";
    let question = Question::new(
        "azure.assignments-limited",
        "The provisioner can give workloads only the listed roles",
        format!("the condition on whatever allows {ASSIGN}"),
    );
    run.recorder
        .record(question, async {
            let permissions = match known(run, Identity::Provisioner, effective) {
                Ok(permissions) => permissions,
                Err(found) => return found,
            };
            let mut assigning = permissions
                .iter()
                .filter(|one| one.allows(ASSIGN))
                .peekable();
            if assigning.peek().is_none() {
                return Found::pass("it cannot assign any role");
            }
            if run.azure.breadth() == Breadth::Broad {
                return Found::skipped(
                    "not judged: the broad role was chosen, which has no such limit; see the \
                     second key",
                );
            }
            if assigning.all(|one| one.conditioned) {
                Found::pass(
                    "every role that allows it has a condition; that it is the right one is \
                     compared below",
                )
            } else {
                Found::warn(
                    "it can assign any role to anybody, Owner and the reaper's among them",
                    narrower(run, Identity::Provisioner),
                )
            }
        })
        .await
}

/// Whether destroying takes two keys.
async fn two_keys(
    run: &Run<'_>,
    effective: &Effective,
    provisioner: Option<&Signed<'_>>,
    reaper: Option<&Signed<'_>>,
    reading: &Reading,
) -> Check {
    let question = Question::new(
        "azure.two-keys",
        "Destroying takes a second key",
        "the provisioner's effective permissions, and the roles they come from",
    );
    run.recorder
        .record(question, async {
            let permissions = match known(run, Identity::Provisioner, effective) {
                Ok(permissions) => permissions,
                Err(found) => return found,
            };
            let unlimited = permissions.iter().any(|one| {
                one.allows("Microsoft.Authorization/roleAssignments/write") && !one.conditioned
            });
            let destroys = run
                .spec
                .permissions
                .iter()
                .filter(|group| !group.expect_allowed && group.identity == Identity::Provisioner)
                .flat_map(|group| &group.actions)
                .any(|action| allowed(permissions, action));
            // Chosen, whatever it allows today: no second key is claimed.
            if run.azure.breadth() == Breadth::Broad {
                return Found::warn(
                    format!(
                        "two keys: no. The broad role was chosen, so one key is enough: the \
                         provisioner can destroy by itself, by {}",
                        roles_of(reading, provisioner)
                    ),
                    LEAVE_BROAD,
                );
            }
            if unlimited || destroys {
                return Found::warn(
                    format!(
                        "two keys: no. The provisioner can destroy by itself, by {}",
                        roles_of(reading, provisioner)
                    ),
                    narrower(run, Identity::Provisioner),
                );
            }
            let seen = seen_from(run);
            if run.azure.with_reaper && reaper.is_some() {
                return Found::pass(format!(
                    "two keys: yes. Only the reaper can delete and remove locks{seen}"
                ));
            }
            Found::pass(format!(
                "two keys: yes, and Landfall has one of them: it can destroy nothing, and prints \
                 what to delete by hand{seen}"
            ))
        })
        .await
}

/// How far a grant at a management group was looked at.
fn seen_from(run: &Run<'_>) -> String {
    match run.azure.management_group() {
        Some(_) => format!(
            ". That is as seen from the subscription {}: roles given in others below the group \
             are not looked for",
            run.azure.subscription_id()
        ),
        None => String::new(),
    }
}

/// The names of the roles that the provisioner has.
fn roles_of(reading: &Reading, signed: Option<&Signed<'_>>) -> String {
    let (Some(Ok(read)), Some(id)) = (
        reading,
        signed.and_then(|signed| signed.session.said.object_id.as_ref()),
    ) else {
        return "roles that are not visible to us".to_owned();
    };
    let names: Vec<String> = read
        .assignments
        .iter()
        .filter(|one| one["properties"]["principalId"].as_str() == Some(id.as_str()))
        .filter_map(|one| one["properties"]["roleDefinitionId"].as_str())
        .map(|id| read.role_name(last_segment(id)))
        .collect();
    if names.is_empty() {
        "roles that are not visible to us".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_excluded_is_not_allowed() {
        let contributor = Permission::of(&json!({
            "actions": ["*"],
            "notActions": ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"],
        }));
        for (action, is) in [
            ("Microsoft.Storage/storageAccounts/delete", true),
            ("Microsoft.Authorization/locks/delete", false),
            ("microsoft.authorization/locks/WRITE", false),
            ("Microsoft.Authorization/locks/read", true),
        ] {
            assert_eq!(contributor.allows(action), is, "{action}");
        }
        assert!(!contributor.conditioned);
        let nothing = Permission::of(&json!({}));
        assert!(!nothing.allows("Microsoft.Storage/storageAccounts/read"));
    }

    #[test]
    fn patterns_match_whole_actions() {
        assert!(matches("*/read", "a/b/read"));
        assert!(!matches("*/read", "a/b/reads"));
        assert!(!matches("a/b", "a/bc"));
        assert!(matches("a/*/c/*", "a/b/c/d"));
        assert!(!matches("ab*ba", "aba"));
    }
}
