//! Whose tenant it is, so that a person sees that it is the one that was meant.

use super::{Found, Question, Run, Signed, no_session, visible};
use crate::{client::Session, error::not_permitted};
use landfall_model::{check::Check, connection::Guid, driver::Failure};
use serde_json::Value;

pub(super) async fn check(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    signed: Option<&Signed<'_>>,
) -> Check {
    let question = Question::new(
        "azure.tenant-agrees",
        "The approved tenant is the one that was entered",
        "the tenant in Entra's token; Graph: domains",
    );
    run.recorder
        .record(question, async {
            let Some(signed) = signed else {
                return no_session();
            };
            let entered = run.azure.tenant_id();
            let said = signed.session.said.tenant_id.as_ref();
            if said != Some(entered) {
                return Found::fail(
                    format!(
                        "Entra's token is of the tenant {}, not of {entered}",
                        said.map_or("?", Guid::as_str)
                    ),
                    "the operator checks clouds.azure.authority",
                );
            }
            let graph = match visible(run, graph) {
                Ok(graph) => graph,
                Err(found) => return found,
            };
            match run
                .recorder
                .patiently(|| graph.list("/v1.0/domains", &[]))
                .await
            {
                Ok(domains) => Found::pass(match verified(&domains) {
                    Some(name) => format!("Connected to {name} ({entered})"),
                    None => format!("{entered}, which has no verified domain"),
                }),
                Err(failure) if not_permitted(&failure) => Found::pass(format!(
                    "{entered}; its name is not visible to us, and not needed"
                )),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

/// The default one: what the organization calls itself.
fn verified(domains: &[Value]) -> Option<&str> {
    let is = |domain: &Value, name: &str| domain[name].as_bool() == Some(true);
    let verified = || domains.iter().filter(|domain| is(domain, "isVerified"));
    verified()
        .find(|domain| is(domain, "isDefault"))
        .or_else(|| verified().next())?["id"]
        .as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_default_domain_is_the_name_and_an_unverified_one_never() {
        let domain = |id: &str, verified: bool, default: bool| json!({"id": id, "isVerified": verified, "isDefault": default});
        let all = [
            domain("contoso.onmicrosoft.com", true, false),
            domain("claimed.example", false, true),
            domain("contoso.example", true, true),
        ];
        assert_eq!(verified(&all), Some("contoso.example"));
        assert_eq!(verified(&all[..2]), Some("contoso.onmicrosoft.com"));
        assert_eq!(verified(&all[1..2]), None);
    }
}
