//! All checks of a connection.
//!
//! First who we are; then, for each role by itself, that it lets us in and
//! nobody else; then, with the session that was obtained, everything about the
//! account, side by side.

mod grant;
mod permissions;
mod recorder;
pub(super) mod regions;
mod roles;

use super::{
    AwsConnector,
    caller::Caller,
    principal,
    server::{Server, ServerIdentity},
};
use crate::{door::Door, session::Issued};
use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures::{FutureExt, future::BoxFuture};
use landfall_model::check::{self, Found, Question};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::AwsConnection,
    connector::{CheckSink, Verification},
    grant::{AwsGrant, Identity},
    issuer::Issuer,
};
use recorder::{Recorder, no_session};

/// What all checks of one run share.
struct Run<'a> {
    connector: &'a AwsConnector,
    connection: AwsConnection<'a>,
    spec: &'a AwsGrant,
    recorder: Recorder<'a>,
}

/// Whom the roles must let in.
enum Opener {
    Principal(Server),
    Issuer { url: String },
}

/// The account as the provisioner sees it.
struct Account {
    sdk: SdkConfig,
    iam: aws_sdk_iam::Client,
}

pub(super) async fn run(
    connector: &AwsConnector,
    connection: AwsConnection<'_>,
    spec: &AwsGrant,
    now: Timestamp,
    sink: &dyn CheckSink,
) -> Verification {
    let run = Run {
        connector,
        connection,
        spec,
        recorder: Recorder {
            checks: check::Recorder {
                clock: connector.clock.as_ref(),
                entropy: connector.entropy.as_ref(),
                sink,
            },
            settling: connection.state.is_settling(now),
        },
    };
    let (server, check) = match &connector.door {
        Door::Principal(identity) => run.server_identity(identity).await,
        Door::Issuer { issuer, .. } => run.issuer(issuer.as_ref()).await,
    };
    let mut checks = vec![check];

    let reaper = async {
        if connection.with_reaper {
            roles::verify(&run, Identity::Reaper, server.as_ref()).await
        } else {
            roles::left_out(&run)
        }
    };
    let (provisioner, reaper) = futures::join!(
        roles::verify(&run, Identity::Provisioner, server.as_ref()),
        reaper
    );
    checks.extend(provisioner.checks);
    checks.extend(reaper.checks);

    let account = provisioner
        .session
        .as_ref()
        .map(|session| run.account(session));
    let mut about: Vec<BoxFuture<'_, Vec<Check>>> = vec![
        run.account_matches(account.as_ref())
            .map(|check| vec![check])
            .boxed(),
        regions::check(&run, account.as_ref())
            .map(|check| vec![check])
            .boxed(),
    ];
    for group in &spec.permissions {
        about.push(
            permissions::check(&run, group, account.as_ref())
                .map(|check| vec![check])
                .boxed(),
        );
    }
    let (about, grant) = futures::join!(
        // IAM's simulator is throttled per account: not all groups at once.
        few_at_once(about),
        grant::check(&run, account.as_ref())
    );
    let too_broad = about.iter().any(permissions::one_key);
    checks.extend(about);
    checks.extend(grant.checks);
    Verification {
        too_broad,
        checks,
        refused: provisioner.refused,
        grant_version: grant.version,
        grant_digest: grant.digest,
        ..Verification::default()
    }
}

/// Runs them four at a time and keeps their order.
async fn few_at_once(work: Vec<BoxFuture<'_, Vec<Check>>>) -> Vec<Check> {
    use futures::StreamExt;
    futures::stream::iter(work)
        .buffered(4)
        .flat_map(futures::stream::iter)
        .collect()
        .await
}

