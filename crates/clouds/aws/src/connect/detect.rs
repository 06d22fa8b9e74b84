//! One look for the grant.

use super::{AwsConnector, LONGEST_SESSION_POLICY};
use crate::session::Assume;
use landfall_model::{
    connection::AwsConnection,
    connector::Detection,
    driver::{Failure, FailureKind},
    grant::Identity,
    retained::Retained,
};
use serde_json::Value;

enum Look {
    Assumable,
    Refused(Failure),
    Unreachable(Failure),
}

async fn at(connector: &AwsConnector, connection: AwsConnection<'_>, role_arn: String) -> Look {
    let assume = connector.assume(connection, role_arn, "detect");
    match connector.door.issue(&assume).await {
        Ok(_) => Look::Assumable,
        Err(failure) if failure.kind == FailureKind::Denied => Look::Refused(failure),
        // Also when our own identity is refused: that says nothing about what
        // the customer did.
        Err(failure) => Look::Unreachable(failure),
    }
}

pub(super) async fn look(connector: &AwsConnector, connection: AwsConnection<'_>) -> Detection {
    let provisioner = at(connector, connection, connection.provisioner_role_arn());
    let reaper = async {
        if connection.with_reaper {
            at(connector, connection, connection.reaper_role_arn()).await
        } else {
            Look::Assumable
        }
    };
    let (provisioner, reaper) = futures::join!(provisioner, reaper);
    match (provisioner, reaper) {
        (Look::Assumable, Look::Assumable) => Detection::Granted,
        (Look::Unreachable(failure), _) | (_, Look::Unreachable(failure)) => {
            Detection::Unreachable {
                evidence: failure.message,
            }
        }
        (Look::Assumable, Look::Refused(_)) => Detection::Partial {
            missing: Identity::Reaper,
        },
        (Look::Refused(_), Look::Assumable) if connection.with_reaper => Detection::Partial {
            missing: Identity::Provisioner,
        },
        (Look::Refused(failure), _) => Detection::Refused {
            evidence: failure.message,
        },
    }
}

/// What to assume for one destruction.
pub(super) fn reaper_for(
    connector: &AwsConnector,
    connection: AwsConnection<'_>,
    resource: &Retained,
    session_policy: &Value,
) -> Result<Assume, Failure> {
    let refuse =
        |code: &str, message: String| Err(Failure::new(FailureKind::Invalid, code, message));
    if !connection.with_reaper {
        return refuse(
            "ReaperLeftOut",
            format!(
                "account {} was connected without a reaper: delete {} by hand",
                connection.account_id(),
                resource.identifier
            ),
        );
    }
    // A retained resource names its account itself; a mix-up here would
    // destroy something of somebody else's.
    if resource.account_id != connection.account_id().as_str()
        || resource.connection_id != connection.id
    {
        return refuse(
            "WrongAccount",
            format!(
                "{} is in account {}, but the connection is to {}",
                resource.identifier,
                resource.account_id,
                connection.account_id()
            ),
        );
    }
    let policy = session_policy.to_string();
    let narrows = session_policy
        .get("Statement")
        .is_some_and(|statement| match statement {
            Value::Array(statements) => !statements.is_empty(),
            other => other.is_object(),
        });
    if !narrows || policy.len() > LONGEST_SESSION_POLICY {
        return refuse(
            "SessionPolicy",
            format!(
                "the session policy must have statements and at most {LONGEST_SESSION_POLICY} \
                 characters; this one has {}",
                policy.len()
            ),
        );
    }
    let mut assume = connector.assume(connection, connection.reaper_role_arn(), "destroy");
    // Which destruction it was, for whoever reads the account's CloudTrail.
    assume.session_name = format!("landfall-destroy-{}", resource.id);
    assume.session_name.truncate(64);
    assume.policy = Some(policy);
    Ok(assume)
}
