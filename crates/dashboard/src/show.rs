//! How things are put for people; used by the templates.

use landfall_model::{
    Timestamp,
    check::Outcome,
    connection, plan, retained,
    rollout::{self, NodeState},
};

/// A word and the colour that goes with it.
#[derive(Clone, Copy)]
pub struct Badge {
    pub class: &'static str,
    pub text: &'static str,
}

const fn badge(class: &'static str, text: &'static str) -> Badge {
    Badge { class, text }
}

pub fn connection(state: &connection::State) -> Badge {
    match state {
        connection::State::Pending { .. } => badge("busy", "waiting for the grant"),
        connection::State::Propagating { .. } => badge("busy", "propagating"),
        connection::State::Connected { .. } => badge("good", "connected"),
        connection::State::Degraded { .. } => badge("bad", "a check failed"),
        connection::State::Revoked { .. } => badge("bad", "revoked"),
        connection::State::Disconnected { .. } => badge("", "disconnected"),
    }
}

pub fn rollout(state: &rollout::State) -> Badge {
    match state {
        rollout::State::Queued { .. } => badge("busy", "queued"),
        rollout::State::Running { .. } => badge("busy", "running"),
        rollout::State::Canceling { .. } => badge("warn", "canceling"),
        rollout::State::Succeeded { .. } => badge("good", "succeeded"),
        rollout::State::Failed { .. } => badge("bad", "failed"),
        rollout::State::Canceled { .. } => badge("warn", "canceled"),
    }
}

pub fn plan(state: &plan::State) -> Badge {
    match state {
        plan::State::Proposed => badge("busy", "waits for approval"),
        plan::State::Approved { .. } => badge("good", "approved"),
        plan::State::Used { .. } => badge("", "used"),
        plan::State::Stale { .. } => badge("warn", "stale"),
    }
}

pub fn retained(state: &retained::State) -> Badge {
    match state {
        retained::State::Retained => badge("warn", "in the account"),
        retained::State::Destroying { .. } => badge("busy", "being destroyed"),
        retained::State::DestructionFailed { .. } => badge("bad", "destruction failed"),
        retained::State::Destroyed { .. } => badge("", "destroyed"),
        retained::State::Forgotten { .. } => badge("", "forgotten"),
    }
}

pub fn change(change: &plan::Change) -> Badge {
    match change {
        plan::Change::Create { .. } => badge("good", "create"),
        plan::Change::Update { .. } => badge("busy", "update"),
        plan::Change::Replace { revision: true, .. } => badge("busy", "revise"),
        plan::Change::Replace { .. } => badge("bad", "replace"),
        plan::Change::Adopt { .. } => badge("good", "adopt"),
        plan::Change::Retain { .. } => badge("warn", "retain"),
        plan::Change::NoChange { .. } => badge("", "no change"),
    }
}

pub fn node(state: &NodeState) -> Badge {
    match state {
        NodeState::Waiting => badge("waiting", "waiting"),
        NodeState::Running { .. } => badge("running", "working"),
        NodeState::Done { .. } => badge("done", "done"),
        NodeState::Failed { .. } => badge("failed", "failed"),
        NodeState::Blocked { .. } => badge("blocked", "blocked"),
        NodeState::Retained { .. } => badge("retained", "retained"),
    }
}

pub fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Propagating => "…",
        Outcome::Skipped => "–",
        Outcome::Unanswered => "?",
        Outcome::Fail => "✗",
    }
}

/// `2026-11-21 11:17`, in UTC.
pub fn minute(at: &Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(..16)
        .map_or_else(|| text.clone(), |minute| minute.replace('T', " "))
}

pub fn day(at: &Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(..10).map_or_else(|| text.clone(), str::to_owned)
}

pub fn second(at: &Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(11..19).map_or_else(|| text.clone(), str::to_owned)
}

/// `$12.40 a month`, or that it depends.
pub fn cost(monthly_cents: &Option<u32>) -> String {
    monthly_cents.map_or_else(
        || "by use".to_owned(),
        |cents| format!("${}.{:02}", cents / 100, cents % 100),
    )
}

pub fn total(costs: impl Iterator<Item = Option<u32>>) -> String {
    let cents: u64 = costs.flatten().map(u64::from).sum();
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// `RDS DBInstance` of `AWS::RDS::DBInstance`.
pub fn kind(type_name: &str) -> String {
    type_name.split("::").skip(1).collect::<Vec<_>>().join(" ")
}
