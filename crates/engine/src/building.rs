//! A node that is to exist with its wanted properties: the loop of attempts.

use crate::{
    attempt::{Attempts, Outcome},
    engine::{Stop, Trouble},
    fold::NodeLog,
    hands::Provisioner,
    lookup::Maker,
    node::{NodeEnd, fail},
    world::World,
};
use landfall_model::{
    driver::{Failure, FailureKind, Observed, PatchOperation},
    graph::Node,
    journal::Call,
    owned,
    plan::Action,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the last attempt left when the cloud says that the resource was made or
/// changed but does not come to rest.
const UNSTABLE: &[&str] = &["NotStabilized", "ServiceTimeout"];

/// A node that is to exist with its wanted properties.
pub(crate) struct Building<'a> {
    pub world: &'a World<'a>,
    pub action: &'a Action,
    pub node: &'a Node,
    pub attempts: Attempts<'a, Provisioner>,
    pub log: NodeLog,
    /// The wanted properties, references unresolved.
    pub template: &'a Value,
    pub goal: Goal<'a>,
    /// Found by a look in this run.
    pub found: Option<String>,
    /// Identifiers that turned out not to exist.
    pub gone: BTreeSet<String>,
}

#[derive(Clone, Copy)]
pub(crate) enum Goal<'a> {
    Create {
        /// Recorded here and gone from the account, as the plan found out.
        lost: Option<&'a str>,
    },
    Replace {
        old: &'a str,
        generation: u32,
        revision: bool,
    },
    /// Update or adopt what is known to exist.
    Known {
        identifier: &'a str,
        patch: &'a [PatchOperation],
        adopt: bool,
    },
}

enum Toward {
    /// The node is done.
    Done,
    /// An update is intended.
    Intended,
    /// It does not exist after all.
    Gone,
    Canceled,
}

impl<'a> Building<'a> {
    pub fn new(
        world: &'a World<'a>,
        action: &'a Action,
        node: &'a Node,
        attempts: Attempts<'a, Provisioner>,
        log: NodeLog,
        template: &'a Value,
        goal: Goal<'a>,
    ) -> Self {
        Self {
            world,
            action,
            node,
            attempts,
            log,
            template,
            goal,
            found: None,
            gone: match goal {
                Goal::Create { lost: Some(lost) } => BTreeSet::from([lost.to_owned()]),
                _ => BTreeSet::new(),
            },
        }
    }

    pub async fn run(mut self) -> Result<NodeEnd, Stop> {
        match self.build().await {
            Ok(NodeEnd::Canceled) => {
                let (writes, kept) = self.keep_what_is_left().await?;
                if !writes.is_empty() {
                    let journal = self.world.journal;
                    journal.commit("record what was made", writes).await?;
                    self.apply(kept);
                }
                Ok(NodeEnd::Canceled)
            }
            Ok(end) => Ok(end),
            Err(Trouble::Stop(stop)) => Err(stop),
            Err(Trouble::Failure(failure)) => {
                let (writes, kept) = self.keep_what_is_left().await?;
                let end = fail(&self.attempts, &mut self.log, writes, failure).await?;
                self.apply(kept);
                Ok(end)
            }
        }
    }

    async fn build(&mut self) -> Result<NodeEnd, Trouble> {
        let mut doubtful = true;
        loop {
            if self.log.open().is_none() {
                doubtful = false;
                match self.existing() {
                    Some(identifier) => match self.toward(&identifier).await? {
                        Toward::Done => return Ok(NodeEnd::Done),
                        Toward::Canceled => return Ok(NodeEnd::Canceled),
                        Toward::Gone => continue,
                        Toward::Intended => {}
                    },
                    None => {
                        if self.world.is_canceling() {
                            return Ok(NodeEnd::Canceled);
                        }
                        // A first create follows a plan that just looked. After
                        // any attempt, the cloud may hold what it made.
                        if self.log.count > 0 && self.look().await? {
                            continue;
                        }
                        let properties = self.world.resolve(self.template).await?;
                        self.attempts
                            .intend(
                                &mut self.log,
                                &self.node.type_name,
                                Call::Create { properties },
                            )
                            .await?;
                    }
                }
            }
            match self.attempts.drive(&mut self.log, doubtful).await? {
                Outcome::Succeeded { identifier } => {
                    if let Some(identifier) = identifier.or_else(|| self.acted_on()) {
                        self.finish(&identifier).await?;
                        return Ok(NodeEnd::Done);
                    }
                    // A success that names nothing: the resource is there, so
                    // look for it as if the answer had been lost.
                    self.lost("IdentifierMissing").await?;
                }
                Outcome::Lost => self.lost("Forgotten").await?,
                Outcome::Unfinished { failure } => return Err(failure.into()),
                Outcome::Failed { failure, certain } => {
                    self.failed(failure, certain).await?;
                    if self.world.is_canceling() {
                        return Ok(NodeEnd::Canceled);
                    }
                }
            }
        }
    }

    pub fn is_create(&self) -> bool {
        let call = self.log.last.as_ref().map(|attempt| &attempt.request);
        matches!(call, Some(Call::Create { .. }))
    }

    /// The identifier that the last attempt was to change.
    fn acted_on(&self) -> Option<String> {
        match &self.log.last.as_ref()?.request {
            Call::Update { identifier, .. } => Some(identifier.clone()),
            _ => None,
        }
    }

    pub fn made(&self, observed: &Observed) -> bool {
        let maker = Maker {
            environment_id: &self.world.plan.environment_id,
            address: &self.action.address,
            node: self.node,
            properties: self.template,
        };
        maker.made(observed, self.log.last_failure())
    }

