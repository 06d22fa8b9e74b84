//! Who a client is: by secret, by a certificate's signature, or by an
//! assertion of an issuer that the application trusts.

use super::super::answer::Failure;
use super::super::keys::{sha1_url, sha256_url};
use super::super::request::Form;
use super::super::server::Context;
use super::super::state::{Application, Federated};
use super::Keys;
use crate::jwt::{Key, Unverified};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Clocks may differ by this many seconds.
const SKEW: i64 = 300;

/// Checks the client's credential.
pub(super) fn authenticate(
    application: &Application,
    context: &Context,
    form: &Form,
    keys: &Keys,
    audiences: &[String],
) -> Result<(), Failure> {
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), _) => by_secret(application, context, secret),
        (None, Some(assertion)) => {
            if form.get("client_assertion_type") != Some(JWT_BEARER) {
                return Err(invalid(
                    50_027,
                    "The value of the input parameter 'client_assertion_type' is not valid.",
                ));
            }
            by_assertion(application, context, assertion, keys, audiences)
        }
        (None, None) => Err(invalid(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or \
             'client_secret'.",
        )),
    }
}

fn invalid(number: u32, message: impl Into<String>) -> Failure {
    Failure::entra(401, "invalid_client", number, message)
}

fn by_secret(application: &Application, context: &Context, given: &str) -> Result<(), Failure> {
    let app = &application.app_id;
    let known = application
        .secrets
        .iter()
        .find(|secret| secret.text == given);
    match known {
        Some(secret) if secret.effective_at > context.moment.now => Err(wrong_secret(app)),
        Some(secret) if secret.end <= context.moment.wall => Err(invalid(
            7_000_222,
            format!(
                "The provided client secret keys for app '{app}' are expired. Visit the Azure \
                 portal to create new keys for your app: https://aka.ms/NewClientSecret, or \
                 consider using certificate credentials for added security: \
                 https://aka.ms/certCreds."
            ),
        )),
        Some(_) => Ok(()),
        None => Err(wrong_secret(app)),
    }
}

fn wrong_secret(app: &str) -> Failure {
    invalid(
        7_000_215,
        format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the \
             client secret value, not the client secret ID, for a secret added to app '{app}'."
        ),
    )
}

fn by_assertion(
    application: &Application,
    context: &Context,
    assertion: &str,
    keys: &Keys,
    audiences: &[String],
) -> Result<(), Failure> {
    let unverified = Unverified::read(assertion)
        .map_err(|_| invalid(50_027, "JWT token is invalid or malformed."))?;
    let issuer = text(&unverified.claims, "iss");
    // An assertion that the application makes itself names itself as issuer.
    if issuer.eq_ignore_ascii_case(&application.app_id) {
        return by_certificate(application, context, &unverified, audiences);
    }
    federated(application, context, &unverified, keys)
}

fn text<'v>(claims: &'v Value, name: &str) -> &'v str {
    claims[name].as_str().unwrap_or_default()
}

fn by_certificate(
    application: &Application,
    context: &Context,
    unverified: &Unverified,
    audiences: &[String],
) -> Result<(), Failure> {
    let header = &unverified.header;
    // MSAL pads them, others do not.
    let says = |name: &str| text(header, name).trim_end_matches('=');
    let thumbprint =
        |der: &[u8]| says("x5t#S256") == sha256_url(der) || says("x5t") == sha1_url(der);
    let certificate = application.certificates.iter().find_map(|certificate| {
        let der = STANDARD.decode(&certificate.der).ok()?;
        thumbprint(&der).then_some((certificate, der))
    });
    let Some((certificate, der)) = certificate else {
        return Err(invalid(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered \
             on application. [Reason - The key was not found.]",
        ));
    };
    if !unverified.signed_by_certificate(&der) {
        return Err(invalid(
            700_027,
            "Client assertion failed signature validation. [Reason - The key used to sign does \
             not match the certificate.]",
        ));
    }
    if certificate.end <= context.moment.wall {
        return Err(invalid(
            700_027,
            "The certificate used to sign the client assertion is expired on application.",
        ));
    }
    let claims = &unverified.claims;
    if !audiences
        .iter()
        .any(|audience| audience == text(claims, "aud"))
    {
        return Err(invalid(
            700_023,
            format!(
                "Client assertion audience claim does not match Realm issuer. The audience claim \
                 is '{}'.",
                text(claims, "aud")
            ),
        ));
    }
    in_time(context, unverified)
}

