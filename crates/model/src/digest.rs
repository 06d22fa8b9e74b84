//! SHA-256 over canonical JSON: what approvals and the audit chain bind to.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `sha256:` and 64 lower-case hexadecimal digits.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String, example = "sha256:9f86d081884c7d65")]
pub struct Digest(String);

impl Digest {
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        Self(format!("sha256:{}", hex::encode(hash)))
    }

    /// The digest of `value` written canonically: objects sorted by key, no
    /// white space.
    pub fn of_json<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        let mut canonical = String::new();
        write_canonical(&serde_json::to_value(value)?, &mut canonical);
        Ok(Self::of_bytes(canonical.as_bytes()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Twelve digits, enough for a person to tell two plans apart.
    pub fn short(&self) -> &str {
        let start = "sha256:".len().min(self.0.len());
        let end = (start + 12).min(self.0.len());
        self.0.get(start..end).unwrap_or(&self.0)
    }
}

/// Sorts by itself: another crate in the build may switch on `serde_json`'s
/// `preserve_order`, and then its maps are no longer sorted.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            out.push('{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Digest {
    /// Takes a digest that somebody sent. It is only ever compared.
    fn from(unverified: String) -> Self {
        Self(unverified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_matter() {
        let a: serde_json::Value = serde_json::from_str(r#"{"a":1,"b":{"c":2,"d":3}}"#).unwrap();
        let b: serde_json::Value = serde_json::from_str(r#"{"b":{"d":3,"c":2},"a":1}"#).unwrap();
        assert_eq!(Digest::of_json(&a).unwrap(), Digest::of_json(&b).unwrap());
    }

    #[test]
    fn matches_the_published_vector() {
        assert_eq!(
            Digest::of_bytes(b"abc").as_str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
