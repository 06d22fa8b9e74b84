//! What goes wrong on purpose, and what is written down.

mod support;

use landfall_sandbox::Config;
use serde_json::json;
use support::{Sandbox, allow, trust};

const ID: &str = "lf-0123456789";

#[tokio::test]
async fn a_lost_answer_was_accepted() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    sandbox
        .admin(
            "/_sandbox/faults",
            json!({
                "kind": "lost_answer",
                "match": {"service": "iam", "operation": "CreateRole"},
            }),
        )
        .await;
    let document = trust("111122223333", ID);
    let request = |name: &str| support::Signable {
        method: "POST",
        service: "iam",
        path: "/",
        headers: Vec::new(),
        body: form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "CreateRole")
            .append_pair("Version", "2010-05-08")
            .append_pair("RoleName", name)
            .append_pair("AssumeRolePolicyDocument", &document)
            .finish(),
    };
    let lost = sandbox.send(&who, request("r")).await;
    assert!(lost.is_err(), "{lost:?}");
    sandbox
        .iam(&who, "GetRole", &[("RoleName", "r")])
        .await
        .expect_ok();
    let again = sandbox.send(&who, request("s")).await.unwrap();
    assert_eq!(again.status, 200, "the fault was used up");
    let log = sandbox.see("/_sandbox/requests?operation=CreateRole").await;
    let faults: Vec<_> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["fault"].clone())
        .collect();
    assert_eq!(faults, [json!("lost_answer"), json!(null)]);
}

#[tokio::test]
async fn server_errors_and_throttling_happen_before_anything_is_done() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let document = trust("111122223333", ID);
    let create = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    for (kind, status, code) in [
        ("http_500", 500, "ServiceFailure"),
        ("throttle", 400, "Throttling"),
    ] {
        sandbox
            .admin(
                "/_sandbox/faults",
                json!({"kind": kind, "match": {"account": who.keys.account}, "times": 2}),
            )
            .await;
        sandbox
            .iam(&sandbox.other_customer(), "ListRoles", &[])
            .await
            .expect_ok();
        for _ in 0..2 {
            let answer = sandbox.iam(&who, "CreateRole", &create).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
        }
        assert_eq!(
            sandbox
                .iam(&who, "GetRole", &[("RoleName", "r")])
                .await
                .code(),
            "NoSuchEntity"
        );
    }
}

#[tokio::test]
async fn dice_fall_the_same_for_the_same_seed() {
    let outcomes = async |seed| {
        let sandbox = Sandbox::new(Config {
            seed,
            throttle: 0.3,
            error_rate: 0.2,
            ..Config::default()
        })
        .await;
        let who = sandbox.customer();
        let mut codes = Vec::new();
        for _ in 0..60 {
            codes.push(sandbox.sts(&who, "GetCallerIdentity", &[]).await.code());
        }
        codes
    };
    let first = outcomes(7).await;
    assert_eq!(first, outcomes(7).await);
    assert_ne!(first, outcomes(8).await);
    for code in ["ok", "Throttling", "InternalFailure"] {
        assert!(first.iter().any(|c| c == code), "no {code} in {first:?}");
    }
}

#[tokio::test]
async fn knobs_turn_while_it_runs() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    sandbox
        .admin("/_sandbox/settings", json!({"throttle": 1.0}))
        .await;
    assert_eq!(
        sandbox.sts(&who, "GetCallerIdentity", &[]).await.code(),
        "Throttling"
    );
    sandbox
        .admin("/_sandbox/settings", json!({"throttle": 0.0}))
        .await;
    sandbox
        .sts(&who, "GetCallerIdentity", &[])
        .await
        .expect_ok();
}

