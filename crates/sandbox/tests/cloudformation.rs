//! Stacks through the query API.

mod cloud;
mod support;

use cloud::{Cloud, ROLE, still};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Answer, As, Sandbox, allow};

const TEMPLATE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Description: Access for a test.
Parameters:
  PrincipalArn: {Type: String}
  ExternalId:
    Type: String
    NoEcho: true
    MinLength: 2
    AllowedPattern: '[A-Za-z0-9-]+'
  WithReaper: {Type: String, Default: 'yes', AllowedValues: ['yes', 'no']}
Conditions:
  Reaping: !Equals [!Ref WithReaper, 'yes']
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub '${AWS::StackName}-policy'
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 's3:List*', Resource: '*'}]
  Provisioner:
    Type: AWS::IAM::Role
    Properties:
      RoleName: landfall-provisioner
      ManagedPolicyArns: [!Ref Policy]
      AssumeRolePolicyDocument: &trust
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal: {AWS: !Ref PrincipalArn}
            Condition: {StringEquals: {'sts:ExternalId': !Ref ExternalId}}
  Reaper:
    Type: AWS::IAM::Role
    Condition: Reaping
    Properties:
      RoleName: landfall-reaper
      AssumeRolePolicyDocument: *trust
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: extra
      Roles: !If [Reaping, [!Ref Provisioner, !Ref Reaper], [!Ref Provisioner]]
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 'sqs:ListQueues', Resource: '*'}]
Outputs:
  ProvisionerRoleArn: {Value: !GetAtt Provisioner.Arn, Description: For Landfall}
  ReaperRoleArn: {Condition: Reaping, Value: !GetAtt Reaper.Arn}
";

async fn cfn(sandbox: &Sandbox, who: &As, action: &str, params: &[(&str, &str)]) -> Answer {
    sandbox
        .query(who, "cloudformation", "2010-05-15", action, params)
        .await
}

/// Parameters of a CreateStack or UpdateStack.
fn stack<'a>(principal: &'a str, reaper: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("StackName", "landfall"),
        ("TemplateBody", TEMPLATE),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "PrincipalArn"),
        ("Parameters.member.1.ParameterValue", principal),
        ("Parameters.member.2.ParameterKey", "ExternalId"),
        ("Parameters.member.2.ParameterValue", "lf-0123456789"),
        ("Parameters.member.3.ParameterKey", "WithReaper"),
        ("Parameters.member.3.ParameterValue", reaper),
    ]
}

async fn status(sandbox: &Sandbox, who: &As, name: &str) -> String {
    sandbox.advance(Duration::from_secs(120)).await;
    cfn(sandbox, who, "DescribeStacks", &[("StackName", name)])
        .await
        .expect_ok()
        .text("StackStatus")
}

#[tokio::test]
async fn a_stack_makes_real_roles_and_deleting_it_takes_them_away() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    let created = cfn(
        &sandbox,
        &cloud.who,
        "CreateStack",
        &stack(&principal, "yes"),
    )
    .await;
    let id = created.expect_ok().text("StackId");
    assert!(id.contains(":stack/landfall/"), "{id}");
    let described = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStacks",
        &[("StackName", "landfall")],
    )
    .await;
    assert_eq!(described.text("StackStatus"), "CREATE_IN_PROGRESS");
    assert_eq!(
        status(&sandbox, &cloud.who, "landfall").await,
        "CREATE_COMPLETE"
    );

    let described = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStacks",
        &[("StackName", &id)],
    )
    .await;
    assert_eq!(
        described.texts("OutputKey"),
        ["ProvisionerRoleArn", "ReaperRoleArn"]
    );
    let arn = described.text("OutputValue");
    assert!(arn.ends_with(":role/landfall-provisioner"));
    assert!(!described.body.contains("lf-0123456789"), "NoEcho");

    // The role works at once: only the right external id opens it.
    let operator = sandbox.operator();
    let opened = sandbox
        .assume(
            &operator,
            &[("RoleArn", &arn), ("ExternalId", "lf-0123456789")],
        )
        .await;
    assert!(opened.is_ok(), "{opened:?}");
    let refused = sandbox.assume(&operator, &[("RoleArn", &arn)]).await;
    assert_eq!(refused.unwrap_err().code(), "AccessDenied");
    for role in ["landfall-provisioner", "landfall-reaper"] {
        let policies = sandbox
            .iam(&cloud.who, "ListRolePolicies", &[("RoleName", role)])
            .await;
        assert_eq!(policies.texts("member"), ["extra"]);
    }

    let events = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStackEvents",
        &[("StackName", "landfall")],
    )
    .await;
    let ids = events.texts("LogicalResourceId");
    let states = events.texts("ResourceStatus");
    let told: Vec<(&str, &str)> = ids
        .iter()
        .map(String::as_str)
        .zip(states.iter().map(String::as_str))
        .collect();
    assert_eq!(told[0], ("landfall", "CREATE_COMPLETE"));
    let at = |wanted: (&str, &str)| told.iter().position(|it| *it == wanted).unwrap();
    assert!(
        at(("Policy", "CREATE_COMPLETE")) > at(("Provisioner", "CREATE_IN_PROGRESS")),
        "newest first, the policy before the role: {told:?}"
    );
    let resources = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStackResources",
        &[("StackName", "landfall")],
    )
    .await;
    assert!(
        resources
            .texts("PhysicalResourceId")
            .contains(&"landfall-provisioner".to_owned())
    );
    let made_by = cloud
        .inventory()
        .await
        .into_iter()
        .find(|resource| resource["identifier"] == "landfall-provisioner")
        .unwrap();
    assert_eq!(made_by["created_by"], json!({"kind": "stack", "id": id}));

    cfn(
        &sandbox,
        &cloud.who,
        "DeleteStack",
        &[("StackName", "landfall")],
    )
    .await
    .expect_ok();
    sandbox.advance(Duration::from_secs(300)).await;
    let gone = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStacks",
        &[("StackName", "landfall")],
    )
    .await;
    assert_eq!(gone.code(), "ValidationError");
    let by_id = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStacks",
        &[("StackName", &id)],
    )
    .await;
    assert_eq!(by_id.text("StackStatus"), "DELETE_COMPLETE");
    assert!(!cloud.exists(ROLE, "landfall-provisioner").await);
    assert!(!cloud.exists(ROLE, "landfall-reaper").await);
}

