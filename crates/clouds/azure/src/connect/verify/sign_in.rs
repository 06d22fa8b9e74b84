//! For each identity: it lets us in, and it refuses whoever shows another
//! assertion than this connection's.
//!
//! The order matters. Only after the right one was accepted does a refusal of a
//! wrong one mean that the application asks for it: before, it may as well mean
//! that there is no application.

use super::{
    Found, Question, Run, Signed, grant::Reading, holds, owned, recorder::Settling, subscription,
};
use crate::{
    client::Session,
    connect::reaper,
    door::{Door, Flaw, Proof, Token},
    error::{Service, refuses_assertion},
};
use landfall_model::{
    check::Check,
    connection::Guid,
    driver::{Failure, FailureKind},
    grant::Identity,
};

pub(super) struct Findings<'a> {
    pub(super) checks: Vec<Check>,
    /// When we got in and the role counts in the subscription.
    pub(super) signed: Option<Signed<'a>>,
    /// The customer's side refused.
    pub(super) refused: bool,
    /// What was refused is a secret whose time is over.
    pub(super) expired: bool,
}

/// What must not open an application.
#[derive(Clone, Copy)]
enum Wrong {
    Subject,
    Audience,
    Expired,
    Signature,
}

const WRONGS: [Wrong; 4] = [
    Wrong::Subject,
    Wrong::Audience,
    Wrong::Expired,
    Wrong::Signature,
];

impl Wrong {
    fn question(self, who: &str) -> Question {
        let (id, refuses, asked) = match self {
            Self::Subject => (
                "token-subject-enforced",
                "the token of another connection",
                "an assertion of another subject",
            ),
            Self::Audience => (
                "token-audience-enforced",
                "a token for somebody else",
                "an assertion for another audience",
            ),
            Self::Expired => (
                "token-expiry-enforced",
                "an expired token",
                "an assertion that has expired",
            ),
            Self::Signature => (
                "token-signature-enforced",
                "a forged token",
                "an assertion whose signature is not this server's",
            ),
        };
        Question::new(
            format!("azure.{id}.{who}"),
            format!("The {who} refuses {refuses}"),
            format!("Entra's token endpoint, with {asked}"),
        )
    }

    fn token(self, run: &Run<'_>) -> Token {
        let random = || hex::encode(run.recorder.entropy.array::<16>());
        let mut token = Token {
            subject: run.azure.subject(),
            audience: run.audience(),
            flaw: Flaw::None,
        };
        match self {
            // As another connection of the same organization would have it.
            Self::Subject => {
                token.subject = format!("landfall:{}:con_{}", run.azure.organization_id, random());
            }
            Self::Audience => token.audience = format!("api://landfall-wrong-{}", random()),
            Self::Expired => token.flaw = Flaw::Expired,
            Self::Signature => token.flaw = Flaw::BadlySigned,
        }
        token
    }

    /// What a token means that should not have been issued, and what to do.
    fn let_in(self, run: &Run<'_>, application: &Guid) -> Found {
        match self {
            Self::Subject => Found::fail(
                "Entra issued a token: the application can be used by other connections of this \
                 server, also those of other organizations",
                format!(
                    "leave the application {application} one federated credential only, with the \
                     subject {}",
                    run.azure.subject()
                ),
            ),
            Self::Audience => Found::fail(
                "Entra issued a token: the application accepts assertions that were made for \
                 somebody else",
                format!(
                    "leave the application {application} one federated credential only, with the \
                     audience {}",
                    run.audience()
                ),
            ),
            Self::Expired | Self::Signature => Found::fail(
                "Entra issued a token for an assertion that is not valid: what answers is not \
                 Entra",
                "the operator checks clouds.azure.authority",
            ),
        }
    }
}

impl Run<'_> {
    fn audience(&self) -> String {
        self.connector.client.config.token_exchange_audience.clone()
    }
}

fn tenant_question() -> Question {
    Question::new(
        "azure.tenant-found",
        "The tenant exists",
        "Entra's token endpoint of the tenant",
    )
}

fn client_question(run: &Run<'_>) -> Question {
    if let Shown::Application = shown(run, Identity::Provisioner) {
        return Question::new(
            "azure.consent-given",
            "An administrator of the tenant approved this server's application",
            "Entra's token endpoint of the tenant, as the application",
        );
    }
    Question::new(
        "azure.client-found",
        "The application is in the tenant",
        "Entra's token endpoint, with the client id",
    )
}

fn known_question() -> Question {
    Question::new(
        "azure.reaper-known",
        "The reaper's application is known",
        "the description of the assignment of the reaper's role",
    )
}

