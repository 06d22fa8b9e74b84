//! Resource providers: registered, by us when we may.

use super::{Found, Question, Run, no_session};
use crate::client::Session;
use landfall_model::{check::Check, driver::Failure, grant::AzureProvider};
use serde_json::{Value, json};
use std::time::Duration;

const API: (&str, &str) = ("api-version", "2021-04-01");
/// Registering takes from seconds to some minutes. Whoever waits for the checks
/// is not kept for all of it: the next run sees the rest.
const LOOKS: u32 = 12;
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

pub(super) async fn check(
    run: &Run<'_>,
    provider: &AzureProvider,
    session: Option<&Session<'_>>,
) -> Check {
    let namespace = &provider.namespace;
    let question = Question::new(
        format!("azure.provider-registered.{}", namespace.to_lowercase()),
        format!("{namespace} is registered ({})", provider.purpose),
        format!("GET {}/providers/{namespace}", run.subscription()),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session();
            };
            match registered(run, session, namespace).await {
                Ok(found) => found,
                Err(failure) => run.recorder.failed(
                    &failure,
                    &format!(
                        "run: az provider register --namespace {namespace} --subscription {}",
                        run.azure.subscription_id()
                    ),
                ),
            }
        })
        .await
}

/// Looks first, then registers, then looks again for a while.
async fn registered(
    run: &Run<'_>,
    session: &Session<'_>,
    namespace: &str,
) -> Result<Found, Failure> {
    let path = format!("{}/providers/{namespace}", run.subscription());
    let look = || async {
        let answer = session.get(&path, &[API]).await?;
        Ok::<_, Failure>(state(&answer))
    };
    let mut now = run.recorder.patiently(look).await?;
    if now == "Registered" {
        return Ok(Found::pass("Registered"));
    }
    let ours = now != "Registering";
    if ours {
        // Repeating it while it goes on changes nothing.
        let register = format!("{path}/register");
        let nothing = json!({});
        run.recorder
            .patiently(|| session.post(&register, &[API], &nothing))
            .await?;
    }
    for _ in 0..LOOKS {
        now = run.recorder.patiently(look).await?;
        if now == "Registered" {
            return Ok(Found::pass(if ours {
                "Landfall registered it just now"
            } else {
                "Registered"
            }));
        }
        run.recorder.clock.sleep(BETWEEN_LOOKS).await;
    }
    Ok(Found::warn(
        format!("{now}: Azure has not finished registering it"),
        "nothing: it takes some minutes; Landfall checks again",
    ))
}

fn state(answer: &Value) -> String {
    answer["registrationState"]
        .as_str()
        .unwrap_or("unknown")
        .to_owned()
}
