//! On which resources, and with which condition keys, a handler's action is
//! decided (AWS docs: service authorization reference).

mod ec2;
pub(super) use ec2::noun;
mod iam;
mod rds;

use super::env::{Env, Place, strings, text};
use super::rules;
use crate::iam::Context;
use crate::types::{Change, Model, TypeInfo, read_tags, tags_changed};
use std::collections::BTreeMap;

/// The operation whose handler asks.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub type_name: &'a str,
    pub info: &'a TypeInfo,
    pub change: Change<'a>,
}

pub(super) type Ask = (String, Context);

/// The resources that `action` concerns, each with its condition keys.
pub(super) fn of(env: &Env<'_>, subject: &Subject<'_>, action: &str) -> Vec<Ask> {
    let (service, verb) = action.split_once(':').unwrap_or(("", action));
    let asked = Asked {
        env,
        subject,
        service,
        verb,
    };
    if matches!(subject.change, Change::List) || asked.has_no_resource() {
        return vec![("*".to_owned(), via_cloud_control(env.place))];
    }
    match (service, verb) {
        ("iam", _) => iam::asks(&asked),
        ("ec2", _) => ec2::asks(&asked),
        ("rds", _) => rds::asks(&asked),
        ("secretsmanager" | "kms", _) if subject.type_name.starts_with("AWS::RDS::") => {
            rds::managed_password(&asked)
        }
        ("elasticloadbalancing", "CreateListener") => {
            asked.on(&asked.text("LoadBalancerArn"), LOAD_BALANCER)
        }
        ("elasticloadbalancing", "CreateRule") => asked.on(&asked.text("ListenerArn"), LISTENER),
        ("kms", "CreateAlias" | "UpdateAlias" | "DeleteAlias") => {
            let key = asked.text("TargetKeyId");
            let key = key.rsplit('/').next().unwrap_or(&key).to_owned();
            let mut asks = vec![asked.own()];
            asks.push((
                env.arn("kms", &format!("key/{key}")),
                asked.existing_context("AWS::KMS::Key", &key),
            ));
            asks
        }
        ("sns", "Subscribe") => vec![(asked.text("TopicArn"), asked.context())],
        ("elasticache", "CreateReplicationGroup") => {
            let mut asks = vec![asked.own()];
            if let Some(group) = text(asked.model(), "CacheSubnetGroupName") {
                asks.push((
                    env.arn("elasticache", &format!("subnetgroup:{group}")),
                    asked.existing_context("AWS::ElastiCache::SubnetGroup", group),
                ));
            }
            asks
        }
        _ => vec![asked.own()],
    }
}

const LOAD_BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";

/// What every call of a handler carries. That Cloud Control's calls name
/// CloudFormation is our reading of the service's audit log entries.
pub(super) fn via_cloud_control(place: &Place) -> Context {
    let mut context = Context::new();
    context
        .set("aws:ViaAWSService", "true")
        .set_all("aws:CalledVia", ["cloudformation.amazonaws.com"])
        .set("aws:CalledViaFirst", "cloudformation.amazonaws.com")
        .set("aws:CalledViaLast", "cloudformation.amazonaws.com")
        .set("aws:RequestedRegion", &place.region);
    context
}

/// One action of one operation.
pub(super) struct Asked<'a, 'e> {
    env: &'a Env<'e>,
    subject: &'a Subject<'a>,
    service: &'a str,
    verb: &'a str,
}

impl Asked<'_, '_> {
    /// Actions that only know `*`.
    fn has_no_resource(&self) -> bool {
        let reads = ["Describe", "List", "Get"]
            .iter()
            .any(|prefix| self.verb.starts_with(prefix));
        match self.service {
            "ec2" | "elasticloadbalancing" | "autoscaling" | "cloudwatch" => {
                self.verb.starts_with("Describe") || self.verb.starts_with("Get")
            }
            "ecs" => [
                "DescribeTaskDefinition",
                "DeregisterTaskDefinition",
                "ListTaskDefinitions",
                "ListClusters",
                "ListServices",
            ]
            .contains(&self.verb),
            "secretsmanager" => self.verb == "GetRandomPassword" || self.verb == "ListSecrets",
            "kms" => ["CreateKey", "ListKeys", "ListAliases"].contains(&self.verb),
            "s3" => self.verb == "ListAllMyBuckets",
            "sqs" => self.verb == "ListQueues",
            "iam" => {
                ["ListRoles", "ListPolicies", "ListOpenIDConnectProviders"].contains(&self.verb)
            }
            "sns" => reads && self.verb == "ListTopics",
            _ => false,
        }
    }

    /// The model that the operation is about: wanted when creating, present
    /// otherwise.
    fn model(&self) -> &Model {
        static EMPTY: std::sync::OnceLock<Model> = std::sync::OnceLock::new();
        match self.subject.change {
            Change::Create(model) | Change::Read(model) | Change::Delete(model) => model,
            Change::Update { after, .. } => after,
            Change::List => EMPTY.get_or_init(Model::new),
        }
    }

    fn text(&self, name: &str) -> String {
        text(self.model(), name).unwrap_or_default().to_owned()
    }

    fn is_creation(&self) -> bool {
        matches!(self.subject.change, Change::Create(_))
    }

    /// The call that brings the resource into being, rather than one that
    /// completes it.
    fn makes_it(&self) -> bool {
        self.is_creation()
            && ["Create", "Allocate", "Register", "Run", "Request"]
                .iter()
                .any(|prefix| self.verb.starts_with(prefix))
            && self.verb != "CreateTags"
    }

