//! The containers of a task definition.

use super::{
    build::{Builder, concat},
    check::listening,
    resources::{Output, Resources, key},
    settings::{self, TaskSize},
};
use crate::score::{Amounts, Container, Part, Probe, Ready, Template, Workload};
use landfall_model::{
    Error,
    graph::{Address, identifier_of},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) struct Task {
    pub containers: Value,
    /// What the containers ask for together.
    pub asked: TaskSize,
    /// ARNs of the secrets that are put into containers.
    pub secrets: Vec<Value>,
    pub images: Vec<String>,
}

const MIB: u64 = 1024 * 1024;

pub(super) fn task(
    b: &Builder<'_>,
    workload: &Workload,
    resources: &Resources,
    logs: &Address,
) -> Result<Task, Error> {
    let mut containers = Vec::new();
    let mut secrets: Vec<Value> = Vec::new();
    let mut images = Vec::new();
    let mut asked = TaskSize { cpu: 0, memory: 0 };
    let ports = ports(workload);
    for (index, container) in workload.containers.iter().enumerate() {
        let name = &container.name.value;
        let image = settings::image(
            b.input.environment,
            workload.name(),
            name,
            &container.image.value,
        )?;
        let mut it = Map::new();
        let mut set = |key: &str, value: Value| {
            it.insert(key.to_owned(), value);
        };
        set("Name", json!(name));
        set("Image", json!(image));
        images.push(image);
        // A task ends with its first essential container; one that only
        // prepares the way for others must be allowed to end.
        set("Essential", json!(!is_preparation(workload, name)));
        set(
            "LogConfiguration",
            json!({"LogDriver": "awslogs", "Options": {
                "awslogs-group": identifier_of(logs),
                "awslogs-region": b.region(),
                "awslogs-stream-prefix": name,
            }}),
        );
        if !container.command.is_empty() {
            set("EntryPoint", json!(container.command));
        }
        if !container.args.is_empty() {
            set("Command", json!(container.args));
        }
        let mappings: Vec<Value> = ports
            .iter()
            .filter(|(at, _)| *at == index)
            .map(|(_, port)| json!({"ContainerPort": port, "Protocol": "tcp"}))
            .collect();
        if !mappings.is_empty() {
            set("PortMappings", json!(mappings));
        }
        let (plain, hidden) = variables(workload, container, resources, &mut secrets);
        if !plain.is_empty() {
            set("Environment", json!(plain));
        }
        if !hidden.is_empty() {
            set("Secrets", json!(hidden));
        }
        if !container.before.is_empty() {
            set("DependsOn", depends_on(container));
        }
        if let Some(check) = container.liveness.as_ref().and_then(|it| health(&it.value)) {
            set("HealthCheck", check);
        }
        sizes(container, &mut asked, &mut set);
        containers.push(Value::Object(it));
    }
    Ok(Task {
        containers: Value::Array(containers),
        asked,
        secrets,
        images,
    })
}

/// Container ports by the index of the container that listens on them.
fn ports(workload: &Workload) -> BTreeSet<(usize, u16)> {
    let targets = workload.service.ports.iter().map(|port| port.target);
    targets
        .map(|target| (listening(workload, target), target))
        .collect()
}

/// Whether another container waits for this one to complete.
fn is_preparation(workload: &Workload, name: &str) -> bool {
    let mut waits = workload.containers.iter().flat_map(|it| &it.before);
    waits.any(|(other, ready)| other.value == name && *ready == Ready::Complete)
}

fn depends_on(container: &Container) -> Value {
    let condition = |ready: &Ready| match ready {
        Ready::Started => "START",
        Ready::Healthy => "HEALTHY",
        // A preparation that failed has prepared nothing.
        Ready::Complete => "SUCCESS",
    };
    let waits = container.before.iter();
    waits
        .map(|(name, ready)| json!({"ContainerName": name.value, "Condition": condition(ready)}))
        .collect()
}

fn health(probe: &Probe) -> Option<Value> {
    let command = probe.exec.as_ref()?;
    let words: Vec<&str> = std::iter::once("CMD")
        .chain(command.iter().map(String::as_str))
        .collect();
    Some(json!({
        "Command": words, "Interval": 30, "Timeout": 5, "Retries": 3, "StartPeriod": 30,
    }))
}

fn sizes(container: &Container, asked: &mut TaskSize, set: &mut impl FnMut(&str, Value)) {
    let units = |amounts: &Amounts| {
        amounts
            .milli_cpu
            .map(|it| clamp(it.saturating_mul(1024).div_ceil(1000)))
    };
    let mib = |amounts: &Amounts| {
        amounts
            .memory_bytes
            .map(|it| clamp(it.div_ceil(MIB)).max(6))
    };
    let (request, limit) = (&container.requests, &container.limits);
    if let Some(cpu) = units(request) {
        set("Cpu", json!(cpu));
    }
    if let Some(memory) = mib(limit) {
        set("Memory", json!(memory));
    }
    // AWS docs: the reservation must be less than the hard limit.
    if let Some(memory) = mib(request).filter(|it| mib(limit).is_none_or(|limit| *it < limit)) {
        set("MemoryReservation", json!(memory));
    }
    let cpu = units(request).or(units(limit)).unwrap_or(0);
    let memory = mib(limit).or(mib(request)).unwrap_or(0);
    asked.cpu = asked.cpu.saturating_add(cpu);
    asked.memory = asked.memory.saturating_add(memory);
}

fn clamp(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Plain variables and secret ones.
fn variables(
    workload: &Workload,
    container: &Container,
    resources: &Resources,
    secrets: &mut Vec<Value>,
) -> (Vec<Value>, Vec<Value>) {
    let (mut plain, mut hidden) = (Vec::new(), Vec::new());
    for (name, template) in &container.variables {
        match value(workload, &template.value, resources) {
            Said::Plain(value) => plain.push(json!({"Name": name.value, "Value": value})),
            Said::Secret { value_from, arn } => {
                hidden.push(json!({"Name": name.value, "ValueFrom": value_from}));
                if !secrets.contains(&arn) {
                    secrets.push(arn);
                }
            }
        }
    }
    (plain, hidden)
}

enum Said {
    Plain(Value),
    Secret { value_from: Value, arn: Value },
}

fn value(workload: &Workload, template: &Template, resources: &Resources) -> Said {
    if let Some(text) = template.plain() {
        return Said::Plain(Value::String(text));
    }
    let mut parts = Vec::new();
    for part in &template.parts {
        match part {
            Part::Text(text) => parts.push(json!(text)),
            Part::Output {
                resource, output, ..
            } => match find(workload, resource, output, resources) {
                Some(Output::Plain(value)) => parts.push(value.clone()),
                // Alone in its text: the check of the workload saw to that.
                Some(Output::Secret { value_from, arn }) => {
                    return Said::Secret {
                        value_from: value_from.clone(),
                        arn: arn.clone(),
                    };
                }
                None => {}
            },
        }
    }
    // Even a single number becomes text this way.
    let texts: Option<String> = parts.iter().map(Value::as_str).collect();
    Said::Plain(texts.map_or_else(|| concat(parts), Value::String))
}

fn find<'a>(
    workload: &Workload,
    resource: &str,
    output: &str,
    resources: &'a Resources,
) -> Option<&'a Output> {
    let key = key(workload, workload.resource(resource)?)?;
    resources.get(&key)?.outputs.get(output)
}
