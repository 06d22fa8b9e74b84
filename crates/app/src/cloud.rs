//! Asking a customer's account, so that a bad one never delays another: with a
//! timeout and the connection's circuit breaker.

use crate::App;
use landfall_model::{
    Code, Error, Timestamp,
    connection::Connection,
    connector::{Availability, Connector},
    driver::{Failure, FailureKind},
    error::Result,
};
use std::{future::Future, time::Duration};

/// How a question to the cloud ended, besides an answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The cloud did not answer in time.
    Unreachable,
    /// The breaker is open: nothing was asked.
    Paused(Timestamp),
    Refused(Failure),
}

impl App {
    /// `question`'s answer, if it comes in time.
    pub(crate) async fn ask<T>(
        &self,
        connection: &Connection,
        timeout: Duration,
        question: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Silence> {
        if let Some(until) = self.breakers.open_until(&connection.id, self.now()) {
            return Err(Silence::Paused(until));
        }
        // Real time, not the clock's: it bounds a socket, not a lifecycle.
        match tokio::time::timeout(timeout, question).await {
            Ok(Ok(answer)) => {
                self.breakers.answered(&connection.id);
                Ok(answer)
            }
            Ok(Err(failure)) => {
                if matches!(
                    failure.kind,
                    FailureKind::Unavailable | FailureKind::Unknown
                ) {
                    self.breakers.silent(&connection.id, self.now());
                } else {
                    self.breakers.answered(&connection.id);
                }
                Err(Silence::Refused(failure))
            }
            Err(_) => {
                self.breakers.silent(&connection.id, self.now());
                Err(Silence::Unreachable)
            }
        }
    }
}

/// For questions about the server itself, which have no connection.
pub(crate) async fn in_time<T>(
    question: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Silence> {
    const PATIENCE: Duration = Duration::from_secs(20);
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(Silence::Refused),
        Err(_) => Err(Silence::Unreachable),
    }
}

/// Refuses a method that the server cannot offer.
pub(crate) async fn available(connector: &dyn Connector) -> Result<()> {
    match availability(connector).await {
        Availability::Available => Ok(()),
        Availability::Unavailable { reason, next_step } => Err(Error::new(
            Code::ConnectionMethodUnavailable,
            reason,
            next_step,
        )),
    }
}

/// Whether the server can offer the connector's method.
pub(crate) async fn availability(connector: &dyn Connector) -> Availability {
    let question = async { Ok(connector.availability().await) };
    in_time(question)
        .await
        .unwrap_or_else(|_| Availability::Unavailable {
            reason: "the cloud did not say in time who this server is".to_owned(),
            next_step: "the operator runs 'landfall doctor' on the server".to_owned(),
        })
}

impl Silence {
    /// What the account, or the way to it, said.
    pub(crate) fn heard(&self) -> Option<String> {
        match self {
            Self::Refused(failure) => Some(failure.to_string()),
            Self::Unreachable | Self::Paused(_) => None,
        }
    }

    /// In words a user may read. `what` is what was asked for: "listing the
    /// regions of 123456789012".
    pub(crate) fn into_error(self, what: &str) -> Error {
        match self {
            Self::Unreachable => Error::new(
                Code::CloudUnreachable,
                format!("{what}: the cloud did not answer in time"),
                "try again in a minute; 'landfall doctor' checks the configured endpoints",
            ),
            Self::Paused(until) => Error::new(
                Code::CloudUnreachable,
                format!("{what}: the account did not answer several times in a row"),
                format!("Landfall asks it again after {until}"),
            ),
            Self::Refused(failure) => failed(what, failure),
        }
    }
}

fn failed(what: &str, failure: Failure) -> Error {
    let detail = format!("{what}: {} ({})", failure.message, failure.code);
    match failure.kind {
        FailureKind::Throttled => Error::new(Code::CloudThrottled, detail, "try again in a minute"),
        FailureKind::Unavailable | FailureKind::Unknown => {
            Error::new(Code::CloudUnreachable, detail, "try again in a minute")
        }
        FailureKind::Denied | FailureKind::NotSettled => {
            let next_step = match (&failure.action, &failure.resource) {
                (Some(action), Some(resource)) => format!(
                    "allow {action} on {resource}, or verify the connection to see what to change"
                ),
                (Some(action), None) => {
                    format!("allow {action}, or verify the connection to see what to change")
                }
                _ => "verify the connection: the failed check says what to change".to_owned(),
            };
            Error::new(Code::CloudDenied, detail, next_step)
        }
        FailureKind::Unauthorized => Error::new(
            Code::ConnectionRevoked,
            detail,
            "verify the connection; if the grant was taken back by mistake, make it again",
        ),
        _ => Error::new(
            Code::CloudRejected,
            detail,
            "correct what the message names, then try again",
        ),
    }
}
