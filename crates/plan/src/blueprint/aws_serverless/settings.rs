//! The environment's settings: defaults by kind, limits of the cloud.

use crate::score::{hint, listed};
use landfall_model::{
    Error,
    environment::{Environment, Kind},
    error::Code,
};

/// What AWS Fargate offers for each CPU size, in MiB: first, last and step
/// (AWS docs: "Task definition parameters for Fargate", task size).
const FARGATE: [(u32, &[u32]); 5] = [
    (256, &[512, 1024, 2048]),
    (512, &[1024, 2048, 3072, 4096]),
    (1024, &[2048, 3072, 4096, 5120, 6144, 7168, 8192]),
    (
        2048,
        &[
            4096, 5120, 6144, 7168, 8192, 9216, 10240, 11264, 12288, 13312, 14336, 15360, 16384,
        ],
    ),
    (
        4096,
        &[
            8192, 9216, 10240, 11264, 12288, 13312, 14336, 15360, 16384, 17408, 18432, 19456,
            20480, 21504, 22528, 23552, 24576, 25600, 26624, 27648, 28672, 29696, 30720,
        ],
    ),
];

/// Settings with nothing left open.
pub(super) struct Settled {
    pub zones: Vec<String>,
    /// A NAT gateway in every zone, so that losing one zone cuts off no other.
    pub nat_in_every_zone: bool,
    pub replicas: u32,
    pub log_days: u32,
    pub database: Database,
}

