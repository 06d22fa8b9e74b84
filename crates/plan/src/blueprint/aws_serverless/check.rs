//! What a Score file may ask for here.

use super::{
    RESOURCE_TYPES,
    resources::{Kind, outputs},
};
use crate::score::{
    Container, Part, Probe, Protocol, Ready, Resource, Workload, hint, listed, problems::Problems,
};
use landfall_model::{
    Error,
    error::{Code, Position},
};
use serde_json::Value;

pub(super) fn workload(workload: &Workload) -> Result<(), Error> {
    let mut unsupported = Problems::default();
    for resource in &workload.resources {
        check_resource(resource, &mut unsupported);
    }
    for port in &workload.service.ports {
        if port.protocol == Protocol::Udp {
            unsupported.add(
                format!("service.ports.{}.protocol", port.name.value),
                "only TCP is served: the load balancer speaks HTTP",
                &port.name.position,
            );
        }
    }
    for container in &workload.containers {
        check_container(workload, container, &mut unsupported);
    }
    check_order(workload, &mut unsupported);
    unsupported.finish(Code::ScoreUnsupported)?;

    let mut wrong = Problems::default();
    for container in &workload.containers {
        for (_, template) in &container.variables {
            let template = &template.value;
            check_template(workload, &template.path, &template.parts, &mut wrong);
        }
    }
    wrong.finish(Code::ScorePlaceholder)
}

/// One listener can have a port.
pub(super) fn ports(workloads: &[&Workload]) -> Result<(), Error> {
    let mut taken: Vec<(u16, &str)> = Vec::new();
    for workload in workloads {
        let Some(port) = workload.service.ports.first() else {
            continue;
        };
        if let Some((number, other)) = taken.iter().find(|(number, _)| *number == port.port) {
            let mut problems = Problems::default();
            problems.add(
                format!("service.ports.{}.port", port.name.value),
                format!(
                    "port {number} is taken by workload '{other}': they share one load balancer, so '{}' needs another port",
                    workload.name()
                ),
                &port.name.position,
            );
            return problems.finish(Code::ScoreUnsupported);
        }
        taken.push((port.port, workload.name()));
    }
    Ok(())
}

fn check_resource(resource: &Resource, problems: &mut Problems) {
    let path = format!("resources.{}", resource.name.value);
    let Some(kind) = Kind::of(&resource.kind.value) else {
        problems.add(
            format!("{path}.type"),
            format!(
                "the resource type '{}' is not provisioned; there is {}",
                resource.kind.value,
                listed(&RESOURCE_TYPES)
            ),
            &resource.kind.position,
        );
        return;
    };
    if let Some(class) = resource
        .class
        .as_ref()
        .filter(|class| class.value != "default")
    {
        problems.add(
            format!("{path}.class"),
            format!(
                "there is no class '{}': sizes are settings of the environment",
                class.value
            ),
            &class.position,
        );
    }
    for (name, value) in &resource.params {
        let path = format!("{path}.params.{}", name.value);
        match kind.parameter(&name.value, &value.value) {
            Ok(()) => {}
            Err(None) => problems.add(
                path,
                format!(
                    "a {} has no parameter '{}'{}",
                    resource.kind.value,
                    name.value,
                    hint(&name.value, kind.parameters().iter().copied())
                ),
                &name.position,
            ),
            Err(Some(message)) => problems.add(path, message, &value.position),
        }
    }
}

fn check_container(workload: &Workload, container: &Container, problems: &mut Problems) {
    let path = format!("containers.{}", container.name.value);
    for target in &container.files {
        problems.add(
            format!("{path}.files.{}", target.value),
            "files cannot be mounted into a Fargate task; put them into the image or into variables",
            &target.position,
        );
    }
    for target in &container.volumes {
        problems.add(
            format!("{path}.volumes.{}", target.value),
            "volumes cannot be mounted; keep files in a bucket",
            &target.position,
        );
    }
    for (name, ready) in &container.before {
        let others: Vec<&str> = workload
            .containers
            .iter()
            .map(|other| other.name.value.as_str())
            .filter(|other| *other != container.name.value)
            .collect();
        if !others.contains(&name.value.as_str()) {
            problems.add(
                format!("{path}.before.{}", name.value),
                format!(
                    "there is no other container '{}'{}",
                    name.value,
                    hint(&name.value, others.iter().copied())
                ),
                &name.position,
            );
        }
        let other = workload
            .containers
            .iter()
            .find(|it| it.name.value == name.value);
        let probed = |other: &Container| {
            let probe = other.liveness.as_ref();
            probe.is_some_and(|probe| probe.value.exec.is_some())
        };
        if *ready == Ready::Healthy && !other.is_some_and(probed) {
            problems.add(
                format!("{path}.before.{}", name.value),
                format!(
                    "'{}' has no livenessProbe with 'exec' that says when it is healthy",
                    name.value
                ),
                &name.position,
            );
        }
    }
    let sizes = [
        (
            "cpu",
            container.requests.milli_cpu,
            container.limits.milli_cpu,
        ),
        (
            "memory",
            container.requests.memory_bytes,
            container.limits.memory_bytes,
        ),
    ];
    for (name, request, limit) in sizes {
        if let (Some(request), Some(limit)) = (request, limit)
            && request > limit
        {
            problems.add(
                format!("{path}.resources.requests.{name}"),
                "the request is more than the limit",
                &container.name.position,
            );
        }
    }
    let served = serving(workload).is_some_and(|(index, _)| {
        workload.containers.get(index).map(|it| &it.name) == Some(&container.name)
    });
    let probes = [
        ("livenessProbe", &container.liveness),
        ("readinessProbe", &container.readiness),
    ];
    for (name, probe) in probes {
        if let Some(probe) = probe {
            let path = format!("{path}.{name}");
            check_probe(&path, name, served, &probe.value, &probe.position, problems);
        }
    }
}

