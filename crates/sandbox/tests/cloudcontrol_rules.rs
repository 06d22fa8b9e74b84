//! Rules of data, secrets and identities, and of the types without any.

mod cloud;
mod support;

use cloud::{BUCKET, Cloud, DB, GROUP, LOG_GROUP, ROLE, SUBNET, failure, still, update};
use serde_json::{Value, json};

#[tokio::test]
async fn a_protected_database_stays() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let db = cloud.database(&network, json!([])).await;
    assert_eq!(db, "landfall-db", "RDS keeps names in lower case");
    let read = cloud.read(DB, &db).await;
    assert_eq!(read["DBInstanceStatus"], "available");
    assert_eq!(read["Endpoint"]["Port"], "5432");
    assert!(
        read["Endpoint"]["Address"]
            .as_str()
            .unwrap()
            .ends_with(".eu-west-1.rds.amazonaws.com")
    );
    let secret = read["MasterUserSecret"]["SecretArn"].as_str().unwrap();
    assert!(secret.contains(":secret:rds!db-"), "{secret}");
    assert_eq!(read["EngineVersion"], "16.8", "a default appears on read");

    for (type_name, identifier, message) in [
        (DB, db.as_str(), "Cannot delete protected DB Instance"),
        (
            "AWS::RDS::DBSubnetGroup",
            "landfall-db",
            "is still using it",
        ),
        (GROUP, &network["group"], "has a dependent object"),
        (SUBNET, &network["a"], "has dependencies"),
    ] {
        let (_, text) = failure(&cloud.delete_event(type_name, identifier).await);
        assert!(text.contains(message), "{type_name}: {text}");
    }
    let (code, _) = cloud
        .refused(
            "UpdateResource",
            update(
                DB,
                &db,
                &json!([{"op": "replace", "path": "/StorageEncrypted", "value": true}]),
            ),
        )
        .await;
    assert_eq!(code, "NotUpdatableException");
    // Conditionally create-only: in place here, not there.
    let zones = json!([{"op": "replace", "path": "/MultiAZ", "value": true}]);
    let event = cloud.update_event(DB, &db, zones).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    let engine = json!([{"op": "replace", "path": "/Engine", "value": "mysql"}]);
    let event = cloud.update_event(DB, &db, engine).await;
    assert_eq!(failure(&event).0, "NotUpdatable");

    let open = json!([{"op": "replace", "path": "/DeletionProtection", "value": false}]);
    let event = cloud.update_event(DB, &db, open).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    cloud.delete(DB, &db).await;
    cloud.delete("AWS::RDS::DBSubnetGroup", "landfall-db").await;
}

#[tokio::test]
async fn what_holds_things_is_not_deleted() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let bucket = cloud
        .create(BUCKET, json!({"BucketName": "landfall-data"}))
        .await;
    let read = cloud.read(BUCKET, &bucket).await;
    assert_eq!(
        read["PublicAccessBlockConfiguration"]["BlockPublicAcls"],
        true
    );
    let holds = |put: Value, remove: Value| {
        json!({
            "account": cloud.who.keys.account, "region": "eu-west-1", "type": BUCKET,
            "identifier": "landfall-data", "put": put, "remove": remove,
        })
    };
    sandbox
        .admin(
            "/_sandbox/resources/contents",
            holds(json!(["a.txt"]), json!([])),
        )
        .await;
    let (code, text) = failure(&cloud.delete_event(BUCKET, &bucket).await);
    assert_eq!(code, "GeneralServiceException");
    assert!(text.contains("not empty"), "{text}");
    sandbox
        .admin(
            "/_sandbox/resources/contents",
            holds(json!([]), json!(["a.txt"])),
        )
        .await;
    cloud.delete(BUCKET, &bucket).await;
}

#[tokio::test]
async fn a_deleted_secret_holds_its_name() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let secret = "AWS::SecretsManager::Secret";
    let wanted = json!({"Name": "landfall/token", "SecretString": "canary-4711"});
    let made = cloud.create(secret, wanted.clone()).await;
    let read = cloud.read(secret, &made).await;
    assert!(read.get("SecretString").is_none());
    let inventory = sandbox.see("/_sandbox/inventory").await.to_string();
    assert!(inventory.contains("landfall/token") && !inventory.contains("canary-4711"));
    let (code, _) = cloud.fails(secret, wanted.clone()).await;
    assert_eq!(code, "AlreadyExists");
    cloud.delete(secret, &made).await;
    let (code, text) = cloud.fails(secret, wanted.clone()).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("scheduled for deletion"), "{text}");
    sandbox
        .advance(std::time::Duration::from_secs(31 * 86_400))
        .await;
    cloud.create(secret, wanted).await;
}

#[tokio::test]
async fn roles_made_here_are_roles_there() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]});
    let wanted = json!({
        "RoleName": "landfall-task", "Path": "/landfall/", "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "p", "PolicyDocument": support::allow(&["s3:GetObject"])}],
        "Tags": [{"Key": "landfall:managed", "Value": "true"}],
    });
    let role = cloud.create(ROLE, wanted.clone()).await;
    assert_eq!(role, "landfall-task");
    let seen = sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", "landfall-task")])
        .await
        .expect_ok();
    assert!(seen.text("Arn").ends_with(":role/landfall/landfall-task"));
    let (code, _) = cloud.fails(ROLE, wanted).await;
    assert_eq!(code, "AlreadyExists");
    let policy = json!({
        "RoleName": "landfall-task", "PolicyName": "q",
        "PolicyDocument": support::allow(&["sqs:SendMessage"]),
    });
    let inline = cloud.create("AWS::IAM::RolePolicy", policy).await;
    assert_eq!(inline, "q|landfall-task");
    let longer = json!([{"op": "add", "path": "/MaxSessionDuration", "value": 7200}]);
    let event = cloud.update_event(ROLE, &role, longer).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    assert_eq!(cloud.read(ROLE, &role).await["MaxSessionDuration"], 7200);
    let huge = json!([{"op": "replace", "path": "/Policies/0/PolicyDocument",
        "value": support::allow(&["s3:*"; 2_000])}]);
    let event = cloud.update_event(ROLE, &role, huge).await;
    assert_eq!(failure(&event).0, "ServiceLimitExceeded");
    cloud.delete(ROLE, &role).await;
    let gone = sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", "landfall-task")])
        .await;
    assert_eq!(gone.code(), "NoSuchEntity");
}

