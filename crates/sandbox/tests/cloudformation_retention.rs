//! What stays when a stack, or a part of it, goes.

mod cloud;
mod support;

use cloud::{Cloud, ROLE, still};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Answer, Sandbox};

const POLICY: &str = "AWS::IAM::ManagedPolicy";

fn trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})
}

fn document(action: &str) -> Value {
    json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// A boundary that a parameter leaves out, and a role beside it. The boundary's
/// attributes are the test's.
fn template(attributes: Value) -> Value {
    let mut boundary = json!({
        "Type": POLICY,
        "Condition": "MakeBoundary",
        "Properties": {
            "ManagedPolicyName": {"Fn::Sub": "${Name}-boundary"},
            "PolicyDocument": document("s3:ListBucket"),
        },
    });
    let boundary_map = boundary.as_object_mut().unwrap();
    boundary_map.extend(attributes.as_object().unwrap().clone());
    json!({
        "Parameters": {
            "Name": {"Type": "String", "Default": "lf"},
            "ExistingBoundary":
                {"Type": "String", "Default": "no", "AllowedValues": ["no", "yes"]},
        },
        "Conditions": {"MakeBoundary": {"Fn::Equals": [{"Ref": "ExistingBoundary"}, "no"]}},
        "Resources": {
            "Boundary": boundary,
            "Role": {"Type": ROLE, "Properties": {
                "RoleName": "landfall",
                "Description": {"Fn::If": ["MakeBoundary", {"Ref": "Boundary"}, "elsewhere"]},
                "AssumeRolePolicyDocument": trust(),
            }},
        },
        "Outputs": {
            "Made": {"Condition": "MakeBoundary", "Value": {"Ref": "Boundary"}},
            "Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
    })
}

struct Stacks<'s> {
    cloud: Cloud<'s>,
}

impl<'s> Stacks<'s> {
    fn of_customer(sandbox: &'s Sandbox) -> Self {
        Self {
            cloud: Cloud::of_customer(sandbox),
        }
    }

    fn boundary(&self, name: &str) -> String {
        let account = &self.cloud.who.keys.account;
        format!("arn:aws:iam::{account}:policy/{name}-boundary")
    }

    async fn ask(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        let mut all = vec![("StackName", "s"), ("Capabilities.member.1", NAMED)];
        all.extend(params);
        self.cloud
            .sandbox
            .query(
                &self.cloud.who,
                "cloudformation",
                "2010-05-15",
                action,
                &all,
            )
            .await
    }

    /// Asks for a change and returns what the stack came to.
    async fn change(&self, action: &str, template: &Value, parameters: &[(&str, &str)]) -> String {
        let body = template.to_string();
        let keys: Vec<(String, String)> = parameters
            .iter()
            .zip(1..)
            .flat_map(|((name, value), n)| {
                [
                    (format!("Parameters.member.{n}.ParameterKey"), *name),
                    (format!("Parameters.member.{n}.ParameterValue"), *value),
                ]
            })
            .map(|(key, value)| (key, value.to_owned()))
            .collect();
        let mut params = vec![("TemplateBody", body.as_str())];
        params.extend(keys.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let id = self.ask(action, &params).await.expect_ok().text("StackId");
        self.settled(&id).await
    }

    async fn settled(&self, id: &str) -> String {
        self.cloud.sandbox.advance(Duration::from_secs(120)).await;
        self.ask("DescribeStacks", &[("StackName", id)])
            .await
            .expect_ok()
            .text("StackStatus")
    }

    /// Deletes the stack and returns what it came to.
    async fn delete(&self, params: &[(&str, &str)]) -> String {
        let described = self.ask("DescribeStacks", &[]).await.expect_ok();
        let id = described.text("StackId");
        self.ask("DeleteStack", params).await.expect_ok();
        self.settled(&id).await
    }

    /// Logical id, status and reason of every event, newest first.
    async fn events(&self, id: &str) -> String {
        self.ask("DescribeStackEvents", &[("StackName", id)])
            .await
            .expect_ok()
            .body
    }

    async fn id(&self) -> String {
        self.ask("DescribeStacks", &[])
            .await
            .expect_ok()
            .text("StackId")
    }

    async fn is_there(&self, name: &str) -> bool {
        self.cloud.exists(POLICY, &self.boundary(name)).await
    }
}

const NAMED: &str = "CAPABILITY_NAMED_IAM";

#[tokio::test]
async fn a_boundary_in_use_fails_the_deletion_of_its_stack() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let template = template(json!({}));
    assert_eq!(
        stacks.change("CreateStack", &template, &[]).await,
        "CREATE_COMPLETE"
    );
    let workload = json!({"RoleName": "workload", "AssumeRolePolicyDocument": trust(),
        "PermissionsBoundary": stacks.boundary("lf")});
    stacks.cloud.create(ROLE, workload).await;
    let id = stacks.id().await;
    let retained = [("RetainResources.member.1", "Boundary")];
    let early = stacks.ask("DeleteStack", &retained).await;
    assert_eq!(early.code(), "ValidationError");
    assert!(
        early
            .body
            .contains("only when the stack is in the DELETE_FAILED state"),
        "{}",
        early.body
    );

    assert_eq!(stacks.delete(&[]).await, "DELETE_FAILED");
    let described = stacks.ask("DescribeStacks", &[]).await;
    assert_eq!(
        described.text("StackStatusReason").trim(),
        "The following resource(s) failed to delete: [Boundary]."
    );
    let events = stacks.events(&id).await;
    assert!(
        events.contains("Cannot delete a policy attached to entities."),
        "{events}"
    );
    assert!(
        events.contains("HandlerErrorCode: ResourceConflict"),
        "{events}"
    );
    assert!(stacks.is_there("lf").await);
    assert!(
        !stacks.cloud.exists(ROLE, "landfall").await,
        "the rest went"
    );

    assert_eq!(stacks.delete(&retained).await, "DELETE_COMPLETE");
    assert!(stacks.is_there("lf").await);
}

#[tokio::test]
async fn what_is_retained_outlives_its_stack_and_stands_in_the_way_of_the_next() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let template = template(json!({"DeletionPolicy": "Retain"}));
    assert_eq!(
        stacks.change("CreateStack", &template, &[]).await,
        "CREATE_COMPLETE"
    );
    let described = stacks.ask("DescribeStacks", &[]).await;
    assert_eq!(described.texts("OutputKey"), ["Made", "Role"]);
    let id = stacks.id().await;
    assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    assert!(stacks.events(&id).await.contains("DELETE_SKIPPED"));
    assert!(stacks.is_there("lf").await);

    assert_eq!(
        stacks.change("CreateStack", &template, &[]).await,
        "ROLLBACK_COMPLETE"
    );
    let events = stacks.events("s").await;
    assert!(
        events.contains("HandlerErrorCode: AlreadyExists"),
        "{events}"
    );
    assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    assert!(stacks.is_there("lf").await, "it was never this stack's");

    let without = [("ExistingBoundary", "yes")];
    assert_eq!(
        stacks.change("CreateStack", &template, &without).await,
        "CREATE_COMPLETE"
    );
    let described = stacks.ask("DescribeStacks", &[]).await;
    assert_eq!(described.texts("OutputKey"), ["Role"]);
    let role = stacks.cloud.read(ROLE, "landfall").await;
    assert_eq!(role["Description"], "elsewhere");
    assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    assert!(stacks.is_there("lf").await);
}

