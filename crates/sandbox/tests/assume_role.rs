//! AssumeRole: trust, external ids, durations, lag, what a session may do.

mod support;

use landfall_sandbox::Config;
use serde_json::json;
use std::time::Duration;
use support::{Sandbox, allow, now_seconds, trust};

const ID: &str = "lf-0123456789";

#[tokio::test]
async fn only_the_right_external_id_opens() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox
        .grant("landfall-provisioner", ID, allow(&["s3:*"]))
        .await;
    let operator = sandbox.operator();
    let session = sandbox
        .assume(&operator, &[("RoleArn", &role), ("ExternalId", ID)])
        .await
        .unwrap();
    let identity = sandbox
        .sts(&session, "GetCallerIdentity", &[])
        .await
        .expect_ok();
    assert_eq!(
        identity.text("Arn"),
        format!(
            "arn:aws:sts::{}:assumed-role/landfall-provisioner/test",
            session.keys.account
        )
    );
    assert!(identity.text("UserId").starts_with("AROA"));

    for wrong in [
        None,
        Some("lf-other"),
        Some("lf-0123456789x"),
        Some("LF-0123456789"),
    ] {
        let mut params = vec![("RoleArn", role.as_str())];
        params.extend(wrong.map(|id| ("ExternalId", id)));
        let refused = sandbox.assume(&operator, &params).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, "AccessDenied")
        );
        assert_eq!(
            refused.text("Message"),
            format!(
                "User: arn:aws:iam::{}:user/administrator is not authorized to perform: \
                 sts:AssumeRole on resource: {role}",
                operator.keys.account
            )
        );
    }
    let stranger = sandbox
        .assume(
            &sandbox.other_customer(),
            &[("RoleArn", &role), ("ExternalId", ID)],
        )
        .await
        .unwrap_err();
    assert_eq!(stranger.code(), "AccessDenied");
}

#[tokio::test]
async fn an_external_id_may_be_a_pattern_in_the_trust_policy_only() {
    let sandbox = Sandbox::plain().await;
    let operator = sandbox.operator();
    let role = sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let trusting = |pattern: &str| {
        let trust = trust(&operator.keys.account, pattern);
        trust.replace("StringEquals", "StringLike")
    };
    for (pattern, opens, stays_shut) in [
        (
            "lf-0123*",
            &["lf-0123", "lf-0123456789"][..],
            &[
                "lf-012",
                "lf-1123456789",
                "x-lf-0123",
                "LF-0123456789",
                "lf-*",
            ][..],
        ),
        (
            "lf-??-prod",
            &["lf-eu-prod"],
            &["lf-e-prod", "lf-eus-prod", "lf-eu-prod2", "lf-eu-test"],
        ),
    ] {
        sandbox
            .iam(
                &sandbox.customer(),
                "UpdateAssumeRolePolicy",
                &[("RoleName", "r"), ("PolicyDocument", &trusting(pattern))],
            )
            .await
            .expect_ok();
        for id in opens {
            let opened = sandbox
                .assume(&operator, &[("RoleArn", &role), ("ExternalId", id)])
                .await;
            assert!(opened.is_ok(), "{pattern} {id}: {opened:?}");
        }
        for id in stays_shut {
            let refused = sandbox
                .assume(&operator, &[("RoleArn", &role), ("ExternalId", id)])
                .await
                .unwrap_err();
            // An asterisk is no character of an external id to begin with.
            let code = if id.contains('*') {
                "ValidationError"
            } else {
                "AccessDenied"
            };
            assert_eq!(refused.code(), code, "{pattern} {id}");
        }
        let refused = sandbox.assume(&operator, &[("RoleArn", &role)]).await;
        assert_eq!(refused.unwrap_err().code(), "AccessDenied", "{pattern}");
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_refused_in_the_same_words() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox.grant("real", ID, allow(&["s3:*"])).await;
    for arn in [
        role.replace("real", "other"),
        role.replace("role/real", "role/path/real"),
        "arn:aws:iam::999999999999:role/real".to_owned(),
    ] {
        let refused = sandbox
            .assume(
                &sandbox.operator(),
                &[("RoleArn", &arn), ("ExternalId", ID)],
            )
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "AccessDenied", "{arn}");
        assert!(refused.text("Message").ends_with(&arn));
    }
}

#[tokio::test]
async fn malformed_parameters_are_named() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let long = "x".repeat(1_225);
    let policy = format!(r#"{{"Version":"2012-10-17","x":"{}"}}"#, "x".repeat(2_048));
    for (name, value) in [
        ("RoleArn", "arn:aws:iam::1:user/x"),
        ("ExternalId", "x"),
        ("ExternalId", "with space"),
        ("ExternalId", long.as_str()),
        ("DurationSeconds", "899"),
        ("DurationSeconds", "43201"),
        ("Policy", policy.as_str()),
    ] {
        let refused = sandbox
            .assume(&sandbox.operator(), &[("RoleArn", &role), (name, value)])
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "ValidationError", "{name}={value}");
    }
    let refused = sandbox
        .sts(
            &sandbox.operator(),
            "AssumeRole",
            &[("RoleArn", &role), ("RoleSessionName", "no/slash")],
        )
        .await;
    assert_eq!(refused.code(), "ValidationError");
    let refused = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID), ("Policy", "{}")],
        )
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "MalformedPolicyDocument");
}

