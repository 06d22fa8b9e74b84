//! What the two identities may not do, seen through the driver.

use crate::support::{
    Keys, connector,
    sandbox::{REGION, Sandbox},
    spec::Grant,
};
use landfall_contract::connector::Harness as _;
use landfall_model::{
    check::Outcome,
    connection::Connection,
    connector::{Availability, Detection, Silent},
    driver::{AttemptToken, Driver, Failure, FailureKind, Progress, Status},
    graph::Address,
    retained::{Reason, Retained, State},
};
use landfall_plan::policy::aws::reaper_session_policy;
use serde_json::json;

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
        account_id: connection.scope().to_owned(),
        region: REGION.to_owned(),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since: connection.created_at,
        monthly_cents: None,
        state: State::Retained,
        version: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioner_may_not_delete_and_the_reaper_only_what_was_approved() {
    let sandbox = Sandbox::granting(Grant::Real).await;
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
                &json!({
                    "BucketName": bucket,
                    "Tags": [{"Key": "landfall:managed", "Value": "true"}],
                }),
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
    // Already Cloud Control's own action: no handler is even reached.
    assert_eq!(
        refused.action.as_deref(),
        Some("cloudformation:DeleteResource")
    );

    let approved = retained(&connection, "landfall-one");
    let narrowed = reaper_session_policy(&approved, connection.aws().unwrap().partition())
        .expect("a known type");
    let reaper = sandbox
        .connector
        .reaper(&connection, &approved, &narrowed)
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
                "account": connection.scope(),
                "role": connection.aws().unwrap().provisioner_role_name(),
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

/// Forty nodes find the session over at the same instant: STS is asked once.
#[tokio::test(flavor = "multi_thread")]
async fn one_renewal_serves_all() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.granted().await;
    let driver = sandbox
        .connector
        .provisioner(&connection, REGION)
        .await
        .expect("the provisioner");
    assert_eq!(sandbox.requests("AssumeRole").await, 1);
    sandbox.advance(2 * 3600).await;
    let lists = (0..40).map(|_| driver.list("AWS::Logs::LogGroup", None));
    futures::future::try_join_all(lists)
        .await
        .expect("all list");
    assert_eq!(sandbox.requests("AssumeRole").await, 2);
}

/// An operator's expired keys are no reason to call a customer's grant revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_aws_does_not_know_accuses_nobody() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.granted().await;
    let unknown = Keys {
        account: sandbox.operator.account.clone(),
        access_key_id: "AKIAUNKNOWNUNKNOWN00".to_owned(),
        secret_access_key: "unknown".to_owned(),
    };
    let connector = connector(&sandbox.endpoint, &unknown, |_| {}).await;
    let Availability::Unavailable { next_step, .. } = connector.availability().await else {
        panic!("AWS does not know these keys");
    };
    assert!(!next_step.is_empty());
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let refused = connector
        .provisioner(&connection, REGION)
        .await
        .err()
        .expect("nobody can be assumed");
    assert_eq!(refused.kind, FailureKind::Unavailable, "{refused:?}");

    let spec = sandbox.spec(&connection).await;
    let found = connector
        .verify(&connection, &spec, sandbox.now(), &Silent)
        .await
        .unwrap();
    assert!(!found.refused);
    for check in &found.checks {
        let wanted = if check.id == "aws.server-identity" {
            Outcome::Fail
        } else {
            Outcome::Skipped
        };
        assert_eq!(check.outcome, wanted, "{check:#?}");
    }
}
