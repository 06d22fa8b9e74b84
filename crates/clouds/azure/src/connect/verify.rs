//! All checks of a connection.
//!
//! First who we are; then that the provisioner's application lets us in and
//! nobody else; then the same of the reaper's, which only the provisioner can
//! find; then, with the sessions that were obtained, everything about the
//! subscription, side by side.

mod federated;
mod grant;
mod graph;
mod permissions;
mod policies;
mod providers;
mod quotas;
mod recorder;
pub(super) mod regions;
mod secret;
mod sign_in;
mod subscription;

use super::AzureConnector;
use crate::{client::Session, door::Door, error::Service};
use futures::{FutureExt, future::BoxFuture};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{AzureConnection, Connection, Guid, State},
    connector::{CheckSink, Verification},
    driver::Failure,
    grant::{AzureGrant, AzureRole, GrantSpec, Identity},
};
use recorder::{Found, Question, Recorder, Settling};

/// What all checks of one run share.
struct Run<'a> {
    connector: &'a AzureConnector,
    azure: AzureConnection<'a>,
    spec: &'a AzureGrant,
    recorder: Recorder<'a>,
}

/// An identity that let us in, with its role seen to count.
struct Signed<'a> {
    session: Session<'a>,
    application: Guid,
}

pub(super) async fn run(
    connector: &AzureConnector,
    connection: &Connection,
    spec: &GrantSpec,
    now: Timestamp,
    sink: &dyn CheckSink,
) -> Verification {
    let recorder = Recorder {
        clock: connector.clock.as_ref(),
        entropy: connector.entropy.as_ref(),
        settling: settling(&connection.state, now),
        sink,
    };
    let (Ok(azure), Some(spec)) = (connection.azure(), spec.azure()) else {
        let question = Question::new(
            "azure.connection",
            "The connection and its grant are to Azure",
            "this server's own records",
        );
        let found = Found::fail(
            format!("the connection {} is to another cloud", connection.id),
            "this is a fault of this server: tell its operator",
        );
        return Verification {
            checks: vec![recorder.noted(question, found)],
            refused: false,
            grant_version: None,
            grant_digest: None,
            ..Verification::default()
        };
    };
    let run = Run {
        connector,
        azure,
        spec,
        recorder,
    };
    run.all(now).await
}

/// Entra and Resource Manager are eventually consistent: for a while after the
/// grant, a denial means nothing. Before the grant was ever seen there is no
/// deadline yet.
fn settling(state: &State, now: Timestamp) -> Settling {
    match state {
        State::Pending { .. } => Settling::New,
        State::Propagating { deadline, .. } if now < *deadline => Settling::Seen,
        _ => Settling::No,
    }
}

/// Runs them four at a time and keeps their order: Resource Manager throttles
/// per principal.
async fn few_at_once(work: Vec<BoxFuture<'_, Vec<Check>>>) -> Vec<Check> {
    use futures::StreamExt;
    futures::stream::iter(work)
        .buffered(4)
        .flat_map(futures::stream::iter)
        .collect()
        .await
}

/// True for outcomes upon which other checks may stand.
fn holds(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Pass | Outcome::Warn)
}

impl<'a> Run<'a> {
    async fn all(&self, now: Timestamp) -> Verification {
        let mut checks: Vec<Check> = self.issuer().await.into_iter().collect();
        let found = sign_in::provisioner(self).await;
        let refused = found.refused;
        checks.extend(found.checks);
        let provisioner = found.signed;

        let reading = grant::read(self, provisioner.as_ref()).await;
        let found = sign_in::reaper(self, &reading).await;
        checks.extend(found.checks);
        let reaper = found.signed;

        let graph = self.graph(provisioner.as_ref()).await;
        let session = provisioner.as_ref().map(|signed| &signed.session);
        let mut about: Vec<BoxFuture<'_, Vec<Check>>> = vec![
            one(regions::check(self, session)),
            one(policies::check(self, session)),
            one(federated::check(
                self,
                &graph,
                Identity::Provisioner,
                provisioner.as_ref(),
            )),
            one(federated::check(
                self,
                &graph,
                Identity::Reaper,
                reaper.as_ref(),
            )),
            one(graph::check(self, &graph, provisioner.as_ref())),
        ];
        if let Door::Secret { .. } = self.connector.door {
            about.push(one(secret::expiry(self, &graph, now)));
        }
        for provider in &self.spec.providers {
            about.push(one(providers::check(self, provider, session)));
        }
        let (allowed, about) = futures::join!(
            permissions::check(self, provisioner.as_ref(), reaper.as_ref(), &reading),
            few_at_once(about)
        );
        checks.extend(allowed);
        checks.extend(about);
        // Its provider may have been registered just now.
        checks.push(quotas::check(self, session).await);
        let grant = grant::check(self, &reading, provisioner.as_ref());
        checks.extend(grant.checks);
        Verification {
            checks,
            refused,
            grant_version: grant.version,
            grant_digest: grant.digest,
            ..Verification::default()
        }
    }

    /// Whether this server can sign at all. That Entra sees the key which signs
    /// is seen when it accepts an assertion.
    async fn issuer(&self) -> Option<Check> {
        let Door::Issuer(issuer) = &self.connector.door else {
            return None;
        };
        let question = Question::new(
            "azure.issuer",
            "This server signs assertions that Entra can verify",
            "the issuer's address, and the key that signs now",
        );
        let check = self.recorder.record(question, async {
            let Some(url) = issuer.url() else {
                return Found::fail(
                    super::NO_ISSUER,
                    "the operator sets issuer.url to a public https address",
                );
            };
            match issuer.key_id().await {
                Ok(key) => Found::pass(format!("{url} signs with the key {key}")),
                Err(error) => Found::fail(
                    format!("no key signs: {error}"),
                    "the operator runs 'landfall doctor' on the server",
                ),
            }
        });
        Some(check.await)
    }

    /// A session with Graph. Entra gives one to every application; what it may
    /// read is seen when it reads.
    async fn graph(&self, signed: Option<&Signed<'a>>) -> Option<Result<Session<'a>, Failure>> {
        let signed = signed?;
        let connector = self.connector;
        let asked = self.recorder.patiently(|| {
            connector.sign_in(
                self.azure,
                Identity::Provisioner,
                &signed.application,
                Service::Graph,
            )
        });
        Some(asked.await)
    }

    /// The roles that this server can make use of.
    fn expected_roles(&self) -> impl Iterator<Item = &'a AzureRole> {
        let with_reaper = self.connector.door.opens_reaper(self.azure);
        let roles = self.spec.roles.iter();
        roles.filter(move |role| role.identity == Identity::Provisioner || with_reaper)
    }

    fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.azure.subscription_id())
    }
}

fn one<'f>(check: impl Future<Output = Check> + Send + 'f) -> BoxFuture<'f, Vec<Check>> {
    check.map(|check| vec![check]).boxed()
}

/// The answer of Graph, or why there is none, as a check needs it.
fn visible<'g>(
    run: &Run<'_>,
    graph: &'g Option<Result<Session<'_>, Failure>>,
) -> Result<&'g Session<'g>, Found> {
    match graph {
        None => Err(Found::no_session()),
        Some(Ok(session)) => Ok(session),
        Some(Err(failure)) => Err(run.recorder.failed(failure, "")),
    }
}

/// Whether Graph refused because the application has no permission there: then
/// nothing can be said, and nothing is wrong.
fn not_permitted(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "Authorization_RequestDenied" | "Authorization_IdentityNotFound"
    )
}