#[tokio::test]
async fn durations_are_limited_by_the_role_and_by_chaining() {
    let sandbox = Sandbox::plain().await;
    let customer = sandbox.customer();
    let operator = sandbox.operator();
    let target = sandbox.grant("target", ID, allow(&["s3:*"])).await;
    let two_hours = [
        ("RoleArn", target.as_str()),
        ("ExternalId", ID),
        ("DurationSeconds", "7200"),
    ];
    let refused = sandbox.assume(&operator, &two_hours).await.unwrap_err();
    assert!(
        refused.text("Message").contains("MaxSessionDuration"),
        "{}",
        refused.body
    );
    sandbox
        .iam(
            &customer,
            "UpdateRole",
            &[("RoleName", "target"), ("MaxSessionDuration", "43200")],
        )
        .await
        .expect_ok();
    assert!(sandbox.assume(&operator, &two_hours).await.is_ok());

    let own = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": operator.keys.account },
            "Action": "sts:AssumeRole",
        }],
    });
    let server = sandbox
        .iam(
            &operator,
            "CreateRole",
            &[
                ("RoleName", "server"),
                ("AssumeRolePolicyDocument", &own.to_string()),
            ],
        )
        .await
        .expect_ok()
        .text("Arn");
    sandbox
        .put_policy(&operator, "server", allow(&["sts:AssumeRole"]))
        .await;
    let server = sandbox
        .assume(&operator, &[("RoleArn", &server)])
        .await
        .unwrap();
    let refused = sandbox.assume(&server, &two_hours).await.unwrap_err();
    assert_eq!(refused.code(), "ValidationError");
    assert!(
        refused.text("Message").contains("role chaining"),
        "{}",
        refused.body
    );
    let one_hour = [two_hours[0], two_hours[1], ("DurationSeconds", "3600")];
    assert!(sandbox.assume(&server, &one_hour).await.is_ok());
}

#[tokio::test]
async fn both_accounts_must_agree() {
    let sandbox = Sandbox::plain().await;
    let operator = sandbox.operator();
    let target = sandbox.grant("target", ID, allow(&["s3:*"])).await;
    let own = trust(&operator.keys.account, "own-id");
    let weak = sandbox
        .iam(
            &operator,
            "CreateRole",
            &[("RoleName", "weak"), ("AssumeRolePolicyDocument", &own)],
        )
        .await
        .expect_ok()
        .text("Arn");
    let weak = sandbox
        .assume(&operator, &[("RoleArn", &weak), ("ExternalId", "own-id")])
        .await
        .unwrap();
    let ask = [("RoleArn", target.as_str()), ("ExternalId", ID)];
    assert_eq!(
        sandbox.assume(&weak, &ask).await.unwrap_err().code(),
        "AccessDenied",
        "the role's own policies do not allow sts:AssumeRole"
    );
    sandbox
        .put_policy(&operator, "weak", allow(&["sts:AssumeRole"]))
        .await;
    assert!(sandbox.assume(&weak, &ask).await.is_ok());
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox
        .grant("r", ID, allow(&["iam:GetRole", "iam:ListRoles"]))
        .await;
    let narrow = allow(&["iam:GetRole", "iam:CreateRole"]).to_string();
    let answer = sandbox
        .sts(
            &sandbox.operator(),
            "AssumeRole",
            &[
                ("RoleArn", &role),
                ("RoleSessionName", "narrow"),
                ("ExternalId", ID),
                ("Policy", &narrow),
            ],
        )
        .await
        .expect_ok();
    assert!(answer.text("PackedPolicySize").parse::<u32>().unwrap() < 100);
    let session = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID), ("Policy", &narrow)],
        )
        .await
        .unwrap();
    sandbox
        .iam(&session, "GetRole", &[("RoleName", "r")])
        .await
        .expect_ok();
    let refused = sandbox.iam(&session, "ListRoles", &[]).await;
    assert!(
        refused
            .text("Message")
            .ends_with("because no session policy allows the iam:ListRoles action"),
        "{}",
        refused.body
    );
    let trust = trust("111122223333", ID);
    let refused = sandbox
        .iam(
            &session,
            "CreateRole",
            &[("RoleName", "x"), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    assert!(
        refused
            .text("Message")
            .ends_with("because no identity-based policy allows the iam:CreateRole action"),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn what_session_policies_and_tags_take_together_is_limited() {
    let sandbox = Sandbox::plain().await;
    let customer = sandbox.customer();
    let role = sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let managed = sandbox
        .iam(
            &customer,
            "CreatePolicy",
            &[
                ("PolicyName", "session"),
                ("PolicyDocument", &allow(&["s3:GetObject"]).to_string()),
            ],
        )
        .await
        .expect_ok()
        .text("Arn");
    let filler = "x".repeat(1_940);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{filler}")}],
    })
    .to_string();
    let base = [
        ("RoleArn", role.as_str()),
        ("ExternalId", ID),
        ("Policy", policy.as_str()),
    ];
    assert!(sandbox.assume(&sandbox.operator(), &base).await.is_ok());
    let mut both = base.to_vec();
    both.push(("PolicyArns.member.1.arn", managed.as_str()));
    let refused = sandbox
        .assume(&sandbox.operator(), &both)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "PackedPolicyTooLarge");
}