#[tokio::test]
async fn an_update_that_leaves_a_resource_out_keeps_it_if_its_last_template_said_so() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let kept = template(json!({"DeletionPolicy": "Retain"}));
    let mut removed = kept.clone();
    removed["Resources"]
        .as_object_mut()
        .unwrap()
        .remove("Boundary");
    removed["Resources"]["Role"]["Properties"]["Description"] = "elsewhere".into();
    removed["Outputs"].as_object_mut().unwrap().remove("Made");
    for (name, first, then, parameters, stays) in [
        (
            "condition",
            &kept,
            &kept,
            &[("ExistingBoundary", "yes")][..],
            true,
        ),
        ("template", &kept, &removed, &[], true),
        // Too late: what leaves it out has no say.
        (
            "late",
            &template(json!({})),
            &kept,
            &[("ExistingBoundary", "yes")],
            false,
        ),
    ] {
        let named = ("Name", name);
        assert_eq!(
            stacks.change("CreateStack", first, &[named]).await,
            "CREATE_COMPLETE"
        );
        let mut changed = vec![named];
        changed.extend(parameters);
        assert_eq!(
            stacks.change("UpdateStack", then, &changed).await,
            "UPDATE_COMPLETE",
            "{name}"
        );
        assert_eq!(stacks.is_there(name).await, stays, "{name}");
        assert_eq!(
            stacks.events("s").await.contains("DELETE_SKIPPED"),
            stays,
            "{name}"
        );
        let resources = stacks.ask("DescribeStackResources", &[]).await;
        assert_eq!(resources.texts("LogicalResourceId"), ["Role"], "{name}");
        assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
        assert_eq!(stacks.is_there(name).await, stays, "{name}");
    }
}

