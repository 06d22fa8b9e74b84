//! Values as AWS would give them, and resources as if a plan had been applied.

use landfall_model::{
    Error,
    driver::Observed,
    environment::Kind,
    graph::{Address, Graph, Lookup, Node, resolve},
    id::PlanId,
    plan::{Change, Plan},
    resource::{Observation, Resource},
};
use landfall_plan::{
    observe::{self, Look},
    planner::{self, PlanInput},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ACCOUNT: &str = "123456789012";

/// A stable number for an address.
fn mark(node: &Node) -> String {
    let digest = landfall_model::digest::Digest::of_bytes(node.address.as_str().as_bytes());
    let generation = landfall_model::graph::tags(&node.properties)
        .get(landfall_model::graph::TAG_GENERATION)
        .cloned()
        .unwrap_or_default();
    format!("{}{generation}", digest.short())
        .chars()
        .rev()
        .collect::<String>()
}

fn text(node: &Node, pointer: &str) -> String {
    node.properties
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("unnamed")
        .to_owned()
}

fn hex(node: &Node) -> String {
    let mark = mark(node);
    format!("0{mark:0>16}").chars().take(17).collect()
}

/// What `attr` of `node` would be, in the shape that AWS gives it.
pub fn placeholder(node: &Node, attr: &str) -> Value {
    let region = super::REGION;
    let arn =
        |service: &str, rest: String| json!(format!("arn:aws:{service}:{region}:{ACCOUNT}:{rest}"));
    let id = |prefix: &str| json!(format!("{prefix}-{}", hex(node)));
    match (node.type_name.as_str(), attr) {
        ("AWS::EC2::VPC", _) => id("vpc"),
        ("AWS::EC2::InternetGateway", _) => id("igw"),
        ("AWS::EC2::VPCGatewayAttachment", _) => json!(format!("IGW|vpc-{}", hex(node))),
        ("AWS::EC2::Subnet", _) => id("subnet"),
        ("AWS::EC2::RouteTable", _) => id("rtb"),
        ("AWS::EC2::SubnetRouteTableAssociation", _) => id("rtbassoc"),
        ("AWS::EC2::SecurityGroup", _) => id("sg"),
        ("AWS::EC2::SecurityGroupIngress", _) => id("sgr"),
        ("AWS::EC2::EIP", "$id") => json!(format!("203.0.113.7|eipalloc-{}", hex(node))),
        ("AWS::EC2::EIP", "/PublicIp") => json!("203.0.113.7"),
        ("AWS::EC2::EIP", _) => id("eipalloc"),
        ("AWS::EC2::NatGateway", _) => id("nat"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "/DNSName") => {
            json!(format!(
                "{}.{region}.elb.amazonaws.com",
                text(node, "/Name")
            ))
        }
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", _) => arn(
            "elasticloadbalancing",
            format!("loadbalancer/app/{}/50dc6c495c0c9188", text(node, "/Name")),
        ),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", _) => arn(
            "elasticloadbalancing",
            format!("targetgroup/{}/73e2d6bc24d8a067", text(node, "/Name")),
        ),
        ("AWS::ElasticLoadBalancingV2::Listener", _) => arn(
            "elasticloadbalancing",
            format!("listener/app/x/50dc6c495c0c9188/{}", hex(node)),
        ),
        ("AWS::ECS::Cluster", "/Arn") => {
            arn("ecs", format!("cluster/{}", text(node, "/ClusterName")))
        }
        ("AWS::ECS::Cluster", _) => json!(text(node, "/ClusterName")),
        ("AWS::ECS::Service", _) => arn("ecs", format!("service/x/{}", text(node, "/ServiceName"))),
        ("AWS::ECS::TaskDefinition", _) => {
            let revision = landfall_model::graph::tags(&node.properties)
                .get(landfall_model::graph::TAG_GENERATION)
                .cloned()
                .unwrap_or_else(|| "1".to_owned());
            arn(
                "ecs",
                format!("task-definition/{}:{revision}", text(node, "/Family")),
            )
        }
        ("AWS::ECR::Repository", "/Arn") => arn(
            "ecr",
            format!("repository/{}", text(node, "/RepositoryName")),
        ),
        ("AWS::ECR::Repository", _) => json!(text(node, "/RepositoryName")),
        ("AWS::Logs::LogGroup", "/Arn") => arn(
            "logs",
            format!("log-group:{}:*", text(node, "/LogGroupName")),
        ),
        ("AWS::Logs::LogGroup", _) => json!(text(node, "/LogGroupName")),
        ("AWS::IAM::Role", "/Arn") => {
            json!(format!(
                "arn:aws:iam::{ACCOUNT}:role/{}",
                text(node, "/RoleName")
            ))
        }
        ("AWS::IAM::Role", _) => json!(text(node, "/RoleName")),
        ("AWS::RDS::DBInstance", "/Endpoint/Port") => json!("5432"),
        ("AWS::RDS::DBInstance", "/Endpoint/Address") => json!(format!(
            "{}.c9akciq32.{region}.rds.amazonaws.com",
            text(node, "/DBInstanceIdentifier")
        )),
        ("AWS::RDS::DBInstance", "/MasterUserSecret/SecretArn") => arn(
            "secretsmanager",
            format!("secret:rds!db-{}-AbCdEf", hex(node)),
        ),
        ("AWS::RDS::DBInstance", _) => json!(text(node, "/DBInstanceIdentifier")),
        ("AWS::RDS::DBSubnetGroup", _) => json!(text(node, "/DBSubnetGroupName")),
        ("AWS::S3::Bucket", "/Arn") => json!(format!("arn:aws:s3:::{}", text(node, "/BucketName"))),
        ("AWS::S3::Bucket", _) => json!(text(node, "/BucketName")),
        ("AWS::SecretsManager::Secret", "/Name") => json!(text(node, "/Name")),
        ("AWS::SecretsManager::Secret", _) => arn(
            "secretsmanager",
            format!("secret:{}-AbCdEf", text(node, "/Name")),
        ),
        (_, _) => id("other"),
    }
}

