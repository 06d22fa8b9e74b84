use super::{Harness, Trust, check, granted, outcome, verify};
use crate::Support;
use landfall_model::{check::Outcome, connector::Detection, driver::FailureKind, grant::Identity};
use serde_json::json;

pub(super) async fn a_role_without_external_id_is_found(harness: &dyn Harness) -> Support {
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let (connection, spec) = granted(harness).await;
        harness
            .trust(&connection, &spec, identity, Trust::WithoutExternalId)
            .await;
        harness.settle().await;
        let found = verify(harness, &connection, &spec).await;
        let who = identity.as_str();
        let id = |what: &str| format!("aws.external-id-{what}.{who}");
        assert_eq!(outcome(&found, &id("accepted")), Outcome::Pass);
        assert_eq!(outcome(&found, &id("required")), Outcome::Fail);
        assert_eq!(outcome(&found, &id("enforced")), Outcome::Fail);
        assert!(
            check(&found, &id("required"))
                .evidence
                .contains("can be assumed by anyone who knows its ARN")
        );
        assert!(
            check(&found, &id("required"))
                .remedy
                .contains(&connection.external_id)
        );
        assert_eq!(outcome(&found, "aws.grant-unchanged"), Outcome::Warn);
        assert!(!found.refused);
    }
    Support::Done
}

pub(super) async fn a_role_with_any_external_id_is_found(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    harness
        .trust(
            &connection,
            &spec,
            Identity::Provisioner,
            Trust::AnyExternalId,
        )
        .await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    assert_eq!(
        outcome(&found, "aws.external-id-required.provisioner"),
        Outcome::Pass
    );
    assert_eq!(
        outcome(&found, "aws.external-id-enforced.provisioner"),
        Outcome::Fail
    );
    Support::Done
}

pub(super) async fn somebody_elses_external_id_is_refused(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    for identity in [Identity::Provisioner, Identity::Reaper] {
        harness
            .trust(&connection, &spec, identity, Trust::AnothersExternalId)
            .await;
    }
    harness.settle().await;
    let found = harness.connector().detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let found = verify(harness, &connection, &spec).await;
    assert!(found.refused);
    assert_eq!(
        outcome(&found, "aws.external-id-accepted.provisioner"),
        Outcome::Fail
    );
    Support::Done
}

pub(super) async fn another_principal_is_noticed(harness: &dyn Harness) -> Support {
    let (connection, spec) = granted(harness).await;
    harness
        .trust(
            &connection,
            &spec,
            Identity::Reaper,
            Trust::AnotherPrincipalToo,
        )
        .await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    for id in ["aws.grant-as-specified", "aws.grant-unchanged"] {
        assert_eq!(outcome(&found, id), Outcome::Warn, "{id}");
        let evidence = &check(&found, id).evidence;
        assert!(evidence.contains("reaper's trust policy"), "{evidence}");
    }
    Support::Done
}

pub(super) async fn a_reaper_needs_a_narrowing_policy(harness: &dyn Harness) -> Support {
    let connector = harness.connector();
    let (connection, _) = granted(harness).await;
    let resource = super::retained(&connection);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:DeleteLogGroup", "Resource": "*"}],
    });
    connector
        .reaper(&connection, &resource, &policy)
        .await
        .map(|_| ())
        .expect("the reaper can be had");

    let long = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "a".repeat(2100), "Resource": "*"}],
    });
    for wrong in [json!({}), json!(null), json!({"Statement": []}), long] {
        let refused = connector.reaper(&connection, &resource, &wrong).await;
        let refused = refused.err().expect("it would not be narrowed");
        assert_eq!(refused.kind, FailureKind::Invalid, "{refused:?}");
    }
    let mut elsewhere = resource.clone();
    elsewhere.account_id = "999999999999".to_owned();
    assert!(
        connector
            .reaper(&connection, &elsewhere, &policy)
            .await
            .is_err(),
        "the resource is in another account"
    );
    let mut without = connection.clone();
    without.with_reaper = false;
    assert!(
        connector
            .reaper(&without, &resource, &policy)
            .await
            .is_err(),
        "the customer left the reaper out"
    );
    Support::Done
}
