//! The first key alone destroys nothing: the provisioner, with the grant as
//! customers make it, tries everything that DESIGN's second promise forbids.

use crate::support::{
    customer,
    sandbox::{REGION, Sandbox},
    spec::Grant,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use landfall_model::{
    connection::Connection,
    driver::{AttemptToken, Driver, Failure, FailureKind, PatchOperation, Progress, Status},
};
use serde_json::{Value, json};

const EXPIRING_IMAGES: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;

struct Stateful {
    type_name: &'static str,
    /// What its identifier contains.
    name: &'static str,
    properties: Value,
    /// Paths and values that would lose data or protection.
    changes: Vec<(&'static str, Value)>,
}

/// Everything that holds data and that the simulated account can hold.
fn stateful() -> Vec<Stateful> {
    let protected = json!([
        {"Key": "landfall:managed", "Value": "true"},
        {"Key": "landfall:protected", "Value": "true"},
    ]);
    let expiring = json!({"Rules": [{"Id": "all", "Status": "Enabled", "ExpirationInDays": 1}]});
    vec![
        Stateful {
            type_name: "AWS::RDS::DBInstance",
            name: "landfall-shop-db",
            properties: json!({
                "DBInstanceIdentifier": "landfall-shop-db", "Engine": "postgres",
                "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20",
                "MasterUsername": "landfall", "ManageMasterUserPassword": true,
                "DeletionProtection": true, "BackupRetentionPeriod": 7, "Tags": protected,
            }),
            changes: vec![
                ("/DeletionProtection", json!(false)),
                ("/BackupRetentionPeriod", json!(0)),
                (
                    "/Tags",
                    json!([
                        {"Key": "landfall:managed", "Value": "true"},
                        {"Key": "landfall:protected", "Value": "false"},
                    ]),
                ),
            ],
        },
        Stateful {
            type_name: "AWS::S3::Bucket",
            name: "landfall-shop-uploads",
            properties: json!({"BucketName": "landfall-shop-uploads", "Tags": protected}),
            changes: vec![
                ("/LifecycleConfiguration", expiring),
                ("/VersioningConfiguration", json!({"Status": "Suspended"})),
            ],
        },
        Stateful {
            type_name: "AWS::SecretsManager::Secret",
            name: "",
            properties: json!({"Name": "landfall-shop-key", "SecretString": "s3cr3t", "Tags": protected}),
            changes: vec![("/SecretString", json!("another"))],
        },
        Stateful {
            type_name: "AWS::ECR::Repository",
            name: "landfall-shop-web",
            properties: json!({"RepositoryName": "landfall-shop-web", "Tags": protected}),
            changes: vec![
                (
                    "/LifecyclePolicy",
                    json!({"LifecyclePolicyText": EXPIRING_IMAGES}),
                ),
                ("/ImageTagMutability", json!("IMMUTABLE")),
            ],
        },
        Stateful {
            type_name: "AWS::Logs::LogGroup",
            name: "landfall-shop-web",
            properties: json!({
                "LogGroupName": "landfall-shop-web", "DeletionProtectionEnabled": true,
                "Tags": protected,
            }),
            changes: vec![("/DeletionProtectionEnabled", json!(false))],
        },
        Stateful {
            type_name: "AWS::SQS::Queue",
            name: "",
            properties: json!({"QueueName": "landfall-shop-jobs", "Tags": protected}),
            changes: Vec::new(),
        },
        Stateful {
            type_name: "AWS::SNS::Topic",
            name: "",
            properties: json!({"TopicName": "landfall-shop-events", "Tags": protected}),
            changes: Vec::new(),
        },
    ]
}

/// Makes it as a person with all rights would; its identifier.
async fn made(sandbox: &Sandbox, type_name: &str, properties: &Value) -> String {
    let body = json!({
        "account": sandbox.customer.account, "region": REGION,
        "type": type_name, "properties": properties,
    });
    let made = sandbox.admin("resources/create", &body).await;
    made["identifier"]
        .as_str()
        .expect("an identifier")
        .to_owned()
}

/// What the cloud said in the end.
async fn ended(
    sandbox: &Sandbox,
    driver: &dyn Driver,
    started: Result<Progress, Failure>,
) -> Result<(), Failure> {
    let mut progress = started?;
    for _ in 0..50 {
        match progress.status {
            Status::Running { .. } => {}
            Status::Failed(failure) => return Err(failure),
            _ => return Ok(()),
        }
        sandbox.advance(600).await;
        progress = driver.poll(&progress.operation).await?;
    }
    panic!("it did not end: {progress:?}");
}

fn must_be_denied(what: &str, result: Result<(), Failure>) {
    match result {
        Err(failure) if failure.kind == FailureKind::Denied => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_holds_data_is_deleted_emptied_or_disarmed() {
    let sandbox = Sandbox::granting(Grant::Real).await;
    let connection = sandbox.granted().await;
    let provisioner = sandbox
        .connector
        .provisioner(&connection, REGION)
        .await
        .expect("the provisioner");
    let driver = provisioner.as_ref();
    for one in stateful() {
        let Stateful {
            type_name,
            name,
            properties,
            changes,
        } = one;
        let identifier = made(&sandbox, type_name, &properties).await;
        assert!(identifier.contains(name), "{identifier}");
        // Of what the blueprint does not make it may not even know.
        let before = driver.read(type_name, &identifier).await;
        assert!(!matches!(before, Ok(None)), "{type_name} {identifier}");
        let plain = type_name.replace(':', "");
        let token = AttemptToken(format!("delete-{plain}"));
        let deleting = driver.delete(type_name, &identifier, &token).await;
        must_be_denied(
            &format!("deleting {type_name}"),
            ended(&sandbox, driver, deleting).await,
        );
        for (index, (path, value)) in changes.into_iter().enumerate() {
            let token = AttemptToken(format!("change-{index}-{plain}"));
            let change = [PatchOperation::Add {
                path: path.to_owned(),
                value,
            }];
            let changing = driver.update(type_name, &identifier, &change, &token).await;
            must_be_denied(
                &format!("changing {path} of {type_name}"),
                ended(&sandbox, driver, changing).await,
            );
        }
        let after = driver.read(type_name, &identifier).await;
        assert_eq!(before.ok(), after.ok(), "{type_name}");
    }
}

/// The provisioner's session, for calls that no driver makes.
async fn session(sandbox: &Sandbox, connection: &Connection) -> aws_config::SdkConfig {
    let sts = aws_sdk_sts::Client::new(&customer::sdk(&sandbox.endpoint, &sandbox.operator));
    let issued = sts
        .assume_role()
        .role_arn(connection.aws().unwrap().provisioner_role_arn())
        .role_session_name("stolen")
        .external_id(&connection.external_id)
        .send()
        .await
        .expect("the provisioner can be assumed")
        .credentials
        .expect("credentials");
    customer::sdk(&sandbox.endpoint, &sandbox.operator)
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            issued.access_key_id,
            issued.secret_access_key,
            Some(issued.session_token),
            None,
            "test",
        )))
        .region(aws_config::Region::from_static(REGION))
        .build()
}

/// The code of a refusal; panics when it was none.
macro_rules! refusal {
    ($what:expr, $call:expr) => {
        match $call.send().await {
            Ok(_) => panic!("{} was allowed", $what),
            Err(error) => {
                let error = error.into_service_error();
                let code = aws_sdk_sts::error::ProvideErrorMetadata::code(&error);
                assert!(
                    matches!(code, Some("AccessDenied" | "AccessDeniedException")),
                    "{}: {error:?}",
                    $what
                );
            }
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_identity_is_edited_and_no_role_is_handed_to_cloudformation() {
    const ALL: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let sandbox = Sandbox::granting(Grant::Real).await;
    let connection = sandbox.granted().await;
    let stolen = session(&sandbox, &connection).await;
    let iam = aws_sdk_iam::Client::new(&stolen);
    for role in [
        connection.aws().unwrap().provisioner_role_name(),
        connection.aws().unwrap().reaper_role_name(),
    ] {
        refusal!(
            "an inline policy",
            iam.put_role_policy()
                .role_name(&role)
                .policy_name("more")
                .policy_document(ALL)
        );
        refusal!(
            "attaching a policy",
            iam.attach_role_policy()
                .role_name(&role)
                .policy_arn("arn:aws:iam::aws:policy/AdministratorAccess")
        );
        refusal!(
            "another trust policy",
            iam.update_assume_role_policy()
                .role_name(&role)
                .policy_document(ALL)
        );
        refusal!("deleting it", iam.delete_role().role_name(&role));
        refusal!(
            "a longer session",
            iam.update_role()
                .role_name(&role)
                .max_session_duration(43200)
        );
        let attached = iam
            .list_attached_role_policies()
            .role_name(&role)
            .send()
            .await
            .expect("reading is allowed")
            .attached_policies
            .unwrap_or_default();
        assert!(!attached.is_empty());
        for policy in attached.iter().filter_map(|policy| policy.policy_arn()) {
            refusal!(
                "detaching a policy",
                iam.detach_role_policy().role_name(&role).policy_arn(policy)
            );
            refusal!(
                "another version of a policy",
                iam.create_policy_version()
                    .policy_arn(policy)
                    .policy_document(ALL)
                    .set_as_default(true)
            );
        }
    }
    refusal!(
        "becoming the reaper",
        aws_sdk_sts::Client::new(&stolen)
            .assume_role()
            .role_arn(connection.aws().unwrap().reaper_role_arn())
            .role_session_name("stolen")
            .external_id(&connection.external_id)
    );

    // A role that CloudFormation would act as, beyond the caller's permissions.
    // The customer made it for something else.
    let owner = aws_sdk_iam::Client::new(&customer::sdk(&sandbox.endpoint, &sandbox.customer));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    for name in ["landfall-deployer", "deployer"] {
        owner
            .create_role()
            .role_name(name)
            .assume_role_policy_document(trust)
            .send()
            .await
            .expect("a role of the customer's");
        owner
            .put_role_policy()
            .role_name(name)
            .policy_name("all")
            .policy_document(ALL)
            .send()
            .await
            .expect("its policy");
        refusal!(
            "passing a role to CloudFormation",
            aws_sdk_cloudcontrol::Client::new(&stolen)
                .create_resource()
                .type_name("AWS::S3::Bucket")
                .desired_state(r#"{"BucketName":"landfall-passed"}"#)
                .role_arn(connection.aws().unwrap().role_arn(name))
        );
    }
}