/// An account, and what Landfall recorded of it.
#[derive(Clone, Default)]
pub struct World {
    pub recorded: Vec<Resource>,
    pub cloud: BTreeMap<(String, String), Value>,
}

impl World {
    pub fn observed(&self, graph: &Graph) -> BTreeMap<Address, Observation> {
        let environment = super::environment("production", Kind::Production).id;
        let mut observed = BTreeMap::new();
        loop {
            let targets = observe::targets(graph, &self.recorded, &observed, &environment);
            if targets.is_empty() {
                return observed;
            }
            for target in targets {
                let seen = |identifier: &str| {
                    let key = (target.type_name.clone(), identifier.to_owned());
                    self.cloud.get(&key).map(|properties| Observed {
                        identifier: identifier.to_owned(),
                        properties: properties.clone(),
                    })
                };
                let read: Vec<Observed> = match &target.look {
                    Look::Read { identifier } => seen(identifier).into_iter().collect(),
                    Look::List { .. } => self
                        .cloud
                        .keys()
                        .filter(|(type_name, _)| *type_name == target.type_name)
                        .filter_map(|(_, identifier)| seen(identifier))
                        .filter(|it| target.worth_reading(it))
                        .collect(),
                };
                observed.insert(target.address.clone(), target.judge(&read));
            }
        }
    }

    pub fn try_plan(&self, graph: &Graph) -> Result<Plan, Error> {
        let environment = super::environment("production", Kind::Production);
        planner::plan(PlanInput {
            id: PlanId::at(super::NOW, &super::Fixed(9)),
            organization_id: environment.organization_id,
            environment_id: environment.id,
            now: super::NOW,
            graph: graph.clone(),
            endpoints: BTreeMap::new(),
            recorded: &self.recorded,
            observed: &self.observed(graph),
        })
    }

    pub fn plan(&self, graph: &Graph) -> Plan {
        self.try_plan(graph).unwrap()
    }

    /// Does what the engine would do, and what a cloud would make of it.
    pub fn apply(&mut self, plan: &Plan) {
        for action in &plan.actions {
            let node = plan.graph.nodes.get(&action.address);
            match (&action.change, node) {
                (
                    Change::Create { properties, .. } | Change::Replace { properties, .. },
                    Some(node),
                ) => {
                    let sent = self.resolved(properties);
                    let identifier = match &node.lookup {
                        Lookup::Name { identifier, .. } => self.resolved(identifier),
                        _ => placeholder(node, "$id"),
                    };
                    let identifier = identifier.as_str().unwrap().to_owned();
                    let key = (node.type_name.clone(), identifier.clone());
                    assert!(!self.cloud.contains_key(&key), "{key:?} exists already");
                    self.cloud.insert(key, answer(node, &sent));
                    let generation = match &action.change {
                        Change::Replace { generation, .. } => *generation,
                        _ => self.record(&action.address).map_or(1, |it| it.generation),
                    };
                    self.remember(node, &identifier, sent, generation);
                }
                (
                    Change::Update { identifier, patch } | Change::Adopt { identifier, patch },
                    Some(node),
                ) => {
                    let key = (node.type_name.clone(), identifier.clone());
                    let operations: Value = patch
                        .iter()
                        .map(|it| self.resolved(&serde_json::to_value(it).unwrap()))
                        .collect();
                    let operations: json_patch::Patch = serde_json::from_value(operations).unwrap();
                    let cloud = self.cloud.get_mut(&key).unwrap();
                    json_patch::patch(cloud, &operations).unwrap();
                    let sent = self.resolved(&node.properties);
                    let generation = self.record(&action.address).map_or(1, |it| it.generation);
                    self.remember(node, identifier, sent, generation);
                }
                (Change::Retain { .. }, None) => {
                    self.recorded.retain(|it| it.address != action.address);
                }
                (Change::NoChange { .. }, Some(_)) => {}
                other => panic!("{other:?} does not fit the graph"),
            }
        }
    }

