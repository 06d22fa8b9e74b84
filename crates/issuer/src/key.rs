//! An RSA key: made, read, signing.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use landfall_model::{issuer::IssuerError, vault::Plain};
use serde_json::{Value, json};

pub(crate) struct PrivateKey(KeyPair);

/// A key that was made just now.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) public_jwk: Value,
    pub(crate) pkcs8: Plain,
}

fn failed<E>(operation: &'static str) -> impl FnOnce(E) -> IssuerError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| IssuerError::Key {
        operation,
        source: Some(source.into()),
    }
}

/// Makes a key of 2,048 bits. The randomness is the library's own: it offers no
/// way to give another, and no test needs the same key twice.
pub(crate) fn make() -> Result<NewKey, IssuerError> {
    let operation = "make a signing key";
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| unspecified(operation))?;
    let der: Pkcs8V1Der = pair.as_der().map_err(|_| unspecified(operation))?;
    let pkcs8 = Plain::new(der.as_ref().to_vec());
    let (modulus, exponent) =
        public_numbers(pair.public_key().as_ref()).ok_or_else(|| unspecified(operation))?;
    let (n, e) = (BASE64.encode(modulus), BASE64.encode(exponent));
    let id = thumbprint(&n, &e);
    let public_jwk = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e,
    });
    Ok(NewKey {
        id,
        public_jwk,
        pkcs8,
    })
}

const fn unspecified(operation: &'static str) -> IssuerError {
    IssuerError::Key {
        operation,
        source: None,
    }
}

impl PrivateKey {
    pub(crate) fn read(pkcs8: &Plain) -> Result<Self, IssuerError> {
        KeyPair::from_pkcs8(pkcs8.expose())
            .map(Self)
            .map_err(failed("read a signing key"))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IssuerError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        // PKCS #1 v1.5 is deterministic; the generator only blinds.
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &aws_lc_rs::rand::SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| unspecified("sign an assertion"))?;
        Ok(signature)
    }
}

/// RFC 7638, section 3.2: the required members in lexicographic order, without
/// white space.
fn thumbprint(n: &str, e: &str) -> String {
    let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    BASE64.encode(digest)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, appendix A.1.1):
/// `SEQUENCE { INTEGER, INTEGER }` in DER.
fn public_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, rest) = element(der, 0x30)?;
    let (modulus, after) = element(sequence, 0x02)?;
    let (exponent, end) = element(after, 0x02)?;
    (rest.is_empty() && end.is_empty()).then(|| (unsigned(modulus), unsigned(exponent)))
}

/// The contents of the DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    if *length < 0x80 {
        return rest.split_at_checked(usize::from(*length));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
    let mut length = 0_usize;
    for digit in digits {
        length = length.checked_mul(256)?.checked_add(usize::from(*digit))?;
    }
    rest.split_at_checked(length)
}

/// Without the zero that keeps an INTEGER positive: RFC 7518 wants the fewest
/// octets.
fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_is_the_one_of_the_rfc() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(thumbprint(n, "AQAB"), expected);
    }

    #[test]
    fn damaged_public_keys_are_no_numbers() {
        let good = [0x30, 6, 2, 1, 5, 2, 1, 3];
        assert_eq!(public_numbers(&good), Some((&[5][..], &[3][..])));
        for cut in 0..good.len() {
            assert_eq!(public_numbers(&good[..cut]), None);
        }
        assert_eq!(public_numbers(&[0x30, 0x88, 255, 255]), None);
        assert_eq!(unsigned(&[0, 129]), [129]);
    }
}
