//! IAM's API, enforced on itself.

mod support;

use serde_json::{Value, json};
use support::{As, Sandbox, allow, trust};

const ID: &str = "lf-0123456789";

/// A session of a role in the customer's account with these permissions.
async fn session_with(sandbox: &Sandbox, policy: Value) -> As {
    let role = sandbox.grant("subject", ID, policy).await;
    sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID)],
        )
        .await
        .unwrap()
}

async fn create_policy(sandbox: &Sandbox, who: &As, name: &str, document: &Value) -> String {
    sandbox
        .iam(
            who,
            "CreatePolicy",
            &[
                ("PolicyName", name),
                ("PolicyDocument", &document.to_string()),
            ],
        )
        .await
        .expect_ok()
        .text("Arn")
}

#[tokio::test]
async fn roles_are_read_back_as_they_were_written() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let document = trust("111122223333", "a&b<c>");
    // IAM accepts the character set of the trust policy's text, whatever an
    // external id may be made of.
    sandbox
        .iam(
            &who,
            "CreateRole",
            &[
                ("RoleName", "r"),
                ("Path", "/team/"),
                ("AssumeRolePolicyDocument", &document),
                ("Description", "a <b> & \"c\""),
                ("MaxSessionDuration", "7200"),
                ("Tags.member.1.Key", "env"),
                ("Tags.member.1.Value", "prod"),
            ],
        )
        .await
        .expect_ok();
    let role = sandbox
        .iam(&who, "GetRole", &[("RoleName", "r")])
        .await
        .expect_ok();
    assert_eq!(
        role.text("Arn"),
        format!("arn:aws:iam::{}:role/team/r", who.keys.account)
    );
    assert_eq!(role.text("MaxSessionDuration"), "7200");
    assert_eq!(role.text("Description"), "a &lt;b&gt; &amp; &quot;c&quot;");
    assert_eq!(
        (role.text("Key"), role.text("Value")),
        ("env".into(), "prod".into())
    );
    let encoded = role.text("AssumeRolePolicyDocument");
    let decoded = percent_encoding::percent_decode_str(&encoded)
        .decode_utf8()
        .unwrap();
    assert_eq!(decoded, document);

    let duplicate = [
        ("RoleName", "R"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    assert_eq!(
        sandbox.iam(&who, "CreateRole", &duplicate).await.code(),
        "EntityAlreadyExists"
    );
    assert_eq!(
        sandbox
            .iam(&who, "GetRole", &[("RoleName", "none")])
            .await
            .code(),
        "NoSuchEntity"
    );
    assert_eq!(
        sandbox
            .iam(&sandbox.other_customer(), "GetRole", &[("RoleName", "r")])
            .await
            .code(),
        "NoSuchEntity",
        "accounts are isolated"
    );
    assert_eq!(
        sandbox.iam(&who, "MakeCoffee", &[]).await.code(),
        "InvalidAction"
    );
}

#[tokio::test]
async fn nothing_is_allowed_unless_a_policy_says_so() {
    let sandbox = Sandbox::plain().await;
    let session = session_with(&sandbox, allow(&["s3:ListAllMyBuckets"])).await;
    let refused = sandbox
        .iam(&session, "GetRole", &[("RoleName", "subject")])
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(
        refused.text("Message"),
        format!(
            "User: arn:aws:sts::{0}:assumed-role/subject/test is not authorized to perform: \
             iam:GetRole on resource: arn:aws:iam::{0}:role/subject because no identity-based \
             policy allows the iam:GetRole action",
            session.keys.account
        )
    );
    let hidden = sandbox
        .iam(&session, "GetRole", &[("RoleName", "none")])
        .await;
    assert_eq!(hidden.code(), "AccessDenied", "existence is not disclosed");
}

#[tokio::test]
async fn a_deny_and_a_tag_condition_hold_on_real_calls() {
    let sandbox = Sandbox::plain().await;
    let session = session_with(
        &sandbox,
        json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Action": "iam:*", "Resource": "*" },
                {
                    "Effect": "Deny",
                    "Action": "iam:*",
                    "Resource": "arn:aws:iam::*:role/subject",
                },
                {
                    "Effect": "Deny",
                    "Action": "iam:CreateRole",
                    "Resource": "*",
                    "Condition": { "Null": { "aws:RequestTag/owner": "true" } },
                },
                {
                    "Effect": "Deny",
                    "Action": "iam:DeleteRole",
                    "Resource": "*",
                    "Condition": { "StringNotEquals": { "aws:ResourceTag/owner": "us" } },
                },
            ],
        }),
    )
    .await;
    let policy = allow(&["*"]).to_string();
    let edit = [
        ("RoleName", "subject"),
        ("PolicyName", "main"),
        ("PolicyDocument", policy.as_str()),
    ];
    let refused = sandbox.iam(&session, "PutRolePolicy", &edit).await;
    assert!(
        refused
            .text("Message")
            .ends_with("with an explicit deny in an identity-based policy"),
        "{}",
        refused.body
    );
    let document = trust("111122223333", ID);
    let mut create = vec![
        ("RoleName", "x"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    assert_eq!(
        sandbox.iam(&session, "CreateRole", &create).await.code(),
        "AccessDenied"
    );
    create.push(("Tags.member.1.Key", "owner"));
    create.push(("Tags.member.1.Value", "them"));
    sandbox
        .iam(&session, "CreateRole", &create)
        .await
        .expect_ok();
    let delete = [("RoleName", "x")];
    assert_eq!(
        sandbox.iam(&session, "DeleteRole", &delete).await.code(),
        "AccessDenied"
    );
    sandbox
        .iam(
            &session,
            "TagRole",
            &[
                ("RoleName", "x"),
                ("Tags.member.1.Key", "owner"),
                ("Tags.member.1.Value", "us"),
            ],
        )
        .await
        .expect_ok();
    sandbox
        .iam(&session, "DeleteRole", &delete)
        .await
        .expect_ok();
}

#[tokio::test]
async fn a_boundary_can_be_demanded_and_then_bounds() {
    let sandbox = Sandbox::plain().await;
    let customer = sandbox.customer();
    let boundary = create_policy(&sandbox, &customer, "boundary", &allow(&["s3:*"])).await;
    let session = session_with(
        &sandbox,
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy"],
                "Resource": "arn:aws:iam::*:role/landfall-*",
                "Condition": { "StringEquals": { "iam:PermissionsBoundary": boundary } },
            }],
        }),
    )
    .await;
    let document = trust(&sandbox.operator().keys.account, ID);
    let bare = [
        ("RoleName", "landfall-app"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    assert_eq!(
        sandbox.iam(&session, "CreateRole", &bare).await.code(),
        "AccessDenied"
    );
    let mut bounded = bare.to_vec();
    bounded.push(("PermissionsBoundary", boundary.as_str()));
    let arn = sandbox
        .iam(&session, "CreateRole", &bounded)
        .await
        .expect_ok()
        .text("Arn");
    sandbox
        .put_policy(&session, "landfall-app", allow(&["iam:*", "s3:*"]))
        .await;
    let app = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &arn), ("ExternalId", ID)],
        )
        .await
        .unwrap();
    let refused = sandbox.iam(&app, "ListRoles", &[]).await;
    assert!(
        refused
            .text("Message")
            .ends_with("because no permissions boundary allows the iam:ListRoles action"),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn an_organization_policy_binds_administrators_too() {
    let sandbox = Sandbox::plain().await;
    let customer = sandbox.customer();
    sandbox
        .admin(
            "/_sandbox/iam/scp",
            json!({
                "account": customer.keys.account,
                "policy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        { "Effect": "Allow", "Action": "*", "Resource": "*" },
                        { "Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*" },
                    ],
                },
            }),
        )
        .await;
    let refused = sandbox.iam(&customer, "ListRoles", &[]).await;
    assert!(
        refused
            .text("Message")
            .ends_with("with an explicit deny in a service control policy"),
        "{}",
        refused.body
    );
    sandbox
        .iam(&sandbox.other_customer(), "ListRoles", &[])
        .await
        .expect_ok();
    sandbox
        .admin(
            "/_sandbox/iam/scp",
            json!({"account": customer.keys.account, "policy": null}),
        )
        .await;
    sandbox.iam(&customer, "ListRoles", &[]).await.expect_ok();
}