#[tokio::test]
async fn iam_changes_take_effect_after_the_lag() {
    let sandbox = Sandbox::new(Config {
        iam_lag: Duration::from_secs(600),
        ..Config::default()
    })
    .await;
    let operator = sandbox.operator();
    let role = sandbox.grant("r", ID, allow(&["iam:GetRole"])).await;
    let ask = [("RoleArn", role.as_str()), ("ExternalId", ID)];
    assert_eq!(
        sandbox.assume(&operator, &ask).await.unwrap_err().code(),
        "AccessDenied"
    );
    sandbox.advance(Duration::from_secs(601)).await;
    let session = sandbox.assume(&operator, &ask).await.unwrap();
    let get = [("RoleName", "r")];
    sandbox.iam(&session, "GetRole", &get).await.expect_ok();

    sandbox
        .put_policy(&sandbox.customer(), "r", allow(&["s3:*"]))
        .await;
    sandbox.iam(&session, "GetRole", &get).await.expect_ok();
    let inventory = sandbox.see("/_sandbox/inventory").await;
    let propagating = |inventory: &serde_json::Value| {
        let account = inventory["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|account| account["id"] == sandbox.customer().keys.account.as_str())
            .unwrap()
            .clone();
        account["roles"][0]["propagating"].clone()
    };
    assert_eq!(propagating(&inventory), true);
    sandbox.advance(Duration::from_secs(601)).await;
    assert_eq!(
        sandbox.iam(&session, "GetRole", &get).await.code(),
        "AccessDenied"
    );
    assert_eq!(
        propagating(&sandbox.see("/_sandbox/inventory").await),
        false
    );
}

#[tokio::test]
async fn sessions_outlive_simulated_hours_but_not_a_moved_clock() {
    let sandbox = Sandbox::new(Config {
        speed: 1e6,
        ..Config::default()
    })
    .await;
    let role = sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let answer = sandbox
        .sts(
            &sandbox.operator(),
            "AssumeRole",
            &[
                ("RoleArn", &role),
                ("RoleSessionName", "s1"),
                ("ExternalId", ID),
            ],
        )
        .await
        .expect_ok();
    let expires = time::OffsetDateTime::parse(
        &answer.text("Expiration"),
        &time::format_description::well_known::Rfc3339,
    )
    .unwrap()
    .unix_timestamp();
    assert!((expires - now_seconds() - 3_600).abs() < 60);

    let ask = [("RoleArn", role.as_str()), ("ExternalId", ID)];
    let session = sandbox.assume(&sandbox.operator(), &ask).await.unwrap();
    // At this speed hours of simulated time have passed already.
    sandbox
        .sts(&session, "GetCallerIdentity", &[])
        .await
        .expect_ok();
    sandbox.advance(Duration::from_secs(3_601)).await;
    assert_eq!(
        sandbox.sts(&session, "GetCallerIdentity", &[]).await.code(),
        "ExpiredToken"
    );
    assert_eq!(
        sandbox
            .cloud_control(
                &session,
                "ListResources",
                json!({"TypeName": "AWS::S3::Bucket"})
            )
            .await
            .unwrap()
            .code(),
        "ExpiredTokenException"
    );
}

#[tokio::test]
async fn a_deleted_role_takes_its_sessions_along() {
    let sandbox = Sandbox::plain().await;
    let role = sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let ask = [("RoleArn", role.as_str()), ("ExternalId", ID)];
    let session = sandbox.assume(&sandbox.operator(), &ask).await.unwrap();
    let account = sandbox.customer().keys.account;
    sandbox
        .admin(
            "/_sandbox/iam/role",
            json!({"account": account, "role": "r", "delete": true}),
        )
        .await;
    assert_eq!(
        sandbox.sts(&session, "GetCallerIdentity", &[]).await.code(),
        "InvalidClientTokenId"
    );
    assert_eq!(
        sandbox
            .assume(&sandbox.operator(), &ask)
            .await
            .unwrap_err()
            .code(),
        "AccessDenied"
    );
    sandbox.grant("r", ID, allow(&["s3:*"])).await;
    assert_eq!(
        sandbox.sts(&session, "GetCallerIdentity", &[]).await.code(),
        "InvalidClientTokenId",
        "a role made anew is another role"
    );
    assert!(sandbox.assume(&sandbox.operator(), &ask).await.is_ok());
}
