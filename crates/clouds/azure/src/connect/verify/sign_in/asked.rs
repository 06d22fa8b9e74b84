//! What signing in asks of Entra, and what is shown to it.

use super::super::{Question, Run};
use crate::door::Door;
use landfall_model::grant::Identity;

/// What is shown to Entra for an identity.
pub(super) enum Shown {
    /// An assertion of this connection.
    Assertion,
    /// The secret of the customer's application.
    Secret,
    /// What the operator's application has.
    Application,
}

pub(super) fn shown(run: &Run<'_>, identity: Identity) -> Shown {
    match (&run.connector.door, identity) {
        (Door::Secret { .. }, Identity::Provisioner) => Shown::Secret,
        (Door::Application { .. }, Identity::Provisioner) => Shown::Application,
        _ => Shown::Assertion,
    }
}

pub(super) fn by_assertion(run: &Run<'_>, identity: Identity) -> bool {
    matches!(shown(run, identity), Shown::Assertion)
}

pub(super) fn tenant_question() -> Question {
    Question::new(
        "azure.tenant-found",
        "The tenant exists",
        "Entra's token endpoint of the tenant",
    )
}

pub(super) fn client_question(run: &Run<'_>) -> Question {
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

pub(super) fn known_question() -> Question {
    Question::new(
        "azure.reaper-known",
        "The reaper's application is known",
        "the description of the assignment of the reaper's role",
    )
}

pub(super) fn accepted_question(run: &Run<'_>, identity: Identity) -> Question {
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
