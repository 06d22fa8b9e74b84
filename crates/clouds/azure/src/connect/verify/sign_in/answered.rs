//! What Entra's answer to a sign-in says: of the tenant, of the application, of
//! the credential.

use super::{
    super::{Found, Run},
    asked::{Shown, accepted_question, by_assertion, client_question, shown, tenant_question},
    audience,
};
use landfall_model::{
    check::Check,
    connection::Guid,
    driver::{Failure, FailureKind},
    grant::Identity,
};

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

/// What the answer says of the tenant and of the application.
pub(super) fn identified(
    run: &Run<'_>,
    application: &Guid,
    failure: Option<&Failure>,
) -> Vec<Check> {
    let tenant = run.azure.tenant_id();
    let (tenant_found, client_found) = match failure.map(|failure| (failure, blame(failure))) {
        // Not a refusal: nobody said anything of either.
        Some((failure, _)) if failure.kind != FailureKind::Denied => {
            let unsaid = || Found::skipped("Entra did not say: see the sign-in");
            (unsaid(), unsaid())
        }
        Some((failure, Blame::Tenant)) => (
            run.recorder.failed(
                failure,
                &format!(
                    "check the tenant id {tenant}: the portal shows it under Microsoft Entra ID → \
                     Overview"
                ),
            ),
            Found::skipped("not asked: there is no such tenant"),
        ),
        Some((failure, Blame::Client)) => (
            Found::pass(format!("Entra knows {tenant}")),
            run.recorder
                .failed(failure, &client_remedy(run, application)),
        ),
        Some((_, Blame::Credential)) | None => (
            Found::pass(format!("Entra knows {tenant}")),
            Found::pass(format!("Entra knows {application} in {tenant}")),
        ),
    };
    vec![
        run.recorder.noted(tenant_question(), tenant_found),
        run.recorder.noted(client_question(run), client_found),
    ]
}

fn client_remedy(run: &Run<'_>, application: &Guid) -> String {
    let tenant = run.azure.tenant_id();
    if let Shown::Application = shown(run, Identity::Provisioner) {
        return format!(
            "press \"Approve on Microsoft's page\" on the connection's page, as an administrator \
             of the tenant {tenant}; if it was approved, look whether somebody deleted or switched \
             off {application} under Enterprise applications"
        );
    }
    format!(
        "check the client id {application}: the portal shows it under App registrations as \
         Application (client) id, not as object id; the application must be in the tenant {tenant} \
         and not be switched off"
    )
}

/// Whether the credential was accepted; of a secret, whether it is over.
pub(super) fn accepted(run: &Run<'_>, identity: Identity, answer: Result<(), &Failure>) -> Check {
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
            audience(run),
        ),
    }
}
