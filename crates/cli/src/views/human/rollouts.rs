//! Plans and rollouts.

use super::{minute, table};
use landfall_model::{
    driver::Failure,
    plan::{self, Plan, render::render},
    rollout::{self, NodeState, Rollout, RolloutProgress},
};
use std::fmt::Write as _;

/// All that an approval is about, and the plan's id.
pub fn plan(plan: &Plan) -> String {
    format!(
        "{}Plan {}, {}",
        render(plan),
        plan.id,
        match &plan.state {
            plan::State::Proposed => "waits for approval",
            other => other.as_str(),
        }
    )
}

pub fn failure(failure: &Failure) -> String {
    match (&failure.action, &failure.resource) {
        (Some(action), Some(resource)) => {
            format!("{}: {} on {resource}", failure.code, action)
        }
        (Some(action), None) => format!("{}: {action}", failure.code),
        _ => format!("{}: {}", failure.code, failure.message),
    }
}

pub fn rollouts(items: &[Rollout]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.id.to_string(),
                one.state.as_str().to_owned(),
                one.environment_id.to_string(),
                one.started_by.clone(),
                minute(one.created_at),
            ]
        })
        .collect();
    table(
        &["id", "state", "environment", "by", "started"],
        rows,
        "No rollouts yet. Deploy: landfall deploy <app>/<environment>",
    )
}

pub fn rollout(progress: &RolloutProgress) -> String {
    let rows = progress
        .nodes
        .iter()
        .map(|(address, node)| {
            let (state, detail) = match node {
                NodeState::Waiting => ("waiting", String::new()),
                NodeState::Running { attempt, .. } => ("running", format!("attempt {attempt}")),
                NodeState::Done { identifier, .. } => ("done", identifier.clone()),
                NodeState::Failed { failure: one, .. } => ("failed", failure(one)),
                NodeState::Blocked { by } => ("blocked", format!("by {by}")),
                NodeState::Retained { identifier, .. } => ("retained", identifier.clone()),
            };
            vec![address.to_string(), state.to_owned(), detail]
        })
        .collect();
    let mut text = format!(
        "{}\n\nRollout {}: {}, {} of {} done",
        table(&["address", "state", "detail"], rows, "Nothing to do."),
        progress.rollout.id,
        progress.rollout.state.as_str(),
        progress.done,
        progress.total
    );
    if let Some(why) = &progress.why {
        let _ = write!(text, "\n{why}");
    }
    if let rollout::State::Failed {
        failed, blocked, ..
    } = progress.rollout.state
    {
        let _ = write!(
            text,
            "\n{failed} failed, {blocked} blocked. Fix the cause, then: landfall rollouts resume {}",
            progress.rollout.id
        );
    }
    for (name, url) in &progress.endpoints {
        let _ = write!(text, "\n{name}  {url}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_that_could_not_begin_says_why() {
        let id = |prefix: &str| format!("{prefix}_0190b5c8e0f07c3f8a1d2b3c4d5e6f70");
        let progress: RolloutProgress = serde_json::from_value(json!({
            "rollout": {
                "id": id("rol"), "organization_id": id("org"), "environment_id": id("env"),
                "plan_id": id("pln"), "started_by": "ada", "started_by_role": "admin",
                "state": { "status": "failed", "at": "2026-01-01T00:00:00Z", "failed": 0, "blocked": 0 },
                "created_at": "2026-01-01T00:00:00Z", "version": 2,
            },
            "why": "the account stayed silent",
            "nodes": {}, "done": 0, "total": 0, "last_event": 0, "endpoints": {},
        }))
        .unwrap();
        assert!(rollout(&progress).contains("\nthe account stayed silent\n"));
    }
}
