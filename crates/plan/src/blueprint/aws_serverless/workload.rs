//! What one workload becomes.

use super::{
    access::{self, Egress, ingress_from},
    balancer::Balancer,
    build::{Builder, Draft, Find, concat, output, wait_for},
    check::serving,
    network::Network,
    prices,
    resources::{Resources, key},
    roles::{self, Roles, Starting},
    settings::{self, Settled},
    task::{Task, task},
};
use crate::score::{HttpProbe, Port, Workload};
use landfall_model::{
    Error,
    graph::{Address, Replacement, identifier_of},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a workload stands on.
pub(super) struct Place<'a> {
    pub settled: &'a Settled,
    pub network: &'a Network,
    pub cluster: &'a Address,
    pub balancer: Option<&'a Balancer>,
    pub resources: &'a Resources,
}

pub(super) fn security_group(
    b: &mut Builder<'_>,
    network: &Network,
    workload: &Workload,
) -> Result<Address, Error> {
    let name = workload.name();
    access::security_group(
        b,
        network,
        &format!("workload.{name}"),
        name,
        format!("Access to {name}"),
        &Egress::Everywhere,
    )
}

/// Adds the workload's nodes. Returns its URL if it is public.
pub(super) fn workload(
    b: &mut Builder<'_>,
    place: &Place<'_>,
    workload: &Workload,
    groups: &BTreeMap<String, Address>,
) -> Result<Option<Value>, Error> {
    let name = workload.name();
    let Some(group) = groups.get(name) else {
        return Err(Error::internal(
            "expanding the blueprint",
            format!("{name} has no security group"),
        ));
    };
    let repository = repository(b, name)?;
    let logs = logs(b, name, place.settled.log_days)?;
    let task = task(b, workload, place.resources, &logs)?;
    let roles = give_roles(b, place, workload, &task, &repository, &logs)?;
    let size = settings::task_size(b.input.environment, name, task.asked)?;
    let family = b.names.name(name, 255);
    let node = b.add(Draft {
        address: format!("workload.{name}.task"),
        type_name: "AWS::ECS::TaskDefinition",
        title: format!("Task of {name}"),
        properties: json!({
            "Family": family,
            "Cpu": size.cpu.to_string(),
            "Memory": size.memory.to_string(),
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": ["FARGATE"],
            "RuntimePlatform": {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"},
            "ExecutionRoleArn": output(&roles.execution, "/Arn"),
            "TaskRoleArn": output(&roles.task, "/Arn"),
            "ContainerDefinitions": task.containers,
        }),
        find: Find::Tags {
            scope: None,
            name: None,
        },
    })?;
    node.replacement = Replacement::Revision;
    wait_for(node, &roles.policies);
    wait_for(node, [&repository]);
    let definition = node.address.clone();

    let public = match (place.balancer, serving(workload)) {
        (Some(balancer), Some((container, port))) => Some(publish(
            b, place, workload, group, balancer, container, port,
        )?),
        _ => None,
    };
    let mut properties = json!({
        "ServiceName": family,
        "Cluster": identifier_of(place.cluster),
        "TaskDefinition": output(&definition, "/TaskDefinitionArn"),
        "LaunchType": "FARGATE",
        "DesiredCount": place.settled.replicas,
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "Subnets": Network::subnet_ids(&place.network.compute),
            "SecurityGroups": [output(group, "/GroupId")],
            "AssignPublicIp": "DISABLED",
        }},
        "DeploymentConfiguration": {
            "MaximumPercent": 200,
            "MinimumHealthyPercent": 100,
            "DeploymentCircuitBreaker": {"Enable": true, "Rollback": true},
        },
        "EnableECSManagedTags": true,
        "PropagateTags": "SERVICE",
    });
    if let (Some(public), Some(members)) = (&public, properties.as_object_mut()) {
        members.insert("LoadBalancers".to_owned(), public.targets.clone());
        members.insert("HealthCheckGracePeriodSeconds".to_owned(), json!(60));
    }
    let scope = json!({ "Cluster": identifier_of(place.cluster) });
    let node = b.add(Draft {
        address: format!("workload.{name}.service"),
        type_name: "AWS::ECS::Service",
        title: format!("Service {name}"),
        properties,
        find: Find::Tags {
            scope: Some(scope),
            name: Some("/ServiceName"),
        },
    })?;
    node.monthly_cents = Some(prices::fargate(
        size.cpu,
        size.memory,
        place.settled.replicas,
    ));
    // Tasks start at once: the ways to their image, logs and database must be
    // open by then, and the target group must have its load balancer.
    wait_for(node, &place.network.compute_ways);
    wait_for(
        node,
        used(place, workload).filter_map(|it| it.ways.get(name)),
    );
    if let Some(public) = &public {
        wait_for(node, [&public.listener]);
        wait_for(node, &public.ways);
    }
    Ok(public.map(|it| it.url))
}

fn used<'a>(
    place: &Place<'a>,
    workload: &Workload,
) -> impl Iterator<Item = &'a super::resources::Built> {
    let resources = place.resources;
    let keys: Vec<String> = workload
        .resources
        .iter()
        .filter_map(|resource| key(workload, resource))
        .collect();
    keys.into_iter().filter_map(|key| resources.get(&key))
}