#[tokio::test]
async fn the_simulator_agrees_with_what_happens() {
    let sandbox = Sandbox::plain().await;
    let customer = sandbox.customer();
    let role = sandbox
        .grant(
            "r",
            ID,
            json!({
                "Version": "2012-10-17",
                "Statement": [
                    { "Effect": "Allow", "Action": ["s3:*", "rds:*"], "Resource": "*" },
                    { "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*" },
                    {
                        "Effect": "Allow",
                        "Action": "iam:PassRole",
                        "Resource": "*",
                        "Condition": { "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
                    },
                ],
            }),
        )
        .await;
    sandbox
        .admin(
            "/_sandbox/iam/scp",
            json!({
                "account": customer.keys.account,
                "policy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        { "Effect": "Allow", "NotAction": "rds:*", "Resource": "*" },
                    ],
                },
            }),
        )
        .await;
    let simulate = |extra: Vec<(&'static str, &'static str)>| {
        let (sandbox, customer, role) = (&sandbox, &customer, &role);
        async move {
            let mut params = vec![
                ("PolicySourceArn", role.as_str()),
                ("ActionNames.member.1", "s3:CreateBucket"),
                ("ActionNames.member.2", "s3:DeleteBucket"),
                ("ActionNames.member.3", "rds:CreateDBInstance"),
                ("ActionNames.member.4", "iam:PassRole"),
                ("ActionNames.member.5", "ec2:CreateVpc"),
            ];
            params.extend(extra);
            sandbox
                .iam(customer, "SimulatePrincipalPolicy", &params)
                .await
                .expect_ok()
        }
    };
    let answer = simulate(Vec::new()).await;
    assert_eq!(
        answer.texts("EvalDecision"),
        [
            "allowed",
            "explicitDeny",
            "implicitDeny",
            "implicitDeny",
            "implicitDeny"
        ]
    );
    assert_eq!(
        answer.texts("AllowedByOrganizations"),
        ["true", "true", "false", "true", "true"]
    );
    assert!(answer.body.contains("<member>iam:PassedToService</member>"));
    assert!(
        answer
            .body
            .contains("<SourcePolicyId>role_r_main</SourcePolicyId>")
    );

    let answer = simulate(vec![
        (
            "ContextEntries.member.1.ContextKeyName",
            "iam:PassedToService",
        ),
        ("ContextEntries.member.1.ContextKeyType", "string"),
        (
            "ContextEntries.member.1.ContextKeyValues.member.1",
            "ecs-tasks.amazonaws.com",
        ),
        ("MaxItems", "4"),
    ])
    .await;
    assert_eq!(answer.texts("EvalDecision")[3], "allowed");
    assert_eq!(answer.text("IsTruncated"), "true");
    let rest = simulate(vec![("Marker", "4")]).await;
    assert_eq!(rest.texts("EvalActionName"), ["ec2:CreateVpc"]);

    let session = sandbox
        .assume(
            &sandbox.operator(),
            &[("RoleArn", &role), ("ExternalId", ID)],
        )
        .await
        .unwrap();
    let refused = sandbox
        .iam(
            &session,
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", role.as_str()),
                ("ActionNames.member.1", "s3:CreateBucket"),
            ],
        )
        .await;
    assert_eq!(refused.code(), "AccessDenied");
}

