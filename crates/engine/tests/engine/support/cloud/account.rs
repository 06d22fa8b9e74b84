//! What the account holds, and the operations that change it: slow, named by a
//! token, and failing where a fault says so.

use super::{Fault, Request, Verb, failure};
use landfall_model::{
    Timestamp,
    driver::{AttemptToken, Failure, FailureKind, OperationId, PatchOperation, Progress, Status},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TOKEN_LIFE_MILLIS: i64 = 36 * 3_600_000;

/// Seconds for a creation.
fn seconds(type_name: &str) -> i64 {
    match type_name {
        "AWS::RDS::DBInstance" => 400,
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => 150,
        "AWS::EC2::NatGateway" => 110,
        _ => 3,
    }
}

/// The property that names a resource, where a second of that name is refused,
/// and whether it is also its identifier.
fn naming(type_name: &str) -> Option<(&'static str, bool)> {
    Some(match type_name {
        "AWS::S3::Bucket" => ("BucketName", true),
        "AWS::IAM::Role" => ("RoleName", true),
        "AWS::RDS::DBInstance" => ("DBInstanceIdentifier", true),
        "AWS::Logs::LogGroup" => ("LogGroupName", true),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => ("Name", false),
        _ => return None,
    })
}

#[derive(Clone, Debug)]
pub struct Held {
    pub properties: Value,
    pub(super) appears: Timestamp,
    /// Not from Landfall.
    pub foreign: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    Create { properties: Value },
    Update { patch: Vec<PatchOperation> },
    Delete,
}

pub(super) struct Operation {
    pub(super) type_name: String,
    identifier: Option<String>,
    effect: Effect,
    begins: Timestamp,
    ends: Timestamp,
    pub(super) fault: Option<Fault>,
    begun: bool,
    over: Option<Result<(), Failure>>,
}

/// A fault that waits for the call or operation that fits.
pub(super) struct Trap {
    pub(super) verb: Verb,
    pub(super) type_name: String,
    pub(super) fault: Fault,
    /// So many that fit go by first.
    pub(super) spare: usize,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) held: BTreeMap<(String, String), Held>,
    pub(super) operations: BTreeMap<String, Operation>,
    tokens: BTreeMap<String, (String, String, Timestamp)>,
    pub(super) requests: Vec<Request>,
    pub(super) faults: Vec<Trap>,
    counter: u64,
    pub(super) throttled_until: Timestamp,
    pub(super) unauthorized: bool,
}

impl Inner {
    pub(super) fn take(
        &mut self,
        verb: Verb,
        type_name: &str,
        fits: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        let index = self.faults.iter_mut().position(|trap| {
            let on = &trap.type_name;
            let meets = trap.verb == verb && (on == type_name || on == "*") && fits(&trap.fault);
            if meets && trap.spare > 0 {
                trap.spare -= 1;
                return false;
            }
            meets
        })?;
        Some(self.faults.remove(index).fault)
    }

    pub(super) fn start(
        &mut self,
        verb: Verb,
        type_name: &str,
        identifier: Option<&str>,
        effect: Effect,
        token: &AttemptToken,
        now: Timestamp,
    ) -> Result<Progress, Failure> {
        let body = format!("{type_name} {identifier:?} {effect:?}");
        if let Some((operation, known, at)) = self.tokens.get(&token.0).cloned()
            && now.millis_since(at) < TOKEN_LIFE_MILLIS
        {
            if known != body {
                let text = "the token was used for another request";
                return Err(Failure::new(FailureKind::Invalid, "TokenConflict", text));
            }
            return self.progress(&operation);
        }
        let busy = self.operations.values().any(|operation| {
            operation.over.is_none()
                && operation.type_name == type_name
                && identifier.is_some()
                && operation.identifier.as_deref() == identifier
        });
        if busy {
            return Err(failure(FailureKind::Busy));
        }
        self.counter += 1;
        let id = format!("op-{}", self.counter);
        let fault = self.take(verb, type_name, |fault| {
            !matches!(fault, Fault::Refuse(_) | Fault::LoseAnswer)
        });
        let millis = match verb {
            Verb::Create => seconds(type_name) * 1000,
            _ => 2000 + seconds(type_name) * 100,
        };
        let named = naming(type_name).filter(|(_, is_identifier)| *is_identifier);
        let from_name = match (&effect, named) {
            (Effect::Create { properties }, Some((name, _))) => {
                properties[name].as_str().map(str::to_owned)
            }
            _ => None,
        };
        self.operations.insert(
            id.clone(),
            Operation {
                type_name: type_name.to_owned(),
                identifier: identifier.map(str::to_owned).or(from_name),
                effect,
                begins: now.plus_millis(millis / 3),
                ends: now.plus_millis(millis),
                fault,
                begun: false,
                over: None,
            },
        );
        self.tokens.insert(token.0.clone(), (id.clone(), body, now));
        self.progress(&id)
    }