fn accepted_question(run: &Run<'_>, identity: Identity) -> Question {
    let who = identity.as_str();
    match shown(run, identity) {
        Shown::Secret => Question::new(
            "azure.secret-accepted",
            "The application lets this server in with its secret",
            "Entra's token endpoint, with the client secret",
        ),
        Shown::Application => Question::new(
            "azure.application-accepted",
            "Entra lets this server in as its own application",
            "Entra's token endpoint, with what the application shows",
        ),
        Shown::Assertion => Question::new(
            format!("azure.token-accepted.{who}"),
            format!("The {who} lets this server in with its token"),
            format!(
                "Entra's token endpoint, with an assertion for {}",
                run.azure.subject()
            ),
        ),
    }
}

/// What is shown to Entra for an identity.
enum Shown {
    /// An assertion of this connection.
    Assertion,
    /// The secret of the customer's application.
    Secret,
    /// What the operator's application has.
    Application,
}

fn shown(run: &Run<'_>, identity: Identity) -> Shown {
    match (&run.connector.door, identity) {
        (Door::Secret { .. }, Identity::Provisioner) => Shown::Secret,
        (Door::Application { .. }, Identity::Provisioner) => Shown::Application,
        _ => Shown::Assertion,
    }
}

fn by_assertion(run: &Run<'_>, identity: Identity) -> bool {
    matches!(shown(run, identity), Shown::Assertion)
}

/// What a failed sign-in says of one of the things that it takes.
enum Blame {
    Tenant,
    Client,
    Credential,
}

fn blame(failure: &Failure) -> Blame {
    match failure.code.as_str() {
        // Not found; not a tenant's name.
        "AADSTS90002" | "AADSTS900023" => Blame::Tenant,
        // Not in the directory; no service principal; switched off.
        "AADSTS700016" | "AADSTS7000229" | "AADSTS7000112" => Blame::Client,
        _ => Blame::Credential,
    }
}

/// The provisioner, and with it the tenant and the subscription.
pub(super) async fn provisioner<'a>(run: &Run<'a>) -> Findings<'a> {
    let identity = Identity::Provisioner;
    let Some(application) = run.azure.client_id() else {
        let missing = run.connector.no_client();
        let remedy = match shown(run, identity) {
            Shown::Application => "press \"Approve on Microsoft's page\"",
            _ => "enter the client id that the script printed",
        };
        let mut checks = vec![run.recorder.noted(
            client_question(run),
            if run.recorder.settling == Settling::New {
                Found::propagating(missing, remedy)
            } else {
                Found::fail(missing, remedy)
            },
        )];
        checks.extend(skip(run, identity, "not asked: the client id is not known"));
        return Findings {
            checks,
            signed: None,
            refused: false,
            expired: false,
        };
    };
    let asked = ask(run, identity, application).await;
    let mut checks = identified(run, application, asked.as_ref().err());
    let mut refused = false;
    let session = match asked {
        Ok(session) => {
            checks.push(accepted(run, identity, Ok(())));
            session
        }
        Err(failure) => {
            // An expired secret is no revocation: the customer did not take
            // anything back.
            let expired = failure.code == "AADSTS7000222";
            refused = failure.kind == FailureKind::Denied && !expired;
            checks.push(accepted(run, identity, Err(&failure)));
            checks.extend(rest_skipped(run, identity));
            if let Shown::Application = shown(run, identity) {
                checks.push(owned::skip(run));
            }
            checks.extend(subscription::skip(run));
            return Findings {
                checks,
                signed: None,
                refused,
                expired,
            };
        }
    };
    checks.extend(wrongs(run, identity, application).await);
    if let Shown::Application = shown(run, identity) {
        let found = owned::check(run, &session).await;
        checks.extend(found.checks);
        if !found.proven {
            return Findings {
                checks,
                signed: None,
                refused: found.refused,
                expired: false,
            };
        }
    }
    let found = subscription::check(run, &session).await;
    refused |= found.refused;
    checks.extend(found.checks);
    Findings {
        checks,
        signed: found.visible.then(|| Signed {
            session,
            application: application.clone(),
        }),
        refused,
        expired: false,
    }
}

