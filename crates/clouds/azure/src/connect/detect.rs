//! One look for the grant.

use super::{AzureConnector, ownership, reaper};
use crate::{client::Session, door::Door, error::Service};
use landfall_model::{
    connection::{AzureConnection, Guid},
    connector::Detection,
    driver::{Failure, FailureKind},
    grant::Identity,
};

enum Look<'c> {
    Open(Session<'c>),
    Refused(Failure),
    Unreachable(Failure),
}

impl Look<'_> {
    fn of(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound => {
                Self::Refused(failure)
            }
            // Also when our own side fails: that says nothing about what the
            // customer did.
            _ => Self::Unreachable(failure),
        }
    }
}

/// Signs in, and sees whether the role counts in the subscription.
async fn at<'c>(
    connector: &'c AzureConnector,
    azure: AzureConnection<'_>,
    identity: Identity,
    application: &Guid,
) -> Look<'c> {
    let signed_in = connector
        .sign_in(azure, identity, application, Service::ResourceManager)
        .await;
    let session = match signed_in {
        Ok(session) => session,
        Err(failure) => return Look::of(failure),
    };
    // Before anything else is looked at: it may be somebody else's.
    if identity == Identity::Provisioner
        && matches!(connector.door, Door::Application { .. })
        && let Err(failure) = ownership::require(&session, azure, None).await
    {
        return Look::of(failure);
    }
    match subscription(&session, azure).await {
        Ok(_) => Look::Open(session),
        Err(failure) => Look::of(failure),
    }
}

/// Why, for whoever waits for the grant.
fn refused(azure: AzureConnection<'_>, failure: &Failure) -> String {
    let said = &failure.message;
    match azure.management_group() {
        Some(group) if failure.code == "AuthorizationFailed" => {
            format!("{said} The management group {group} must be above the subscription.")
        }
        _ => said.clone(),
    }
}

pub(super) async fn subscription(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
) -> Result<serde_json::Value, Failure> {
    let path = format!("/subscriptions/{}", azure.subscription_id());
    session.get(&path, &[("api-version", "2022-12-01")]).await
}

pub(super) async fn look(connector: &AzureConnector, azure: AzureConnection<'_>) -> Detection {
    let Some(application) = azure.client_id() else {
        return Detection::Refused {
            evidence: connector.no_client().to_owned(),
        };
    };
    let session = match at(connector, azure, Identity::Provisioner, application).await {
        Look::Open(session) => session,
        Look::Refused(failure) => {
            return Detection::Refused {
                evidence: refused(azure, &failure),
            };
        }
        Look::Unreachable(failure) => {
            return Detection::Unreachable {
                evidence: failure.message,
            };
        }
    };
    // By secret and without an issuer there is no way into a reaper: it is as
    // if it had been left out, and the checks say so.
    if !connector.door.opens_reaper(azure) {
        return Detection::Granted;
    }
    let found = match reaper::client(&session, azure).await {
        Ok(application) => at(connector, azure, Identity::Reaper, &application).await,
        Err(failure) => Look::of(failure),
    };
    match found {
        Look::Open(_) => Detection::Granted,
        Look::Refused(_) => Detection::Partial {
            missing: Identity::Reaper,
        },
        Look::Unreachable(failure) => Detection::Unreachable {
            evidence: failure.message,
        },
    }
}
