use super::{observe, wanted};
use crate::App;
use landfall_model::{
    Code, Error,
    connection::Connection,
    environment::Environment,
    error::Result,
    plan::{Action, Plan, State},
    store::Write,
};
use std::collections::BTreeMap;

/// Plans again and refuses when something else would come out: an approval is
/// for what was shown. The plan is then stale, and says why.
pub(crate) async fn refuse_stale(
    app: &App,
    plan: &Plan,
    environment: &Environment,
    connection: &Connection,
) -> Result<()> {
    let wanted = wanted::expand(app, environment, connection).await?;
    let draft = observe::draft(app, environment, connection, &wanted).await?;
    if draft.digest == plan.digest {
        return Ok(());
    }
    let mut changed = differences(&plan.actions, &draft.actions);
    if changed.is_empty() {
        changed.push("the Score files or the environment's settings changed".to_owned());
    }
    let mut stale = plan.clone();
    stale.state = State::Stale {
        at: app.now(),
        changed: changed.clone(),
    };
    stale.version += 1;
    app.commit("marking the plan as stale", vec![Write::PutPlan(stale)])
        .await?;
    let error = Error::new(
        Code::PlanStale,
        format!("the world changed since the plan was made: {}", changed[0]),
        "make a new plan and look at it",
    );
    Err(changed.into_iter().fold(error, |error, change| {
        error.with_violation("plan", change, None)
    }))
}

/// What became of each address, in sentences.
fn differences(before: &[Action], after: &[Action]) -> Vec<String> {
    let by_address = |actions: &[Action]| -> BTreeMap<_, Action> {
        actions
            .iter()
            .map(|action| (action.address.clone(), action.clone()))
            .collect()
    };
    let (before, after) = (by_address(before), by_address(after));
    let gone = before
        .iter()
        .filter(|(address, _)| !after.contains_key(*address))
        .map(|(address, action)| {
            format!(
                "{address}: was to {}, is no longer in the plan",
                action.change.as_str()
            )
        });
    let other = after
        .iter()
        .filter_map(|(address, now)| match before.get(address) {
            None => Some(format!(
                "{address}: new in the plan: {} ({})",
                now.change.as_str(),
                now.reason
            )),
            Some(then) if then.change == now.change => None,
            Some(then) if then.change.as_str() == now.change.as_str() => Some(format!(
                "{address}: still {}, but differently ({})",
                now.change.as_str(),
                now.reason
            )),
            Some(then) => Some(format!(
                "{address}: was {}, now {} ({})",
                then.change.as_str(),
                now.change.as_str(),
                now.reason
            )),
        });
    gone.chain(other).collect()
}
