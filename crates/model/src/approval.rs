//! A yes to one plan or one destruction, bound to what was shown.
//!
//! [`ApprovedPlan`] and [`ApprovedDestruction`] are the only keys to the
//! engine, and this module is the only place that can make one: "no apply
//! without approval" is a type, not a rule.

use crate::{
    Timestamp,
    digest::Digest,
    environment::ApprovalPolicy,
    id::{DestructionId, MemberId},
    member::Role,
    plan::{self, Plan},
    retained::{self, Retained},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Approver {
    /// The environment's `automatic` policy.
    Policy,
    Person {
        member_id: MemberId,
        name: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Approval {
    pub by: Approver,
    pub at: Timestamp,
    /// The plan's, or the destruction's subject's.
    pub digest: Digest,
}

/// A person who may say yes: an Admin, at the time of saying it.
#[derive(Clone, Debug)]
pub struct Admin {
    member_id: MemberId,
    name: String,
}

impl Admin {
    /// `None` for every other role.
    pub fn from_role(member_id: MemberId, name: String, role: Role) -> Option<Self> {
        (role == Role::Admin).then_some(Self { member_id, name })
    }

    fn approver(self) -> Approver {
        Approver::Person {
            member_id: self.member_id,
            name: self.name,
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the plan is {0}, not proposed")]
    NotProposed(&'static str),
    #[error("the approval names another digest than the plan's")]
    DigestMismatch,
    #[error("the plan replaces or re-creates resources: a person must approve it")]
    NeedsPerson,
    #[error("the environment's policy is manual")]
    ManualPolicy,
    #[error("the plan has no approval")]
    NotApproved,
    #[error("the stored plan does not have the digest that was approved")]
    Tampered,
    #[error("the typed name is not '{expected}'")]
    NameMismatch { expected: String },
    #[error("the retained resource is {0}")]
    NotRetained(&'static str),
}

/// What an approval of a plan binds to: everything that the engine will do.
pub fn plan_digest(
    environment_id: &crate::id::EnvironmentId,
    graph: &crate::graph::Graph,
    actions: &[plan::Action],
) -> Result<Digest, serde_json::Error> {
    Digest::of_json(&(environment_id, graph, actions))
}

/// Says yes as a person who was shown the plan with digest `seen`.
pub fn approve_by_person(
    plan: &Plan,
    admin: Admin,
    seen: &Digest,
    now: Timestamp,
) -> Result<Approval, Refusal> {
    proposed(plan)?;
    if seen != &plan.digest {
        return Err(Refusal::DigestMismatch);
    }
    Ok(Approval {
        by: admin.approver(),
        at: now,
        digest: plan.digest.clone(),
    })
}

/// Says yes by the environment's policy, where that is allowed.
pub fn approve_by_policy(
    plan: &Plan,
    policy: ApprovalPolicy,
    now: Timestamp,
) -> Result<Approval, Refusal> {
    proposed(plan)?;
    if policy == ApprovalPolicy::Manual {
        return Err(Refusal::ManualPolicy);
    }
    if needs_person(plan) {
        return Err(Refusal::NeedsPerson);
    }
    Ok(Approval {
        by: Approver::Policy,
        at: now,
        digest: plan.digest.clone(),
    })
}

fn proposed(plan: &Plan) -> Result<(), Refusal> {
    match &plan.state {
        plan::State::Proposed => Ok(()),
        other => Err(Refusal::NotProposed(other.as_str())),
    }
}

/// Read off the graph and the actions themselves: the stored flag is for
/// display.
fn needs_person(plan: &Plan) -> bool {
    must_be_seen(&plan.graph, &plan.actions)
}

/// Whether no policy may approve these actions: they replace something, or
/// make an empty one where a stateful resource was lost.
pub fn must_be_seen(graph: &crate::graph::Graph, actions: &[plan::Action]) -> bool {
    actions.iter().any(|action| match &action.change {
        plan::Change::Replace {
            revision, stateful, ..
        } => !revision || *stateful,
        plan::Change::Create { lost: Some(_), .. } => graph
            .nodes
            .get(&action.address)
            .is_none_or(|node| node.stateful),
        _ => false,
    })
}

/// A plan that somebody said yes to. The engine takes nothing else.
#[derive(Clone, Debug)]
pub struct ApprovedPlan {
    plan: Plan,
    approval: Approval,
}

impl ApprovedPlan {
    /// From a stored plan, whose digest is computed again: what runs is what
    /// was approved, even if the database was edited in between.
    pub fn from_stored(plan: Plan) -> Result<Self, Refusal> {
        let approval = match &plan.state {
            plan::State::Approved { approval } | plan::State::Used { approval, .. } => {
                approval.clone()
            }
            _ => return Err(Refusal::NotApproved),
        };
        let digest = plan_digest(&plan.environment_id, &plan.graph, &plan.actions)
            .map_err(|_| Refusal::Tampered)?;
        if digest != approval.digest {
            return Err(Refusal::Tampered);
        }
        if approval.by == Approver::Policy && needs_person(&plan) {
            return Err(Refusal::NeedsPerson);
        }
        Ok(Self { plan, approval })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn approval(&self) -> &Approval {
        &self.approval
    }
}

/// Says yes to destroying one retained resource. `typed_name` is what the
/// person typed.
pub fn approve_destruction(
    retained: &Retained,
    admin: Admin,
    typed_name: &str,
    now: Timestamp,
) -> Result<Approval, Refusal> {
    match &retained.state {
        retained::State::Retained | retained::State::DestructionFailed { .. } => {}
        other => return Err(Refusal::NotRetained(other.as_str())),
    }
    if typed_name != retained.typed_name() {
        return Err(Refusal::NameMismatch {
            expected: retained.typed_name().to_owned(),
        });
    }
    Ok(Approval {
        by: admin.approver(),
        at: now,
        digest: retained.digest(),
    })
}

/// One resource that a person approved to destroy.
#[derive(Clone, Debug)]
pub struct ApprovedDestruction {
    retained: Retained,
    destruction_id: DestructionId,
}

impl ApprovedDestruction {
    /// From a stored retained resource whose destruction was approved.
    pub fn from_stored(retained: Retained) -> Result<Self, Refusal> {
        let retained::State::Destroying {
            destruction_id,
            approval,
        } = &retained.state
        else {
            return Err(Refusal::NotApproved);
        };
        let by_person = matches!(approval.by, Approver::Person { .. });
        if !by_person || approval.digest != retained.digest() {
            return Err(Refusal::Tampered);
        }
        let destruction_id = destruction_id.clone();
        Ok(Self {
            retained,
            destruction_id,
        })
    }

    pub fn retained(&self) -> &Retained {
        &self.retained
    }

    pub fn destruction_id(&self) -> &DestructionId {
        &self.destruction_id
    }
}
