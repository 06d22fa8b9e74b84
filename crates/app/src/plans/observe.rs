//! Looking at the account, for planning.

use super::wanted::{self, Wanted};
use crate::{App, cloud::Silence, failed};
use futures::{StreamExt, TryStreamExt, stream};
use landfall_engine::{Eyes, is_silenced};
use landfall_model::{
    connection::Connection,
    driver::{Failure, FailureKind, Observed},
    environment::Environment,
    error::Result,
    graph::Address,
    id::PlanId,
    plan::Plan,
    resource::{Observation, Resource},
};
use landfall_plan::{
    observe::{Look, Target, targets},
    planner::{self, PlanInput},
};
use std::{collections::BTreeMap, time::Duration};

type Observations = BTreeMap<Address, Observation>;

/// Repetitions of a question that meets trouble; then the plan says that it
/// could not look.
const TRIES: u32 = 5;
/// A plan asks some hundred questions, and one without an answer blocks it: a
/// busy account is asked until the look as a whole has taken too long.
const THROTTLED_TRIES: u32 = 12;

/// The plan that follows from what is wanted, recorded and seen in the account
/// now.
pub(super) async fn plan_now(
    app: &App,
    environment: &Environment,
    connection: &Connection,
) -> Result<Plan> {
    let Wanted { graph, endpoints } = wanted::expand(app, environment, connection).await?;
    let recorded = app
        .store
        .resources(&environment.id)
        .await
        .map_err(failed("listing resources"))?;
    let what = format!(
        "looking at {} in {}",
        connection.scope(),
        environment.region
    );
    let question = app
        .connector(connection.method())?
        .provisioner(connection, &environment.region);
    let driver = app
        .ask(connection, app.settings.detection.timeout, question)
        .await
        .map_err(|silence| silence.into_error(&what))?;
    let party = environment.id.as_str();
    let eyes = Eyes::new(&app.engine, driver, connection, &environment.region, party);
    let looker = Looker { app, eyes };
    let look = looker.look(&graph, &recorded, environment);
    // Not the connection's breaker: a look may take too long because the account
    // is busy, and each of its calls tells the engine's breaker how it went.
    let observed = match tokio::time::timeout(app.settings.planning.timeout, look).await {
        Ok(observed) => observed.map_err(Silence::Refused),
        Err(_) => Err(Silence::Unreachable),
    }
    .map_err(|silence| silence.into_error(&what))?;
    let now = app.now();
    planner::plan(PlanInput {
        id: PlanId::at(now, &*app.entropy),
        organization_id: environment.organization_id.clone(),
        environment_id: environment.id.clone(),
        now,
        graph,
        endpoints,
        recorded: &recorded,
        observed: &observed,
    })
}

struct Looker<'a> {
    app: &'a App,
    eyes: Eyes,
}

impl Looker<'_> {
    async fn look(
        &self,
        graph: &landfall_model::graph::Graph,
        recorded: &[Resource],
        environment: &Environment,
    ) -> Result<Observations, Failure> {
        let mut observed = Observations::new();
        loop {
            let round = targets(graph, recorded, &observed, &environment.id);
            if round.is_empty() {
                return Ok(observed);
            }
            // Futures first, then the stream: a stream's closure would make the
            // whole use case a future that cannot move between threads.
            let looks: Vec<_> = round.iter().map(|target| self.seen(target)).collect();
            let seen: Vec<(Address, Observation)> = stream::iter(looks)
                .buffer_unordered(self.app.settings.planning.parallel_reads)
                .try_collect()
                .await?;
            observed.extend(seen);
        }
    }

    async fn seen(&self, target: &Target) -> Result<(Address, Observation), Failure> {
        Ok((target.address.clone(), self.observe(target).await?))
    }

    /// Only a refusal of our credentials ends the whole look; anything else is
    /// said of the one address.
    async fn observe(&self, target: &Target) -> Result<Observation, Failure> {
        let read = match &target.look {
            Look::Read { identifier } => self
                .read(&target.type_name, identifier)
                .await
                .map(|found| found.into_iter().collect()),
            Look::List { scope } => self.list(target, scope.as_ref()).await,
        };
        match read {
            Ok(read) => Ok(target.judge(&read)),
            Err(failure) if failure.kind == FailureKind::Unauthorized => Err(failure),
            Err(failure) => Ok(Observation::Unreadable {
                reason: unreadable(&failure),
            }),
        }
    }

    async fn list(
        &self,
        target: &Target,
        scope: Option<&serde_json::Value>,
    ) -> Result<Vec<Observed>, Failure> {
        let listed = self
            .patiently(|| self.eyes.list(&target.type_name, scope))
            .await?;
        let mut read = Vec::new();
        for one in listed.iter().filter(|one| target.worth_reading(one)) {
            read.extend(self.read(&target.type_name, &one.identifier).await?);
        }
        Ok(read)
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        let read = self
            .patiently(|| self.eyes.read(type_name, identifier))
            .await;
        match read {
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            read => read,
        }
    }

    async fn patiently<T, F>(&self, question: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tries = 1;
        loop {
            match question().await {
                Err(failure) if worth_repeating(&failure) && tries < most(failure.kind) => {
                    let longest = 500 << tries.min(3);
                    let pause = self.app.entropy.below(longest);
                    self.app.clock.sleep(Duration::from_millis(pause)).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// What was not even asked, because the account is silent, will not be asked in
/// the next seconds either.
fn worth_repeating(failure: &Failure) -> bool {
    failure.kind.is_retryable() && !is_silenced(failure)
}

fn most(kind: FailureKind) -> u32 {
    match kind {
        FailureKind::Throttled => THROTTLED_TRIES,
        _ => TRIES,
    }
}

fn unreadable(failure: &Failure) -> String {
    match (&failure.action, &failure.resource) {
        (Some(action), Some(resource)) => {
            format!(
                "{} ({}: {action} on {resource})",
                failure.message, failure.code
            )
        }
        (Some(action), None) => format!("{} ({}: {action})", failure.message, failure.code),
        _ => format!("{} ({})", failure.message, failure.code),
    }
}