impl Run<'_> {
    /// The ARN of one of the two roles.
    fn role_arn(&self, identity: Identity) -> String {
        match identity {
            Identity::Provisioner => self.connection.provisioner_role_arn(),
            Identity::Reaper => self.connection.reaper_role_arn(),
        }
    }

    fn account(&self, session: &Issued) -> Account {
        let sdk = self
            .connector
            .clients
            .home_as(SharedCredentialsProvider::new(session.credentials.clone()));
        Account {
            iam: aws_sdk_iam::Client::new(&sdk),
            sdk,
        }
    }

    /// Whether this server can sign at all. That AWS sees the key which signs is
    /// seen when it accepts a token.
    async fn issuer(&self, issuer: &dyn Issuer) -> (Option<Opener>, Check) {
        let question = Question::new(
            "aws.issuer",
            "This server signs assertions that AWS can verify",
            "the issuer's address, and the key that signs now",
        );
        let mut known = None;
        let check = self
            .recorder
            .record(question, async {
                let Some(url) = issuer.url() else {
                    return Found::fail(
                        super::NO_ISSUER,
                        "the operator sets issuer.url to a public https address",
                    );
                };
                match issuer.key_id().await {
                    Ok(key) => {
                        known = Some(Opener::Issuer {
                            url: url.to_owned(),
                        });
                        Found::pass(format!("{url} signs with the key {key}"))
                    }
                    Err(error) => Found::fail(
                        format!("no key signs: {error}"),
                        "the operator runs 'landfall doctor' on the server",
                    ),
                }
            })
            .await;
        (known, check)
    }

    async fn server_identity(&self, identity: &ServerIdentity) -> (Option<Opener>, Check) {
        let question = Question::new(
            "aws.server-identity",
            "This server has an identity that AWS accepts",
            "sts:GetCallerIdentity as this server",
        );
        let mut known = None;
        let check = self
            .recorder
            .record(question, async {
                let asked = self
                    .recorder
                    .patiently(|| async {
                        identity
                            .ask()
                            .await
                            .map_err(|error| Failing(error.failure(), error))
                    })
                    .await;
                let server = match asked {
                    Ok(server) => server,
                    Err(Failing(_, error)) => {
                        return Found::fail(error.reason(), error.next_step());
                    }
                };
                let partition = principal::partition_of(&server.caller.arn).unwrap_or_default();
                let wanted = self.connection.partition().as_str();
                if partition != wanted {
                    return Found::fail(
                        format!(
                            "this server is {} in the partition {partition}; roles in {wanted} \
                             cannot trust it",
                            server.caller.arn
                        ),
                        format!("connect this account from a server with an identity in {wanted}"),
                    );
                }
                let evidence = format!(
                    "AWS knows this server as {}; roles trust {}",
                    server.caller.arn, server.principal_arn
                );
                known = Some(Opener::Principal(server));
                Found::pass(evidence)
            })
            .await;
        (known, check)
    }

    async fn account_matches(&self, account: Option<&Account>) -> Check {
        let question = Question::new(
            "aws.account-matches",
            "The role is in the account that was entered",
            "sts:GetCallerIdentity as the provisioner",
        );
        self.recorder
            .record(question, async {
                let Some(account) = account else {
                    return no_session();
                };
                let sts = aws_sdk_sts::Client::new(&account.sdk);
                match self.recorder.patiently(|| Caller::ask(&sts)).await {
                    Ok(caller) if caller.account == self.connection.account_id().as_str() => {
                        Found::pass(format!("{} in account {}", caller.arn, caller.account))
                    }
                    Ok(caller) => Found::fail(
                        format!(
                            "the session is in account {}, not {}",
                            caller.account,
                            self.connection.account_id()
                        ),
                        "disconnect, and connect again with the right account id",
                    ),
                    Err(failure) => self.recorder.failed(&failure, ""),
                }
            })
            .await
    }
}

/// A failure with what it stands for, so that `patiently` sees the kind.
struct Failing(landfall_model::driver::Failure, super::server::ServerError);

impl landfall_model::patience::Transient for Failing {
    fn failure(&self) -> &landfall_model::driver::Failure {
        &self.0
    }
}

/// True for outcomes upon which other checks may stand.
fn holds(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Pass | Outcome::Warn)
}
