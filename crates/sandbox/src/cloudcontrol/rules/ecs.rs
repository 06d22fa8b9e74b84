//! Container clusters, task definitions and services.

use super::Rules;
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};
use serde_json::{Value, json};

pub(crate) const CLUSTER: &str = "AWS::ECS::Cluster";
pub(crate) const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";
pub(crate) const SERVICE: &str = "AWS::ECS::Service";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        CLUSTER => &Cluster,
        TASK_DEFINITION => &TaskDefinition,
        SERVICE => &Service,
        _ => return None,
    })
}

fn ecs_invalid(env: &Env<'_>, message: &str) -> Failure {
    Failure::invalid(env.service_message("AmazonECS", 400, message))
}

/// The name in a cluster's name or ARN.
pub(crate) fn cluster_name(given: &str) -> &str {
    given.rsplit('/').next().unwrap_or(given)
}

struct Cluster;

impl Rules for Cluster {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("ClusterName") {
            model.insert("ClusterName".into(), env.name("cluster").into());
        }
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
        set_default(
            model,
            "ClusterSettings",
            json!([{"Name": "containerInsights", "Value": "disabled"}]),
        );
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "ClusterName").unwrap_or_default();
        if name.starts_with("aws") || name.starts_with("ecs") || name.starts_with("fargate") {
            return Err(ecs_invalid(
                env,
                "The specified cluster name prefix is reserved: aws, ecs or fargate",
            ));
        }
        Ok(())
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let busy = env.all(SERVICE).iter().any(|service| {
            text(&service.properties, "Cluster").map(cluster_name)
                == Some(resource.identifier.as_str())
        });
        if busy {
            return Err(ecs_invalid(
                env,
                "The Cluster cannot be deleted while Services are active.",
            ));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "ClusterName").unwrap_or("*");
        env.arn("ecs", &format!("cluster/{name}"))
    }
}

struct TaskDefinition;

/// Memory in MiB that Fargate offers for each number of CPU units, as first,
/// last and step (AWS docs: Task size).
const FARGATE_SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2_048, 512),
    (512, 1_024, 4_096, 1_024),
    (1_024, 2_048, 8_192, 1_024),
    (2_048, 4_096, 16_384, 1_024),
    (4_096, 8_192, 30_720, 1_024),
    (8_192, 16_384, 61_440, 4_096),
    (16_384, 32_768, 122_880, 8_192),
];

impl TaskDefinition {
    fn check_fargate(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if !strings(model, "RequiresCompatibilities").contains(&"FARGATE") {
            return Ok(());
        }
        if text(model, "NetworkMode") != Some("awsvpc") {
            return Err(ecs_invalid(
                env,
                "Network mode 'awsvpc' is required for Fargate launch type.",
            ));
        }
        let (cpu, memory) = (text(model, "Cpu"), text(model, "Memory"));
        let (Some(cpu), Some(memory)) = (cpu, memory) else {
            let missing = if cpu.is_none() { "cpu" } else { "memory" };
            return Err(ecs_invalid(
                env,
                &format!("Fargate requires that '{missing}' be defined at the task level."),
            ));
        };
        let offered = FARGATE_SIZES.iter().any(|(units, first, last, step)| {
            let (wanted, mib) = (cpu.parse::<u32>(), memory.parse::<u32>());
            wanted == Ok(*units)
                && mib.is_ok_and(|mib| {
                    (*first..=*last).contains(&mib)
                        && (mib % step == 0 || (*units == 256 && mib == 512))
                })
        });
        if !offered {
            return Err(ecs_invalid(
                env,
                &format!(
                    "No Fargate configuration exists for given values: {cpu} CPU, {memory} \
                     memory. See the Amazon ECS documentation for the valid values."
                ),
            ));
        }
        if text(model, "ExecutionRoleArn").is_none() && needs_execution_role(model) {
            return Err(ecs_invalid(
                env,
                "Fargate requires task definition to have execution role ARN to support ECR \
                 images, secrets or the awslogs driver.",
            ));
        }
        Ok(())
    }
}

fn needs_execution_role(model: &Model) -> bool {
    let drivers = strings(model, "ContainerDefinitions/*/LogConfiguration/LogDriver");
    let images = strings(model, "ContainerDefinitions/*/Image");
    drivers.contains(&"awslogs")
        || !strings(model, "ContainerDefinitions/*/Secrets/*/ValueFrom").is_empty()
        || images.iter().any(|image| image.contains(".dkr.ecr."))
}

/// What DescribeTaskDefinition adds to containers.
fn fill_containers(model: &mut Model) {
    let Some(containers) = model
        .get_mut("ContainerDefinitions")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    for container in containers.iter_mut().filter_map(Value::as_object_mut) {
        set_default(container, "Essential", true);
        set_default(container, "Cpu", 0);
        let ports = container
            .get_mut("PortMappings")
            .and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
            set_default(port, "Protocol", "tcp");
            if let Some(inside) = port.get("ContainerPort").cloned() {
                set_default(port, "HostPort", inside);
            }
        }
    }
}

