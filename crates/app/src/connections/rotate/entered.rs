//! What a person enters when a secret is replaced: its form is checked here.

use super::{
    super::{
        secrets::{self, Entered},
        target,
    },
    Rotate,
};
use crate::App;
use landfall_model::{
    Code, Error,
    connection::{Azure, AzureAccess, Connection, Gcp, GcpAccess, Guid, State, Target},
    error::Result,
};

/// Where the client id belongs while a connection by secret waits for it.
pub(super) fn unknown_client(connection: &mut Connection) -> Option<&mut Option<Guid>> {
    match (&connection.state, &mut connection.target) {
        (
            State::Pending { .. },
            Target::Azure(Azure {
                access: AzureAccess::ClientSecret { client_id, .. },
                ..
            }),
        ) => Some(client_id),
        _ => None,
    }
}

/// The setup prints the client id and the secret together, and together they are
/// entered. Of a connection that was granted, the application stays.
pub(super) fn told_client(connection: &Connection, new: &Rotate) -> Result<Option<Guid>> {
    let mut waiting = connection.clone();
    match (unknown_client(&mut waiting), &new.client_id) {
        (Some(None), _) | (Some(_), Some(_)) => {
            let text = new.client_id.as_deref();
            target::guid("client_id", text).map(Some)
        }
        (Some(Some(_)), None) | (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::new(
            Code::ConnectionState,
            "the application of a connection that was granted does not change",
            "leave the client id out; for another application make another connection",
        )
        .with_violation("client_id", "cannot be changed now", None)),
    }
}

/// What a person entered, of the kind that the method takes.
pub(super) fn entered(
    app: &App,
    connection: &Connection,
    new: &Rotate,
) -> Result<Option<(Entered, Option<String>)>> {
    let stray = |field: &'static str| {
        Error::new(
            Code::RequestMalformed,
            format!("a connection by {} takes no '{field}'", connection.method()),
            "leave it out; what was sent is not stored",
        )
        .with_violation(field, "does not belong to this method", None)
    };
    match &connection.target {
        Target::Gcp(Gcp {
            project_id,
            access: GcpAccess::ServiceAccountKey {
                service_account, ..
            },
            ..
        }) => {
            if new.client_secret.is_some() || new.secret_expires_at.is_some() {
                return Err(stray("client_secret"));
            }
            if new.client_id.is_some() {
                return Err(stray("client_id"));
            }
            let file = new.service_account_key.as_ref();
            let (key, entered) = secrets::service_account_key(app, file, Some(project_id))?;
            if key.service_account != *service_account {
                return Err(Error::new(
                    Code::ConnectionSecretMalformed,
                    "the key is of another service account",
                    format!("create another key of {service_account}"),
                )
                .with_violation(
                    "service_account_key",
                    format!("is of {}", key.service_account),
                    None,
                ));
            }
            Ok(Some((entered, Some(key.key_id))))
        }
        Target::Azure(Azure {
            access: AzureAccess::ClientSecret { .. },
            ..
        }) => {
            if new.service_account_key.is_some() {
                return Err(stray("service_account_key"));
            }
            let nothing = new.client_secret.is_none() && new.secret_expires_at.is_none();
            if nothing && new.client_id.is_none() {
                return Ok(None);
            }
            let text = new.client_secret.as_ref();
            let entered = secrets::client_secret(app, text, new.secret_expires_at.as_deref())?;
            Ok(Some((entered, None)))
        }
        _ => Err(Error::new(
            Code::ConnectionState,
            format!("a connection by {} has no secret", connection.method()),
            "there is nothing to rotate: no secret exists",
        )),
    }
}
