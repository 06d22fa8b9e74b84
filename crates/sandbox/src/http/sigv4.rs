//! Signature version 4, from the verifying side (AWS docs: "AWS Signature
//! Version 4 for API requests").

use super::request::Captured;
use crate::clock::{Instant, SimClock};
use aws_lc_rs::{constant_time, digest, hmac};
use axum::http::HeaderName;
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that signs its own way.
pub(super) const S3: &str = "s3";
/// Longest life of a request that is signed in its query string.
const PRESIGNED_SECONDS: u64 = 604_800;
/// How far a client's clock may be off.
const SKEW: Duration = Duration::from_secs(300);
/// Everything but the unreserved characters of RFC 3986 is encoded.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why a request is not authenticated. Each protocol names these differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("Request is missing Authentication Token")]
    Missing,
    #[error("{0}")]
    Incomplete(String),
    /// Headers that change what a request means and that anybody could have added.
    #[error("There were headers present in the request which were not signed: {0}")]
    Unsigned(String),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
    #[error("{0}")]
    Skewed(String),
    #[error("The security token included in the request is expired")]
    Expired,
}

/// What a request claims about its signer, before the signature is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unverified {
    pub access_key_id: String,
    pub region: String,
    pub service: String,
    pub security_token: Option<String>,
    scope_date: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `20261121T080000Z`
    date: String,
    /// Signed in the query string, valid for this long.
    presigned_for: Option<Duration>,
}

impl Unverified {
    pub(crate) fn read(request: &Captured) -> Result<Self, AuthError> {
        match request.header("authorization") {
            Some(header) => Self::from_header(request, header),
            None if request.query.contains("X-Amz-Signature=") => Self::from_query(request),
            None => Err(AuthError::Missing),
        }
    }

    fn from_header(request: &Captured, header: &str) -> Result<Self, AuthError> {
        let incomplete = |what: &str| {
            AuthError::Incomplete(format!(
                "Authorization header requires '{what}' parameter. Authorization={ALGORITHM}"
            ))
        };
        let Some(fields) = header.strip_prefix(ALGORITHM) else {
            return Err(AuthError::Incomplete(
                "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is supported".to_owned(),
            ));
        };
        let field = |name: &str| {
            fields
                .split(',')
                .filter_map(|field| field.trim().split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim().to_owned())
                .ok_or_else(|| incomplete(name))
        };
        let date = request.header("x-amz-date").ok_or_else(|| {
            AuthError::Incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header."
                    .to_owned(),
            )
        })?;
        Self::assemble(
            &field("Credential")?,
            &field("SignedHeaders")?,
            field("Signature")?,
            date.to_owned(),
            request.header("x-amz-security-token").map(str::to_owned),
            None,
        )
    }

    fn from_query(request: &Captured) -> Result<Self, AuthError> {
        let pairs = decoded_query(&request.query);
        let field = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let required = |name: &str| {
            field(name).ok_or_else(|| {
                AuthError::Incomplete(format!("AWS query-string parameters must include '{name}'"))
            })
        };
        if required("X-Amz-Algorithm")? != ALGORITHM {
            return Err(AuthError::Incomplete(format!(
                "X-Amz-Algorithm only supports \"{ALGORITHM}\""
            )));
        }
        let seconds: u64 = required("X-Amz-Expires")?
            .parse()
            .map_err(|_| AuthError::Incomplete("X-Amz-Expires should be a number".to_owned()))?;
        if seconds > PRESIGNED_SECONDS {
            return Err(AuthError::Incomplete(format!(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                 X-Amz-Expires must be less than {PRESIGNED_SECONDS} seconds"
            )));
        }
        Self::assemble(
            &required("X-Amz-Credential")?,
            &required("X-Amz-SignedHeaders")?,
            required("X-Amz-Signature")?,
            required("X-Amz-Date")?,
            field("X-Amz-Security-Token"),
            Some(Duration::from_secs(seconds)),
        )
    }

    fn assemble(
        credential: &str,
        signed_headers: &str,
        signature: String,
        date: String,
        security_token: Option<String>,
        presigned_for: Option<Duration>,
    ) -> Result<Self, AuthError> {
        let scope: Vec<&str> = credential.split('/').collect();
        let [key, scope_date, region, service, "aws4_request"] = scope[..] else {
            return Err(AuthError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            )));
        };
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(AuthError::Incomplete(
                "'Host' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
            ));
        }
        Ok(Self {
            access_key_id: key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            security_token,
            scope_date: scope_date.to_owned(),
            signed_headers,
            signature,
            date,
            presigned_for,
        })
    }

    /// Checks that `secret` signed exactly this request.
    pub(crate) fn verify(&self, request: &Captured, secret: &str) -> Result<(), AuthError> {
        let unsigned: Vec<&str> = request
            .headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-"))
            .filter(|name| !self.signed_headers.iter().any(|signed| signed == name))
            .collect();
        if !unsigned.is_empty() {
            return Err(AuthError::Unsigned(unsigned.join(", ")));
        }
        let canonical = self.canonical(request)?;
        let expected = sign(
            secret,
            &self.date,
            &self.scope_date,
            &self.region,
            &self.service,
            &canonical,
        );
        constant_time::verify_slices_are_equal(expected.as_bytes(), self.signature.as_bytes())
            .map_err(|_| AuthError::Mismatch)
    }

    /// Checks the date against the client's possible clocks and returns the
    /// time by the one that it follows: the machine's, or the machine's as far
    /// as `/_sandbox/clock` moved it (see [`crate::clock`]).
    pub(crate) fn check_date(&self, clock: &SimClock) -> Result<Instant, AuthError> {
        let signed_at = parse_date(&self.date)
            .filter(|_| self.date.starts_with(&self.scope_date))
            .ok_or_else(|| {
                AuthError::Incomplete(format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of \
                     date from HTTP: '{}' != '{}'",
                    self.scope_date, self.date
                ))
            })?;
        let lifetime = self.presigned_for.unwrap_or(SKEW);
        let current =
            |now: &Instant| now.since(signed_at) <= lifetime && signed_at.since(*now) <= SKEW;
        let machine = clock.machine();
        if let Some(now) = [machine, clock.wall()].into_iter().find(current) {
            return Ok(now);
        }
        Err(AuthError::Skewed(if signed_at < machine {
            format!(
                "Signature expired: {} is now earlier than {} ({} - 5 min.)",
                self.date,
                compact(Instant(machine.0 - SKEW.as_millis() as i64)),
                compact(machine)
            )
        } else {
            format!(
                "Signature not yet current: {} is still later than {} ({} + 5 min.)",
                self.date,
                compact(machine.plus(SKEW)),
                compact(machine)
            )
        }))
    }

    fn canonical(&self, request: &Captured) -> Result<String, AuthError> {
        const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
        let s3 = self.service == S3;
        let actual_hash = sha256_hex(&request.body);
        let payload = match request.header("x-amz-content-sha256") {
            // A link to an object is made before its body is known.
            _ if self.presigned_for.is_some() && s3 => UNSIGNED.to_owned(),
            _ if self.presigned_for.is_some() => actual_hash,
            None if s3 => {
                return Err(AuthError::Incomplete(
                    "Missing required header for this request: x-amz-content-sha256".to_owned(),
                ));
            }
            None => actual_hash,
            Some(UNSIGNED) if s3 => UNSIGNED.to_owned(),
            // A header that is signed but does not describe this body would
            // let a body be exchanged under a valid signature.
            Some(claimed) if claimed == actual_hash => actual_hash,
            Some(_) => return Err(AuthError::Mismatch),
        };
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = request
                .headers
                .get_all(name.as_str())
                .iter()
                .filter_map(|value| value.to_str().ok())
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            if values.is_empty() {
                return Err(AuthError::Mismatch);
            }
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        Ok(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            request.method,
            if s3 {
                encoded_once(&request.path)
            } else {
                canonical_path(&request.path)
            },
            canonical_query(&request.query),
            self.signed_headers.join(";"),
        ))
    }
}

