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

#[test]
fn a_query_string_signs_with_one_algorithm_and_for_a_week_at_most() {
    let read = |algorithm: &str, expires: &str| {
        let query = format!(
            "{algorithm}X-Amz-Credential=a%2Fb%2Fc%2Fd%2Faws4_request&X-Amz-SignedHeaders=host\
             &X-Amz-Date=20261121T080000Z&X-Amz-Expires={expires}&X-Amz-Signature=0"
        );
        let presigned = request(Method::GET, &query, &[("host", "x")], "");
        match Unverified::read(&presigned) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let hmac = "X-Amz-Algorithm=AWS4-HMAC-SHA256&";
    assert_eq!(read(hmac, "604800"), "ok");
    for (algorithm, expires, what) in [
        (hmac, "604801", "less than a week"),
        (hmac, "-1", "should be a number"),
        ("", "60", "must include 'X-Amz-Algorithm'"),
        (
            "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&",
            "60",
            "only supports",
        ),
    ] {
        let said = read(algorithm, expires);
        assert!(said.contains(what), "{said}");
    }
}

// AWS docs: "Signature Calculations for the Authorization Header", the PUT of
// an object whose key is encoded once, and the presigned GET.
#[test]
fn accepts_the_published_s3_requests() {
    const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={scope}, \
         SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
         Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        (
            "x-amz-content-sha256",
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        ),
        ("authorization", &authorization),
    ];
    let mut put = request(Method::PUT, "", &headers, "Welcome to Amazon S3.");
    for path in ["/test$file.text", "/test%24file.text"] {
        put.path = path.to_owned();
        assert_eq!(verify(&put, S3_SECRET), Ok(()), "{path}");
    }
    put.path = "/./test$file.text".to_owned();
    assert_eq!(verify(&put, S3_SECRET), Err(AuthError::Mismatch));

    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date=20130524T000000Z\
         &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        scope.replace('/', "%2F")
    );
    let mut get = request(Method::GET, &query, &headers[..1], "");
    get.path = "/test.txt".to_owned();
    assert_eq!(verify(&get, S3_SECRET), Ok(()));
}
