//! The difference between what is wanted and the account as it is now.

use super::wanted::Wanted;
use crate::App;
use landfall_model::{
    Code, Error,
    connection::Connection,
    digest::Digest,
    environment::Environment,
    error::Result,
    plan::{Action, Summary},
};

pub(crate) struct Draft {
    pub(crate) actions: Vec<Action>,
    pub(crate) summary: Summary,
    pub(crate) digest: Digest,
    pub(crate) needs_person: bool,
}

pub(crate) async fn draft(
    _app: &App,
    environment: &Environment,
    _connection: &Connection,
    wanted: &Wanted,
) -> Result<Draft> {
    let _ = wanted;
    Err(Error::new(
        Code::PlanBlocked,
        format!("no planner for '{}' yet", environment.name),
        "wait for the planner",
    ))
}