/// The signature of a canonical request.
fn sign(
    secret: &str,
    date: &str,
    scope_date: &str,
    region: &str,
    service: &str,
    canonical: &str,
) -> String {
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{scope_date}/{region}/{service}/aws4_request\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let key = signing_key(secret, scope_date, region, service);
    hex::encode(mac(&key, to_sign.as_bytes()))
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> hmac::Tag {
    let mut key = mac_with(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    key
}

fn mac(key: &hmac::Tag, data: &[u8]) -> hmac::Tag {
    mac_with(key.as_ref(), data)
}

fn mac_with(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

fn sha256_hex(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}

/// S3's keys may contain anything: their path is encoded once, dots and doubled
/// slashes included.
fn encoded_once(path: &str) -> String {
    path.split('/')
        .map(|segment| {
            let decoded: Vec<u8> = percent_decode_str(segment).collect();
            percent_encode(&decoded, STRICT).to_string()
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Every service but S3 encodes the path once more than it was sent, after
/// removing dot segments and doubled slashes.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    if segments.is_empty() {
        return "/".to_owned();
    }
    let mut canonical: String = segments
        .iter()
        .map(|segment| format!("/{}", utf8_percent_encode(segment, STRICT)))
        .collect();
    if path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = decoded_query(query)
        .into_iter()
        .filter(|(key, _)| key != "X-Amz-Signature")
        .map(|(key, value)| (encode(&key), encode(&value)))
        .collect();
    pairs.sort();
    pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

fn decoded_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn parse_date(date: &str) -> Option<Instant> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = PrimitiveDateTime::parse(date, format).ok()?.assume_utc();
    Some(Instant(at.unix_timestamp() * 1000))
}

fn compact(at: Instant) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.unix_seconds())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format_description!(
        "[year][month][day]T[hour][minute][second]Z"
    ))
    .unwrap_or_default()
}

#[cfg(test)]
mod tests;
