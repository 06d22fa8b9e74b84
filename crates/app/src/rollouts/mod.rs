//! Runs of plans.

mod left;
mod start;

pub use start::start;

pub(crate) use left::{Left, left_open};

use crate::{Actor, App, Permission, audit, connections, environments, failed, plans};
use landfall_engine::{endpoints, fold};
use landfall_model::{
    Code, Error,
    environment::Environment,
    error::Result,
    id::{EnvironmentId, OrganizationId, RolloutId, WorkId},
    journal::{Event, EventKind, Stream},
    plan,
    rollout::{NodeState, Rollout, RolloutProgress},
    store::Write,
    work::{Job, NewWork},
};
use serde_json::json;

/// Of one environment or of all, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    environment_id: Option<&EnvironmentId>,
    limit: Option<u32>,
) -> Result<Vec<Rollout>> {
    audit::read(app, actor, Permission::RolloutRead).await?;
    app.store
        .rollouts(
            actor.organization_id(),
            environment_id,
            limit.unwrap_or(50).clamp(1, 500),
        )
        .await
        .map_err(failed("listing rollouts"))
}

pub async fn show(app: &App, actor: &Actor, id: &RolloutId) -> Result<Rollout> {
    audit::read(app, actor, Permission::RolloutRead).await?;
    find(app, actor.organization_id(), id).await
}

/// Where every node is, folded from the journal.
pub async fn progress(app: &App, actor: &Actor, id: &RolloutId) -> Result<RolloutProgress> {
    audit::read(app, actor, Permission::RolloutRead).await?;
    let rollout = find(app, actor.organization_id(), id).await?;
    let plan = plans::find(app, actor.organization_id(), &rollout.plan_id).await?;
    let events = all_events(app, id).await?;
    let nodes = fold(&plan, &events);
    let is_done =
        |node: &&NodeState| matches!(node, NodeState::Done { .. } | NodeState::Retained { .. });
    let resources = app
        .store
        .resources(&rollout.environment_id)
        .await
        .map_err(failed("listing resources"))?;
    Ok(RolloutProgress {
        why: why_it_ended(&events),
        done: count(nodes.values().filter(is_done).count()),
        total: count(nodes.len()),
        last_event: events.last().map_or(0, |event| event.seq),
        endpoints: environments::reachable(app, endpoints(&plan, &resources)),
        nodes,
        rollout,
    })
}

/// Of its last run: a resume begins anew.
fn why_it_ended(events: &[Event]) -> Option<String> {
    let last = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Finished { why, .. } => Some(why.clone()),
        EventKind::Resumed => Some(None),
        _ => None,
    });
    last.flatten()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The journal after `after`, in order.
pub async fn events(
    app: &App,
    actor: &Actor,
    id: &RolloutId,
    after: u64,
    limit: Option<u32>,
) -> Result<Vec<Event>> {
    audit::read(app, actor, Permission::RolloutRead).await?;
    find(app, actor.organization_id(), id).await?;
    app.store
        .events(
            &Stream::Rollout(id.clone()),
            after,
            limit.unwrap_or(500).clamp(1, 1000),
        )
        .await
        .map_err(failed("reading the journal"))
}