fn in_time(context: &Context, token: &Unverified) -> Result<(), Failure> {
    let now = context.moment.wall.unix_seconds();
    let expires = token.seconds("exp").ok_or_else(|| {
        invalid(
            50_027,
            "JWT token is invalid or malformed: it has no 'exp'.",
        )
    })?;
    let starts = token
        .seconds("nbf")
        .or_else(|| token.seconds("iat"))
        .unwrap_or(0);
    if now >= expires.saturating_add(SKEW) || now < starts.saturating_sub(SKEW) {
        let write = |seconds: i64| crate::clock::Instant(seconds.saturating_mul(1_000)).iso8601();
        return Err(invalid(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {}, assertion \
                 valid from {}, expiry time of assertion {}.",
                context.moment.wall.iso8601(),
                write(starts),
                write(expires)
            ),
        ));
    }
    Ok(())
}

fn federated(
    application: &Application,
    context: &Context,
    unverified: &Unverified,
    keys: &Keys,
) -> Result<(), Failure> {
    let claims = &unverified.claims;
    let (issuer, subject) = (text(claims, "iss"), text(claims, "sub"));
    let audience = match &claims["aud"] {
        Value::Array(several) if several.len() == 1 => several[0].as_str().unwrap_or_default(),
        other => other.as_str().unwrap_or_default(),
    };
    matching(application, context, issuer, subject, audience)?;
    let keys = match keys {
        Keys::Found { issuer: of, keys } if of == issuer => keys,
        Keys::Unreachable { issuer: of, why } if of == issuer => {
            return Err(invalid(
                50_166,
                format!("Request to external OIDC endpoint of '{issuer}' failed: {why}."),
            ));
        }
        _ => {
            return Err(invalid(
                50_166,
                format!("The keys of '{issuer}' were not fetched."),
            ));
        }
    };
    let kid = unverified.key_id().unwrap_or_default();
    let candidates: Vec<&Key> = keys.named(kid).collect();
    if candidates.is_empty() {
        return Err(invalid(
            700_027,
            format!(
                "Client assertion failed signature validation. [Reason - The key was not found., \
                 Key identifier: '{kid}']"
            ),
        ));
    }
    if !candidates.iter().any(|key| unverified.signed_by(key)) {
        return Err(invalid(
            700_027,
            "Client assertion failed signature validation. [Reason - The signature is invalid.]",
        ));
    }
    in_time(context, unverified)
}

/// Issuer, subject and audience match one credential exactly, or it is said
/// which of them does not.
fn matching(
    application: &Application,
    context: &Context,
    issuer: &str,
    subject: &str,
    audience: &str,
) -> Result<(), Failure> {
    if application.federated.is_empty() {
        return Err(invalid(
            70_025,
            format!(
                "The client '{}'({}) has no configured federated identity credentials.",
                application.app_id, application.display_name
            ),
        ));
    }
    let effective = |credential: &&Federated| credential.effective_at <= context.moment.now;
    let by_issuer: Vec<_> = application
        .federated
        .iter()
        .filter(|credential| credential.issuer == issuer)
        .collect();
    let exact = |credential: &&&Federated| {
        credential.subject == subject && credential.audiences.iter().any(|known| known == audience)
    };
    match by_issuer.iter().find(exact) {
        Some(credential) if effective(credential) => return Ok(()),
        // Known already, but not everywhere.
        Some(_) => {
            return Err(invalid(
                70_021,
                format!(
                    "No matching federated identity record found for presented assertion. \
                     Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion \
                     Audience: '{audience}'. \
                     https://docs.microsoft.com/azure/active-directory/develop/workload-identity-federation"
                ),
            ));
        }
        None => {}
    }
    let (number, what, value) = if by_issuer.is_empty() {
        (700_211, "issuer", issuer)
    } else if by_issuer
        .iter()
        .any(|credential| credential.subject == subject)
    {
        (700_212, "audience", audience)
    } else {
        (700_213, "subject", subject)
    };
    Err(invalid(
        number,
        format!(
            "No matching federated identity record found for presented assertion {what} \
             '{value}'. Check your federated identity credential Subject, Audience and Issuer \
             against the presented assertion. \
             https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
        ),
    ))
}