#[tokio::test]
async fn managed_policies_have_versions_and_users() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    sandbox.grant("r", ID, allow(&["s3:*"])).await;
    let arn = create_policy(&sandbox, &who, "p", &allow(&["iam:GetRole"])).await;
    let on_policy = [("PolicyArn", arn.as_str())];
    let attach = [("RoleName", "r"), ("PolicyArn", arn.as_str())];
    sandbox
        .iam(&who, "AttachRolePolicy", &attach)
        .await
        .expect_ok();
    let attached = sandbox
        .iam(&who, "ListAttachedRolePolicies", &[("RoleName", "r")])
        .await;
    assert_eq!(attached.texts("PolicyArn"), [arn.as_str()]);
    let document = allow(&["iam:ListRoles"]).to_string();
    let version = [
        ("PolicyArn", arn.as_str()),
        ("PolicyDocument", document.as_str()),
        ("SetAsDefault", "true"),
    ];
    let version = sandbox.iam(&who, "CreatePolicyVersion", &version).await;
    assert_eq!(version.text("VersionId"), "v2");
    let got = sandbox.iam(&who, "GetPolicy", &on_policy).await;
    assert_eq!(
        (got.text("DefaultVersionId"), got.text("AttachmentCount")),
        ("v2".into(), "1".into())
    );
    let users = sandbox.iam(&who, "ListEntitiesForPolicy", &on_policy).await;
    assert_eq!(users.texts("RoleName"), ["r"]);
    assert_eq!(
        sandbox.iam(&who, "DeletePolicy", &on_policy).await.code(),
        "DeleteConflict"
    );
    sandbox
        .iam(&who, "DetachRolePolicy", &attach)
        .await
        .expect_ok();
    assert_eq!(
        sandbox.iam(&who, "DeletePolicy", &on_policy).await.code(),
        "DeleteConflict",
        "two versions"
    );
    sandbox
        .iam(
            &who,
            "DeletePolicyVersion",
            &[("PolicyArn", &arn), ("VersionId", "v1")],
        )
        .await
        .expect_ok();
    sandbox
        .iam(&who, "DeletePolicy", &on_policy)
        .await
        .expect_ok();
    let administrator = [("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
    sandbox
        .iam(&who, "GetPolicy", &administrator)
        .await
        .expect_ok();
}

#[tokio::test]
async fn lists_come_in_pages() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    for i in 0..5 {
        sandbox.grant(&format!("r{i}"), ID, allow(&["s3:*"])).await;
    }
    let first = sandbox.iam(&who, "ListRoles", &[("MaxItems", "2")]).await;
    assert_eq!(first.texts("RoleName"), ["r0", "r1"]);
    let marker = first.text("Marker");
    let rest = sandbox.iam(&who, "ListRoles", &[("Marker", &marker)]).await;
    assert_eq!(rest.texts("RoleName"), ["r2", "r3", "r4"]);
    assert_eq!(rest.text("IsTruncated"), "false");
    assert_eq!(
        sandbox
            .iam(&who, "ListRoles", &[("Marker", "x")])
            .await
            .code(),
        "ValidationError"
    );
}

#[tokio::test]
async fn a_service_linked_role_belongs_to_its_service() {
    let sandbox = Sandbox::plain().await;
    let who = sandbox.customer();
    let ask = [("AWSServiceName", "ecs.amazonaws.com")];
    let role = sandbox
        .iam(&who, "CreateServiceLinkedRole", &ask)
        .await
        .expect_ok();
    assert_eq!(role.text("RoleName"), "AWSServiceRoleForECS");
    assert_eq!(
        sandbox
            .iam(&who, "CreateServiceLinkedRole", &ask)
            .await
            .code(),
        "InvalidInput"
    );
    assert_eq!(
        sandbox
            .iam(&who, "DeleteRole", &[("RoleName", "AWSServiceRoleForECS")])
            .await
            .code(),
        "UnmodifiableEntity"
    );
}
