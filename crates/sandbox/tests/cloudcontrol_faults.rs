//! Operations that go wrong on purpose, and hands of others in the account.

mod cloud;
mod support;

use cloud::{Cloud, DB, LOG_GROUP, VPC, failure, still, update};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_failed_creation_leaves_nothing_or_something() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = json!({"CidrBlock": "10.0.0.0/16"});
    cloud
        .fault(json!({"kind": "fail", "code": "NotStabilized", "match": {"type": VPC}}))
        .await;
    let event = cloud.create_event(VPC, network.clone()).await;
    assert_eq!(failure(&event).0, "NotStabilized");
    assert!(event.get("Identifier").is_none());
    assert_eq!(cloud.list(VPC, None).await.len(), 0);

    cloud
        .fault(json!({"kind": "fail_with_identifier", "match": {"operation": "CreateResource"}}))
        .await;
    let event = cloud.create_event(VPC, network.clone()).await;
    assert_eq!(failure(&event).0, "GeneralServiceException");
    let left = event["Identifier"].as_str().unwrap();
    assert!(cloud.exists(VPC, left).await);

    let event = cloud.create_event(VPC, network).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "a fault strikes once");
}

#[tokio::test]
async fn an_operation_that_never_ends_blocks_until_it_is_cancelled() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    cloud
        .fault(json!({"kind": "never_ends", "match": {"type": LOG_GROUP}}))
        .await;
    let event = cloud
        .create_event(LOG_GROUP, json!({"LogGroupName": "g"}))
        .await;
    assert_eq!(event["OperationStatus"], "IN_PROGRESS");
    sandbox.advance(Duration::from_secs(10 * 86_400)).await;
    let token = json!({ "RequestToken": event["RequestToken"] });
    let event = cloud.ask("GetResourceRequestStatus", token.clone()).await;
    assert_eq!(event["OperationStatus"], "IN_PROGRESS");
    let (code, _) = cloud
        .refused(
            "DeleteResource",
            json!({"TypeName": LOG_GROUP, "Identifier": "g"}),
        )
        .await;
    assert_eq!(code, "ConcurrentOperationException");
    cloud.ask("CancelResourceRequest", token).await;
    sandbox.advance(Duration::from_secs(5)).await;
    cloud.delete(LOG_GROUP, "g").await;
}

#[tokio::test]
async fn a_failed_update_may_have_happened_and_a_failed_deletion_has_not() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    cloud.create(LOG_GROUP, json!({"LogGroupName": "g"})).await;
    let patch = json!([{"op": "add", "path": "/RetentionInDays", "value": 7}]);
    for (kind, seen) in [("fail", json!(null)), ("fail_with_identifier", json!(7))] {
        cloud
            .fault(
                json!({"kind": kind, "match": {"operation": "UpdateResource", "identifier": "g"}}),
            )
            .await;
        let event = cloud.update_event(LOG_GROUP, "g", patch.clone()).await;
        failure(&event);
        assert_eq!(
            cloud.read(LOG_GROUP, "g").await["RetentionInDays"],
            seen,
            "{kind}"
        );
    }
    for kind in ["fail", "fail_with_identifier"] {
        cloud
            .fault(json!({"kind": kind, "match": {"operation": "DeleteResource"}}))
            .await;
        failure(&cloud.delete_event(LOG_GROUP, "g").await);
        assert!(cloud.exists(LOG_GROUP, "g").await);
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_token() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    cloud
        .fault(json!({"kind": "lost_answer", "match": {"type": VPC}}))
        .await;
    let body = json!({
        "TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.0.0.0/16"}"#, "ClientToken": "once",
    });
    let lost = sandbox
        .cloud_control(&cloud.who, "CreateResource", body.clone())
        .await;
    assert!(lost.is_err(), "{lost:?}");
    let event = cloud.ask("CreateResource", body).await;
    cloud.end(&event).await;
    assert_eq!(cloud.list(VPC, None).await.len(), 1);
}

#[tokio::test]
async fn others_change_delete_and_make_things() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let db = cloud.database(&network, json!([])).await;
    let named = |type_name: &str, identifier: &str| {
        json!({
            "account": cloud.who.keys.account, "region": "eu-west-1",
            "type": type_name, "identifier": identifier,
        })
    };
    let mut change = named(DB, &db);
    change["properties"] = json!({"BackupRetentionPeriod": 0, "Tags": null});
    sandbox.admin("/_sandbox/resources/change", change).await;
    assert_eq!(cloud.read(DB, &db).await["BackupRetentionPeriod"], 0);
    sandbox
        .admin("/_sandbox/resources/delete", named(DB, &db))
        .await;
    assert!(!cloud.exists(DB, &db).await);
    let made = sandbox
        .admin(
            "/_sandbox/resources/create",
            json!({
                "account": cloud.who.keys.account, "region": "eu-west-1", "type": LOG_GROUP,
                "properties": {"LogGroupName": "theirs"},
            }),
        )
        .await;
    assert_eq!(made["identifier"], "theirs");
    assert!(cloud.exists(LOG_GROUP, "theirs").await);

    let resources = cloud.inventory().await;
    let find = |type_name: &str| {
        resources
            .iter()
            .find(|resource| resource["type"] == type_name)
            .unwrap()
    };
    assert_eq!(find(LOG_GROUP)["created_by"]["kind"], "out_of_band");
    assert_eq!(find(VPC)["created_by"]["kind"], "request");
    assert_eq!(find(VPC)["state"], "available");
    assert_eq!(find(VPC)["region"], "eu-west-1");
}

#[tokio::test]
async fn what_is_being_changed_shows_it() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let vpc = cloud.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    let patch = json!([{"op": "replace", "path": "/EnableDnsHostnames", "value": true}]);
    cloud.ask("UpdateResource", update(VPC, &vpc, &patch)).await;
    assert_eq!(cloud.inventory().await[0]["state"], "updating");
}