/// The reaper, which only a provisioner that was let in can find.
pub(super) async fn reaper<'a>(run: &Run<'a>, reading: &Reading) -> Findings<'a> {
    let identity = Identity::Reaper;
    let without = |found: Found, why: &str| {
        let mut checks = vec![run.recorder.noted(known_question(), found)];
        checks.extend(skip(run, identity, why));
        Findings {
            checks,
            signed: None,
            refused: false,
            expired: false,
        }
    };
    let skipped = |why: &str| without(Found::skipped(why), why);
    if !run.azure.with_reaper {
        return skipped(
            "not asked: the reaper was left out of this connection, so Landfall never deletes and \
             prints what to delete by hand",
        );
    }
    if run.connector.door.issuer().is_none() {
        return skipped(
            "not asked: a reaper has no secret, and this server has no public address from which \
             Entra could verify its tokens; so Landfall never deletes and prints what to delete \
             by hand",
        );
    }
    let Some(read) = reading else {
        return skipped("not asked: nobody could sign in as the provisioner, which finds it");
    };
    let found = read
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|read| reaper::client_among(run.azure, &read.roles, &read.assignments));
    let application = match found {
        Ok(application) => application,
        Err(failure) => {
            let remedy = "run the script again: it makes the reaper and says so in the \
                          assignment's description; or connect without a reaper";
            let found = if failure.code == "NoReaper" {
                run.recorder.denied(failure.to_string(), remedy)
            } else {
                run.recorder.failed(&failure, remedy)
            };
            return without(found, "not asked: the reaper is not known");
        }
    };
    let mut checks = vec![run.recorder.noted(
        known_question(),
        Found::pass(format!("client id {application}")),
    )];
    let session = match ask(run, identity, &application).await {
        Ok(session) => session,
        Err(failure) => {
            checks.push(accepted(run, identity, Err(&failure)));
            checks.extend(rest_skipped(run, identity));
            checks.push(subscription::skip_role(
                run,
                "not asked: nobody could sign in as the reaper",
            ));
            return Findings {
                checks,
                signed: None,
                refused: false,
                expired: false,
            };
        }
    };
    checks.push(accepted(run, identity, Ok(())));
    checks.extend(wrongs(run, identity, &application).await);
    let role = subscription::role(run, &session).await;
    let counts = holds(&role);
    checks.push(role);
    Findings {
        checks,
        signed: counts.then_some(Signed {
            session,
            application,
        }),
        refused: false,
        expired: false,
    }
}

async fn ask<'a>(
    run: &Run<'a>,
    identity: Identity,
    application: &Guid,
) -> Result<Session<'a>, Failure> {
    let connector = run.connector;
    run.recorder
        .patiently(|| connector.sign_in(run.azure, identity, application, Service::ResourceManager))
        .await
}

/// What the answer says of the tenant and of the application.
fn identified(run: &Run<'_>, application: &Guid, failure: Option<&Failure>) -> Vec<Check> {
    let tenant = run.azure.tenant_id();
    let unanswered = failure.filter(|failure| failure.kind != FailureKind::Denied);
    let blamed = failure.map(blame);
    let tenant_found = match (&blamed, unanswered) {
        (Some(Blame::Tenant), None) => run.recorder.failed(
            failure.expect("somebody is blamed for a failure"),
            &format!(
                "check the tenant id {tenant}: the portal shows it under Microsoft Entra ID → \
                 Overview"
            ),
        ),
        (_, Some(_)) => Found::skipped("Entra did not say: see the sign-in"),
        _ => Found::pass(format!("Entra knows {tenant}")),
    };
    let client_found = match (&blamed, unanswered) {
        (Some(Blame::Tenant), None) => Found::skipped("not asked: there is no such tenant"),
        (Some(Blame::Client), None)
            if matches!(shown(run, Identity::Provisioner), Shown::Application) =>
        {
            run.recorder.failed(
                failure.expect("somebody is blamed for a failure"),
                &format!(
                    "press \"Approve on Microsoft's page\" on the connection's page, as an \
                     administrator of the tenant {tenant}; if it was approved, look whether \
                     somebody deleted or switched off {application} under Enterprise applications"
                ),
            )
        }
        (Some(Blame::Client), None) => run.recorder.failed(
            failure.expect("somebody is blamed for a failure"),
            &format!(
                "check the client id {application}: the portal shows it under App registrations \
                 as Application (client) id, not as object id; the application must be in the \
                 tenant {tenant} and not be switched off"
            ),
        ),
        (_, Some(_)) => Found::skipped("Entra did not say: see the sign-in"),
        _ => Found::pass(format!("Entra knows {application} in {tenant}")),
    };
    vec![
        run.recorder.noted(tenant_question(), tenant_found),
        run.recorder.noted(client_question(run), client_found),
    ]
}

