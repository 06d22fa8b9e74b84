//! What the two identities may not do, seen through the driver.

use crate::support::sandbox::{REGION, Sandbox};
use landfall_model::{
    connection::Connection,
    driver::{AttemptToken, Driver, Failure, FailureKind, Progress, Status},
    graph::Address,
    retained::{Reason, Retained, State},
};
use serde_json::{Value, json};

const BUCKET: &str = "AWS::S3::Bucket";

async fn end(sandbox: &Sandbox, driver: &dyn Driver, started: Progress) -> Progress {
    let mut progress = started;
    for _ in 0..50 {
        if !matches!(progress.status, Status::Running { .. }) {
            return progress;
        }
        sandbox.advance(600).await;
        progress = driver.poll(&progress.operation).await.expect("polled");
    }
    panic!("it did not end: {progress:?}");
}

async fn delete(
    sandbox: &Sandbox,
    driver: &dyn Driver,
    who: &str,
    bucket: &str,
) -> Result<(), Failure> {
    let token = AttemptToken(format!("{who}-deletes-{bucket}"));
    let started = driver.delete(BUCKET, bucket, &token).await?;
    match end(sandbox, driver, started).await.status {
        Status::Failed(failure) => Err(failure),
        _ => Ok(()),
    }
}

fn retained(connection: &Connection, bucket: &str) -> Retained {
    Retained {
        id: "ret_0190b5c8e0f07c3f8a1d2b3c4d5e6f70".parse().unwrap(),
        organization_id: connection.organization_id.clone(),
        connection_id: connection.id.clone(),
        environment_id: "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70".parse().unwrap(),
        environment_name: "shop/production".to_owned(),
        address: Address::new("bucket"),
        type_name: BUCKET.to_owned(),
        title: "Bucket".to_owned(),
        identifier: bucket.to_owned(),
        account_id: connection.account_id.to_string(),
        region: REGION.to_owned(),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since: connection.created_at,
        monthly_cents: None,
        state: State::Retained,
        version: 1,
    }
}

fn only(bucket: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{bucket}")},
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioner_may_not_delete_and_the_reaper_only_what_was_approved() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.granted().await;
    let provisioner = sandbox
        .connector
        .provisioner(&connection, REGION)
        .await
        .expect("the provisioner");
    for bucket in ["landfall-one", "landfall-two"] {
        let started = provisioner
            .create(
                BUCKET,
                &json!({"BucketName": bucket}),
                &AttemptToken(format!("create-{bucket}")),
            )
            .await
            .expect("a bucket can be made");
        let done = end(&sandbox, provisioner.as_ref(), started).await;
        assert_eq!(done.status, Status::Succeeded);
    }

    let refused = delete(
        &sandbox,
        provisioner.as_ref(),
        "provisioner",
        "landfall-one",
    )
    .await
    .expect_err("the provisioner must not delete");
    assert_eq!(refused.kind, FailureKind::Denied, "{refused:?}");
    assert_eq!(refused.action.as_deref(), Some("s3:DeleteBucket"));

    let reaper = sandbox
        .connector
        .reaper(
            &connection,
            &retained(&connection, "landfall-one"),
            &only("landfall-one"),
        )
        .await
        .expect("the reaper");
    let refused = delete(&sandbox, reaper.as_ref(), "reaper", "landfall-two")
        .await
        .expect_err("this one was not approved");
    assert_eq!(refused.kind, FailureKind::Denied, "{refused:?}");
    delete(&sandbox, reaper.as_ref(), "reaper", "landfall-one")
        .await
        .expect("this one was");
    assert_eq!(
        provisioner.read(BUCKET, "landfall-one").await.unwrap(),
        None
    );
    assert!(
        provisioner
            .read(BUCKET, "landfall-two")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_renewed_and_a_revoked_grant_is_not() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.granted().await;
    let driver = sandbox
        .connector
        .provisioner(&connection, REGION)
        .await
        .expect("the provisioner");
    driver
        .list("AWS::Logs::LogGroup", None)
        .await
        .expect("lists");
    // The session is over for the cloud, but by our clock it is young.
    sandbox.advance(2 * 3600).await;
    driver
        .list("AWS::Logs::LogGroup", None)
        .await
        .expect("lists with a new session");

    sandbox
        .admin(
            "iam/role",
            &json!({
                "account": connection.account_id,
                "role": connection.provisioner_role_name(),
                "delete": true,
            }),
        )
        .await;
    let refused = driver
        .list("AWS::Logs::LogGroup", None)
        .await
        .expect_err("the role is gone");
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
    assert!(!refused.kind.is_retryable());
}
