//! Signature version 4, from the verifying side (AWS docs: "AWS Signature
//! Version 4 for API requests").

use super::request::Captured;
use crate::clock::{Instant, SimClock};
use aws_lc_rs::{constant_time, digest, hmac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
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
        let seconds = required("X-Amz-Expires")?.parse().map_err(|_| {
            AuthError::Incomplete("X-Amz-Expires must be a number of seconds".to_owned())
        })?;
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
        let actual_hash = sha256_hex(&request.body);
        let payload = match request.header("x-amz-content-sha256") {
            _ if self.presigned_for.is_some() => actual_hash,
            None => actual_hash,
            Some(unsigned @ "UNSIGNED-PAYLOAD") => unsigned.to_owned(),
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
            canonical_path(&request.path),
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
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn request(method: Method, query: &str, headers: &[(&str, &str)], body: &str) -> Captured {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        Captured {
            method,
            path: "/".to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::from(body.to_owned()),
        }
    }

    fn authorization(service: &str, signed_headers: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders={signed_headers}, Signature={signature}"
        )
    }

    fn verify(request: &Captured, secret: &str) -> Result<(), AuthError> {
        Unverified::read(request)?.verify(request, secret)
    }

    // AWS docs: "Examples of how to derive a signing key for Signature Version 4".
    #[test]
    fn derives_the_published_signing_key() {
        let key = signing_key(SECRET, "20120215", "us-east-1", "iam");
        assert_eq!(
            hex::encode(key),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
    }

    // AWS docs: the ListUsers request of the signing walkthrough.
    #[test]
    fn accepts_the_published_list_users_request() {
        let authorization = authorization(
            "iam",
            "content-type;host;x-amz-date",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        );
        let mut signed = request(
            Method::GET,
            "Action=ListUsers&Version=2010-05-08",
            &[
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                ("authorization", &authorization),
            ],
            "",
        );
        assert_eq!(verify(&signed, SECRET), Ok(()));
        assert_eq!(verify(&signed, "another secret"), Err(AuthError::Mismatch));
        signed.query = "Action=ListRoles&Version=2010-05-08".to_owned();
        assert_eq!(verify(&signed, SECRET), Err(AuthError::Mismatch));
    }

    // The Signature Version 4 test suite: get-vanilla,
    // get-vanilla-query-order-key-case, post-x-www-form-urlencoded.
    #[test]
    fn accepts_the_published_test_suite() {
        let cases = [
            (
                Method::GET,
                "",
                "",
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "Param2=value2&Param1=value1",
                "",
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                Method::POST,
                "",
                "application/x-www-form-urlencoded",
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ];
        for (method, query, content_type, body, signature) in cases {
            let mut headers = vec![
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ];
            let mut signed_headers = "host;x-amz-date".to_owned();
            if !content_type.is_empty() {
                headers.push(("content-type", content_type));
                signed_headers = format!("content-type;{signed_headers}");
            }
            let authorization = authorization("service", &signed_headers, signature);
            headers.push(("authorization", &authorization));
            let signed = request(method, query, &headers, body);
            assert_eq!(verify(&signed, SECRET), Ok(()), "{query}{body}");
            let mut tampered = signed;
            tampered.body = Bytes::from_static(b"Param1=value2");
            assert_eq!(verify(&tampered, SECRET), Err(AuthError::Mismatch));
        }
    }

    #[test]
    fn accepts_either_clock_of_a_client_and_no_other() {
        let unverified = |date: &str| Unverified {
            access_key_id: String::new(),
            region: String::new(),
            service: String::new(),
            security_token: None,
            scope_date: date[..8].to_owned(),
            signed_headers: Vec::new(),
            signature: String::new(),
            date: date.to_owned(),
            presigned_for: None,
        };
        let start = parse_date("20261121T080000Z").unwrap();
        let mut clock = SimClock::frozen(start);
        assert_eq!(unverified("20261121T080459Z").check_date(&clock), Ok(start));
        assert!(unverified("20261121T080501Z").check_date(&clock).is_err());
        assert!(unverified("20261121T075459Z").check_date(&clock).is_err());
        clock.advance(Duration::from_secs(37 * 3600));
        assert_eq!(unverified("20261121T080000Z").check_date(&clock), Ok(start));
        assert_eq!(
            unverified("20261122T210000Z").check_date(&clock),
            Ok(clock.wall())
        );
        assert!(unverified("20261121T140000Z").check_date(&clock).is_err());
    }

    #[test]
    fn names_what_an_authorization_lacks() {
        let bare = request(Method::POST, "", &[("host", "x")], "");
        assert_eq!(Unverified::read(&bare), Err(AuthError::Missing));
        for header in [
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=a/b/c/aws4_request, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=date, Signature=0",
        ] {
            let request = request(
                Method::POST,
                "",
                &[
                    ("host", "x"),
                    ("x-amz-date", "20261121T080000Z"),
                    ("authorization", header),
                ],
                "",
            );
            assert!(
                matches!(Unverified::read(&request), Err(AuthError::Incomplete(_))),
                "{header}"
            );
        }
    }
}
