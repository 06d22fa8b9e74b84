//! Handlers act with the caller's credentials.

mod cloud;
mod support;

use cloud::{BUCKET, Cloud, DB, LOG_GROUP, ROLE, VPC, failure, still, still_config, update};
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Sandbox, allow};

/// All of Cloud Control's own actions.
const API: &str = "cloudformation:*";

fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[tokio::test]
async fn the_api_itself_is_refused_at_once() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let nobody = cloud.seen_by(cloud.session("nobody", allow(&["ec2:*"])).await);
    let bodies = [
        (
            "CreateResource",
            json!({"TypeName": VPC, "DesiredState": "{}"}),
        ),
        ("GetResource", json!({"TypeName": VPC, "Identifier": "x"})),
        ("UpdateResource", update(VPC, "x", &json!([]))),
        (
            "DeleteResource",
            json!({"TypeName": VPC, "Identifier": "x"}),
        ),
        ("ListResources", json!({"TypeName": VPC})),
        ("GetResourceRequestStatus", json!({"RequestToken": "x"})),
        ("ListResourceRequests", json!({})),
        ("CancelResourceRequest", json!({"RequestToken": "x"})),
    ];
    for (operation, body) in bodies {
        let (code, text) = nobody.refused(operation, body).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
        assert!(
            text.contains(&format!(
                "not authorized to perform: cloudformation:{operation}"
            )),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_handler_is_refused_later() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let some = cloud.seen_by(
        cloud
            .session("some", allow(&[API, "ec2:Describe*", "ec2:CreateVpc"]))
            .await,
    );
    some.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    // Only what a property brings is needed: tags bring ec2:CreateTags.
    for (desired, action) in [
        (
            json!({"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "a", "Value": "b"}]}),
            "ec2:CreateTags",
        ),
        (
            json!({"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": true}),
            "ec2:ModifyVpcAttribute",
        ),
    ] {
        let (code, text) = some.fails(VPC, desired).await;
        assert_eq!(code, "AccessDenied");
        assert!(
            text.contains(&format!("not authorized to perform: {action}")),
            "{text}"
        );
        assert!(text.contains("Service: Ec2, Status Code: 403"), "{text}");
    }
    assert_eq!(cloud.list(VPC, None).await.len(), 1);
    let (code, text) = some
        .refused(
            "GetResource",
            json!({"TypeName": BUCKET, "Identifier": "b"}),
        )
        .await;
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("HandlerErrorCode: AccessDenied"), "{text}");
    let (code, _) = some
        .refused("ListResources", json!({"TypeName": LOG_GROUP}))
        .await;
    assert_eq!(code, "AccessDeniedException");
}

#[tokio::test]
async fn tags_of_requests_and_resources_are_conditions() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let tagged = cloud.seen_by(
        cloud
            .session(
                "tagged",
                policy(json!([
                    {"Effect": "Allow", "Action": [API, "ec2:Describe*"], "Resource": "*"},
                    {"Effect": "Allow", "Action": ["ec2:CreateVpc", "ec2:CreateTags"],
                     "Resource": "*",
                     "Condition": {"StringEquals": {"aws:RequestTag/landfall:managed": "true"}}},
                    {"Effect": "Allow", "Action": ["ec2:ModifyVpcAttribute", "ec2:DeleteVpc"],
                     "Resource": "arn:aws:ec2:*:*:vpc/*",
                     "Condition": {"StringEquals": {"ec2:ResourceTag/landfall:managed": "true"}}},
                ])),
            )
            .await,
    );
    let (code, _) = tagged.fails(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    assert_eq!(code, "AccessDenied");
    let ours = json!({
        "CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": true,
        "Tags": [{"Key": "landfall:managed", "Value": "true"}],
    });
    let ours = tagged.create(VPC, ours).await;
    let theirs = cloud.create(VPC, json!({"CidrBlock": "10.1.0.0/16"})).await;
    let (code, _) = failure(&tagged.delete_event(VPC, &theirs).await);
    assert_eq!(code, "AccessDenied");
    assert!(cloud.exists(VPC, &theirs).await);
    tagged.delete(VPC, &ours).await;
}

#[tokio::test]
async fn a_protected_database_cannot_be_opened() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let provisioner = cloud
        .session(
            "provisioner",
            policy(json!([
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny",
                 "Action": ["rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:RemoveTagsFromResource"],
                 "Resource": "*",
                 "Condition": {"StringEquals": {"rds:db-tag/landfall:protected": "true"}}},
                {"Effect": "Deny", "Action": ["s3:DeleteBucket"], "Resource": "arn:aws:s3:::landfall-*"},
            ])),
        )
        .await;
    let provisioner = cloud.seen_by(provisioner);
    let network = provisioner.network().await;
    let tags = json!([{"Key": "landfall:protected", "Value": "true"}]);
    let db = provisioner.database(&network, tags).await;
    for patch in [
        json!([{"op": "replace", "path": "/DeletionProtection", "value": false}]),
        json!([{"op": "remove", "path": "/DeletionProtection"}]),
        json!([{"op": "replace", "path": "/BackupRetentionPeriod", "value": 0}]),
        json!([{"op": "remove", "path": "/Tags"}]),
    ] {
        let event = provisioner.update_event(DB, &db, patch.clone()).await;
        let (code, text) = failure(&event);
        assert_eq!(code, "AccessDenied", "{patch}");
        assert!(text.contains("with an explicit deny"), "{text}");
    }
    assert_eq!(cloud.read(DB, &db).await["DeletionProtection"], true);
    let (code, _) = failure(&provisioner.delete_event(DB, &db).await);
    assert_eq!(code, "AccessDenied");
    provisioner
        .create(BUCKET, json!({"BucketName": "landfall-b"}))
        .await;
    let (code, _) = failure(&provisioner.delete_event(BUCKET, "landfall-b").await);
    assert_eq!(code, "AccessDenied");
}