    pub fn record(&self, address: &Address) -> Option<&Resource> {
        self.recorded.iter().find(|it| &it.address == address)
    }

    pub fn properties_mut(&mut self, address: &str) -> &mut Value {
        let record = self.record(&Address::new(address)).unwrap().clone();
        self.cloud
            .get_mut(&(record.type_name, record.identifier))
            .unwrap()
    }

    pub fn lose(&mut self, address: &str) {
        let record = self.record(&Address::new(address)).unwrap().clone();
        self.cloud
            .remove(&(record.type_name, record.identifier))
            .unwrap();
    }

    fn resolved(&self, value: &Value) -> Value {
        let lookup = |address: &Address, attr: &str| {
            let record = self.record(address)?;
            match attr {
                "$id" => Some(json!(record.identifier)),
                attr => record.outputs.pointer(attr).cloned(),
            }
        };
        resolve(value, &lookup).unwrap()
    }

    fn remember(&mut self, node: &Node, identifier: &str, applied: Value, generation: u32) {
        let environment = super::environment("production", Kind::Production);
        let outputs = self.cloud[&(node.type_name.clone(), identifier.to_owned())].clone();
        self.recorded.retain(|it| it.address != node.address);
        self.recorded.push(Resource {
            environment_id: environment.id,
            address: node.address.clone(),
            type_name: node.type_name.clone(),
            title: node.title.clone(),
            identifier: identifier.to_owned(),
            account_id: ACCOUNT.to_owned(),
            region: super::REGION.to_owned(),
            applied,
            outputs,
            stateful: node.stateful,
            generation,
            monthly_cents: node.monthly_cents,
            updated_at: super::NOW,
        });
    }
}

/// What a read returns: what was sent without write-only properties, the
/// outputs of the type, and defaults that nobody asked for.
fn answer(node: &Node, sent: &Value) -> Value {
    let mut properties = spelled(sent);
    for pointer in &node.write_only {
        remove(&mut properties, pointer);
    }
    if let Ok(facts) = landfall_plan::aws::facts(&node.type_name) {
        for pointer in &facts.outputs {
            insert(&mut properties, pointer, placeholder(node, pointer));
        }
    }
    insert(&mut properties, "/SomeDefault", json!({"Enabled": false}));
    if node.type_name == "AWS::RDS::DBInstance" {
        insert(
            &mut properties,
            "/EngineVersion",
            json!(format!("{}.4", text(node, "/EngineVersion"))),
        );
        // Not returned, though the schema does not say so.
        remove(&mut properties, "/ManageMasterUserPassword");
    }
    properties
}

/// Lists in another order, documents as text, and members that a cloud adds.
fn spelled(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().rev().map(spelled).collect(),
        Value::Object(members) => {
            let mut out: serde_json::Map<String, Value> = members
                .iter()
                .map(|(key, item)| match key.as_str() {
                    "PolicyDocument" => (key.clone(), json!(item.to_string())),
                    // Nothing is added to documents.
                    "AssumeRolePolicyDocument" => (key.clone(), item.clone()),
                    _ => (key.clone(), spelled(item)),
                })
                .collect();
            let pair = members.len() == 2 && members.contains_key("Key");
            if !pair {
                out.insert("AddedByTheCloud".to_owned(), json!(1));
            }
            Value::Object(out)
        }
        Value::Number(number) if number.as_u64().is_some_and(|it| it > 1000) => {
            json!(number.to_string())
        }
        other => other.clone(),
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if let Some(Value::Object(members)) = value.pointer_mut(parent) {
        members.remove(key);
    }
}

fn insert(value: &mut Value, pointer: &str, item: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if !parent.is_empty() && value.pointer(parent).is_none() {
        insert(value, parent, json!({}));
    }
    if let Some(Value::Object(members)) = value.pointer_mut(parent) {
        members.insert(key.to_owned(), item);
    }
}