/// Whether the credential was accepted; of a secret, whether it is over.
fn accepted(run: &Run<'_>, identity: Identity, answer: Result<(), &Failure>) -> Check {
    let question = accepted_question(run, identity);
    let found = match answer {
        Ok(()) => Found::pass("Entra issued a token"),
        Err(failure) => match (failure.kind, blame(failure)) {
            (FailureKind::Denied, Blame::Tenant) if identity == Identity::Provisioner => {
                Found::skipped("not asked: there is no such tenant")
            }
            (FailureKind::Denied, Blame::Client) if identity == Identity::Provisioner => {
                Found::skipped("not asked: there is no such application in the tenant")
            }
            // The operator's doing, not the customer's: nothing is revoked.
            (FailureKind::Unavailable, _)
                if failure.code.starts_with("AADSTS70")
                    && matches!(shown(run, identity), Shown::Application) =>
            {
                Found::unanswered(
                    failure.to_string(),
                    "the operator renews the application's secret \
                     (clouds.azure.application.client_secret_file), or the federated credential by \
                     which it trusts this server; you need not do anything",
                )
            }
            _ => run
                .recorder
                .failed(failure, &remedy(run, identity, failure)),
        },
    };
    run.recorder.noted(question, found)
}

fn remedy(run: &Run<'_>, identity: Identity, failure: &Failure) -> String {
    match failure.code.as_str() {
        "AADSTS7000215" => "check the client secret: the portal shows its value once, in the \
                            column Value; the column Secret ID is not it. Make a new one under \
                            Certificates & secrets if it is lost"
            .to_owned(),
        "AADSTS7000222" => "the secret has expired: make a new one under Certificates & secrets \
                            and enter its value. Workloads are unaffected; until then Landfall \
                            changes nothing. workload-identity needs no secret at all"
            .to_owned(),
        _ if !by_assertion(run, identity) => {
            "look at the application's sign-in logs in Entra: they say which rule refused it"
                .to_owned()
        }
        _ => format!(
            "run the script again: the application {} must have a federated credential with the \
             issuer {}, the subject {} and the audience {}, each exactly so",
            run.azure.display_name(identity.as_str()),
            run.connector
                .door
                .issuer()
                .and_then(|issuer| issuer.url())
                .unwrap_or_default(),
            run.azure.subject(),
            run.audience(),
        ),
    }
}

/// Asks with something wrong, four times, and wants refusals.
async fn wrongs(run: &Run<'_>, identity: Identity, application: &Guid) -> Vec<Check> {
    if !by_assertion(run, identity) {
        return Vec::new();
    }
    futures::future::join_all(
        WRONGS
            .into_iter()
            .map(|wrong| refuses(run, identity, application, wrong)),
    )
    .await
}

async fn refuses(run: &Run<'_>, identity: Identity, application: &Guid, wrong: Wrong) -> Check {
    let proof = Proof::Token(wrong.token(run));
    let connector = run.connector;
    run.recorder
        .record(wrong.question(identity.as_str()), async {
            let enter = || async {
                let answer = connector
                    .door
                    .enter(
                        run.recorder.clock,
                        &connector.client,
                        run.azure,
                        application,
                        &proof,
                        Service::ResourceManager,
                    )
                    .await;
                match answer {
                    // A refusal, not a bad minute of Entra's: not asked again.
                    Err(failure) if refuses_assertion(&failure) => Ok(Err(failure)),
                    Err(failure) => Err(failure),
                    Ok(_) => Ok(Ok(())),
                }
            };
            match run.recorder.patiently(enter).await {
                Ok(Err(failure)) => Found::pass(format!("refused, as it must be: {failure}")),
                // Never "propagating": an application that lets us in too
                // easily does so now.
                Ok(Ok(())) => wrong.let_in(run, application),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

/// All checks of signing in, none of which could be made.
fn skip(run: &Run<'_>, identity: Identity, why: &str) -> Vec<Check> {
    let mut checks = vec![
        run.recorder
            .noted(accepted_question(run, identity), Found::skipped(why)),
    ];
    checks.extend(rest_skipped(run, identity));
    match identity {
        Identity::Provisioner => {
            if let Shown::Application = shown(run, identity) {
                checks.push(owned::skip(run));
            }
            checks.extend(subscription::skip(run));
        }
        Identity::Reaper => checks.push(subscription::skip_role(run, why)),
    }
    checks
}

/// The checks that stand on the credential being accepted.
fn rest_skipped(run: &Run<'_>, identity: Identity) -> Vec<Check> {
    if !by_assertion(run, identity) {
        return Vec::new();
    }
    WRONGS
        .into_iter()
        .map(|wrong| {
            run.recorder.noted(
                wrong.question(identity.as_str()),
                Found::skipped(
                    "not asked: the right token was not accepted, so a refusal would prove nothing",
                ),
            )
        })
        .collect()
}