#[tokio::test]
async fn a_rollback_keeps_what_is_retained_but_not_what_is_retained_except_on_create() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let taken = json!({"RoleName": "landfall", "AssumeRolePolicyDocument": trust()});
    stacks.cloud.create(ROLE, taken).await;
    for (name, stays) in [("Retain", true), ("RetainExceptOnCreate", false)] {
        let template = template(json!({"DeletionPolicy": name}));
        assert_eq!(
            stacks
                .change("CreateStack", &template, &[("Name", name)])
                .await,
            "ROLLBACK_COMPLETE"
        );
        assert_eq!(stacks.is_there(name).await, stays, "{name}");
        assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    }
    stacks.cloud.delete(ROLE, "landfall").await;
    let template = template(json!({"DeletionPolicy": "RetainExceptOnCreate"}));
    assert_eq!(
        stacks.change("CreateStack", &template, &[]).await,
        "CREATE_COMPLETE"
    );
    assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    assert!(stacks.is_there("lf").await);
}

#[tokio::test]
async fn a_replaced_resource_stays_if_the_template_says_so_and_a_rollback_returns_to_it() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let kept = template(json!({"UpdateReplacePolicy": "Retain"}));
    let named = |name| [("Name", name)];
    assert_eq!(
        stacks.change("CreateStack", &kept, &named("one")).await,
        "CREATE_COMPLETE"
    );
    let mut broken = kept.clone();
    broken["Resources"]["Role"]["Properties"]["MaxSessionDuration"] = 5.into();
    assert_eq!(
        stacks.change("UpdateStack", &broken, &named("two")).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert!(stacks.is_there("one").await);
    assert!(!stacks.is_there("two").await);
    let resources = stacks.ask("DescribeStackResources", &[]).await;
    assert!(
        resources
            .texts("PhysicalResourceId")
            .contains(&stacks.boundary("one")),
        "{}",
        resources.body
    );

    assert_eq!(
        stacks.change("UpdateStack", &kept, &named("two")).await,
        "UPDATE_COMPLETE"
    );
    assert!(stacks.is_there("one").await && stacks.is_there("two").await);
    let mut gone = kept;
    gone["Resources"]["Boundary"]["UpdateReplacePolicy"] = "Delete".into();
    assert_eq!(
        stacks.change("UpdateStack", &gone, &named("three")).await,
        "UPDATE_COMPLETE"
    );
    assert!(!stacks.is_there("two").await && stacks.is_there("three").await);
    assert_eq!(stacks.delete(&[]).await, "DELETE_COMPLETE");
    assert!(!stacks.is_there("three").await && stacks.is_there("one").await);
}

#[tokio::test]
async fn what_a_condition_leaves_out_can_only_be_referred_to_under_it() {
    let sandbox = still().await;
    let stacks = Stacks::of_customer(&sandbox);
    let fine = template(json!({}));
    let mut resource = fine.clone();
    resource["Resources"]["Role"]["Properties"]["Description"] = json!({"Ref": "Boundary"});
    let mut output = fine.clone();
    output["Outputs"]["Made"]
        .as_object_mut()
        .unwrap()
        .remove("Condition");
    let mut circular = fine.clone();
    circular["Conditions"]["MakeBoundary"] = json!({"Fn::Equals": [{"Ref": "Role"}, "x"]});
    let mut unknown = fine.clone();
    unknown["Outputs"]["Made"]["Condition"] = "Nowhere".into();
    let mut keep = fine;
    keep["Resources"]["Boundary"]["DeletionPolicy"] = "Keep".into();
    for (broken, message) in [
        (
            resource,
            "Unresolved resource dependencies [Boundary] in the Resources block",
        ),
        (
            output,
            "Unresolved resource dependencies [Boundary] in the Outputs block",
        ),
        (
            circular,
            "Cannot reference resources in the Conditions block",
        ),
        (unknown, "Unresolved condition dependency Nowhere"),
        (
            keep,
            "Unrecognized DeletionPolicy Keep for resource Boundary",
        ),
    ] {
        let refused = stacks
            .ask(
                "CreateStack",
                &[
                    ("TemplateBody", &broken.to_string()),
                    ("Parameters.member.1.ParameterKey", "ExistingBoundary"),
                    ("Parameters.member.1.ParameterValue", "yes"),
                ],
            )
            .await;
        assert_eq!(refused.code(), "ValidationError", "{message}");
        assert!(refused.body.contains(message), "{}", refused.body);
    }
    let listed = stacks.ask("ListStacks", &[]).await.expect_ok();
    assert_eq!(listed.texts("StackName"), Vec::<String>::new());
}
