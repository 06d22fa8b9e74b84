//! The template bucket: everybody reads, its owner writes.

mod cloud;
mod support;

use cloud::{BUCKET, Cloud};
use serde_json::json;
use support::{Answer, As, Sandbox, allow};

const KEY: &str = "/templates/operator-bucket/landfall/v1.json";

async fn put(sandbox: &Sandbox, who: &As, path: &str) -> Answer {
    sandbox.object(who, "PUT", path, "{}").await
}

async fn is_there(sandbox: &Sandbox, path: &str) -> bool {
    let response = sandbox.http.get(sandbox.url(path)).send().await.unwrap();
    response.status() == 200
}

#[tokio::test]
async fn nobody_writes_without_a_signature_of_the_buckets_owner() {
    let sandbox = Sandbox::plain().await;
    let url = sandbox.url(KEY);
    let unsigned = sandbox.http.put(&url).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 403);
    let text = unsigned.text().await.unwrap();
    assert!(text.contains("<Code>AccessDenied</Code>"), "{text}");

    let operator = sandbox.operator();
    let with = |change: &dyn Fn(&mut As)| {
        let mut who = operator.clone();
        change(&mut who);
        who
    };
    for (who, code) in [
        (sandbox.customer(), "AccessDenied"),
        (
            with(&|who| who.keys.secret_access_key.push('x')),
            "SignatureDoesNotMatch",
        ),
        (
            with(&|who| who.keys.access_key_id = "AKIAAAAAAAAAAAAAAAAA".to_owned()),
            "InvalidAccessKeyId",
        ),
        (
            with(&|who| who.clock_offset = -3_600),
            "RequestTimeTooSkewed",
        ),
        (
            with(&|who| who.region = "mars-1"),
            "AuthorizationHeaderMalformed",
        ),
    ] {
        let refused = put(&sandbox, &who, KEY).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
    }
    assert!(!is_there(&sandbox, KEY).await);

    put(&sandbox, &operator, KEY).await.expect_ok();
    assert!(is_there(&sandbox, KEY).await, "anybody may read");
    let unsigned = sandbox.http.delete(&url).send().await.unwrap();
    assert_eq!(unsigned.status(), 403);
    let gone = sandbox.object(&operator, "DELETE", KEY, "").await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert!(!is_there(&sandbox, KEY).await);
}

#[tokio::test]
async fn a_bucket_that_somebody_made_is_theirs_and_their_policies_decide() {
    let sandbox = cloud::still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let bucket = json!({"BucketName": "customers-own"});
    cloud.create(BUCKET, bucket).await;
    let path = "/templates/customers-own/landfall/t.json";
    let refused = put(&sandbox, &sandbox.operator(), path).await;
    assert_eq!(refused.code(), "AccessDenied");
    put(&sandbox, &cloud.who, path).await.expect_ok();

    let reader = cloud.session("reader", allow(&["s3:GetObject"])).await;
    let refused = put(&sandbox, &reader, path).await;
    assert_eq!(refused.code(), "AccessDenied");
    assert!(
        refused
            .body
            .contains("not authorized to perform: s3:PutObject"),
        "{}",
        refused.body
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::customers-own/landfall/*"}]});
    let writer = cloud.session("writer", policy).await;
    put(&sandbox, &writer, path).await.expect_ok();
    let elsewhere = put(&sandbox, &writer, "/templates/customers-own/other/t.json").await;
    assert_eq!(elsewhere.code(), "AccessDenied");
    let deleted = sandbox.object(&writer, "DELETE", path, "").await;
    assert_eq!(deleted.code(), "AccessDenied");
}

#[tokio::test]
async fn a_path_is_signed_as_s3_signs_it() {
    let sandbox = Sandbox::plain().await;
    let operator = sandbox.operator();
    // Encoded once, and neither dots nor doubled slashes removed.
    for path in [
        "/templates/operator-bucket/a%20b%2Bc.json",
        "/templates/operator-bucket/a//b.json",
    ] {
        put(&sandbox, &operator, path).await.expect_ok();
        assert!(is_there(&sandbox, path).await, "{path}");
    }
    let other = support::Signable {
        method: "PUT",
        service: "sts",
        path: KEY,
        headers: Vec::new(),
        body: "{}".to_owned(),
    };
    let refused = sandbox.send(&operator, other).await.unwrap();
    assert_eq!(refused.code(), "AuthorizationHeaderMalformed");
    let signed = support::Signable {
        method: "PUT",
        service: "s3",
        path: KEY,
        headers: Vec::new(),
        body: "{}".to_owned(),
    };
    let refused = sandbox.send(&operator, signed).await.unwrap();
    assert!(
        refused.body.contains("x-amz-content-sha256"),
        "{}",
        refused.body
    );
}
