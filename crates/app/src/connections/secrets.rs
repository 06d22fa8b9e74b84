//! Secrets that customers entrust: their form is checked, they are sealed, and
//! from then on only a connector opens them.

use crate::{App, failed};
use landfall_model::{
    Code, Error, Timestamp,
    connection::{Connection, ProjectId},
    error::Result,
    id::{ConnectionId, OrganizationId, SecretId},
    secret::{self, Purpose, Secret, ServiceAccountKey, check_client_secret, parse_key},
    store::Write,
    vault::Plain,
};

/// A secret whose form is right, on its way into the vault.
pub(super) struct Entered {
    pub(super) id: SecretId,
    purpose: Purpose,
    plain: Plain,
    pub(super) expires_at: Option<Timestamp>,
}

impl Entered {
    pub(super) fn new(
        app: &App,
        purpose: Purpose,
        plain: Plain,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            id: SecretId::at(app.now(), &*app.entropy),
            purpose,
            plain,
            expires_at,
        }
    }

    /// Seals it for `connection`.
    pub(super) async fn seal(
        self,
        app: &App,
        organization: &OrganizationId,
        connection: &ConnectionId,
    ) -> Result<Write> {
        let record = secret::record(organization, &self.id, self.purpose);
        let sealed = app.vault.seal(&record, &self.plain).await;
        let sealed = sealed.map_err(|error| Error::internal("sealing the secret", error))?;
        Ok(Write::PutSecret(Secret {
            id: self.id,
            organization_id: organization.clone(),
            connection_id: Some(connection.clone()),
            purpose: self.purpose,
            sealed,
            expires_at: self.expires_at,
            created_at: app.now(),
            version: 1,
        }))
    }
}

/// A Google key file: what is kept of it, and what it says of itself.
pub(super) fn service_account_key(
    app: &App,
    file: Option<&Plain>,
    project: Option<&ProjectId>,
) -> Result<(ServiceAccountKey, Entered)> {
    const FIELD: &str = "service_account_key";
    let Some(file) = file else {
        return Err(missing(
            FIELD,
            "the key file of the service account",
            "upload the JSON file that Google Cloud gave when the key was created",
        ));
    };
    let key = parse_key(file.expose(), project).map_err(|error| {
        Error::new(
            Code::ConnectionSecretMalformed,
            "the key file cannot be used",
            error.remedy(),
        )
        .with_violation(FIELD, error.to_string(), None)
    })?;
    let plain = key.private_key.clone();
    let entered = Entered::new(app, Purpose::GcpServiceAccountKey, plain, None);
    Ok((key, entered))
}

/// A client secret of Entra, with the day on which it ends, if somebody said it.
pub(super) fn client_secret(
    app: &App,
    text: Option<&Plain>,
    expires_at: Option<&str>,
) -> Result<Entered> {
    const FIELD: &str = "client_secret";
    let next_step = "copy the value of the secret, which the portal shows once, when it is made";
    let Some(plain) = text else {
        return Err(missing(FIELD, "the client secret", next_step));
    };
    let malformed = |message: String| {
        Error::new(
            Code::ConnectionSecretMalformed,
            "the client secret cannot be one",
            next_step,
        )
        .with_violation(FIELD, message, None)
    };
    let text = plain.expose_text().unwrap_or_default();
    check_client_secret(text).map_err(|error| malformed(error.to_string()))?;
    let expires_at = expires_at.map(|text| end(app, text)).transpose()?;
    Ok(Entered::new(
        app,
        Purpose::AzureClientSecret,
        plain.clone(),
        expires_at,
    ))
}

/// `2027-05-01`, or the instant.
fn end(app: &App, text: &str) -> Result<Timestamp> {
    let wrong = |message: &str| {
        Error::new(
            Code::ConnectionSecretMalformed,
            "the end of the secret cannot be used",
            "write the day as the portal shows it, like 2027-05-01, or leave it out",
        )
        .with_violation("secret_expires_at", message, None)
    };
    let text = text.trim();
    let instant = if text.len() == "2027-05-01".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let at = Timestamp::parse_rfc3339(&instant)
        .map_err(|_| wrong("is neither a day like 2027-05-01 nor an RFC 3339 instant"))?;
    if at <= app.now() {
        return Err(wrong("is over: make a new secret and enter that one"));
    }
    Ok(at)
}

fn missing(field: &'static str, what: &str, next_step: &str) -> Error {
    Error::new(
        Code::ConnectionSecretMalformed,
        format!("this method needs {what}"),
        next_step,
    )
    .with_violation(field, "is missing", None)
}

/// Forgets every secret of a connection but `kept`.
pub(super) async fn forget(
    app: &App,
    connection: &Connection,
    kept: Option<&SecretId>,
) -> Result<Vec<Write>> {
    let secrets = app
        .store
        .secrets(&connection.organization_id)
        .await
        .map_err(failed("listing the secrets"))?;
    Ok(secrets
        .into_iter()
        .filter(|one| one.connection_id.as_ref() == Some(&connection.id))
        .filter(|one| Some(&one.id) != kept)
        .map(|one| Write::DeleteSecret {
            organization_id: one.organization_id,
            id: one.id,
        })
        .collect())
}