    pub(super) fn progress(&self, id: &str) -> Result<Progress, Failure> {
        let operation = &self.operations[id];
        Ok(Progress {
            operation: OperationId(id.to_owned()),
            identifier: match operation.fault {
                Some(Fault::LeaveUnnamed(_)) => None,
                _ => operation.identifier.clone(),
            },
            status: match &operation.over {
                None => Status::Running { retry_after: None },
                Some(Ok(())) => Status::Succeeded,
                Some(Err(failure)) => Status::Failed(failure.clone()),
            },
        })
    }

    /// Brings every operation to where it is at `now`.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let mut due: Vec<(Timestamp, String)> = self
            .operations
            .iter()
            .filter(|(_, operation)| operation.over.is_none())
            .map(|(id, operation)| (operation.begins, id.clone()))
            .collect();
        due.sort();
        for (_, id) in due {
            let Some(mut operation) = self.operations.remove(&id) else {
                continue;
            };
            if !operation.begun && operation.begins <= now {
                operation.begun = true;
                if let Err(failure) = self.begin(&mut operation) {
                    operation.over = Some(Err(failure));
                }
            }
            let endless = matches!(operation.fault, Some(Fault::NeverEnds));
            if operation.over.is_none() && operation.ends <= now && !endless {
                operation.over = Some(self.end(&mut operation));
            }
            self.operations.insert(id, operation);
        }
    }

    fn begin(&mut self, operation: &mut Operation) -> Result<(), Failure> {
        let type_name = operation.type_name.clone();
        let Effect::Create { properties } = operation.effect.clone() else {
            let identifier = operation.identifier.clone().unwrap_or_default();
            let key = (type_name, identifier);
            let held = self
                .held
                .get(&key)
                .ok_or_else(|| failure(FailureKind::NotFound))?;
            if matches!(operation.effect, Effect::Delete) {
                if held.properties["DeletionProtection"] == json!(true) {
                    return Err(failure(FailureKind::Protected));
                }
                if held.properties.get("Objects").is_some() {
                    return Err(failure(FailureKind::InUse));
                }
            }
            return Ok(());
        };
        if let Some(Fault::FailOperation {
            failure,
            leaves: false,
        }) = &operation.fault
        {
            return Err(failure.clone());
        }
        if let Some((name, _)) = naming(&type_name) {
            let taken = self.held.iter().any(|((other, _), held)| {
                other == &type_name && held.properties[name] == properties[name]
            });
            if taken {
                return Err(failure(FailureKind::AlreadyExists));
            }
        }
        self.counter += 1;
        let counter = self.counter;
        let identifier = operation
            .identifier
            .get_or_insert_with(|| {
                let kind = type_name.rsplit(':').next().unwrap_or_default();
                format!("{}-{counter:04}", kind.to_lowercase())
            })
            .clone();
        let mut properties = properties;
        properties["Id"] = json!(identifier);
        properties["Arn"] = json!(format!("arn:aws:x:::{identifier}"));
        if let Some(Fault::LeavePartial { without, .. }) = &operation.fault {
            properties.as_object_mut().unwrap().remove(without);
        }
        let held = Held {
            properties,
            appears: operation.begins,
            foreign: false,
        };
        self.held.insert((type_name, identifier), held);
        Ok(())
    }

    fn end(&mut self, operation: &mut Operation) -> Result<(), Failure> {
        let identifier = operation.identifier.clone().unwrap_or_default();
        let key = (operation.type_name.clone(), identifier);
        let verdict = match operation.fault.take() {
            Some(Fault::FailOperation {
                failure,
                leaves: true,
            })
            | Some(Fault::LeavePartial { failure, .. }) => Err(failure),
            Some(Fault::LeaveUnnamed(failure)) => {
                operation.identifier = None;
                Err(failure)
            }
            Some(Fault::FailOperation { failure, .. }) => return Err(failure),
            other => {
                operation.fault = other;
                Ok(())
            }
        };
        match &operation.effect {
            Effect::Create { .. } => {}
            Effect::Update { patch } => {
                if let Some(held) = self.held.get_mut(&key) {
                    for change in patch {
                        apply(&mut held.properties, change);
                    }
                }
            }
            Effect::Delete => drop(self.held.remove(&key)),
        }
        verdict
    }
}

/// RFC 6902 on the paths that the engine writes.
fn apply(document: &mut Value, change: &PatchOperation) {
    let (path, value) = match change {
        PatchOperation::Add { path, value } | PatchOperation::Replace { path, value } => {
            (path, Some(value.clone()))
        }
        PatchOperation::Remove { path } => (path, None),
    };
    let (parent, last) = path.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent), value) {
        (Some(Value::Array(items)), Some(value)) => match last.parse::<usize>() {
            Ok(index) if matches!(change, PatchOperation::Replace { .. }) => items[index] = value,
            Ok(index) => items.insert(index, value),
            Err(_) => items.push(value),
        },
        (Some(Value::Array(items)), None) => drop(items.remove(last.parse().unwrap())),
        (Some(Value::Object(members)), Some(value)) => {
            members.insert(last.to_owned(), value);
        }
        (Some(Value::Object(members)), None) => drop(members.remove(last)),
        _ => panic!("no {path} in {document}"),
    }
}