pub(super) struct Database {
    pub class: String,
    pub storage: u32,
    pub multi_az: bool,
    pub backup_days: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskSize {
    pub cpu: u32,
    pub memory: u32,
}

fn refused(violations: Vec<(&str, String)>) -> Result<(), Error> {
    let Some((field, message)) = violations.first() else {
        return Ok(());
    };
    let error = Error::new(
        Code::EnvironmentSettings,
        format!("{field}: {message}"),
        "change the environment's settings and plan again",
    );
    Err(violations.iter().fold(error, |error, (field, message)| {
        error.with_violation(*field, message.clone(), None)
    }))
}

/// # Errors
/// `environment-settings`, with every setting that cannot be.
pub(super) fn settle(environment: &Environment) -> Result<Settled, Error> {
    let production = environment.kind == Kind::Production;
    let given = &environment.settings;
    let mut wrong = Vec::new();

    let zones = if given.zones.is_empty() {
        usual_zones(&environment.region)
    } else {
        given.zones.clone()
    };
    zones_fit(&environment.region, &zones, &mut wrong);
    let replicas = given.replicas.unwrap_or(if production { 2 } else { 1 });
    if replicas > 100 {
        wrong.push(("replicas", format!("{replicas} is more than 100")));
    }
    let backup_days = given
        .backup_retention
        .unwrap_or(if production { 7 } else { 1 });
    if !(1..=35).contains(&backup_days) {
        let message = format!("backups are kept for 1 to 35 days, not {backup_days}");
        wrong.push(("backup_retention", message));
    }
    // RDS offers gp3 from 20 GiB to 64 TiB for PostgreSQL.
    let storage = given.database_storage.unwrap_or(20);
    if !(20..=65_536).contains(&storage) {
        let message = format!("a database has 20 to 65536 GiB, not {storage}");
        wrong.push(("database_storage", message));
    }
    let class = given.database_class.clone().unwrap_or_else(|| {
        let class = if production {
            "db.t4g.small"
        } else {
            "db.t4g.micro"
        };
        class.to_owned()
    });
    if !is_database_class(&class) {
        let message = format!("'{class}' is not an instance class such as db.t4g.small");
        wrong.push(("database_class", message));
    }
    if given.cpu.is_some() || given.memory.is_some() {
        let smallest = TaskSize { cpu: 0, memory: 0 };
        if let Err(message) = fit(given.cpu, given.memory, smallest) {
            wrong.push((if given.cpu.is_some() { "cpu" } else { "memory" }, message));
        }
    }
    refused(wrong)?;
    Ok(Settled {
        zones,
        nat_in_every_zone: production,
        replicas,
        log_days: if production { 90 } else { 14 },
        database: Database {
            class,
            storage,
            multi_az: given.database_multi_az.unwrap_or(production),
            backup_days,
        },
    })
}

/// The smallest task that holds what the containers ask for, or the size that
/// the settings say.
///
/// # Errors
/// `environment-settings`.
pub(super) fn task_size(
    environment: &Environment,
    workload: &str,
    asked: TaskSize,
) -> Result<TaskSize, Error> {
    let given = &environment.settings;
    let usual = match environment.kind {
        Kind::Production => TaskSize {
            cpu: 512,
            memory: 1024,
        },
        Kind::Development | Kind::Preview => TaskSize {
            cpu: 256,
            memory: 512,
        },
    };
    let at_least = TaskSize {
        cpu: asked.cpu.max(given.cpu.map_or(usual.cpu, |_| 0)),
        memory: asked.memory.max(given.memory.map_or(usual.memory, |_| 0)),
    };
    fit(given.cpu, given.memory, at_least).map_err(|message| {
        let field = if given.memory.is_some() && given.cpu.is_none() {
            "memory"
        } else {
            "cpu"
        };
        Error::new(
            Code::EnvironmentSettings,
            format!("workload {workload}: {message}"),
            "change the environment's cpu and memory, or what the Score file's containers ask for",
        )
        .with_violation(field, message, None)
    })
}

fn fit(cpu: Option<u32>, memory: Option<u32>, at_least: TaskSize) -> Result<TaskSize, String> {
    if let Some(cpu) = cpu
        && !FARGATE.iter().any(|(size, _)| *size == cpu)
    {
        let sizes: Vec<String> = FARGATE.iter().map(|(size, _)| size.to_string()).collect();
        return Err(format!(
            "Fargate has no {cpu} CPU units; there is {}",
            listed(&sizes)
        ));
    }
    let offers = FARGATE
        .iter()
        .filter(|(size, _)| cpu.is_none_or(|cpu| cpu == *size))
        .flat_map(|(size, steps)| steps.iter().map(|step| (*size, *step)))
        .filter(|(_, step)| memory.is_none_or(|memory| memory == *step));
    let mut seen = false;
    for (cpu, memory) in offers {
        seen = true;
        if cpu >= at_least.cpu && memory >= at_least.memory {
            return Ok(TaskSize { cpu, memory });
        }
    }
    Err(match (cpu, memory, seen) {
        (_, Some(memory), false) => {
            let steps = cpu
                .and_then(|cpu| FARGATE.iter().find(|(size, _)| *size == cpu))
                .map(|(_, steps)| *steps);
            match (cpu, steps) {
                (Some(cpu), Some([first, .., last])) => format!(
                    "Fargate has no {memory} MiB with {cpu} CPU units; there is {first} to {last}, in whole GiB from 1024"
                ),
                _ => format!(
                    "Fargate has no {memory} MiB; there is 512, and 1024 to 30720 in whole GiB"
                ),
            }
        }
        _ => format!(
            "the containers ask for {} CPU units and {} MiB, which is more than the task has",
            at_least.cpu, at_least.memory
        ),
    })
}

/// The zones that a new account usually has. Letters differ from account to
/// account, so they can be set.
fn usual_zones(region: &str) -> Vec<String> {
    // AWS docs: these regions have no zone 'b', or do not offer it to new
    // accounts.
    let letters = match region {
        "ap-northeast-1" | "us-west-1" | "sa-east-1" => ["a", "c"],
        _ => ["a", "b"],
    };
    letters
        .iter()
        .map(|letter| format!("{region}{letter}"))
        .collect()
}

fn zones_fit(region: &str, zones: &[String], wrong: &mut Vec<(&str, String)>) {
    if !(2..=3).contains(&zones.len()) {
        let message = format!("an environment has 2 or 3 zones, not {}", zones.len());
        wrong.push(("zones", message));
    }
    for zone in zones {
        let letter = zone.strip_prefix(region);
        if letter.is_none_or(|it| it.len() != 1 || !it.bytes().all(|b| (b'a'..=b'h').contains(&b)))
        {
            let message = format!("'{zone}' is not a zone of {region}, such as {region}a");
            wrong.push(("zones", message));
        }
    }
    let distinct: std::collections::BTreeSet<&String> = zones.iter().collect();
    if distinct.len() != zones.len() {
        wrong.push(("zones", "a zone is named twice".to_owned()));
    }
}

fn is_database_class(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    matches!(parts.as_slice(), ["db", family, size] if word(family) && word(size))
}

/// The image of a container: the settings', else the Score file's.
///
/// # Errors
/// `environment-settings` when neither names one.
pub(super) fn image(
    environment: &Environment,
    workload: &str,
    container: &str,
    written: &str,
) -> Result<String, Error> {
    let key = format!("{workload}.{container}");
    match environment.settings.images.get(&key) {
        Some(image) if image.trim().is_empty() || image == "." => Err(no_image(&key)),
        Some(image) => Ok(image.clone()),
        None if written == "." => Err(no_image(&key)),
        None => Ok(written.to_owned()),
    }
}

fn no_image(key: &str) -> Error {
    let message = format!("the image of {key} is '.', which the settings must replace");
    Error::new(
        Code::EnvironmentSettings,
        message.clone(),
        format!("push the image and set it as images.{key} of the environment"),
    )
    .with_violation(format!("images.{key}"), message, None)
}

/// # Errors
/// `environment-settings` for images of containers that no workload has.
pub(super) fn images_fit(environment: &Environment, containers: &[String]) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for key in environment.settings.images.keys() {
        if !containers.contains(key) {
            let hint = hint(key, containers.iter().map(String::as_str));
            wrong.push((
                "images",
                format!("no workload has a container '{key}'{hint}"),
            ));
        }
    }
    refused(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(cpu: u32, memory: u32) -> TaskSize {
        TaskSize { cpu, memory }
    }

    #[test]
    fn the_smallest_task_that_holds_the_containers_is_taken() {
        assert_eq!(fit(None, None, size(256, 512)), Ok(size(256, 512)));
        assert_eq!(fit(None, None, size(257, 512)), Ok(size(512, 1024)));
        assert_eq!(fit(None, None, size(256, 2049)), Ok(size(512, 3072)));
        assert_eq!(fit(Some(1024), None, size(0, 0)), Ok(size(1024, 2048)));
        assert_eq!(fit(None, Some(8192), size(0, 0)), Ok(size(1024, 8192)));
        assert!(fit(Some(300), None, size(0, 0)).is_err());
        assert!(fit(Some(256), Some(4096), size(0, 0)).is_err());
        assert!(fit(None, Some(700), size(0, 0)).is_err());
        assert!(fit(Some(256), None, size(512, 0)).is_err());
        assert!(fit(None, None, size(8192, 0)).is_err());
    }
}