impl Rules for TaskDefinition {
    fn fill(&self, env: &Env<'_>, type_name: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("Family") {
            model.insert("Family".into(), env.name("task").into());
        }
        let family = text(model, "Family").unwrap_or_default().to_owned();
        let last = env
            .home(type_name)
            .and_then(|region| region.revision(&family))
            .unwrap_or(0);
        let arn = env.arn("ecs", &format!("task-definition/{family}:{}", last + 1));
        set_default(model, "TaskDefinitionArn", arn);
        fill_containers(model);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if strings(model, "ContainerDefinitions/*/Image").is_empty() {
            return Err(ecs_invalid(env, "Container list cannot be empty."));
        }
        for property in ["TaskRoleArn", "ExecutionRoleArn"] {
            if let Some(given) = text(model, property)
                && !env.exists("AWS::IAM::Role", cluster_name(given))
            {
                return Err(ecs_invalid(env, "Role is not valid"));
            }
        }
        Self::check_fargate(env, model)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "TaskDefinitionArn").map_or_else(
            || {
                let family = text(model, "Family").unwrap_or("*");
                env.arn("ecs", &format!("task-definition/{family}:*"))
            },
            str::to_owned,
        )
    }
}

/// A task definition by ARN, by `family:revision` or by family (its newest).
pub(crate) fn task_definition(env: &Env<'_>, given: &str) -> Option<Model> {
    let wanted = cluster_name(given);
    env.all(TASK_DEFINITION)
        .into_iter()
        .filter(|found| {
            let name = cluster_name(&found.identifier);
            name == wanted
                || name
                    .rsplit_once(':')
                    .is_some_and(|(family, _)| family == wanted)
        })
        .max_by_key(|found| {
            found
                .identifier
                .rsplit_once(':')
                .and_then(|(_, revision)| revision.parse::<u32>().ok())
        })
        .map(|found| found.properties.clone())
}

struct Service;

impl Service {
    fn check(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let Some(given) = text(model, "TaskDefinition") else {
            return Err(ecs_invalid(env, "TaskDefinition cannot be blank"));
        };
        let Some(definition) = task_definition(env, given) else {
            return Err(ecs_invalid(env, "TaskDefinition not found."));
        };
        let awsvpc = text(&definition, "NetworkMode") == Some("awsvpc");
        if awsvpc && !model.contains_key("NetworkConfiguration") {
            return Err(ecs_invalid(
                env,
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ));
        }
        super::elb::check_service_placement(env, model)?;
        let containers = strings(&definition, "ContainerDefinitions/*/Name");
        for container in strings(model, "LoadBalancers/*/ContainerName") {
            if !containers.contains(&container) {
                return Err(ecs_invalid(
                    env,
                    &format!("The container {container} does not exist in the task definition."),
                ));
            }
        }
        for group in strings(model, "LoadBalancers/*/TargetGroupArn") {
            if !env.exists(super::elb::TARGET_GROUP, group) {
                return Err(ecs_invalid(
                    env,
                    &format!("The specified target group does not exist: {group}"),
                ));
            }
            if super::elb::balancers_of(env, group).is_empty() {
                return Err(ecs_invalid(
                    env,
                    &format!(
                        "The target group with targetGroupArn {group} does not have an associated \
                         load balancer."
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Rules for Service {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn fill(&self, env: &Env<'_>, _: &str, info: &TypeInfo, model: &mut Model) {
        if !model.contains_key("ServiceName") {
            model.insert("ServiceName".into(), env.name("service").into());
        }
        set_default(model, "Cluster", "default");
        let name = text(model, "ServiceName").unwrap_or_default().to_owned();
        let arn = self.arn(env, model);
        set_default(model, "Name", name);
        set_default(model, "ServiceArn", arn);
        set_default(model, "SchedulingStrategy", "REPLICA");
        set_default(model, "DesiredCount", 1);
        set_default(model, "EnableECSManagedTags", false);
        set_default(model, "EnableExecuteCommand", false);
        set_default(model, "PlatformVersion", "LATEST");
        if info.shape["properties"]
            .get("AvailabilityZoneRebalancing")
            .is_some()
        {
            set_default(model, "AvailabilityZoneRebalancing", "ENABLED");
        }
        if !strings(model, "LoadBalancers/*/TargetGroupArn").is_empty() {
            set_default(model, "HealthCheckGracePeriodSeconds", 0);
        }
        set_default(model, "DeploymentController", json!({"Type": "ECS"}));
        let mut deployment = model
            .get("DeploymentConfiguration")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        set_default(&mut deployment, "MaximumPercent", 200);
        set_default(&mut deployment, "MinimumHealthyPercent", 100);
        model.insert("DeploymentConfiguration".into(), deployment.into());
        let network = model
            .get_mut("NetworkConfiguration")
            .and_then(|network| network.get_mut("AwsvpcConfiguration"))
            .and_then(Value::as_object_mut);
        if let Some(network) = network {
            set_default(network, "AssignPublicIp", "DISABLED");
        }
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let cluster = cluster_name(text(model, "Cluster").unwrap_or_default());
        if !env.exists(CLUSTER, cluster) {
            return Err(Failure::not_found(env.service_message(
                "AmazonECS",
                400,
                "Cluster not found.",
            )));
        }
        let arn = text(model, "ServiceArn");
        let taken = env
            .all(SERVICE)
            .iter()
            .any(|other| text(&other.properties, "ServiceArn") == arn);
        if taken {
            return Err(Failure::exists(env.service_message(
                "AmazonECS",
                400,
                "Creation of service was not idempotent.",
            )));
        }
        Self::check(env, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        Self::check(env, after)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let cluster = cluster_name(text(model, "Cluster").unwrap_or("*"));
        let name = text(model, "ServiceName").unwrap_or("*");
        env.arn("ecs", &format!("service/{cluster}/{name}"))
    }
}
