//! Keeping secrets at rest: the port, and the two forms a secret has.
//!
//! A [`Plain`] cannot be printed or serialised, and a [`Sealed`] can be stored
//! anywhere. There is no way from one to the other but a [`Vault`].

use crate::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// Bytes that nobody may see: overwritten when dropped, without a `Display`,
/// not serialisable, and masked in `Debug`.
///
/// ```compile_fail
/// let secret = landfall_model::vault::Plain::from("hunter2".to_owned());
/// println!("{secret}");
/// ```
///
/// ```compile_fail
/// let secret = landfall_model::vault::Plain::from("hunter2".to_owned());
/// serde_json::to_string(&secret).unwrap();
/// ```
#[derive(Clone)]
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The one way to see it. Search for callers of this to know where secrets
    /// are in use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// As text, for secrets that are text.
    pub fn expose_text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.0)
    }
}

impl PartialEq for Plain {
    /// In a time that tells nothing but whether the lengths are equal.
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Plain {}

impl From<String> for Plain {
    /// Takes the buffer over: no copy of the secret stays behind.
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

/// What a client sends is written only: it is read into this and nothing reads
/// it back out.
impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not even the length: it tells a password from a key.
        f.write_str("Plain(…)")
    }
}

/// A ciphertext with all that is needed to open it but the master key: one line
/// of text, `lf1.<key version>.<wrapped data key>.<ciphertext>`, where the two
/// last parts are base64url with their nonces in front. Safe to store and to
/// back up; not served by the API all the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    text: String,
    key_version: u32,
}

/// What begins every sealed text; another format gets another one.
pub const FORMAT: &str = "lf1";

/// Does not repeat the text: somebody may have stored a secret where a sealed
/// one was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret is not sealed as this version seals")]
pub struct NotSealed;

impl Sealed {
    /// Reads the form; whether it opens is for the vault to say.
    pub fn parse(text: impl Into<String>) -> Result<Self, NotSealed> {
        let text = text.into();
        let mut parts = text.split('.');
        let (Some(FORMAT), Some(version), Some(key), Some(body), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(NotSealed);
        };
        let key_version: u32 = version.parse().map_err(|_| NotSealed)?;
        // One text for one version: `+1` and `01` also parse as numbers.
        if key_version == 0 || key_version.to_string() != version {
            return Err(NotSealed);
        }
        if !is_base64url(key) || !is_base64url(body) {
            return Err(NotSealed);
        }
        Ok(Self { text, key_version })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which version of the master key wraps its data key.
    pub const fn key_version(&self) -> u32 {
        self.key_version
    }
}

fn is_base64url(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed(key version {})", self.key_version)
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Seals and opens. `record` names whose secret it is and what for
/// ([`crate::secret::Secret::record`]); a ciphertext opens only under the name
/// that it was sealed with, so one that was copied to another row is refused.
#[async_trait]
pub trait Vault: Send + Sync + 'static {
    async fn seal(&self, record: &str, plain: &Plain) -> Result<Sealed, VaultError>;

    async fn open(&self, record: &str, sealed: &Sealed) -> Result<Plain, VaultError>;

    /// The same secret under the version that seals now, with a new data key.
    async fn reseal(&self, record: &str, sealed: &Sealed) -> Result<Sealed, VaultError>;

    /// The version that seals now. May ask for the keys for the first time, and
    /// so make the first one.
    async fn key_version(&self) -> Result<u32, VaultError>;
}

/// A version of the master key, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    pub version: u32,
    pub created_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no master key, and there are secrets that one sealed: nothing
    /// is sealed with a new key beside them, nor stored in the clear.
    #[error("there is no master key: {next_step}")]
    NoKey { next_step: String },
    /// The file, variable or command that holds the keys did not give them.
    #[error("cannot {operation} of the vault")]
    Keys {
        /// `read the key file`, …
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Sealed with a key that is not in the ring: it was removed too early, or
    /// this is another installation's database.
    #[error("version {version} of the master key is not in the key ring")]
    UnknownVersion { version: u32 },
    /// Altered, cut short, sealed for another record, or by another key of the
    /// same version. AEAD does not say which, and nobody should be told.
    #[error("a sealed secret does not open as the record '{record}'")]
    Refused { record: String },
    #[error("a secret of {bytes} bytes is too long to be sealed; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// The cryptographic library refused what it never should.
    #[error("cannot {operation}")]
    Cryptography { operation: &'static str },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let plain = Plain::from("canary-7f3a".to_owned());
        assert_eq!(format!("{plain:?}"), "Plain(…)");
        let sealed = Sealed::parse("lf1.3.d3JhcHBlZA.Y2FuYXJ5").unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(key version 3)");
    }

    #[test]
    fn only_sealed_texts_are_taken_for_sealed() {
        let good = "lf1.12.AAAA.BB-_";
        assert_eq!(Sealed::parse(good).unwrap().key_version(), 12);
        assert_eq!(Sealed::parse(good).unwrap().as_str(), good);
        for text in [
            "",
            "hunter2",
            "lf1",
            "lf1.1.AAAA",
            "lf1.0.AAAA.BBBB",
            "lf1.01.AAAA.BBBB",
            "lf1.+1.AAAA.BBBB",
            "lf1.4294967296.AAAA.BBBB",
            "lf1.1..BBBB",
            "lf1.1.AAAA.",
            "lf1.1.AAAA.BBBB.CCCC",
            "lf1.1.AA AA.BBBB",
            "lf2.1.AAAA.BBBB",
        ] {
            assert_eq!(Sealed::parse(text), Err(NotSealed), "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            let error = serde_json::from_str::<Sealed>(&json).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}