#[tokio::test]
async fn a_stack_is_refused_before_it_begins() {
    let sandbox = still().await;
    let who = sandbox.customer();
    let full = stack("arn:aws:iam::1:root", "yes");
    let without = |name: &str| -> Vec<(&str, &str)> {
        full.iter()
            .filter(|(key, _)| !key.starts_with(name))
            .copied()
            .collect()
    };
    let with = |name: &'static str, value: &'static str| -> Vec<(&str, &str)> {
        full.iter()
            .map(|(key, old)| (*key, if *key == name { value } else { *old }))
            .collect()
    };
    for (params, code, message) in [
        (
            without("Capabilities"),
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        ),
        (
            with("Capabilities.member.1", "CAPABILITY_IAM"),
            "InsufficientCapabilitiesException",
            "CAPABILITY_NAMED_IAM",
        ),
        (
            without("Parameters.member.2"),
            "ValidationError",
            "Parameters: [ExternalId] must have values",
        ),
        (
            with("Parameters.member.3.ParameterValue", "maybe"),
            "ValidationError",
            "AllowedValues",
        ),
        (
            with("Parameters.member.2.ParameterValue", "a b"),
            "ValidationError",
            "must match pattern",
        ),
        (with("StackName", "1st"), "ValidationError", "stackName"),
        (
            with("TemplateBody", "a: ["),
            "ValidationError",
            "not well-formed",
        ),
        (
            without("TemplateBody"),
            "ValidationError",
            "must be specified",
        ),
    ] {
        let refused = cfn(&sandbox, &who, "CreateStack", &params).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
        assert!(refused.body.contains(message), "{}", refused.body);
    }
    cfn(&sandbox, &who, "CreateStack", &full).await.expect_ok();
    let twice = cfn(&sandbox, &who, "CreateStack", &full).await;
    assert_eq!(twice.code(), "AlreadyExistsException");
}

#[tokio::test]
async fn a_template_can_lie_in_a_bucket() {
    let sandbox = still().await;
    let who = sandbox.customer();
    let url = sandbox
        .template("/templates/landfall-templates/v1.yaml", TEMPLATE)
        .await;
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    let mut params = stack(&principal, "no");
    params.retain(|(key, _)| *key != "TemplateBody");
    params.push(("TemplateURL", &url));
    let validated = cfn(&sandbox, &who, "ValidateTemplate", &[("TemplateURL", &url)]).await;
    assert_eq!(
        validated.texts("ParameterKey"),
        ["ExternalId", "PrincipalArn", "WithReaper"]
    );
    assert!(validated.body.contains("CAPABILITY_NAMED_IAM"));
    cfn(&sandbox, &who, "CreateStack", &params)
        .await
        .expect_ok();
    assert_eq!(status(&sandbox, &who, "landfall").await, "CREATE_COMPLETE");

    let absent = sandbox.url("/templates/landfall-templates/absent.yaml");
    let refused = cfn(
        &sandbox,
        &who,
        "ValidateTemplate",
        &[("TemplateURL", &absent)],
    )
    .await;
    assert!(refused.body.contains("S3 error"), "{}", refused.body);
}

#[tokio::test]
async fn what_fails_is_rolled_back() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let trust: Value = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]});
    cloud
        .create(
            ROLE,
            json!({"RoleName": "landfall-reaper", "AssumeRolePolicyDocument": trust}),
        )
        .await;
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    cfn(
        &sandbox,
        &cloud.who,
        "CreateStack",
        &stack(&principal, "yes"),
    )
    .await
    .expect_ok();
    assert_eq!(
        status(&sandbox, &cloud.who, "landfall").await,
        "ROLLBACK_COMPLETE"
    );
    let events = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStackEvents",
        &[("StackName", "landfall")],
    )
    .await;
    assert!(
        events.body.contains("HandlerErrorCode: AlreadyExists"),
        "{}",
        events.body
    );
    assert!(events.body.contains("failed to create: [Reaper]"));
    assert!(!cloud.exists(ROLE, "landfall-provisioner").await);
    assert!(
        cloud.exists(ROLE, "landfall-reaper").await,
        "what was there before stays"
    );
}

