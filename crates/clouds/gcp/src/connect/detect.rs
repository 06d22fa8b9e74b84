//! One look for the grant.

use super::{GcpConnector, verify};
use crate::door::Door;
use landfall_model::{
    connection::GcpConnection,
    connector::Detection,
    driver::{Failure, FailureKind},
    grant::{GcpIdentity, Identity},
};

enum Look {
    LetIn,
    Refused(Failure),
    Unreachable(Failure),
}

impl Look {
    fn at<T>(answer: Result<T, Failure>) -> Self {
        match answer {
            Ok(_) => Self::LetIn,
            // An account that is missing and one that refuses us look alike.
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound
                ) =>
            {
                Self::Refused(failure)
            }
            Err(failure) => Self::Unreachable(failure),
        }
    }
}

pub(super) async fn look(connector: &GcpConnector, connection: GcpConnection<'_>) -> Detection {
    let entered = connector.entry(connection).await;
    let entry = match &entered {
        Ok(entry) => entry,
        Err(failure) => {
            let evidence = failure.message.clone();
            return match Look::at::<()>(Err(failure.clone())) {
                Look::Unreachable(_) => Detection::Unreachable { evidence },
                Look::LetIn | Look::Refused(_) => Detection::Refused { evidence },
            };
        }
    };
    let provisioner = async {
        Look::at(
            connector
                .identity(entry, connection, GcpIdentity::Provisioner)
                .await,
        )
    };
    let reaper = async {
        if connection.with_reaper {
            Look::at(
                connector
                    .identity(entry, connection, GcpIdentity::Reaper)
                    .await,
            )
        } else {
            Look::LetIn
        }
    };
    let (provisioner, reaper) = futures::join!(provisioner, reaper);
    if let (Door::Key(_), Look::Refused(_), _) | (Door::Key(_), _, Look::Refused(_)) =
        (&connector.door, &provisioner, &reaper)
    {
        // Nothing is set up yet, or not all of it: that is for the checks to
        // do, as long as the account may.
        match verify::setup::may_set_up(entry, connection).await {
            Ok(true) => return Detection::Granted,
            Ok(false) => {}
            Err(failure) => {
                if let Look::Unreachable(failure) = Look::at::<()>(Err(failure)) {
                    return Detection::Unreachable {
                        evidence: failure.message,
                    };
                }
            }
        }
    }
    match (provisioner, reaper) {
        (Look::LetIn, Look::LetIn) => Detection::Granted,
        (Look::Unreachable(failure), _) | (_, Look::Unreachable(failure)) => {
            Detection::Unreachable {
                evidence: failure.message,
            }
        }
        (Look::LetIn, Look::Refused(_)) => Detection::Partial {
            missing: Identity::Reaper,
        },
        (Look::Refused(_), Look::LetIn) if connection.with_reaper => Detection::Partial {
            missing: Identity::Provisioner,
        },
        (Look::Refused(failure), _) => Detection::Refused {
            evidence: failure.message,
        },
    }
}
