//! The protocol: requests, tokens, pages, patches.

mod cloud;
mod support;

use cloud::{BUCKET, Cloud, LOG_GROUP, VPC, failure, still, still_config, update};
use serde_json::json;
use std::time::Duration;
use support::Sandbox;

#[tokio::test]
async fn a_creation_takes_its_time() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = json!({"TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.0.0.0/16"}"#});
    let event = cloud.ask("CreateResource", body).await;
    assert_eq!(event["OperationStatus"], "PENDING");
    assert_eq!(event["Operation"], "CREATE");
    assert!(event.get("Identifier").is_none());
    let token = event["RequestToken"].as_str().unwrap();

    sandbox.advance(Duration::from_secs(2)).await;
    let event = cloud.status(token).await;
    assert_eq!(event["OperationStatus"], "IN_PROGRESS");
    let identifier = event["Identifier"].as_str().unwrap().to_owned();
    assert!(identifier.starts_with("vpc-0") && identifier.len() == 21);

    sandbox.advance(Duration::from_secs(30)).await;
    let event = cloud.status(token).await;
    assert_eq!(event["OperationStatus"], "SUCCESS");
    assert_eq!(event["Identifier"], identifier.as_str());
    let read = cloud.read(VPC, &identifier).await;
    assert_eq!(read["EnableDnsSupport"], true);
    assert!(
        read["DefaultSecurityGroup"]
            .as_str()
            .unwrap()
            .starts_with("sg-")
    );
}

#[tokio::test]
async fn a_chosen_name_is_in_the_first_answer() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = json!({"TypeName": LOG_GROUP, "DesiredState": r#"{"LogGroupName":"/landfall/a"}"#});
    let event = cloud.ask("CreateResource", body).await;
    assert_eq!(event["Identifier"], "/landfall/a");
}

#[tokio::test]
async fn a_token_stands_for_one_request() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = |cidr: &str| {
        json!({
            "TypeName": VPC, "ClientToken": "attempt-1",
            "DesiredState": json!({"CidrBlock": cidr}).to_string(),
        })
    };
    let first = cloud.ask("CreateResource", body("10.0.0.0/16")).await;
    let again = cloud.ask("CreateResource", body("10.0.0.0/16")).await;
    assert_eq!(first["RequestToken"], again["RequestToken"]);
    let (code, _) = cloud.refused("CreateResource", body("10.1.0.0/16")).await;
    assert_eq!(code, "ClientTokenConflictException");

    sandbox.advance(Duration::from_secs(35 * 3_600)).await;
    let late = cloud.ask("CreateResource", body("10.0.0.0/16")).await;
    assert_eq!(late["RequestToken"], first["RequestToken"]);
    assert_eq!(late["OperationStatus"], "SUCCESS");
    assert_eq!(cloud.list(VPC, None).await.len(), 1);

    sandbox.advance(Duration::from_secs(2 * 3_600)).await;
    let forgotten = cloud.ask("CreateResource", body("10.0.0.0/16")).await;
    assert_ne!(forgotten["RequestToken"], first["RequestToken"]);
    cloud.end(&forgotten).await;
    assert_eq!(cloud.list(VPC, None).await.len(), 2);
}

#[tokio::test]
async fn a_failed_request_replays_as_failed() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = json!({
        "TypeName": "AWS::EC2::RouteTable", "ClientToken": "t",
        "DesiredState": r#"{"VpcId":"vpc-00000000000000000"}"#,
    });
    let event = cloud.ask("CreateResource", body.clone()).await;
    let (code, message) = failure(&cloud.end(&event).await);
    assert_eq!(code, "NotFound");
    assert!(message.contains("The vpc ID 'vpc-00000000000000000' does not exist"));
    let replayed = cloud.ask("CreateResource", body).await;
    assert_eq!(replayed["RequestToken"], event["RequestToken"]);
    assert_eq!(failure(&replayed).0, "NotFound");
}

