//! The contract of [`Connector`] for methods that are granted as two
//! identities behind an external id.

mod changes;
mod granting;
mod identities;

use crate::{Report, Support, cases};
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, State},
    connector::{CheckSink, Connector, Verification},
    grant::{GrantSpec, Identity},
    graph::Address,
    retained::{self, Reason, Retained},
};
use std::sync::{Arc, Mutex};

/// How a customer's trust policy is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// As the specification says.
    Right,
    /// Whoever knows the role's name gets in.
    WithoutExternalId,
    /// Asks for an external id, any.
    AnyExternalId,
    /// Asks for that of another connection.
    AnothersExternalId,
    /// Also lets somebody else in.
    AnotherPrincipalToo,
}

/// What a customer, or somebody in their account, does to a granted role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Adds a permission.
    InlinePolicy,
    /// Allows everything, and takes away the policies with explicit refusals.
    Everything,
    /// Writes an older version into the tag.
    OldVersion,
}

/// The customer's side of connections.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Named in the output.
    fn target(&self) -> &str;

    fn connector(&self) -> Arc<dyn Connector>;

    fn now(&self) -> Timestamp;

    /// A pending connection that nothing was granted to yet; another each time.
    async fn connection(&self, with_reaper: bool) -> Connection;

    /// What is to be granted for it.
    async fn spec(&self, connection: &Connection) -> GrantSpec;

    /// Makes the roles of `only`, or all.
    async fn grant(&self, connection: &Connection, spec: &GrantSpec, only: Option<Identity>);

    /// Takes everything back.
    async fn revoke(&self, connection: &Connection, spec: &GrantSpec);

    async fn trust(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        identity: Identity,
        trust: Trust,
    );

    async fn edit(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        identity: Identity,
        edit: Edit,
    ) -> Support;

    /// The organization above the account denies `action`, or no longer.
    async fn organization_denies(&self, connection: &Connection, action: Option<&str>) -> Support;

    /// A region of the account that is not enabled.
    fn disabled_region(&self) -> Option<String>;

    /// From now on changes of identities take effect late; or no longer.
    async fn identities_lag(&self, lag: bool) -> Support;

    /// Lets the lag pass.
    async fn settle(&self);

    /// The next calls of a verification are throttled, as many as one check
    /// must be able to bear.
    async fn throttle(&self) -> Support;
}

/// Runs every case. Panics at the first that does not hold.
pub async fn suite(harness: &dyn Harness) -> Report {
    cases!(
        harness,
        granting::it_is_available_and_has_a_principal,
        granting::before_the_grant_it_is_refused,
        granting::after_the_grant_every_check_passes,
        granting::without_a_reaper_its_checks_are_skipped,
        granting::half_a_grant_is_partial,
        granting::a_new_grant_propagates,
        granting::throttling_does_not_fail_a_check,
        granting::the_guide_names_what_it_must,
        identities::a_role_without_external_id_is_found,
        identities::a_role_with_any_external_id_is_found,
        identities::somebody_elses_external_id_is_refused,
        identities::another_principal_is_noticed,
        identities::a_reaper_needs_a_narrowing_policy,
        changes::an_edited_role_is_noticed,
        changes::a_lost_second_key_fails,
        changes::an_old_version_is_noticed,
        changes::an_organizations_denial_is_named,
        changes::a_disabled_region_fails,
        changes::revocation_is_seen_and_heals,
    )
}

/// The cases in which the granted documents themselves matter: shorter than
/// [`suite`], for a second grant on the same target.
pub async fn grants(harness: &dyn Harness) -> Report {
    cases!(
        harness,
        granting::after_the_grant_every_check_passes,
        granting::without_a_reaper_its_checks_are_skipped,
        granting::the_guide_names_what_it_must,
        changes::a_lost_second_key_fails,
        changes::an_organizations_denial_is_named,
    )
}

/// Collects what is told while a verification runs.
#[derive(Default)]
struct Told(Mutex<Vec<Check>>);

impl CheckSink for Told {
    fn finished(&self, check: &Check) {
        self.0.lock().expect("not poisoned").push(check.clone());
    }
}

/// Verifies, and checks what holds for every verification.
async fn verify(harness: &dyn Harness, connection: &Connection, spec: &GrantSpec) -> Verification {
    let told = Told::default();
    let found = harness
        .connector()
        .verify(connection, spec, harness.now(), &told)
        .await
        .expect("the connection and the grant are of this cloud");
    let mut ids: Vec<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    ids.sort_unstable();
    let mut told: Vec<String> = told
        .0
        .into_inner()
        .expect("not poisoned")
        .into_iter()
        .map(|check| check.id)
        .collect();
    told.sort_unstable();
    assert_eq!(told, ids, "every check is told once");
    ids.dedup();
    assert_eq!(ids.len(), found.checks.len(), "ids are unique");
    for check in &found.checks {
        assert!(check.id.starts_with("aws."), "{check:?}");
        assert!(!check.title.is_empty(), "{check:?}");
        assert!(!check.asked.is_empty(), "{check:?}");
        assert!(!check.evidence.is_empty(), "{check:?}");
        if matches!(check.outcome, Outcome::Fail | Outcome::Warn) {
            assert!(!check.remedy.is_empty(), "{check:?}");
        }
    }
    found
}

fn outcome(found: &Verification, id: &str) -> Outcome {
    check(found, id).outcome
}

fn check<'a>(found: &'a Verification, id: &str) -> &'a Check {
    found
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("there is a check {id} among {:?}", found.checks))
}

/// Every check is one of these, and the rest of them is shown if not.
fn only(found: &Verification, allowed: &[Outcome]) {
    let others: Vec<_> = found
        .checks
        .iter()
        .filter(|check| !allowed.contains(&check.outcome))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// As it is after everything passed: a denial counts now.
fn connected(harness: &dyn Harness, connection: &Connection, found: &Verification) -> Connection {
    let mut connection = connection.clone();
    connection.state = State::Connected {
        since: harness.now(),
    };
    connection.grant_digest = found.grant_digest.clone();
    connection.grant_version = found.grant_version;
    connection
}

/// A connection with everything granted and verified.
async fn granted(harness: &dyn Harness) -> (Connection, GrantSpec) {
    let connection = harness.connection(true).await;
    let spec = harness.spec(&connection).await;
    harness.grant(&connection, &spec, None).await;
    harness.settle().await;
    let found = verify(harness, &connection, &spec).await;
    only(&found, &[Outcome::Pass]);
    (connected(harness, &connection, &found), spec)
}

/// Something to destroy in the connection's account.
fn retained(connection: &Connection) -> Retained {
    Retained {
        id: "ret_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"
            .parse()
            .expect("a valid id"),
        organization_id: connection.organization_id.clone(),
        connection_id: connection.id.clone(),
        environment_id: "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"
            .parse()
            .expect("a valid id"),
        environment_name: "shop/production".to_owned(),
        address: Address::new("logs.group"),
        type_name: "AWS::Logs::LogGroup".to_owned(),
        title: "Logs".to_owned(),
        identifier: "landfall-contract".to_owned(),
        account_id: connection.scope().to_owned(),
        region: connection.regions[0].clone(),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since: connection.created_at,
        monthly_cents: None,
        state: retained::State::Retained,
        version: 1,
    }
}
