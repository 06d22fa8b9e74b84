//! What the application may do in the directory: no more than it needs.

use super::{Found, Question, Run, Signed, not_permitted, visible};
use crate::{client::Session, door::Door};
use landfall_model::{check::Check, driver::Failure};
use serde_json::Value;

/// The only one that any feature of Landfall uses: a client secret's expiry is
/// read, and the secret rotated, by the application itself.
const OWNED: &str = "18a4783c-866b-4cc7-a460-3d5e5662c884";
const OWNED_NAME: &str = "Application.ReadWrite.OwnedBy";
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

pub(super) async fn check(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    signed: Option<&Signed<'_>>,
) -> Check {
    let question = Question::new(
        "azure.graph-permissions",
        "The application may do in the directory what it needs, and no more",
        "Graph: servicePrincipals/…/appRoleAssignments",
    );
    run.recorder
        .record(question, async {
            let (Some(signed), graph) = (signed, visible(run, graph)) else {
                return Found::no_session();
            };
            let graph = match graph {
                Ok(graph) => graph,
                Err(found) => return found,
            };
            let path = format!(
                "/v1.0/servicePrincipals(appId='{}')/appRoleAssignments",
                signed.application
            );
            match run.recorder.patiently(|| graph.list(&path, &[])).await {
                Ok(all) => judged(run, graph, &all).await,
                Err(failure) if not_permitted(&failure) => Found::pass(none(run)),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

fn none(run: &Run<'_>) -> String {
    match run.connector.door {
        Door::Issuer(_) => {
            "Graph shows us nothing: no permission is granted, and none is needed".to_owned()
        }
        Door::Secret { .. } => format!(
            "Graph shows us nothing: no permission is granted. None is needed; with {OWNED_NAME}, \
             and the application as an owner of itself, Landfall would see when the secret expires"
        ),
    }
}

async fn judged(run: &Run<'_>, graph: &Session<'_>, all: &[Value]) -> Found {
    let ids: Vec<&str> = all
        .iter()
        .filter_map(|one| one["appRoleId"].as_str())
        .collect();
    let needed = |id: &&str| {
        matches!(run.connector.door, Door::Secret { .. }) && id.eq_ignore_ascii_case(OWNED)
    };
    let more: Vec<&str> = ids.iter().filter(|id| !needed(id)).copied().collect();
    if more.is_empty() {
        return Found::pass(if ids.is_empty() {
            none(run)
        } else {
            format!("{OWNED_NAME}, with consent")
        });
    }
    Found::warn(
        format!(
            "granted and not needed: {}",
            names(run, graph, &more).await.join(", ")
        ),
        "take it back: Enterprise applications → the application → Permissions. Landfall uses \
         nothing of it",
    )
}

/// As people know them; their ids when Graph does not say.
async fn names(run: &Run<'_>, graph: &Session<'_>, ids: &[&str]) -> Vec<String> {
    let path = format!("/v1.0/servicePrincipals(appId='{GRAPH}')");
    let query = [("$select", "appRoles")];
    let known = run
        .recorder
        .patiently(|| graph.get(&path, &query))
        .await
        .unwrap_or_default();
    let name = |id: &str| {
        let roles = known["appRoles"].as_array()?;
        let role = roles.iter().find(|role| {
            role["id"]
                .as_str()
                .is_some_and(|is| is.eq_ignore_ascii_case(id))
        })?;
        role["value"].as_str().map(str::to_owned)
    };
    ids.iter()
        .map(|id| name(id).unwrap_or_else(|| (*id).to_owned()))
        .collect()
}
