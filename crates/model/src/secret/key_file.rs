//! The key file of a service account, as a customer uploads it.
//!
//! Everything in it is checked before any of it is kept. The addresses in it
//! (`token_uri` and the others) are never used: a forged file would send our
//! signature, or the server itself, wherever it likes.

use crate::{connection::ProjectId, vault::Plain};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use zeroize::Zeroizing;

/// A real one has about 2.4 kB.
pub const KEY_LIMIT: usize = 16 * 1024;

/// RSA keys of Google have 2048 bits; a shorter one was not made by Google.
const LEAST_BYTES: usize = 2048 / 8;

/// What is kept of a key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountKey {
    pub service_account: String,
    pub project_id: ProjectId,
    /// Google's id of the key.
    pub key_id: String,
    /// PKCS#8 DER: what goes into the vault and is signed with.
    pub private_key: Plain,
}

/// Why a file is not a key that can be used. No variant repeats a value of the
/// file that could be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the file has {bytes} bytes; a service account's key has less than {KEY_LIMIT}")]
    TooLarge { bytes: usize },
    #[error("the file is empty")]
    Empty,
    #[error("the file is not a JSON object of texts (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the file is a credential of the type '{found}', not a service account's key")]
    Type { found: String },
    #[error("the file has no '{field}'")]
    Missing { field: &'static str },
    #[error("the key is for another Google Cloud than {expected}")]
    Universe { expected: &'static str },
    #[error("'client_email' is not the address of a service account of a project")]
    Email,
    #[error("the service account is in the project '{email}', the file says '{file}'")]
    Inconsistent { email: String, file: String },
    #[error("the key is of the project '{found}', not of '{expected}'")]
    Project { found: String, expected: String },
    #[error("'private_key_id' is not a key's id of 40 hexadecimal digits")]
    KeyId,
    #[error("'private_key' is not a PEM of one PKCS#8 private key")]
    Pem,
    #[error("'private_key' is no RSA key of at least 2048 bits")]
    PrivateKey,
}

impl KeyError {
    /// What whoever uploaded the file can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::NotJson { .. } => {
                "upload the JSON file exactly as Google Cloud gave it"
            }
            Self::Empty => "the download may have failed: create another key and upload its file",
            Self::Type { .. } => {
                "create a key of a service account (IAM & Admin → Service accounts → the account → \
                 Keys → Add key → Create new key → JSON); a person's or a federation's credentials \
                 cannot be used"
            }
            Self::Missing { .. } | Self::KeyId | Self::Pem => {
                "the file was edited or cut off: upload it as Google Cloud gave it, or create \
                 another key"
            }
            Self::Universe { .. } => {
                "use a key of the public Google Cloud; another universe needs a server that is \
                 configured for it"
            }
            Self::Email => {
                "use a service account that you made in the project; Google's default accounts \
                 have too many rights"
            }
            Self::Inconsistent { .. } => {
                "the file was edited: upload it as Google Cloud gave it, or create another key"
            }
            Self::Project { .. } => {
                "choose the key of a service account in the project that you are connecting, or \
                 connect the other project"
            }
            Self::PrivateKey => "create another key, of the type JSON, and upload its file",
        }
    }
}

/// What is looked at; everything else in the file is ignored. Serde refuses a
/// field that is there twice.
#[derive(Deserialize)]
struct File {
    r#type: Option<String>,
    project_id: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    client_email: Option<String>,
    universe_domain: Option<String>,
}

const UNIVERSE: &str = "googleapis.com";

/// Reads and checks a key file. `expected_project` is the one being connected;
/// `None` takes the project from the file.
pub fn parse_key(
    bytes: &[u8],
    expected_project: Option<&ProjectId>,
) -> Result<ServiceAccountKey, KeyError> {
    if bytes.len() > KEY_LIMIT {
        return Err(KeyError::TooLarge { bytes: bytes.len() });
    }
    // Some editors put a mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(KeyError::Empty);
    }
    // Serde's own words may repeat what it found.
    let file: File = serde_json::from_slice(bytes).map_err(|error| KeyError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let pem = file.private_key.map(Zeroizing::new);
    let needed = |value: Option<String>, field| {
        value
            .filter(|value| !value.is_empty())
            .ok_or(KeyError::Missing { field })
    };
    let kind = needed(file.r#type, "type")?;
    if kind != "service_account" {
        return Err(KeyError::Type {
            found: shown(&kind),
        });
    }
    if file
        .universe_domain
        .is_some_and(|universe| universe != UNIVERSE)
    {
        return Err(KeyError::Universe { expected: UNIVERSE });
    }
    let email = needed(file.client_email, "client_email")?;
    let project = project_of(&email).ok_or(KeyError::Email)?;
    let said = needed(file.project_id, "project_id")?;
    if said != project.as_str() {
        return Err(KeyError::Inconsistent {
            email: project.to_string(),
            file: shown(&said),
        });
    }
    if let Some(expected) = expected_project
        && *expected != project
    {
        return Err(KeyError::Project {
            found: project.to_string(),
            expected: expected.to_string(),
        });
    }
    let key_id = needed(file.private_key_id, "private_key_id")?;
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if key_id.len() != 40 || !key_id.bytes().all(hexadecimal) {
        return Err(KeyError::KeyId);
    }
    let pem = pem.filter(|pem| !pem.is_empty()).ok_or(KeyError::Missing {
        field: "private_key",
    })?;
    let der = der(&pem).ok_or(KeyError::Pem)?;
    let pair = RsaKeyPair::from_pkcs8(der.expose()).map_err(|_| KeyError::PrivateKey)?;
    if pair.public_modulus_len() < LEAST_BYTES || pair.public_key().as_ref().is_empty() {
        return Err(KeyError::PrivateKey);
    }
    Ok(ServiceAccountKey {
        service_account: email,
        project_id: project,
        key_id,
        private_key: der,
    })
}

/// A short text of the file that is no secret where it belongs; whatever else
/// somebody put there is cut.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The project that an account of this address is in.
fn project_of(email: &str) -> Option<ProjectId> {
    let (name, host) = email.split_once('@')?;
    let fits = (6..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let project = host.strip_suffix(".iam.gserviceaccount.com")?;
    if fits { project.parse().ok() } else { None }
}

/// The one block of a PEM of an unencrypted PKCS#8 key.
fn der(pem: &str) -> Option<Plain> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")?
        .strip_suffix("-----END PRIVATE KEY-----")?;
    let mut text = Zeroizing::new(String::with_capacity(body.len()));
    text.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    Some(Plain::new(STANDARD.decode(text.as_bytes()).ok()?))
}

#[cfg(test)]
mod tests;