    /// What is to be brought to the wanted properties, if anything exists: then
    /// a second one is never made.
    pub fn existing(&self) -> Option<String> {
        if let Goal::Known { identifier, .. } = self.goal {
            return Some(identifier.to_owned());
        }
        let record = self
            .world
            .record(&self.action.address)
            .filter(|record| record.type_name == self.node.type_name)
            .map(|record| record.identifier);
        [self.found.clone(), self.log.left.clone(), record]
            .into_iter()
            .flatten()
            .find(|identifier| !self.gone.contains(identifier) && !self.is_old(identifier))
    }

    fn is_old(&self, identifier: &str) -> bool {
        matches!(self.goal, Goal::Replace { old, .. } if old == identifier)
    }

    /// Brings an existing resource to the wanted properties: by the approved
    /// patch the first time, by what still differs afterwards (a JSON patch
    /// that may have been applied must not be applied blindly again).
    async fn toward(&mut self, identifier: &str) -> Result<Toward, Trouble> {
        let patch = match self.goal {
            Goal::Known { patch, .. } if self.log.count == 0 && !patch.is_empty() => {
                self.world.resolve_patch(patch).await?
            }
            _ => match self.remaining(identifier).await? {
                Some(patch) => patch,
                None if matches!(self.goal, Goal::Known { .. }) => {
                    return Err(vanished(self.node, identifier).into());
                }
                None => {
                    self.gone.insert(identifier.to_owned());
                    return Ok(Toward::Gone);
                }
            },
        };
        if patch.is_empty() {
            self.adopt(identifier).await?;
            return Ok(Toward::Done);
        }
        if self.world.is_canceling() {
            return Ok(Toward::Canceled);
        }
        let request = Call::Update {
            identifier: identifier.to_owned(),
            patch,
        };
        self.attempts
            .intend(&mut self.log, &self.node.type_name, request)
            .await?;
        Ok(Toward::Intended)
    }

    /// What separates the resource from the wanted properties; `None` when it
    /// does not exist.
    async fn remaining(
        &mut self,
        identifier: &str,
    ) -> Result<Option<Vec<PatchOperation>>, Trouble> {
        let seen = self
            .attempts
            .read_made(&self.node.type_name, identifier)
            .await?;
        let left = self.log.left.as_deref() == Some(identifier)
            && self.found.is_none()
            && !matches!(self.goal, Goal::Known { .. });
        let Some(observed) = seen.filter(|observed| !left || self.made(observed)) else {
            return Ok(None);
        };
        if matches!(self.goal, Goal::Known { patch, adopt: true, .. } if patch.is_empty()) {
            // The plan looked closer than we do and found nothing to change.
            return Ok(Some(vec![]));
        }
        let desired = self.world.resolve(self.template).await?;
        let differences = owned::differences(self.node, &desired, &observed.properties);
        if !differences.fixed.is_empty() {
            return Err(Failure::new(
                FailureKind::Invalid,
                "CannotBeChanged",
                format!(
                    "{} {identifier} exists, but {} cannot be changed in place: make a new plan",
                    self.node.type_name,
                    differences.fixed.join(", ")
                ),
            )
            .into());
        }
        let mut patch = differences.patch;
        patch.extend(self.removals(&observed.properties)?);
        let unstable = self
            .log
            .last_failure()
            .filter(|failure| UNSTABLE.contains(&failure.code.as_str()));
        match unstable {
            Some(failure) if patch.is_empty() => {
                // It has every property and still does not work: only the cloud
                // can say that it does now, so a resume asks it by a change
                // that changes nothing.
                if self.log.tries > 0 {
                    return Err(failure.clone().into());
                }
                Ok(Some(touch(self.node, &desired).into_iter().collect()))
            }
            _ => Ok(Some(patch)),
        }
    }

    /// What the approved patch removes and is still there.
    fn removals(&self, observed: &Value) -> Result<Vec<PatchOperation>, Failure> {
        let Goal::Known { patch, .. } = self.goal else {
            return Ok(vec![]);
        };
        let mut left = Vec::new();
        for operation in patch {
            let PatchOperation::Remove { path } = operation else {
                continue;
            };
            let last = path.rsplit('/').next().unwrap_or_default();
            if last.bytes().all(|byte| byte.is_ascii_digit()) {
                // A place in a list, as the list was: what stands there now may
                // be somebody else's.
                return Err(Failure::new(
                    FailureKind::Invalid,
                    "PatchOutdated",
                    format!(
                        "the change of {} was interrupted and cannot be repeated as it was                          approved: make a new plan",
                        self.action.address
                    ),
                ));
            }
            if observed.pointer(path).is_some() {
                left.push(operation.clone());
            }
        }
        Ok(left)
    }
}

/// A change that changes nothing, for asking the cloud to look again.
fn touch(node: &Node, desired: &Value) -> Option<PatchOperation> {
    desired.as_object()?.iter().find_map(|(key, value)| {
        let path = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let fixed = |pointers: &BTreeSet<String>| {
            pointers.contains(&path)
                || pointers
                    .iter()
                    .any(|pointer| pointer.starts_with(&format!("{path}/")))
        };
        let plain = value.is_string() || value.is_number() || value.is_boolean();
        (plain && !fixed(&node.create_only) && !fixed(&node.write_only)).then(|| {
            PatchOperation::Replace {
                path: path.clone(),
                value: value.clone(),
            }
        })
    })
}

fn vanished(node: &Node, identifier: &str) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        "Vanished",
        format!(
            "{} {identifier} no longer exists: make a new plan",
            node.type_name
        ),
    )
}