#[tokio::test]
async fn a_stack_acts_with_its_creators_permissions() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let some = cloud
        .session(
            "some",
            allow(&["cloudformation:*", "iam:Get*", "iam:CreatePolicy"]),
        )
        .await;
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    cfn(&sandbox, &some, "CreateStack", &stack(&principal, "yes"))
        .await
        .expect_ok();
    status(&sandbox, &cloud.who, "landfall").await;
    let events = cfn(
        &sandbox,
        &cloud.who,
        "DescribeStackEvents",
        &[("StackName", "landfall")],
    )
    .await;
    assert!(events.body.contains("HandlerErrorCode: AccessDenied"));
    assert!(
        events
            .body
            .contains("not authorized to perform: iam:CreateRole")
    );
    assert!(!cloud.exists(ROLE, "landfall-provisioner").await);
    let nobody = cloud.session("nobody", allow(&["iam:*"])).await;
    let refused = cfn(&sandbox, &nobody, "ListStacks", &[]).await;
    assert_eq!(refused.code(), "AccessDenied");
}

#[tokio::test]
async fn an_update_changes_what_differs_or_returns_to_what_was() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    cfn(
        &sandbox,
        &cloud.who,
        "CreateStack",
        &stack(&principal, "yes"),
    )
    .await
    .expect_ok();
    status(&sandbox, &cloud.who, "landfall").await;
    let same = cfn(
        &sandbox,
        &cloud.who,
        "UpdateStack",
        &stack(&principal, "yes"),
    )
    .await;
    assert!(
        same.body.contains("No updates are to be performed"),
        "{}",
        same.body
    );

    cfn(
        &sandbox,
        &cloud.who,
        "UpdateStack",
        &stack(&principal, "no"),
    )
    .await
    .expect_ok();
    assert_eq!(
        status(&sandbox, &cloud.who, "landfall").await,
        "UPDATE_COMPLETE"
    );
    assert!(cloud.exists(ROLE, "landfall-provisioner").await);
    assert!(!cloud.exists(ROLE, "landfall-reaper").await, "left out");

    let broken = TEMPLATE.replace("sqs:ListQueues', Resource: '*'", "sqs:ListQueues'");
    let mut params = stack(&principal, "no");
    for (key, value) in &mut params {
        if *key == "TemplateBody" {
            *value = &broken;
        }
    }
    cfn(&sandbox, &cloud.who, "UpdateStack", &params)
        .await
        .expect_ok();
    assert_eq!(
        status(&sandbox, &cloud.who, "landfall").await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let policy = cloud
        .read("AWS::IAM::RolePolicy", "extra|landfall-provisioner")
        .await;
    assert_eq!(policy["PolicyDocument"]["Statement"][0]["Resource"], "*");
}

#[tokio::test]
async fn a_change_set_makes_a_stack_when_it_is_executed() {
    let sandbox = still().await;
    let who = sandbox.customer();
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    let mut params = stack(&principal, "yes");
    params.extend([("ChangeSetName", "first"), ("ChangeSetType", "CREATE")]);
    let id = cfn(&sandbox, &who, "CreateChangeSet", &params)
        .await
        .expect_ok()
        .text("Id");
    let named = [("ChangeSetName", id.as_str())];
    let described = cfn(&sandbox, &who, "DescribeChangeSet", &named).await;
    assert_eq!(described.text("Status"), "CREATE_COMPLETE");
    assert_eq!(described.texts("Action"), ["Add"; 4]);
    assert_eq!(
        status(&sandbox, &who, "landfall").await,
        "REVIEW_IN_PROGRESS"
    );
    cfn(&sandbox, &who, "ExecuteChangeSet", &named)
        .await
        .expect_ok();
    assert_eq!(status(&sandbox, &who, "landfall").await, "CREATE_COMPLETE");
    let twice = cfn(&sandbox, &who, "ExecuteChangeSet", &named).await;
    assert_eq!(twice.code(), "InvalidChangeSetStatus");
}

#[tokio::test]
async fn an_abandoned_creation_leaves_nothing() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let principal = format!("arn:aws:iam::{}:root", sandbox.operator().keys.account);
    let id = cfn(
        &sandbox,
        &cloud.who,
        "CreateStack",
        &stack(&principal, "yes"),
    )
    .await
    .text("StackId");
    cfn(&sandbox, &cloud.who, "DeleteStack", &[("StackName", &id)])
        .await
        .expect_ok();
    assert_eq!(status(&sandbox, &cloud.who, &id).await, "DELETE_COMPLETE");
    assert_eq!(cloud.inventory().await, Vec::<Value>::new());
}