#[tokio::test]
async fn types_without_rules_of_their_own_follow_the_table() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    for (type_name, desired) in [
        ("AWS::SNS::Topic", json!({"TopicName": "t"})),
        ("AWS::SQS::Queue", json!({"QueueName": "q"})),
        (
            "AWS::ECR::Repository",
            json!({"RepositoryName": "landfall/web"}),
        ),
        ("AWS::KMS::Key", json!({"Description": "k"})),
        ("AWS::Scheduler::ScheduleGroup", json!({"Name": "g"})),
        (
            "AWS::CloudWatch::Alarm",
            json!({
            "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
            "MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum", "Threshold": 1}),
        ),
        ("AWS::Route53::HostedZone", json!({"Name": "example.org"})),
        (
            "AWS::EKS::Cluster",
            json!({
            "Name": "k", "RoleArn": "arn:aws:iam::1:role/r",
            "ResourcesVpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]}}),
        ),
        (
            "AWS::CertificateManager::Certificate",
            json!({"DomainName": "example.org"}),
        ),
        (
            "AWS::IAM::OIDCProvider",
            json!({
            "Url": "https://landfall.example.org/issuer", "ClientIdList": ["sts.amazonaws.com"]}),
        ),
    ] {
        let identifier = cloud.create(type_name, desired).await;
        let read = cloud.read(type_name, &identifier).await;
        assert!(read.is_object(), "{type_name}");
        assert_eq!(
            cloud.list(type_name, None).await,
            std::slice::from_ref(&identifier),
            "{type_name}"
        );
        cloud.delete(type_name, &identifier).await;
        assert!(!cloud.exists(type_name, &identifier).await, "{type_name}");
    }
    assert_eq!(cloud.list(LOG_GROUP, None).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_service_linked_role_is_made_once() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let kind = "AWS::IAM::ServiceLinkedRole";
    let wanted = json!({"AWSServiceName": "ecs.amazonaws.com"});
    let role = cloud.create(kind, wanted.clone()).await;
    assert_eq!(role, "AWSServiceRoleForECS");
    sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", &role)])
        .await
        .expect_ok();
    let (code, text) = cloud.fails(kind, wanted).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("has been taken"), "{text}");
    cloud.delete(kind, &role).await;
    let gone = sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", &role)])
        .await;
    assert_eq!(gone.code(), "NoSuchEntity");
}

#[tokio::test]
async fn a_policy_in_use_is_not_deleted() {
    const POLICY: &str = "AWS::IAM::ManagedPolicy";
    const IN_USE: &str = "Cannot delete a policy attached to entities.";
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]});
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "s3:ListBucket", "Resource": "*"}]});
    let boundary = cloud
        .create(
            POLICY,
            json!({"ManagedPolicyName": "boundary", "PolicyDocument": document}),
        )
        .await;
    for name in ["bounded", "carrier"] {
        let mut role = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
        if name == "bounded" {
            role["PermissionsBoundary"] = boundary.clone().into();
        }
        cloud.create(ROLE, role).await;
    }
    let (code, text) = failure(&cloud.delete_event(POLICY, &boundary).await);
    assert_eq!(code, "ResourceConflict");
    assert!(text.contains(IN_USE), "{text}");
    assert!(cloud.exists(POLICY, &boundary).await);

    // What the policy's own resource attached it takes back; what another
    // attached stands in its way, also when that happens while it goes.
    let own = cloud
        .create(
            POLICY,
            json!({"ManagedPolicyName": "own", "PolicyDocument": document, "Roles": ["carrier"]}),
        )
        .await;
    let attach = async |policy: &str| {
        let params = [("RoleName", "bounded"), ("PolicyArn", policy)];
        sandbox
            .iam(&cloud.who, "AttachRolePolicy", &params)
            .await
            .expect_ok();
    };
    attach(&own).await;
    let (code, text) = failure(&cloud.delete_event(POLICY, &own).await);
    assert_eq!(code, "ResourceConflict");
    assert!(text.contains(IN_USE), "{text}");
    let params = [("RoleName", "bounded"), ("PolicyArn", own.as_str())];
    sandbox
        .iam(&cloud.who, "DetachRolePolicy", &params)
        .await
        .expect_ok();
    let deletion = json!({"TypeName": POLICY, "Identifier": own});
    let going = cloud.ask("DeleteResource", deletion).await;
    attach(&own).await;
    let (code, _) = failure(&cloud.end(&going).await);
    assert_eq!(code, "ResourceConflict");
    assert_eq!(cloud.read(POLICY, &own).await["AttachmentCount"], 2);
    sandbox
        .iam(&cloud.who, "DetachRolePolicy", &params)
        .await
        .expect_ok();
    cloud.delete(POLICY, &own).await;

    cloud.delete(ROLE, "bounded").await;
    cloud.delete(POLICY, &boundary).await;
}
