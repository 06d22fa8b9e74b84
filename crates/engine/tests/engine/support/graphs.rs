//! Graphs and approved plans to run.

use super::sim::Seeded;
use landfall_model::{
    Timestamp,
    approval::{self, Admin, ApprovedPlan},
    driver::PatchOperation,
    graph::{
        Address, Graph, Lookup, Node, Replacement, TAG_ADDRESS, TAG_ENVIRONMENT, TAG_GENERATION,
        identifier_of, reference,
    },
    id::*,
    member::Role,
    plan::{self, Action, Change, Plan},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub fn at(text: &str) -> Address {
    Address::new(text)
}

pub struct Builder {
    environment_id: EnvironmentId,
    pub graph: Graph,
}

fn by_tags() -> Lookup {
    Lookup::Tags {
        scope: None,
        name_pointer: None,
    }
}

fn by_name(identifier: &str) -> Lookup {
    Lookup::Name {
        identifier: json!(identifier),
        name_pointer: None,
    }
}

impl Builder {
    pub fn new(environment_id: &EnvironmentId) -> Self {
        Self {
            environment_id: environment_id.clone(),
            graph: Graph::default(),
        }
    }

    pub fn tags(&self, address: &str) -> Value {
        json!([
            {"Key": TAG_ENVIRONMENT, "Value": self.environment_id.as_str()},
            {"Key": TAG_ADDRESS, "Value": address},
        ])
    }

    fn node(
        &mut self,
        address: &str,
        type_name: &str,
        lookup: Lookup,
        properties: Value,
    ) -> &mut Node {
        let node = Node {
            address: at(address),
            type_name: type_name.to_owned(),
            title: format!("The {address}"),
            properties,
            needs: BTreeSet::new(),
            stateful: false,
            lookup,
            replacement: Replacement::Guarded,
            create_only: BTreeSet::new(),
            write_only: BTreeSet::new(),
            monthly_cents: Some(100),
        };
        self.graph.nodes.insert(at(address), node);
        self.graph.nodes.get_mut(&at(address)).unwrap()
    }

    pub fn tagged(&mut self, address: &str, type_name: &str, mut properties: Value) -> &mut Node {
        properties["Tags"] = self.tags(address);
        self.node(address, type_name, by_tags(), properties)
    }

    pub fn named(
        &mut self,
        address: &str,
        type_name: &str,
        name: &str,
        mut properties: Value,
    ) -> &mut Node {
        properties["Tags"] = self.tags(address);
        let identifier = properties[name].as_str().unwrap().to_owned();
        let node = self.node(address, type_name, by_name(&identifier), properties);
        node.create_only.insert(format!("/{name}"));
        node
    }

    /// A dozen nodes of every kind of lookup, three of them slow.
    pub fn landscape(&mut self) {
        let (vpc, gateway) = (at("network.vpc"), at("network.gateway"));
        self.tagged(
            "network.vpc",
            "AWS::EC2::VPC",
            json!({"CidrBlock": "10.0.0.0/16"}),
        );
        self.tagged("network.gateway", "AWS::EC2::InternetGateway", json!({}));
        for zone in ["a", "b"] {
            self.tagged(
                &format!("network.subnet-{zone}"),
                "AWS::EC2::Subnet",
                json!({"VpcId": identifier_of(&vpc), "AvailabilityZone": zone}),
            );
        }
        let pointers = vec!["/VpcId".to_owned(), "/InternetGatewayId".to_owned()];
        let attachment = json!({
            "VpcId": reference(&vpc, "/Id"),
            "InternetGatewayId": identifier_of(&gateway),
        });
        let lookup = Lookup::Properties {
            scope: Some(json!({"VpcId": identifier_of(&vpc)})),
            pointers,
        };
        self.node(
            "network.attachment",
            "AWS::EC2::VPCGatewayAttachment",
            lookup,
            attachment,
        );
        self.tagged("network.address", "AWS::EC2::EIP", json!({}))
            .needs
            .insert(at("network.attachment"));
        self.tagged(
            "network.nat",
            "AWS::EC2::NatGateway",
            json!({
                "AllocationId": reference(&at("network.address"), "/Id"),
                "SubnetId": identifier_of(&at("network.subnet-a")),
            }),
        );
        self.named(
            "web.role",
            "AWS::IAM::Role",
            "RoleName",
            json!({"RoleName": "landfall-web", "Path": "/"}),
        );
        self.named(
            "files.bucket",
            "AWS::S3::Bucket",
            "BucketName",
            json!({"BucketName": "landfall-files", "Versioning": "on"}),
        )
        .stateful = true;
        let database = self.named(
            "db.instance",
            "AWS::RDS::DBInstance",
            "DBInstanceIdentifier",
            json!({
                "DBInstanceIdentifier": "landfall-db",
                "AllocatedStorage": "20",
                "DeletionProtection": true,
                "Subnets": [
                    identifier_of(&at("network.subnet-a")),
                    identifier_of(&at("network.subnet-b")),
                ],
            }),
        );
        database.stateful = true;
        self.tagged(
            "web.balancer",
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            json!({
                "Name": "landfall-web",
                "Subnets": [identifier_of(&at("network.subnet-a"))],
            }),
        );
        let task = self.tagged(
            "web.task",
            "AWS::ECS::TaskDefinition",
            json!({
                "Image": "web:1",
                "RoleArn": reference(&at("web.role"), "/Arn"),
                "Url": {"$concat": ["postgres://", identifier_of(&at("db.instance")), "/app"]},
            }),
        );
        task.replacement = Replacement::Revision;
        task.create_only = ["/Image", "/RoleArn", "/Url"]
            .map(str::to_owned)
            .into_iter()
            .collect();
        self.tagged(
            "web.service",
            "AWS::ECS::Service",
            json!({
                "TaskDefinition": identifier_of(&at("web.task")),
                "DesiredCount": 1,
                "LoadBalancer": reference(&at("web.balancer"), "/Arn"),
            }),
        )
        .needs
        .insert(at("network.nat"));
    }

    /// What a second plan makes of [`Self::landscape`]: every kind of change.
    /// `identifier` is what is recorded at an address.
    pub fn second(&mut self, identifier: &dyn Fn(&str) -> String) -> Vec<Action> {
        let replaced = |path: &str, value: Value| PatchOperation::Replace {
            path: path.to_owned(),
            value,
        };
        self.graph.nodes.remove(&at("network.nat"));
        self.node_mut("web.service").needs.clear();
        self.node_mut("files.bucket").properties["Versioning"] = json!("off");
        let task = self.node_mut("web.task");
        task.properties["Image"] = json!("web:2");
        let generation = json!({"Key": TAG_GENERATION, "Value": "2"});
        let tags = task.properties["Tags"].as_array_mut().unwrap();
        tags.push(generation);
        let task = task.properties.clone();
        self.tagged("jobs.queue", "AWS::SQS::Queue", json!({"DelaySeconds": 1}));
        self.named(
            "web.logs",
            "AWS::Logs::LogGroup",
            "LogGroupName",
            json!({"LogGroupName": "landfall-logs", "RetentionInDays": 30}),
        );
        let mut actions: Vec<Action> = self
            .graph
            .nodes
            .keys()
            .map(|address| {
                let change = match address.as_str() {
                    "jobs.queue" => Change::Create {
                        properties: self.graph.nodes[address].properties.clone(),
                        lost: None,
                    },
                    "web.logs" => Change::Adopt {
                        identifier: "landfall-logs".into(),
                        patch: vec![replaced("/RetentionInDays", json!(30))],
                    },
                    "files.bucket" => Change::Update {
                        identifier: identifier("files.bucket"),
                        patch: vec![replaced("/Versioning", json!("off"))],
                    },
                    "web.service" => Change::Update {
                        identifier: identifier("web.service"),
                        patch: vec![replaced("/TaskDefinition", identifier_of(&at("web.task")))],
                    },
                    "web.task" => Change::Replace {
                        identifier: identifier("web.task"),
                        because: vec!["/Image".into()],
                        properties: task.clone(),
                        generation: 2,
                        revision: true,
                        stateful: false,
                    },
                    other => Change::NoChange {
                        identifier: identifier(other),
                    },
                };
                self.action(address.as_str(), change)
            })
            .collect();
        actions.push(self.action(
            "network.nat",
            Change::Retain {
                identifier: identifier("network.nat"),
                stateful: false,
            },
        ));
        actions
    }

    pub fn node_mut(&mut self, address: &str) -> &mut Node {
        self.graph.nodes.get_mut(&at(address)).unwrap()
    }

    /// Everything to be created.
    pub fn creations(&self) -> Vec<Action> {
        let mut actions: Vec<Action> = self
            .graph
            .nodes
            .values()
            .map(|node| {
                let change = Change::Create {
                    properties: node.properties.clone(),
                    lost: None,
                };
                self.action(node.address.as_str(), change)
            })
            .collect();
        actions.sort_by(|a, b| a.address.cmp(&b.address));
        actions
    }

    pub fn action(&self, address: &str, change: Change) -> Action {
        let node = self.graph.nodes.get(&at(address));
        Action {
            address: at(address),
            type_name: node.map_or_else(String::new, |node| node.type_name.clone()),
            title: format!("The {address}"),
            change,
            reason: "because".into(),
            needs: node.map_or_else(BTreeSet::new, Node::dependencies),
        }
    }

    /// Approved by an admin, and taken.
    pub fn approve(
        &self,
        organization_id: &OrganizationId,
        rollout_id: &RolloutId,
        actions: Vec<Action>,
        now: Timestamp,
        entropy: &Seeded,
    ) -> (Plan, ApprovedPlan) {
        let digest = approval::plan_digest(&self.environment_id, &self.graph, &actions).unwrap();
        let mut plan = Plan {
            id: PlanId::at(now, entropy),
            organization_id: organization_id.clone(),
            environment_id: self.environment_id.clone(),
            graph: self.graph.clone(),
            actions,
            edits: BTreeMap::new(),
            summary: plan::Summary::default(),
            digest: digest.clone(),
            needs_person: true,
            endpoints: BTreeMap::from([(
                "web".to_owned(),
                json!({"$concat": ["http://", reference(&at("web.balancer"), "/Id")]}),
            )]),
            state: plan::State::Proposed,
            created_at: now,
            version: 1,
        };
        let member = MemberId::at(now, entropy);
        let admin = Admin::from_role(member, "Ada".into(), Role::Admin).unwrap();
        let approval = approval::approve_by_person(&plan, admin, &digest, now).unwrap();
        plan.state = plan::State::Used {
            approval,
            rollout_id: rollout_id.clone(),
        };
        let approved = ApprovedPlan::from_stored(plan.clone()).unwrap();
        (plan, approved)
    }
}