#[tokio::test]
async fn roles_are_made_under_a_boundary_and_passed_where_allowed() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let account = cloud.who.keys.account.clone();
    let boundary = cloud
        .create(
            "AWS::IAM::ManagedPolicy",
            json!({"ManagedPolicyName": "landfall-boundary", "PolicyDocument": allow(&["s3:*"])}),
        )
        .await;
    let maker = cloud
        .session(
            "maker",
            policy(json!([
                {"Effect": "Allow", "Action": [API, "ecs:*", "iam:Get*", "iam:List*", "iam:TagRole"],
                 "Resource": "*"},
                {"Effect": "Allow", "Action": "iam:CreateRole", "Resource": "*",
                 "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}}},
                {"Effect": "Allow", "Action": "iam:PassRole",
                 "Resource": format!("arn:aws:iam::{account}:role/landfall-*"),
                 "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
            ])),
        )
        .await;
    let maker = cloud.seen_by(maker);
    let trust = policy(json!([{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]));
    let role = |name: &str| json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
    let (code, text) = maker.fails(ROLE, role("landfall-task")).await;
    assert_eq!(code, "AccessDenied");
    assert!(text.contains("iam:CreateRole"), "{text}");
    let mut bounded = role("landfall-task");
    bounded["PermissionsBoundary"] = boundary.clone().into();
    maker.create(ROLE, bounded).await;
    cloud.create(ROLE, role("admin")).await;

    let task = |name: &str| {
        json!({
            "Family": "f", "TaskRoleArn": format!("arn:aws:iam::{account}:role/{name}"),
            "ContainerDefinitions": [{"Name": "c", "Image": "i", "Memory": 64}],
        })
    };
    maker
        .create("AWS::ECS::TaskDefinition", task("landfall-task"))
        .await;
    let (code, text) = maker.fails("AWS::ECS::TaskDefinition", task("admin")).await;
    assert_eq!(code, "AccessDenied");
    assert!(text.contains("iam:PassRole"), "{text}");
    // A cluster is the account's first: its service-linked role is missing.
    let (code, text) = maker
        .fails("AWS::ECS::Cluster", json!({"ClusterName": "c"}))
        .await;
    assert_eq!(code, "AccessDenied");
    assert!(text.contains("iam:CreateServiceLinkedRole"), "{text}");
    cloud
        .create("AWS::ECS::Cluster", json!({"ClusterName": "first"}))
        .await;
    maker
        .create("AWS::ECS::Cluster", json!({"ClusterName": "c"}))
        .await;
}

#[tokio::test]
async fn a_role_passed_to_cloud_control_acts_instead() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let account = cloud.who.keys.account.clone();
    let trust = policy(json!([{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "cloudformation.amazonaws.com"}}]));
    cloud
        .create(
            ROLE,
            json!({"RoleName": "escape", "AssumeRolePolicyDocument": trust,
                   "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}),
        )
        .await;
    let body = json!({
        "TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.0.0.0/16"}"#,
        "RoleArn": format!("arn:aws:iam::{account}:role/escape"),
    });
    let weak = cloud.seen_by(cloud.session("weak", allow(&[API])).await);
    let (code, text) = weak.refused("CreateResource", body.clone()).await;
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("iam:PassRole"), "{text}");
    let passing = cloud.seen_by(
        cloud
            .session("passing", allow(&[API, "iam:PassRole"]))
            .await,
    );
    let event = passing.ask("CreateResource", body).await;
    assert_eq!(passing.end(&event).await["OperationStatus"], "SUCCESS");
}