    fn moves_tags(&self) -> bool {
        self.verb.contains("Tag")
    }

    /// Tags that the resource has when the call is made.
    fn standing_tags(&self) -> BTreeMap<String, String> {
        match self.subject.change {
            Change::Update { before, .. } => read_tags(self.subject.info, before),
            _ => read_tags(self.subject.info, self.model()),
        }
    }

    /// Tags that the call carries.
    fn sent_tags(&self) -> BTreeMap<String, String> {
        match self.subject.change {
            Change::Create(model) if self.makes_it() || self.moves_tags() => {
                read_tags(self.subject.info, model)
            }
            Change::Update { before, after } if self.moves_tags() => {
                let (set, removed) = tags_changed(
                    &read_tags(self.subject.info, before),
                    &read_tags(self.subject.info, after),
                );
                if ["Untag", "Remove", "Delete"]
                    .iter()
                    .any(|prefix| self.verb.starts_with(prefix))
                {
                    removed
                        .into_iter()
                        .map(|key| (key, String::new()))
                        .collect()
                } else {
                    set
                }
            }
            _ => BTreeMap::new(),
        }
    }

    /// The service's own names for the tags of its resources.
    fn tag_prefix(&self) -> Option<&'static str> {
        Some(match self.service {
            "ec2" => "ec2:ResourceTag",
            "elasticloadbalancing" => "elasticloadbalancing:ResourceTag",
            "ecs" => "ecs:ResourceTag",
            "ecr" => "ecr:ResourceTag",
            "iam" => "iam:ResourceTag",
            "secretsmanager" => "secretsmanager:ResourceTag",
            _ => return None,
        })
    }

    /// Condition keys of a call on the resource itself.
    fn context(&self) -> Context {
        let mut context = via_cloud_control(self.env.place);
        let sent = self.sent_tags();
        if self.service != "s3" {
            context.request_tags(sent.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        }
        // Buckets take part in attribute-based access control only when that
        // is switched on per bucket, so their tags are no condition keys.
        let tagless = self.makes_it() || (self.is_creation() && self.moves_tags());
        if !tagless && self.service != "s3" {
            self.add_tags(&mut context, &self.standing_tags());
        }
        if self.is_creation() && self.moves_tags() {
            let creating = self.creating_action();
            match self.service {
                "ec2" => context.set("ec2:CreateAction", creating),
                "elasticloadbalancing" => {
                    context.set("elasticloadbalancing:CreateAction", creating)
                }
                "ecs" => context.set("ecs:CreateAction", creating),
                _ => &mut context,
            };
        }
        if self.service == "ecs"
            && let Some(cluster) = text(self.model(), "Cluster")
        {
            let name = cluster.rsplit('/').next().unwrap_or(cluster);
            context.set(
                "ecs:cluster",
                self.env.arn("ecs", &format!("cluster/{name}")),
            );
        }
        if self.service == "secretsmanager" {
            if let Some(name) = text(self.model(), "Name") {
                context.set("secretsmanager:Name", name);
            }
            if self.verb == "DeleteSecret" {
                context.set("secretsmanager:ForceDeleteWithoutRecovery", "false");
                context.set("secretsmanager:RecoveryWindowInDays", "30");
            }
        }
        if self.service == "ec2"
            && let Some(vpc) = text(self.model(), "VpcId")
        {
            context.set("ec2:Vpc", self.env.arn("ec2", &format!("vpc/{vpc}")));
        }
        context
    }

    /// `CreateVpc` for a VPC: the first listed action that creates.
    fn creating_action(&self) -> String {
        self.subject
            .info
            .handlers
            .get("create")
            .into_iter()
            .flatten()
            .filter_map(|action| action.split_once(':'))
            .filter(|(service, verb)| {
                *service == self.service
                    && !verb.contains("Tag")
                    && ["Create", "Allocate", "Register"]
                        .iter()
                        .any(|prefix| verb.starts_with(prefix))
            })
            .map(|(_, verb)| verb.to_owned())
            .next()
            .unwrap_or_default()
    }

    fn add_tags(&self, context: &mut Context, tags: &BTreeMap<String, String>) {
        context.resource_tags(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        if let Some(prefix) = self.tag_prefix() {
            for (key, value) in tags {
                context.set(&format!("{prefix}/{key}"), value);
            }
        }
    }

    /// The resource itself.
    fn own(&self) -> Ask {
        let rules = rules::of(self.subject.type_name);
        let mut arn = rules.arn(self.env, self.model());
        if self.service == "logs" {
            // Tagging names the group, everything else its streams too.
            let bare = arn.trim_end_matches(":*").to_owned();
            let tagging = self.verb.contains("Tag");
            arn = if tagging { bare } else { format!("{bare}:*") };
        }
        (arn, self.context())
    }

    /// Condition keys of a call that also concerns another, existing resource.
    fn existing_context(&self, type_name: &str, identifier: &str) -> Context {
        let mut context = via_cloud_control(self.env.place);
        if let (Some(info), Some(found)) = (
            crate::types::lookup(type_name),
            self.env.find(type_name, identifier),
        ) {
            self.add_tags(&mut context, &read_tags(info, &found.properties));
        }
        context
    }

    /// A call on another, existing resource whose identifier is its ARN.
    fn on(&self, arn: &str, type_name: &str) -> Vec<Ask> {
        let mut context = self.existing_context(type_name, arn);
        let sent = self.sent_tags();
        context.request_tags(sent.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        vec![(arn.to_owned(), context)]
    }

    fn strings(&self, path: &str) -> Vec<&str> {
        strings(self.model(), path)
    }
}