async fn all_events(app: &App, id: &RolloutId) -> Result<Vec<Event>> {
    const PAGE: u32 = 1000;
    let stream = Stream::Rollout(id.clone());
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = app
            .store
            .events(&stream, after, PAGE)
            .await
            .map_err(failed("reading the journal"))?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// Nothing new starts; what is in flight is followed to its end.
pub async fn cancel(app: &App, actor: &Actor, id: &RolloutId) -> Result<Rollout> {
    let work = async {
        let mut rollout = find(app, actor.organization_id(), id).await?;
        let now = app.now();
        let from = rollout.state.as_str();
        rollout.state = rollout
            .state
            .canceling(now)
            .map_err(|_| not_now(id, from, "canceled"))?;
        rollout.version += 1;
        let writes = vec![
            Write::PutRollout(rollout.clone()),
            Write::Append {
                stream: Stream::Rollout(id.clone()),
                at: now,
                address: None,
                kind: EventKind::CancelRequested,
            },
            audit::entry(app, actor, Permission::RolloutCancel, id, json!({})),
            enqueue(app, &rollout),
        ];
        app.commit("canceling the rollout", writes).await?;
        Ok(rollout)
    };
    audit::attempt(app, actor, Permission::RolloutCancel, id.as_str(), work).await
}

/// Goes on with a failed or canceled one: what is done stays done.
pub async fn resume(app: &App, actor: &Actor, id: &RolloutId) -> Result<Rollout> {
    let work = async {
        let organization = actor.organization_id();
        let mut rollout = find(app, organization, id).await?;
        let mut environment =
            environments::find(app, organization, &rollout.environment_id).await?;
        let connection = connections::find(app, organization, &environment.connection_id).await?;
        let connection = connections::ensure_fresh(app, connection).await?;
        connections::require_connected(&connection)?;
        refuse_while_running(app, &environment).await?;
        // A newer plan may have moved on from here: resuming would take the
        // environment back.
        let newest = app
            .store
            .rollouts(organization, Some(&environment.id), 1)
            .await
            .map_err(failed("listing rollouts"))?;
        if newest.first().is_some_and(|newest| &newest.id != id) {
            return Err(Error::new(
                Code::RolloutState,
                "a newer rollout of this environment exists",
                "make a new plan: it takes up what this one left",
            ));
        }
        let plan = plans::find(app, organization, &rollout.plan_id).await?;
        if let plan::State::Used { approval, .. } = &plan.state
            && start::too_loose(approval, &environment)
        {
            return Err(Error::new(
                Code::PlanNeedsPerson,
                "the environment's policy approved the plan, and is manual now",
                "make a new plan for an Admin to approve: it takes up what this one left",
            ));
        }
        let now = app.now();
        let from = rollout.state.as_str();
        rollout.state = rollout
            .state
            .resumed(now)
            .map_err(|_| not_now(id, from, "resumed"))?;
        rollout.version += 1;
        environment.version += 1;
        let writes = vec![
            // As in `start`: of two runs of an environment one conflicts here.
            Write::PutEnvironment(environment),
            Write::PutRollout(rollout.clone()),
            Write::Append {
                stream: Stream::Rollout(id.clone()),
                at: now,
                address: None,
                kind: EventKind::Resumed,
            },
            audit::entry(app, actor, Permission::RolloutResume, id, json!({})),
            enqueue(app, &rollout),
        ];
        app.commit("resuming the rollout", writes).await?;
        Ok(rollout)
    };
    audit::attempt(app, actor, Permission::RolloutResume, id.as_str(), work).await
}

fn enqueue(app: &App, rollout: &Rollout) -> Write {
    let now = app.now();
    Write::Enqueue(NewWork {
        id: WorkId::at(now, &*app.entropy),
        organization_id: rollout.organization_id.clone(),
        job: Job::Rollout {
            rollout_id: rollout.id.clone(),
        },
        run_at: now,
    })
}

fn not_now(id: &RolloutId, state: &str, what: &str) -> Error {
    Error::new(
        Code::RolloutState,
        format!("the rollout {id} is {state} and cannot be {what}"),
        "look at the rollout for what it can do",
    )
}

/// One rollout runs in an environment at a time.
pub(crate) async fn refuse_while_running(app: &App, environment: &Environment) -> Result<()> {
    let newest = app
        .store
        .rollouts(&environment.organization_id, Some(&environment.id), 20)
        .await
        .map_err(failed("listing rollouts"))?;
    match newest.iter().find(|rollout| !rollout.state.is_over()) {
        None => Ok(()),
        Some(running) => Err(Error::new(
            Code::EnvironmentBusy,
            format!(
                "the rollout {} of '{}' is {}",
                running.id,
                environment.name,
                running.state.as_str()
            ),
            "wait for it, or cancel it",
        )),
    }
}

pub(crate) async fn find(
    app: &App,
    organization: &OrganizationId,
    id: &RolloutId,
) -> Result<Rollout> {
    app.store
        .rollout(organization, id)
        .await
        .map_err(failed("reading the rollout"))?
        .ok_or_else(|| Error::not_found("rollout", id))
}
