//! Cloud Control as tests use it: ask, let simulated time pass, look.
#![allow(dead_code, reason = "each test file uses its part")]

use crate::support::{As, Sandbox};
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub const VPC: &str = "AWS::EC2::VPC";
pub const SUBNET: &str = "AWS::EC2::Subnet";
pub const GROUP: &str = "AWS::EC2::SecurityGroup";
pub const LOG_GROUP: &str = "AWS::Logs::LogGroup";
pub const DB: &str = "AWS::RDS::DBInstance";
pub const BUCKET: &str = "AWS::S3::Bucket";
pub const ROLE: &str = "AWS::IAM::Role";

/// A sandbox whose simulated time moves only when it is moved.
pub async fn still() -> Sandbox {
    Sandbox::new(still_config()).await
}

pub fn still_config() -> Config {
    Config {
        speed: 1e-9,
        ..Config::default()
    }
}

/// One caller's view of the cloud.
pub struct Cloud<'s> {
    pub sandbox: &'s Sandbox,
    pub who: As,
}

impl<'s> Cloud<'s> {
    pub fn of_customer(sandbox: &'s Sandbox) -> Self {
        Self {
            sandbox,
            who: sandbox.customer(),
        }
    }

    pub fn seen_by(&self, who: As) -> Cloud<'s> {
        Cloud {
            sandbox: self.sandbox,
            who,
        }
    }

    /// The answer, or the error's code and message.
    pub async fn call(&self, operation: &str, body: Value) -> Result<Value, (String, String)> {
        let answer = self
            .sandbox
            .cloud_control(&self.who, operation, body)
            .await
            .expect("an answer");
        if answer.status == 200 {
            return Ok(answer.json());
        }
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        Err((answer.code(), message))
    }

    /// The progress event of an accepted request.
    pub async fn ask(&self, operation: &str, body: Value) -> Value {
        match self.call(operation, body).await {
            Ok(answer) => answer["ProgressEvent"].clone(),
            Err(refused) => panic!("{operation}: {refused:?}"),
        }
    }

    pub async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        match self.call(operation, body).await {
            Ok(answer) => panic!("{operation} was accepted: {answer}"),
            Err(refused) => refused,
        }
    }

    pub async fn status(&self, token: &str) -> Value {
        self.ask("GetResourceRequestStatus", json!({ "RequestToken": token }))
            .await
    }

    /// Lets an accepted request run to its end, or for twenty minutes. Small
    /// steps: moving the clock also ages the caller's session.
    pub async fn end(&self, event: &Value) -> Value {
        let token = event["RequestToken"].as_str().unwrap();
        for _ in 0..60 {
            self.sandbox.advance(Duration::from_secs(20)).await;
            let event = self.status(token).await;
            let status = event["OperationStatus"].as_str().unwrap();
            if !["PENDING", "IN_PROGRESS", "CANCEL_IN_PROGRESS"].contains(&status) {
                return event;
            }
        }
        self.status(token).await
    }

    /// What the inventory says of the caller's account.
    pub async fn inventory(&self) -> Vec<Value> {
        let inventory = self.sandbox.see("/_sandbox/inventory").await;
        let accounts = inventory["accounts"].as_array().unwrap();
        accounts
            .iter()
            .find(|account| account["id"] == self.who.keys.account.as_str())
            .and_then(|account| account["resources"].as_array())
            .unwrap()
            .clone()
    }

    /// Creates a resource, which must succeed, and returns its identifier.
    pub async fn create(&self, type_name: &str, desired: Value) -> String {
        let event = self.create_event(type_name, desired).await;
        assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
        event["Identifier"].as_str().unwrap().to_owned()
    }

    /// Creates a resource, which must fail, and returns code and message.
    pub async fn fails(&self, type_name: &str, desired: Value) -> (String, String) {
        failure(&self.create_event(type_name, desired).await)
    }

    pub async fn create_event(&self, type_name: &str, desired: Value) -> Value {
        let event = self
            .ask(
                "CreateResource",
                json!({ "TypeName": type_name, "DesiredState": desired.to_string() }),
            )
            .await;
        self.end(&event).await
    }

    pub async fn update_event(&self, type_name: &str, identifier: &str, patch: Value) -> Value {
        let event = self
            .ask("UpdateResource", update(type_name, identifier, &patch))
            .await;
        self.end(&event).await
    }

    pub async fn delete_event(&self, type_name: &str, identifier: &str) -> Value {
        let event = self
            .ask(
                "DeleteResource",
                json!({ "TypeName": type_name, "Identifier": identifier }),
            )
            .await;
        self.end(&event).await
    }

    pub async fn delete(&self, type_name: &str, identifier: &str) {
        let event = self.delete_event(type_name, identifier).await;
        assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    }

    pub async fn read(&self, type_name: &str, identifier: &str) -> Value {
        let answer = self
            .call(
                "GetResource",
                json!({ "TypeName": type_name, "Identifier": identifier }),
            )
            .await
            .unwrap_or_else(|refused| panic!("{type_name} {identifier}: {refused:?}"));
        let properties = answer["ResourceDescription"]["Properties"]
            .as_str()
            .unwrap();
        serde_json::from_str(properties).unwrap()
    }

    pub async fn exists(&self, type_name: &str, identifier: &str) -> bool {
        self.call(
            "GetResource",
            json!({ "TypeName": type_name, "Identifier": identifier }),
        )
        .await
        .is_ok()
    }

    /// All identifiers of a type, page by page.
    pub async fn list(&self, type_name: &str, model: Option<Value>) -> Vec<String> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut body = json!({ "TypeName": type_name });
            if let Some(model) = &model {
                body["ResourceModel"] = model.to_string().into();
            }
            if let Some(token) = &next {
                body["NextToken"] = token.clone().into();
            }
            let answer = self.call("ListResources", body).await.unwrap();
            for resource in answer["ResourceDescriptions"].as_array().unwrap() {
                found.push(resource["Identifier"].as_str().unwrap().to_owned());
            }
            next = answer["NextToken"].as_str().map(str::to_owned);
            if next.is_none() {
                return found;
            }
        }
    }

    pub async fn fault(&self, fault: Value) {
        self.sandbox.admin("/_sandbox/faults", fault).await;
    }

    /// A network with an internet gateway and two subnets in two zones.
    pub async fn network(&self) -> BTreeMap<&'static str, String> {
        let vpc = self.create(VPC, json!({"CidrBlock": "10.0.0.0/16"})).await;
        let mut made = BTreeMap::new();
        for (name, zone, block) in [
            ("a", "eu-west-1a", "10.0.0.0/24"),
            ("b", "eu-west-1b", "10.0.1.0/24"),
        ] {
            let subnet = json!({"VpcId": vpc, "AvailabilityZone": zone, "CidrBlock": block});
            made.insert(name, self.create(SUBNET, subnet).await);
        }
        let gateway = self.create("AWS::EC2::InternetGateway", json!({})).await;
        let attachment = json!({"VpcId": vpc, "InternetGatewayId": gateway});
        made.insert(
            "attachment",
            self.create("AWS::EC2::VPCGatewayAttachment", attachment)
                .await,
        );
        made.insert("gateway", gateway);
        let group = json!({"GroupDescription": "g", "GroupName": "g", "VpcId": vpc});
        made.insert("group", self.create(GROUP, group).await);
        made.insert("vpc", vpc);
        made
    }

    /// A protected database in a network's subnets.
    pub async fn database(&self, network: &BTreeMap<&'static str, String>, tags: Value) -> String {
        let group = json!({
            "DBSubnetGroupName": "landfall-db", "DBSubnetGroupDescription": "d",
            "SubnetIds": [network["a"], network["b"]],
        });
        self.create("AWS::RDS::DBSubnetGroup", group).await;
        self.create(
            DB,
            json!({
                "DBInstanceIdentifier": "landfall-DB", "Engine": "postgres",
                "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20",
                "MasterUsername": "app", "ManageMasterUserPassword": true,
                "DBSubnetGroupName": "landfall-db", "VPCSecurityGroups": [network["group"]],
                "DeletionProtection": true, "BackupRetentionPeriod": 7, "Tags": tags,
            }),
        )
        .await
    }

    /// A role of the customer's with this policy, assumed by the operator.
    pub async fn session(&self, name: &str, policy: Value) -> As {
        let external_id = format!("id-{name}");
        let arn = self.sandbox.grant(name, &external_id, policy).await;
        self.sandbox
            .assume(
                &self.sandbox.operator(),
                &[("RoleArn", &arn), ("ExternalId", &external_id)],
            )
            .await
            .expect("the role can be assumed")
    }
}

pub fn update(type_name: &str, identifier: &str, patch: &Value) -> Value {
    json!({
        "TypeName": type_name,
        "Identifier": identifier,
        "PatchDocument": patch.to_string(),
    })
}

/// Code and message of a failed operation.
pub fn failure(event: &Value) -> (String, String) {
    assert_eq!(event["OperationStatus"], "FAILED", "{event}");
    (
        event["ErrorCode"].as_str().unwrap().to_owned(),
        event["StatusMessage"].as_str().unwrap().to_owned(),
    )
}