fn repository(b: &mut Builder<'_>, name: &str) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("workload.{name}.repository"),
        type_name: "AWS::ECR::Repository",
        title: format!("Images of {name}"),
        properties: json!({
            "RepositoryName": b.names.name(name, 200),
            "ImageScanningConfiguration": {"ScanOnPush": true},
            "ImageTagMutability": "MUTABLE",
        }),
        find: Find::Name("/RepositoryName"),
    })?;
    Ok(node.address.clone())
}

fn logs(b: &mut Builder<'_>, name: &str, days: u32) -> Result<Address, Error> {
    let node = b.add(Draft {
        address: format!("workload.{name}.logs"),
        type_name: "AWS::Logs::LogGroup",
        title: format!("Logs of {name}"),
        properties: json!({
            "LogGroupName": b.names.name(name, 400),
            "RetentionInDays": days,
        }),
        find: Find::Name("/LogGroupName"),
    })?;
    Ok(node.address.clone())
}

fn give_roles(
    b: &mut Builder<'_>,
    place: &Place<'_>,
    workload: &Workload,
    task: &Task,
    repository: &Address,
    logs: &Address,
) -> Result<Roles, Error> {
    let partition = b.input.account.partition.as_str();
    let mut repositories: Vec<String> = task
        .images
        .iter()
        .filter_map(|image| roles::ecr_repository(partition, image))
        .collect();
    repositories.sort();
    repositories.dedup();
    let starting = Starting {
        repository,
        logs,
        secrets: task.secrets.clone(),
        repositories,
    };
    let mut grants: Vec<Value> = Vec::new();
    for built in used(place, workload) {
        for grant in &built.grants {
            if !grants.contains(grant) {
                grants.push(grant.clone());
            }
        }
    }
    roles::roles(b, workload.name(), &starting, grants)
}

struct Public {
    url: Value,
    /// The service's `LoadBalancers`.
    targets: Value,
    listener: Address,
    ways: Vec<Address>,
}

fn publish(
    b: &mut Builder<'_>,
    place: &Place<'_>,
    workload: &Workload,
    group: &Address,
    balancer: &Balancer,
    container: usize,
    port: &Port,
) -> Result<Public, Error> {
    let name = workload.name();
    let mut properties = json!({
        "Name": b.names.name(name, 32),
        "VpcId": place.network.vpc_id(),
        // Every task is registered with its own port. This one could never
        // change, so it follows nothing.
        "Port": 80,
        "Protocol": "HTTP",
        "TargetType": "ip",
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": 15,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
        "TargetGroupAttributes": [
            {"Key": "deregistration_delay.timeout_seconds", "Value": "30"},
        ],
    });
    let probe = workload.containers.get(container).and_then(|container| {
        [&container.readiness, &container.liveness]
            .into_iter()
            .flatten()
            .find_map(|probe| probe.value.http.as_ref())
    });
    // A port in the address: a rule can never change its own, and the same rule
    // cannot be there twice.
    let mut ports = BTreeSet::from([port.target]);
    ports.extend(probe.map(|probe| probe.port));
    let mut ways = Vec::new();
    for port in ports {
        ways.push(ingress_from(
            b,
            format!("workload.{name}.ingress-{port}"),
            format!("The load balancer to port {port} of {name}"),
            group,
            &balancer.group,
            json!(port),
        )?);
    }
    if let (Some(all), Value::Object(more)) = (properties.as_object_mut(), health(probe, port)) {
        all.extend(more);
    }
    let node = b.add(Draft {
        address: format!("workload.{name}.target-group"),
        type_name: "AWS::ElasticLoadBalancingV2::TargetGroup",
        title: format!("Healthy tasks of {name}"),
        properties,
        find: Find::Tags {
            scope: None,
            name: Some("/Name"),
        },
    })?;
    let target_group = node.address.clone();
    let group_arn = output(&target_group, "/TargetGroupArn");
    let balancer_arn = output(&balancer.address, "/LoadBalancerArn");
    let node = b.add(Draft {
        address: format!("workload.{name}.listener"),
        type_name: "AWS::ElasticLoadBalancingV2::Listener",
        title: format!("Port {} of the load balancer to {name}", port.port),
        properties: json!({
            "LoadBalancerArn": balancer_arn,
            "Port": port.port,
            "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group_arn}],
        }),
        find: Find::Tags {
            scope: Some(json!({ "LoadBalancerArn": balancer_arn })),
            name: None,
        },
    })?;
    let listener = node.address.clone();
    let mut url = vec![json!("http://"), output(&balancer.address, "/DNSName")];
    if port.port != 80 {
        url.push(json!(format!(":{}", port.port)));
    }
    let container = workload.containers.get(container);
    Ok(Public {
        url: concat(url),
        targets: json!([{
            "ContainerName": container.map(|it| it.name.value.as_str()),
            "ContainerPort": port.target,
            "TargetGroupArn": group_arn,
        }]),
        listener,
        ways,
    })
}

fn health(probe: Option<&HttpProbe>, port: &Port) -> Value {
    match probe {
        Some(probe) => json!({
            "HealthCheckPath": if probe.path.is_empty() { "/" } else { &probe.path },
            "HealthCheckProtocol": if probe.https { "HTTPS" } else { "HTTP" },
            "HealthCheckPort": if probe.port == port.target {
                "traffic-port".to_owned()
            } else {
                probe.port.to_string()
            },
            "Matcher": {"HttpCode": "200-399"},
        }),
        // Nothing is known of the paths: any answer that is no failure of the
        // server counts.
        None => json!({
            "HealthCheckPath": "/",
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "traffic-port",
            "Matcher": {"HttpCode": "200-499"},
        }),
    }
}
