//! The secret that a connection moved away from: nobody uses it any more, and
//! whoever has a copy still could.

use super::{Found, Question, Run, Signed, no_session};
use crate::{
    client::Session,
    connect::secrets::{self, Listed, Ours},
    door::Proof,
    error::{Service, not_permitted},
};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{AzureAccess, Guid, Target},
    driver::{Failure, FailureKind},
    issuer::Token,
};

/// `None` when there is none. True when the cloud says that it is gone.
pub(super) async fn check(
    run: &Run<'_>,
    graph: &Option<Result<Session<'_>, Failure>>,
    signed: Option<&Signed<'_>>,
    now: Timestamp,
) -> Option<(Check, bool)> {
    let Some(Target::Azure(old)) = &run.azure.left_behind else {
        return None;
    };
    let AzureAccess::ClientSecret {
        client_id: Some(client_id),
        secret_key_id,
        ..
    } = &old.access
    else {
        return None;
    };
    let question = Question::new(
        "azure.old-secret-removed",
        "The client secret from before is gone",
        format!("Graph: passwordCredentials of the application {client_id}"),
    );
    let old = Old {
        client_id,
        key_id: secret_key_id.as_deref(),
    };
    let check = run
        .recorder
        .record(question, old.look(run, graph, signed, now))
        .await;
    let gone = check.outcome == Outcome::Pass;
    Some((check, gone))
}

struct Old<'a> {
    client_id: &'a Guid,
    key_id: Option<&'a str>,
}

impl Old<'_> {
    async fn look(
        &self,
        run: &Run<'_>,
        graph: &Option<Result<Session<'_>, Failure>>,
        signed: Option<&Signed<'_>>,
        now: Timestamp,
    ) -> Found {
        let (Some(signed), Some(graph)) = (signed, graph) else {
            return no_session();
        };
        let listed = match graph {
            Ok(graph) => {
                let ours = Ours::default();
                run.recorder
                    .patiently(|| secrets::list(graph, self.client_id, &ours))
                    .await
            }
            Err(failure) => Err(failure.clone()),
        };
        match listed {
            Ok(all) => self.judged(&all, now),
            Err(failure) if failure.kind == FailureKind::NotFound => self.no_application(),
            Err(failure) if not_permitted(&failure) => self.unseen(run, signed).await,
            Err(failure) => run.recorder.failed(&failure, &self.remedy()),
        }
    }

    fn remedy(&self) -> String {
        let id = self.client_id;
        let key = self.key_id.unwrap_or("<its id>");
        format!(
            "delete it: App registrations → {id} → Certificates & secrets → Client secrets; or \
             run: az ad app credential delete --id {id} --key-id {key}. Nothing uses it any more"
        )
    }

    fn no_application(&self) -> Found {
        Found::pass(format!(
            "there is no application {} any more",
            self.client_id
        ))
    }

    fn judged(&self, all: &[Listed], now: Timestamp) -> Found {
        // Where its id was never known, any that works may be it.
        let left: Vec<&Listed> = all
            .iter()
            .filter(|one| {
                self.key_id
                    .is_none_or(|id| id.eq_ignore_ascii_case(&one.held.key_id))
            })
            .filter(|one| one.held.expires_at.is_none_or(|end| end > now))
            .collect();
        if left.is_empty() {
            return Found::pass(match self.key_id {
                Some(id) => format!("{} has no secret {id} any more", self.client_id),
                None => format!("{} has no secret any more", self.client_id),
            });
        }
        let named: Vec<String> = left
            .iter()
            .map(|one| match &one.held.name {
                Some(name) => format!("{} ({name})", one.held.key_id),
                None => one.held.key_id.clone(),
            })
            .collect();
        Found::warn(
            format!(
                "{} still has the secret {}",
                self.client_id,
                named.join(", ")
            ),
            self.remedy(),
        )
    }

    /// Without a permission in Graph only a deleted application can be told, by
    /// asking Entra for a token of it. With an assertion: a wrong secret would
    /// look like somebody guessing.
    async fn unseen(&self, run: &Run<'_>, signed: &Signed<'_>) -> Found {
        let unseen = || {
            Found::warn(
                "not visible to us: the application has no permission in Graph to list secrets",
                format!(
                    "{}. Landfall goes on reminding you, for it cannot see that it is gone",
                    self.remedy()
                ),
            )
        };
        let connector = run.connector;
        if *self.client_id == signed.application || connector.door.issuer().is_none() {
            return unseen();
        }
        let proof = Proof::Token(Token::good(
            run.azure.subject(),
            &connector.client.config.token_exchange_audience,
        ));
        let asked = run.recorder.patiently(|| {
            connector.door.enter(
                run.recorder.clock,
                &connector.client,
                run.azure,
                self.client_id,
                &proof,
                Service::Graph,
            )
        });
        match asked.await {
            Err(failure) if failure.code == "AADSTS700016" => self.no_application(),
            Err(failure) if failure.kind.is_retryable() => run.recorder.failed(&failure, ""),
            _ => unseen(),
        }
    }
}
