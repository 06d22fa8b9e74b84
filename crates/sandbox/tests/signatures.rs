//! Who is not let in, in the words of each protocol.

mod support;

use serde_json::json;
use std::time::Duration;
use support::{As, Sandbox, Signable};

async fn codes(sandbox: &Sandbox, who: &As) -> [String; 3] {
    [
        sandbox.sts(who, "GetCallerIdentity", &[]).await.code(),
        sandbox
            .cloud_control(who, "ListResources", json!({"TypeName": "AWS::S3::Bucket"}))
            .await
            .unwrap()
            .code(),
        sandbox
            .account_api(who, "/listRegions", json!({}))
            .await
            .code(),
    ]
}

#[tokio::test]
async fn an_administrator_is_told_who_it_is() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let answer = sandbox
        .sts(&who, "GetCallerIdentity", &[])
        .await
        .expect_ok();
    assert_eq!(answer.text("Account"), who.keys.account);
    assert_eq!(
        answer.text("Arn"),
        format!("arn:aws:iam::{}:user/administrator", who.keys.account)
    );
    assert_eq!(
        answer.headers["x-amzn-requestid"].to_str().unwrap(),
        answer.text("RequestId")
    );
    assert!(
        answer
            .body
            .contains("https://sts.amazonaws.com/doc/2011-06-15/")
    );
}

#[tokio::test]
async fn unknown_keys_and_wrong_secrets_are_refused_in_each_protocol() {
    let sandbox = Sandbox::plain().await;
    let mut unknown = sandbox.customer();
    unknown.keys.access_key_id = "AKIAAAAAAAAAAAAAAAAA".to_owned();
    assert_eq!(
        codes(&sandbox, &unknown).await,
        [
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "UnrecognizedClientException"
        ]
    );
    let mut wrong = sandbox.customer();
    wrong.keys.secret_access_key.push('x');
    assert_eq!(
        codes(&sandbox, &wrong).await,
        [
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "InvalidSignatureException"
        ]
    );
    let mut with_token = sandbox.customer();
    with_token.keys.session_token = Some("made up".to_owned());
    assert_eq!(
        codes(&sandbox, &with_token).await[0],
        "InvalidClientTokenId"
    );
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused() {
    let sandbox = Sandbox::plain().await;
    let response = sandbox
        .http
        .post(sandbox.url("/"))
        .body("Action=GetCallerIdentity&Version=2011-06-15")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains("<Code>MissingAuthenticationToken</Code>")
    );
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let signed = Signable {
        method: "POST",
        service: "sts",
        path: "/",
        headers: Vec::new(),
        body: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
    };
    let host = sandbox.running.addr.to_string();
    let mut request = sandbox
        .http
        .post(sandbox.url("/"))
        .body("Action=GetCallerIdentity&Version=2011-06-16");
    for (name, value) in signed.signed_headers(&who, &host) {
        request = request.header(name, value);
    }
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
}

#[tokio::test]
async fn a_header_that_means_something_must_be_signed() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let role = sandbox.grant("r", "lf-1", support::allow(&["s3:*"])).await;
    let wanted = [("RoleArn", role.as_str()), ("ExternalId", "lf-1")];
    let mut session = sandbox.assume(&sandbox.operator(), &wanted).await.unwrap();
    let token = session.keys.session_token.take().unwrap();
    let host = sandbox.running.addr.to_string();
    let listing = "CloudApiService.ListResources";
    for (who, service, name, value) in [
        (&who, "cloudcontrolapi", "x-amz-target", listing),
        (&session, "sts", "x-amz-security-token", token.as_str()),
        (&who, "account", "x-amz-anything", "1"),
    ] {
        let signed = Signable {
            method: "POST",
            service,
            path: "/",
            headers: Vec::new(),
            body: r#"{"TypeName": "AWS::S3::Bucket"}"#.to_owned(),
        };
        let mut request = sandbox
            .http
            .post(sandbox.url("/"))
            .header(name, value)
            .body(signed.body.clone());
        for (name, value) in signed.signed_headers(who, &host) {
            request = request.header(name, value);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        let said = format!("which were not signed: {name}");
        assert!(text.contains(&said), "{service}: {text}");
    }
}

#[tokio::test]
async fn signatures_age_by_the_machines_clock_or_the_moved_one() {
    let sandbox = Sandbox::new(landfall_sandbox::Config {
        speed: 600.0,
        ..Default::default()
    })
    .await;
    let mut who = sandbox.customer();
    assert_eq!(codes(&sandbox, &who).await, ["ok", "ok", "ok"]);
    who.clock_offset = -360;
    assert_eq!(
        codes(&sandbox, &who).await,
        [
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "InvalidSignatureException"
        ]
    );
    who.clock_offset = 37 * 3600;
    assert_eq!(codes(&sandbox, &who).await[0], "SignatureDoesNotMatch");
    sandbox.advance(Duration::from_secs(37 * 3600)).await;
    assert_eq!(codes(&sandbox, &who).await, ["ok", "ok", "ok"]);
    who.clock_offset = 0;
    assert_eq!(codes(&sandbox, &who).await, ["ok", "ok", "ok"]);
}

#[tokio::test]
async fn a_region_that_is_off_does_not_know_the_keys() {
    let sandbox = Sandbox::plain().await;
    let mut who = sandbox.customer();
    who.region = "eu-south-2";
    assert_eq!(
        codes(&sandbox, &who).await,
        ["InvalidClientTokenId", "UnrecognizedClientException", "ok"]
    );
    let regions = sandbox
        .account_api(
            &who,
            "/listRegions",
            json!({"RegionOptStatusContains": ["DISABLED"]}),
        )
        .await
        .json();
    assert_eq!(
        regions["Regions"],
        json!([{"RegionName": "eu-south-2", "RegionOptStatus": "DISABLED"}])
    );
    sandbox
        .account_api(&who, "/enableRegion", json!({"RegionName": "eu-south-2"}))
        .await
        .expect_ok();
    assert_eq!(codes(&sandbox, &who).await, ["ok", "ok", "ok"]);
    who.region = "mars-1";
    assert_eq!(codes(&sandbox, &who).await[0], "SignatureDoesNotMatch");
}

#[tokio::test]
async fn regions_are_listed_in_pages() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let mut seen = Vec::new();
    let mut token = serde_json::Value::Null;
    loop {
        let mut body = json!({"MaxResults": 4});
        if !token.is_null() {
            body["NextToken"] = token;
        }
        let page = sandbox
            .account_api(&who, "/listRegions", body)
            .await
            .expect_ok()
            .json();
        seen.extend(page["Regions"].as_array().unwrap().clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let on = seen
        .iter()
        .filter(|region| region["RegionOptStatus"] == "ENABLED_BY_DEFAULT")
        .count();
    assert_eq!((seen.len(), on), (9, 8));
}
