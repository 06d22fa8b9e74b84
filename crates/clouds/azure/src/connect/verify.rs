//! All checks of a connection.
//!
//! First who we are; then that the provisioner's application lets us in and
//! nobody else; then the same of the reaper's, which only the provisioner can
//! find; then, with the sessions that were obtained, everything about the
//! subscription, side by side.

mod above;
mod directory;
mod federated;
mod grant;
mod graph;
mod left_behind;
mod owned;
pub(super) mod permissions;
mod policies;
mod providers;
mod quotas;
mod recorder;
pub(super) mod regions;
mod secret;
mod sign_in;
mod subscription;

use super::AzureConnector;
use crate::{client::Session, config::Application, door::Door, error::Service};
use futures::{FutureExt, future::BoxFuture};
use landfall_model::check::{self, Found, Question};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{AzureConnection, Connection, Guid, State},
    connector::{CheckSink, Verification},
    driver::Failure,
    grant::{AzureGrant, AzureRole, GrantSpec, Identity},
    issuer::Issuer,
};
use recorder::{Recorder, Settling, no_session};

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
        checks: check::Recorder {
            clock: connector.clock.as_ref(),
            entropy: connector.entropy.as_ref(),
            sink,
        },
        settling: settling(&connection.state, now),
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
        let mut checks: Vec<Check> = self.ourselves().await.into_iter().collect();
        let found = sign_in::provisioner(self).await;
        let (refused, expired) = (found.refused, found.expired);
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
            one(graph::check(self, &graph)),
        ];
        if let Door::Application { .. } = self.connector.door {
            about.push(one(directory::check(self, &graph, provisioner.as_ref())));
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
        let mut found = Verification {
            checks,
            refused,
            grant_version: grant.version,
            grant_digest: grant.digest,
            ..Verification::default()
        };
        if let Door::Secret { .. } = self.connector.door {
            let secrets = secret::read(self, &graph).await;
            found
                .checks
                .push(secret::expiry(self, &secrets, expired, now));
            found.secret = secret::in_use(&secrets);
            let (check, can_rotate) = secret::rotates(self, &graph, provisioner.as_ref()).await;
            found.checks.push(check);
            found.can_rotate = can_rotate;
        } else if let Some((check, gone)) =
            left_behind::check(self, &graph, provisioner.as_ref(), now).await
        {
            found.checks.push(check);
            found.left_behind_gone = gone;
        }
        let one_key =
            |check: &Check| check.id == "azure.two-keys" && check.outcome == Outcome::Warn;
        found.too_broad = found.checks.iter().any(one_key);
        found
    }

    /// What this server itself needs for its part. That Entra sees the key which
    /// signs, or takes the secret, is seen when it lets us in.
    async fn ourselves(&self) -> Option<Check> {
        match &self.connector.door {
            Door::Issuer(issuer) => Some(self.issuer(issuer.as_ref()).await),
            Door::Application { own, .. } => Some(self.application(own.as_ref())),
            Door::Secret { .. } => None,
        }
    }

    async fn issuer(&self, issuer: &dyn Issuer) -> Check {
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
        check.await
    }

    fn application(&self, own: Option<&Application>) -> Check {
        let question = Question::new(
            "azure.application",
            "This server has the application that was approved",
            "clouds.azure.application in this server's configuration",
        );
        let found = match self.connector.application(own) {
            Err((reason, next_step)) => Found::fail(reason, next_step),
            Ok(own) => match self.azure.client_id() {
                Some(id) if *id != own.client_id => Found::fail(
                    format!(
                        "the connection is by the application {id}, and this server's is now {}",
                        own.client_id
                    ),
                    "the operator sets clouds.azure.application.client_id back; or disconnect, and \
                     connect again by the new one",
                ),
                _ => Found::pass(format!(
                    "{} ({}), {}",
                    own.name,
                    own.client_id,
                    if own.client_secret_file.is_some() {
                        "by its secret"
                    } else {
                        "by assertions of this server"
                    }
                )),
            },
        };
        self.recorder.noted(question, found)
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

    /// What has the roles, in a sentence.
    const fn scope(&self) -> &'static str {
        match self.azure.management_group() {
            Some(_) => "management group",
            None => "subscription",
        }
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
        None => Err(no_session()),
        Some(Ok(session)) => Ok(session),
        Some(Err(failure)) => Err(run.recorder.failed(failure, "")),
    }
}