#[tokio::test]
async fn a_passed_role_must_let_cloudformation_in_by_now() {
    let sandbox = Sandbox::new(Config {
        iam_lag: Duration::from_secs(600),
        ..still_config()
    })
    .await;
    let cloud = Cloud::of_customer(&sandbox);
    let allow = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "cloudformation.amazonaws.com"}});
    let mut deny = allow.clone();
    deny["Effect"] = "Deny".into();
    let mut denies_all = deny.clone();
    denies_all["Principal"] = "*".into();
    let mut elsewhere = allow.clone();
    elsewhere["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
    let trust = |statements: &[&Value]| {
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    };
    let account = cloud.who.keys.account.clone();
    let refusal = async |name: &str| {
        let passed = json!({
            "TypeName": LOG_GROUP,
            "DesiredState": json!({"LogGroupName": name}).to_string(),
            "RoleArn": format!("arn:aws:iam::{account}:role/{name}"),
        });
        let answer = cloud.call("CreateResource", passed).await;
        answer.err().map(|(_, message)| message)
    };
    let roles = [
        ("open", trust(&[&allow])),
        ("denied", trust(&[&allow, &deny])),
        ("closed", trust(&[&allow, &denies_all])),
        ("elsewhere", trust(&[&elsewhere])),
    ];
    for (name, trust) in &roles {
        let params = [
            ("RoleName", *name),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        sandbox
            .iam(&cloud.who, "CreateRole", &params)
            .await
            .expect_ok();
    }
    let early = refusal("open").await.expect("too early");
    assert!(early.contains("cannot be assumed"), "{early}");
    sandbox.advance(Duration::from_secs(601)).await;
    assert_eq!(refusal("open").await, None);
    for name in ["denied", "closed", "elsewhere"] {
        let said = refusal(name).await.expect(name);
        assert!(said.contains("cannot be assumed"), "{name}: {said}");
    }
    // A change that has not arrived yet does not close it.
    let closing = trust(&[&deny]);
    let params = [("RoleName", "open"), ("PolicyDocument", closing.as_str())];
    sandbox
        .iam(&cloud.who, "UpdateAssumeRolePolicy", &params)
        .await
        .expect_ok();
    assert!(
        refusal("open")
            .await
            .is_none_or(|said| !said.contains("cannot be assumed"))
    );
    sandbox.advance(Duration::from_secs(601)).await;
    assert!(
        refusal("open")
            .await
            .is_some_and(|said| said.contains("cannot be assumed"))
    );
}