#[tokio::test]
async fn one_mutation_at_a_time() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let vpc = cloud.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    let patch = json!([{"op": "add", "path": "/EnableDnsHostnames", "value": true}]);
    cloud.ask("UpdateResource", update(VPC, &vpc, &patch)).await;
    for (operation, body) in [
        ("UpdateResource", update(VPC, &vpc, &patch)),
        (
            "DeleteResource",
            json!({"TypeName": VPC, "Identifier": vpc}),
        ),
    ] {
        let (code, _) = cloud.refused(operation, body).await;
        assert_eq!(code, "ConcurrentOperationException");
    }
    // Another name for the same: creating what is being created.
    let named = json!({"TypeName": LOG_GROUP, "DesiredState": r#"{"LogGroupName":"g"}"#});
    cloud.ask("CreateResource", named.clone()).await;
    let (code, _) = cloud.refused("CreateResource", named).await;
    assert_eq!(code, "ConcurrentOperationException");
}

#[tokio::test]
async fn bad_requests_are_refused_at_once() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let create =
        |type_name: &str, desired: &str| json!({"TypeName": type_name, "DesiredState": desired});
    for (body, code, message) in [
        (
            create("AWS::Lambda::Function", "{}"),
            "TypeNotFoundException",
            "The type 'AWS::Lambda::Function' cannot be found.",
        ),
        (
            create(VPC, r#"{"CidrBlock":"10.0.0.0/16","Colour":"red"}"#),
            "ValidationException",
            "Model validation failed (#: extraneous key [Colour] is not permitted)",
        ),
        (
            create("AWS::SQS::Queue", r#"{"DelaySeconds":"2"}"#),
            "ValidationException",
            "Model validation failed (#/DelaySeconds: expected type: Integer, found: String)",
        ),
        (
            create(VPC, r#"{"CidrBlock":"10.0.0.0/16","VpcId":"vpc-1"}"#),
            "ValidationException",
            "readOnlyProperties [/properties/VpcId] cannot be specified",
        ),
        (
            create("AWS::IAM::RolePolicy", r#"{"RoleName":"r"}"#),
            "ValidationException",
            "#: required key [PolicyName] not found",
        ),
        (
            create(VPC, "[]"),
            "ValidationException",
            "must be a JSON object",
        ),
        (create(VPC, "{"), "ValidationException", "is not valid JSON"),
        (
            json!({"TypeName": VPC}),
            "ValidationException",
            "desiredState",
        ),
    ] {
        let (refused, text) = cloud.refused("CreateResource", body).await;
        assert_eq!(refused, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    let (code, _) = cloud
        .refused("ListResources", json!({"TypeName": "AWS::IAM::RolePolicy"}))
        .await;
    assert_eq!(code, "UnsupportedActionException");
    let (code, _) = cloud
        .refused("GetResourceRequestStatus", json!({"RequestToken": "none"}))
        .await;
    assert_eq!(code, "RequestTokenNotFoundException");
    let (code, text) = cloud
        .refused(
            "GetResource",
            json!({"TypeName": VPC, "Identifier": "vpc-1"}),
        )
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert!(text.contains("HandlerErrorCode: NotFound"), "{text}");
}

#[tokio::test]
async fn updates_patch_what_a_read_shows() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let group = cloud
        .create(
            LOG_GROUP,
            json!({"LogGroupName": "g", "RetentionInDays": 7}),
        )
        .await;
    let patch = json!([
        {"op": "test", "path": "/RetentionInDays", "value": 7},
        {"op": "replace", "path": "/RetentionInDays", "value": 30},
        {"op": "add", "path": "/Tags", "value": [{"Key": "a", "Value": "b"}]},
    ]);
    let event = cloud.update_event(LOG_GROUP, &group, patch).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    let read = cloud.read(LOG_GROUP, &group).await;
    assert_eq!(read["RetentionInDays"], 30);
    assert_eq!(read["Tags"][0]["Key"], "a");

    for (patch, code, message) in [
        (
            json!([{"op": "replace", "path": "/LogGroupName", "value": "h"}]),
            "NotUpdatableException",
            "createOnlyProperties [/properties/LogGroupName] cannot be updated",
        ),
        (
            json!([{"op": "replace", "path": "/Arn", "value": "arn:aws:x"}]),
            "ValidationException",
            "readOnlyProperties [/Arn]",
        ),
        (
            json!([{"op": "add", "path": "/Size", "value": 1}]),
            "ValidationException",
            "extraneous key [Size]",
        ),
        (
            json!([{"op": "test", "path": "/RetentionInDays", "value": 7}]),
            "ValidationException",
            "Invalid patch update",
        ),
        (json!({}), "ValidationException", "Invalid patch document"),
    ] {
        let (refused, text) = cloud
            .refused("UpdateResource", update(LOG_GROUP, &group, &patch))
            .await;
        assert_eq!(refused, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    let (code, _) = cloud
        .refused("UpdateResource", update(LOG_GROUP, "absent", &json!([])))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn deleting_what_is_not_there_fails_later() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let event = cloud.delete_event(VPC, "vpc-00000000000000000").await;
    assert_eq!(failure(&event).0, "NotFound");
}

#[tokio::test]
async fn lists_have_pages_and_parents() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    for number in 0..23 {
        let body = json!({
            "TypeName": LOG_GROUP,
            "DesiredState": json!({"LogGroupName": format!("g-{number:02}")}).to_string(),
        });
        cloud.ask("CreateResource", body).await;
    }
    let page = cloud
        .call("ListResources", json!({"TypeName": LOG_GROUP}))
        .await
        .unwrap();
    assert_eq!(page["ResourceDescriptions"].as_array().unwrap().len(), 20);
    assert_eq!(cloud.list(LOG_GROUP, None).await.len(), 23);
    let page = cloud
        .call(
            "ListResources",
            json!({"TypeName": LOG_GROUP, "MaxResults": 5}),
        )
        .await
        .unwrap();
    assert_eq!(page["ResourceDescriptions"].as_array().unwrap().len(), 5);
    for wrong in [json!({"MaxResults": 0}), json!({"MaxResults": 101})] {
        let mut body = wrong;
        body["TypeName"] = LOG_GROUP.into();
        assert_eq!(
            cloud.refused("ListResources", body).await.0,
            "ValidationException"
        );
    }

    let (code, text) = cloud
        .refused("ListResources", json!({"TypeName": "AWS::EC2::Route"}))
        .await;
    assert_eq!(code, "InvalidRequestException");
    assert!(text.contains("[RouteTableId]"), "{text}");
}

#[tokio::test]
async fn regions_and_accounts_are_apart_but_bucket_names_are_not() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let vpc = cloud.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    let mut elsewhere = cloud.who.clone();
    elsewhere.region = "eu-central-1";
    assert!(!cloud.seen_by(elsewhere).exists(VPC, &vpc).await);
    let other = cloud.seen_by(sandbox.other_customer());
    assert!(!other.exists(VPC, &vpc).await);

    cloud
        .create(BUCKET, json!({"BucketName": "landfall-x"}))
        .await;
    let (code, text) = other
        .fails(BUCKET, json!({"BucketName": "landfall-x"}))
        .await;
    assert_eq!(code, "AlreadyExists");
    assert!(text.contains("not available"), "{text}");
}

#[tokio::test]
async fn requests_are_listed_and_cancelled() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let vpc = cloud.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
    let body = json!({"TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.1.0.0/16"}"#});
    let event = cloud.ask("CreateResource", body).await;
    let token = event["RequestToken"].as_str().unwrap();
    sandbox.advance(Duration::from_secs(2)).await;
    let cancelled = cloud
        .ask("CancelResourceRequest", json!({ "RequestToken": token }))
        .await;
    assert_eq!(cancelled["OperationStatus"], "CANCEL_IN_PROGRESS");
    sandbox.advance(Duration::from_secs(3)).await;
    assert_eq!(
        cloud.status(token).await["OperationStatus"],
        "CANCEL_COMPLETE"
    );
    // What a handler began, it does not undo.
    assert_eq!(cloud.list(VPC, None).await.len(), 2);
    cloud.delete(VPC, &vpc).await;

    let all = cloud.call("ListResourceRequests", json!({})).await.unwrap();
    let operations: Vec<_> = all["ResourceRequestStatusSummaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["Operation"].clone(), event["OperationStatus"].clone()))
        .collect();
    assert_eq!(
        operations,
        [
            (json!("DELETE"), json!("SUCCESS")),
            (json!("CREATE"), json!("CANCEL_COMPLETE")),
            (json!("CREATE"), json!("SUCCESS")),
        ]
    );
    let filter = json!({"ResourceRequestStatusFilter": {"Operations": ["DELETE"]}});
    let deletions = cloud.call("ListResourceRequests", filter).await.unwrap();
    assert_eq!(
        deletions["ResourceRequestStatusSummaries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let done = json!({ "RequestToken": all["ResourceRequestStatusSummaries"][0]["RequestToken"] });
    let (code, _) = cloud.refused("CancelResourceRequest", done).await;
    assert_eq!(code, "ConcurrentModificationException");
}

#[tokio::test]
async fn a_pending_creation_can_be_cancelled_without_a_trace() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = json!({"TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.1.0.0/16"}"#});
    let event = cloud.ask("CreateResource", body).await;
    let token = json!({ "RequestToken": event["RequestToken"] });
    cloud.ask("CancelResourceRequest", token).await;
    let event = cloud.end(&event).await;
    assert_eq!(event["OperationStatus"], "CANCEL_COMPLETE");
    assert_eq!(cloud.list(VPC, None).await.len(), 0);
}

#[tokio::test]
async fn the_cloud_survives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = landfall_sandbox::Config {
        snapshot: Some(folder.path().join("cloud.json")),
        ..still_config()
    };
    let sandbox = Sandbox::new(config.clone()).await;
    let cloud = Cloud::of_customer(&sandbox);
    let body = json!({"TypeName": VPC, "DesiredState": r#"{"CidrBlock":"10.0.0.0/16"}"#});
    let event = cloud.ask("CreateResource", body).await;
    drop(sandbox);

    let sandbox = Sandbox::new(config).await;
    let cloud = Cloud::of_customer(&sandbox);
    let event = cloud.end(&event).await;
    assert_eq!(event["OperationStatus"], "SUCCESS");
    let vpc = event["Identifier"].as_str().unwrap();
    assert!(cloud.exists(VPC, vpc).await);
}