#[tokio::test]
async fn the_log_tells_who_asked_what_and_keeps_secrets_out() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox
        .grant("r", ID, allow(&["s3:CANARY-IN-POLICY", "iam:GetRole"]))
        .await;
    let session = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID)],
        )
        .await
        .unwrap();
    sandbox.iam(&session, "ListRoles", &[]).await;
    sandbox
        .cloud_control(
            &session,
            "CreateResource",
            json!({
                "TypeName": "AWS::S3::Bucket",
                "ClientToken": "token-1",
                "DesiredState": "{\"BucketName\":\"canary-in-state\"}",
            }),
        )
        .await
        .unwrap();
    let mut stranger = sandbox.customer();
    stranger.keys.access_key_id = "AKIAAAAAAAAAAAAAAAAA".to_owned();
    sandbox.sts(&stranger, "GetCallerIdentity", &[]).await;

    let log = sandbox.see("/_sandbox/requests").await;
    let requests = log["requests"].as_array().unwrap();
    let operations: Vec<&str> = requests
        .iter()
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect();
    assert_eq!(
        operations,
        [
            "CreateRole",
            "PutRolePolicy",
            "AssumeRole",
            "ListRoles",
            "CreateResource",
            "GetCallerIdentity"
        ]
    );
    let seqs: Vec<u64> = requests
        .iter()
        .map(|e| e["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    let assumed = &requests[2];
    assert_eq!(assumed["target"], role.as_str());
    assert_eq!(assumed["account"], sandbox.operator().keys.account.as_str());
    let denied = &requests[3];
    assert_eq!(denied["error"], "AccessDenied");
    assert_eq!(denied["principal"], role.as_str());
    assert_eq!(denied["session_name"], "test");
    let create = &requests[4];
    assert_eq!(create["type"], "AWS::S3::Bucket");
    assert_eq!(create["client_token"], "token-1");
    assert_eq!(requests[5]["account"], json!(null));
    assert_eq!(requests[5]["error"], "InvalidClientTokenId");

    let text = log.to_string();
    let token = session.keys.session_token.unwrap();
    for secret in [
        ID,
        "CANARY-IN-POLICY",
        "canary-in-state",
        session.keys.secret_access_key.as_str(),
        token.as_str(),
    ] {
        assert!(!text.contains(secret), "the log holds {secret}");
    }
    let later = sandbox.see("/_sandbox/requests?after=4&limit=1").await;
    assert_eq!(later["requests"][0]["seq"], 5);
}

#[tokio::test]
async fn a_person_edits_a_role_behind_our_back() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let role = sandbox.grant("r", ID, allow(&["iam:GetRole"])).await;
    let edit = async |body: serde_json::Value| {
        let mut body = body;
        body["account"] = json!(who.keys.account);
        body["role"] = json!("r");
        sandbox.admin("/_sandbox/iam/role", body).await
    };
    edit(
        json!({"inline": {"main": null, "other": allow(&["s3:*"])}, "max_session_duration": 7200}),
    )
    .await;
    let names = sandbox
        .iam(&who, "ListRolePolicies", &[("RoleName", "r")])
        .await;
    assert_eq!(names.texts("member"), ["other"]);
    edit(json!({"trust": serde_json::from_str::<serde_json::Value>(&trust("111122223333", "x")).unwrap()}))
        .await;
    assert_eq!(
        sandbox
            .assume(
                &sandbox.operator(),
                &[("RoleArn", &role), ("ExternalId", ID)]
            )
            .await
            .unwrap_err()
            .code(),
        "AccessDenied"
    );
    let response = sandbox
        .http
        .post(sandbox.url("/_sandbox/iam/role"))
        .json(&json!({
            "account": who.keys.account,
            "role": "r",
            "inline": {"good": allow(&["s3:*"]), "zbad": "{}"},
        }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    let names = sandbox
        .iam(&who, "ListRolePolicies", &[("RoleName", "r")])
        .await;
    assert_eq!(
        names.texts("member"),
        ["other"],
        "all of an edit or nothing"
    );
}

#[tokio::test]
async fn a_reset_keeps_the_keys_and_nothing_else() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    sandbox.grant("r", ID, allow(&["s3:*"])).await;
    sandbox.admin("/_sandbox/reset", json!({})).await;
    assert_eq!(
        sandbox.see("/_sandbox/requests").await["requests"],
        json!([])
    );
    assert_eq!(
        sandbox
            .iam(&who, "GetRole", &[("RoleName", "r")])
            .await
            .code(),
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn nonsense_at_the_back_door_is_refused() {
    let sandbox = Sandbox::plain().await;
    for (path, body) in [
        ("/_sandbox/faults", json!({"kind": "explode"})),
        (
            "/_sandbox/faults",
            json!({"kind": "throttle", "matches": {}}),
        ),
        (
            "/_sandbox/faults",
            json!({"kind": "throttle", "match": {"acount": "1"}}),
        ),
        ("/_sandbox/faults", json!({"kind": "throttle", "times": 0})),
        ("/_sandbox/clock", json!({"advance_seconds": -1})),
        ("/_sandbox/clock", json!({})),
        ("/_sandbox/settings", json!({"throttle": 2.0})),
        ("/_sandbox/iam/scp", json!({"account": "1", "policy": {}})),
        ("/_sandbox/iam/role", json!({"account": "1", "role": "r"})),
        (
            "/_sandbox/regions",
            json!({"account": "1", "region": "eu-west-1", "enabled": false}),
        ),
    ] {
        let response = sandbox
            .http
            .post(sandbox.url(path))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(response.status().is_client_error(), "{path} {body}");
    }
}
