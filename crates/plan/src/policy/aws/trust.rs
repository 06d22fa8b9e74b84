//! Whom the roles trust: a principal of AWS with an external id, or an issuer's
//! token with an audience and a subject.

use super::PolicyError;
use landfall_model::{
    connection::{AwsAccess, AwsConnection},
    grant::{AWS_AUDIENCE, ServerPrincipal},
};
use serde_json::{Value, json};

/// AWS docs: CreateOpenIDConnectProvider, `Url`.
const URL: usize = 255;

/// Whom both roles of a connection trust, checked: one, or two while the
/// connection moves from one method to the other.
pub(super) struct Trust<'a>(Vec<Trusted<'a>>);

pub(super) enum Trusted<'a> {
    Principal {
        arn: &'a str,
        external_id: &'a str,
    },
    Issuer {
        url: &'a str,
        /// The URL without its scheme: what condition keys begin with.
        host_and_path: &'a str,
        provider_arn: String,
        subject: String,
    },
}

impl<'a> Trust<'a> {
    /// `principal` is the one of the connection's method, `also` of the other.
    pub(super) fn of(
        connection: AwsConnection<'a>,
        principal: &'a ServerPrincipal,
        also: Option<&'a ServerPrincipal>,
    ) -> Result<Self, PolicyError> {
        let access = connection.access();
        let other = match access {
            AwsAccess::AssumeRole => AwsAccess::Oidc,
            AwsAccess::Oidc => AwsAccess::AssumeRole,
        };
        let mut trusted = vec![Trusted::of(connection, access, principal)?];
        if let Some(also) = also {
            trusted.push(Trusted::of(connection, other, also)?);
        }
        Ok(Self(trusted))
    }

    pub(super) fn trusted(&self) -> &[Trusted<'a>] {
        &self.0
    }

    /// The trust policy as it is in the account.
    pub(super) fn document(&self) -> Value {
        policy(self.0.iter().map(Trusted::statement))
    }

    /// The trust policy as the template writes it.
    pub(super) fn in_template(&self) -> Value {
        policy(self.0.iter().map(|trusted| match trusted {
            Trusted::Principal { .. } => assumed(
                json!({ "Ref": "PrincipalArn" }),
                json!({ "Ref": "ExternalId" }),
            ),
            // The issuer is part of the conditions' keys, and keys cannot be
            // parameters.
            Trusted::Issuer { .. } => trusted.statement(),
        }))
    }
}

fn policy(statements: impl Iterator<Item = Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

impl<'a> Trusted<'a> {
    fn of(
        connection: AwsConnection<'a>,
        access: AwsAccess,
        principal: &'a ServerPrincipal,
    ) -> Result<Self, PolicyError> {
        match (access, principal) {
            (AwsAccess::AssumeRole, ServerPrincipal::Aws { arn }) => {
                check_principal(connection, arn)?;
                let external_id = &connection.connection().external_id;
                check_external_id(external_id)?;
                Ok(Self::Principal { arn, external_id })
            }
            (AwsAccess::Oidc, ServerPrincipal::Issuer { url }) => Ok(Self::Issuer {
                url,
                host_and_path: check_issuer(url)?,
                provider_arn: connection.oidc_provider_arn(url),
                subject: connection.subject(),
            }),
            (access, principal) => Err(PolicyError::PrincipalKind {
                method: access.method().as_str(),
                principal: principal.as_str().to_owned(),
            }),
        }
    }

    fn statement(&self) -> Value {
        match self {
            Self::Principal { arn, external_id } => assumed(json!(arn), json!(external_id)),
            Self::Issuer {
                host_and_path,
                provider_arn,
                subject,
                ..
            } => federated(host_and_path, provider_arn, subject),
        }
    }
}

/// Trusts one principal, and it only with this connection's external id: who
/// makes Landfall use somebody else's role ARN does not get in.
fn assumed(principal: Value, external_id: Value) -> Value {
    json!({
        "Sid": "LandfallServer",
        "Effect": "Allow",
        "Principal": { "AWS": principal },
        "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
    })
}

/// Trusts the issuer's tokens for this connection alone. AWS does not ask for
/// the condition on the subject: without it, every connection of the same server
/// would get in.
fn federated(host_and_path: &str, provider_arn: &str, subject: &str) -> Value {
    json!({
        "Sid": "LandfallIssuer",
        "Effect": "Allow",
        "Principal": { "Federated": provider_arn },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": { "StringEquals": {
            format!("{host_and_path}:aud"): AWS_AUDIENCE,
            format!("{host_and_path}:sub"): subject,
        } },
    })
}

/// The host and path of an issuer's URL that IAM takes (AWS docs: "Create an
/// OpenID Connect identity provider in IAM").
fn check_issuer(url: &str) -> Result<&str, PolicyError> {
    let refused = |reason| PolicyError::Issuer {
        url: url.to_owned(),
        reason,
    };
    let rest = url
        .strip_prefix("https://")
        .ok_or_else(|| refused("it must begin with https://"))?;
    if url.len() > URL {
        return Err(refused("it has more than 255 characters"));
    }
    // Also keeps quotes, colons and variables out of documents and commands.
    let plain = rest
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._~/-".contains(&b));
    if !plain || rest.is_empty() || rest.starts_with('/') || rest.ends_with('/') {
        return Err(refused(
            "it must be a host and perhaps a path, without port, query and trailing slash",
        ));
    }
    Ok(rest)
}

/// A role or user ARN in the connection's own partition: roles cannot be
/// assumed from another one, and the ARN of a session or of a whole account
/// would trust too little or too much.
fn check_principal(connection: AwsConnection<'_>, arn: &str) -> Result<(), PolicyError> {
    let refused = || PolicyError::Principal {
        arn: arn.to_owned(),
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, rest] = parts.as_slice() else {
        return Err(refused());
    };
    let account_is_plain = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let named = rest
        .strip_prefix("role/")
        .or_else(|| rest.strip_prefix("user/"))
        .is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&b))
        });
    if !account_is_plain || !named {
        return Err(refused());
    }
    if *partition != connection.partition().as_str() {
        return Err(PolicyError::PrincipalPartition {
            arn: arn.to_owned(),
            partition: connection.partition().as_str().to_owned(),
        });
    }
    Ok(())
}

/// AWS docs: AssumeRole, `ExternalId`.
fn check_external_id(external_id: &str) -> Result<(), PolicyError> {
    let fits = (2..=1_224).contains(&external_id.len());
    let plain = external_id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
    if fits && plain {
        Ok(())
    } else {
        Err(PolicyError::ExternalId)
    }
}
