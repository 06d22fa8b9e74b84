//! This server's own identity, remembered for minutes.

use super::{
    caller::Caller,
    principal::{Unusable, trusted_arn},
};
use landfall_model::{
    Clock, Timestamp,
    connector::Availability,
    driver::{Failure, FailureKind},
};
use std::sync::Arc;
use tokio::sync::Mutex;

const KNOWN_FOR: i64 = 5 * 60 * 1000;
/// Short, so that a repaired configuration is noticed; not zero, because
/// finding no credentials takes seconds on a machine without a metadata
/// service, and pages ask often.
const FAILED_FOR: i64 = 20 * 1000;

/// Who AWS says we are, and whom customers shall trust.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) caller: Caller,
    pub(crate) principal_arn: String,
}

#[derive(Clone, Debug)]
pub(crate) enum ServerError {
    Asking(Failure),
    Unusable(Unusable),
}

impl ServerError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Asking(failure) => failure.clone(),
            Self::Unusable(unusable) => Failure::new(
                FailureKind::Unauthorized,
                "ServerIdentityUnusable",
                unusable.reason.clone(),
            ),
        }
    }

    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Asking(failure) => match failure.kind {
                FailureKind::Unauthorized | FailureKind::Denied => {
                    format!("AWS does not accept this server's identity: {failure}")
                }
                _ => format!("AWS did not say who this server is: {failure}"),
            },
            Self::Unusable(unusable) => unusable.reason.clone(),
        }
    }

    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::Asking(failure) => match failure.kind {
                FailureKind::Unauthorized | FailureKind::Denied => {
                    "give the server AWS credentials: a role of the machine, or \
                     clouds.aws.identity in the configuration"
                }
                _ => "check the network and clouds.aws.endpoint_url, then try again",
            }
            .to_owned(),
            Self::Unusable(unusable) => unusable.next_step.clone(),
        }
    }
}

struct Remembered {
    answer: Result<Server, ServerError>,
    until: Timestamp,
}

pub(crate) struct ServerIdentity {
    sts: aws_sdk_sts::Client,
    configured: Option<String>,
    clock: Arc<dyn Clock>,
    remembered: Mutex<Option<Remembered>>,
}

impl ServerIdentity {
    pub(crate) fn new(
        sts: aws_sdk_sts::Client,
        configured: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            sts,
            configured,
            clock,
            remembered: Mutex::new(None),
        }
    }

    /// STS as this server.
    pub(crate) fn sts(&self) -> &aws_sdk_sts::Client {
        &self.sts
    }

    pub(crate) async fn known(&self) -> Result<Server, ServerError> {
        let mut remembered = self.remembered.lock().await;
        let now = self.clock.now();
        if let Some(held) = remembered.as_ref()
            && now < held.until
        {
            return held.answer.clone();
        }
        let answer = self.ask().await;
        *remembered = Some(Remembered {
            until: now.plus_millis(if answer.is_ok() {
                KNOWN_FOR
            } else {
                FAILED_FOR
            }),
            answer: answer.clone(),
        });
        answer
    }

    /// Asks AWS now, whatever is remembered.
    pub(crate) async fn ask(&self) -> Result<Server, ServerError> {
        let caller = Caller::ask(&self.sts).await.map_err(ServerError::Asking)?;
        let principal_arn =
            trusted_arn(&caller, self.configured.as_deref()).map_err(ServerError::Unusable)?;
        Ok(Server {
            caller,
            principal_arn,
        })
    }

    pub(crate) async fn availability(&self) -> Availability {
        match self.known().await {
            Ok(_) => Availability::Available,
            Err(error) => Availability::Unavailable {
                reason: error.reason(),
                next_step: error.next_step(),
            },
        }
    }
}
