//! What the application may do in the directory: no more than it needs.

use super::{Found, Question, Run, visible};
use crate::{client::Session, connect::secrets::OWNED, door::Door};
use landfall_model::{check::Check, driver::Failure};

/// Said of the token that Graph itself decides by: to list the permissions
/// would need one more of them.
pub(super) async fn check(run: &Run<'_>, graph: &Option<Result<Session<'_>, Failure>>) -> Check {
    let question = Question::new(
        "azure.graph-permissions",
        "The application may do in the directory what it needs, and no more",
        "the permissions in the application's token for Graph",
    );
    run.recorder
        .record(question, async {
            match visible(run, graph) {
                Ok(graph) => match &graph.said.roles {
                    Some(roles) => judged(run, roles),
                    None => Found::skipped(
                        "not visible to us: Entra's token does not say what it permits",
                    ),
                },
                Err(found) => found,
            }
        })
        .await
}

/// What a method can make use of.
fn needed(run: &Run<'_>) -> &'static [&'static str] {
    match run.connector.door {
        Door::Secret { .. } => &[OWNED],
        // The name of the tenant, to show it.
        Door::Application { .. } => &["Domain.Read.All", "Organization.Read.All"],
        // Until it has been seen that the secret from before is gone.
        Door::Issuer(_) if run.azure.left_behind.is_some() => &[OWNED],
        Door::Issuer(_) => &[],
    }
}

fn judged(run: &Run<'_>, roles: &[String]) -> Found {
    let needed = needed(run);
    let more: Vec<&str> = roles
        .iter()
        .map(String::as_str)
        .filter(|role| !needed.contains(role))
        .collect();
    if !more.is_empty() {
        return Found::warn(
            format!("granted and not needed: {}", more.join(", ")),
            match run.connector.door {
                Door::Application { .. } => {
                    "the operator takes it out of the application's API permissions; in the \
                     tenant: Enterprise applications → the application → Permissions"
                }
                _ => {
                    "take it back: Enterprise applications → the application → Permissions. \
                     Landfall uses nothing of it"
                }
            },
        );
    }
    if roles.is_empty() {
        return Found::pass("none is granted, and none is needed");
    }
    Found::pass(format!("{}, with consent", roles.join(", ")))
}
