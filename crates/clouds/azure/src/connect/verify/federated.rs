//! The federated credentials, when Graph shows them: a wrong subject is taken
//! silently when one is made, and one too many lets somebody else in.

use super::{Found, Question, Run, Signed, visible};
use crate::{client::Session, door::Door, error::not_permitted};
use landfall_model::{check::Check, driver::Failure, grant::Identity};
use serde_json::Value;

pub(super) async fn check(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    identity: Identity,
    signed: Option<&Signed<'_>>,
) -> Check {
    let who = identity.as_str();
    let question = Question::new(
        format!("azure.federated-credential-exact.{who}"),
        format!("The {who} trusts this connection and nobody else"),
        "Graph: applications/…/federatedIdentityCredentials",
    );
    run.recorder
        .record(question, async {
            match run.connector.door {
                Door::Secret { .. } if identity == Identity::Provisioner => {
                    return Found::skipped("not asked: it is let in by its secret");
                }
                Door::Application { .. } if identity == Identity::Provisioner => {
                    return Found::skipped("not asked: whom it trusts is up to this server");
                }
                _ => {}
            }
            let Some(signed) = signed else {
                return Found::skipped(format!("not asked: nobody could sign in as the {who}"));
            };
            let graph = match visible(run, graph) {
                Ok(graph) => graph,
                Err(found) => return found,
            };
            let path = format!(
                "/v1.0/applications(appId='{}')/federatedIdentityCredentials",
                signed.application
            );
            match run.recorder.patiently(|| graph.list(&path, &[])).await {
                Ok(all) => judged(run, &all),
                Err(failure) if not_permitted(&failure) => Found::skipped(
                    "not visible to us: the application has no permission in Graph, and needs \
                     none; that the right token opens it and wrong ones do not was tried above",
                ),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

fn judged(run: &Run<'_>, all: &[Value]) -> Found {
    let issuer = run
        .connector
        .door
        .issuer()
        .and_then(|issuer| issuer.url())
        .unwrap_or_default();
    let (subject, audience) = (
        run.azure.subject(),
        &run.connector.client.config.token_exchange_audience,
    );
    let ours = |credential: &&Value| {
        credential["issuer"].as_str() == Some(issuer)
            && credential["subject"].as_str() == Some(subject.as_str())
            && credential["audiences"]
                .as_array()
                .is_some_and(|all| all.len() == 1 && all[0].as_str() == Some(audience))
    };
    if !all.iter().any(|credential| ours(&credential)) {
        return run.recorder.denied(
            format!("none of {} is exactly this connection's", all.len()),
            format!(
                "run the script again: issuer {issuer}, subject {subject}, audience {audience}"
            ),
        );
    }
    let others: Vec<String> = all
        .iter()
        .filter(|credential| !ours(credential))
        .map(|credential| {
            let text = |name: &str| credential[name].as_str().unwrap_or("?").to_owned();
            format!("{} of {}", text("subject"), text("issuer"))
        })
        .collect();
    if others.is_empty() {
        Found::pass(format!("{issuer}, {subject}, {audience}"))
    } else {
        Found::warn(
            format!("the application also trusts {}", others.join("; ")),
            "remove what you did not add: App registrations → the application → Certificates & \
             secrets → Federated credentials",
        )
    }
}