/// Containers that wait for each other never start.
fn check_order(workload: &Workload, problems: &mut Problems) {
    let mut waiting: Vec<&Container> = workload.containers.iter().collect();
    loop {
        let names: Vec<&str> = waiting.iter().map(|it| it.name.value.as_str()).collect();
        let before = waiting.len();
        waiting.retain(|container| {
            let mut waits = container.before.iter();
            waits.any(|(name, _)| names.contains(&name.value.as_str()))
        });
        if waiting.len() == before {
            break;
        }
    }
    if let Some(first) = waiting.first() {
        let names: Vec<&str> = waiting.iter().map(|it| it.name.value.as_str()).collect();
        problems.add(
            format!("containers.{}.before", first.name.value),
            format!("{} wait for each other", listed(&names)),
            &first.name.position,
        );
    }
}

fn check_probe(
    path: &str,
    name: &str,
    served: bool,
    probe: &Probe,
    position: &Position,
    problems: &mut Problems,
) {
    if let Some(http) = &probe.http {
        if !served && probe.exec.is_none() {
            let message = "only the container behind the load balancer can be probed by HTTP; use 'exec' here";
            problems.add(format!("{path}.httpGet"), message, position);
        }
        if http.host.is_some() || !http.headers.is_empty() {
            let message =
                "the load balancer's health check sends no 'host' or 'httpHeaders' of its own";
            problems.add(format!("{path}.httpGet"), message, position);
        }
    }
    if let Some(command) = &probe.exec {
        if name == "readinessProbe" && probe.http.is_none() {
            let message = "ECS knows readiness only from the load balancer: use 'httpGet', or a livenessProbe";
            problems.add(format!("{path}.exec"), message, position);
        }
        if command.is_empty() {
            problems.add(
                format!("{path}.exec.command"),
                "the command is empty",
                position,
            );
        }
    }
}

fn check_template(workload: &Workload, path: &str, parts: &[Part], problems: &mut Problems) {
    for part in parts {
        let Part::Output {
            resource,
            output,
            position,
        } = part
        else {
            continue;
        };
        let Some(kind) = workload
            .resource(resource)
            .and_then(|resource| Kind::of(&resource.kind.value))
        else {
            continue;
        };
        let known = outputs(kind);
        match known.iter().find(|(name, _)| name == output) {
            None => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let hint = hint(output, names.iter().copied());
                let message = format!("resource '{resource}' has no output '{output}'{hint}");
                problems.add(path, message, position);
            }
            Some((_, true)) if parts.len() > 1 => problems.add(
                path,
                format!(
                    "'{resource}.{output}' is a secret, which must be the whole value of a variable: ECS puts it there itself, and nobody else reads it"
                ),
                position,
            ),
            Some(_) => {}
        }
    }
}

/// The public port's container, by index, and the port's place in the file: the
/// container with a probe on the port, else the first.
pub(super) fn serving(workload: &Workload) -> Option<(usize, &crate::score::Port)> {
    let port = workload.service.ports.first()?;
    Some((listening(workload, port.target), port))
}

pub(super) fn listening(workload: &Workload, target: u16) -> usize {
    workload
        .containers
        .iter()
        .position(|container| {
            [&container.readiness, &container.liveness]
                .into_iter()
                .flatten()
                .filter_map(|probe| probe.value.http.as_ref())
                .any(|http| http.port == target)
        })
        .unwrap_or(0)
}

/// A parameter as text, from text or a number.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
