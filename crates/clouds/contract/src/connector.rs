//! The contract of [`Connector`]: what every method of every cloud promises.
//!
//! What only roles on AWS promise, and what only those behind an external id
//! do, is in [`aws`].

pub mod aws;
mod changes;
mod granting;
mod guide;
mod impostors;
mod reaping;

use crate::{Report, Support, cases};
use async_trait::async_trait;
pub use impostors::{Impostor, somebody_else};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, State},
    connector::{CheckSink, Connector, Verification},
    grant::GrantSpec,
    graph::Address,
    retained::{self, Reason, Retained},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What a customer takes back of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it, as the guide says.
    Everything,
    /// The reaper's half.
    Reaper,
}

/// What a customer, or somebody in their account, does to what was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Gives the provisioner a permission more, which is harmless.
    Permission,
    /// Lets the provisioner do everything: then there is one key, not two.
    Everything,
    /// Makes it look as an older server would have asked for it.
    OldVersion,
}

/// The customer's side of connections by one method, and the cloud.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Named in the output.
    fn target(&self) -> &str;

    /// The connector to where the last connection was made.
    fn connector(&self) -> Arc<dyn Connector>;

    /// A part of the server's principal by which it is known: its account, its
    /// issuer's address, its e-mail address, its client id.
    fn known_as(&self) -> String;

    fn now(&self) -> Timestamp;

    /// A pending connection that nothing was granted to yet; another each time,
    /// of another organization.
    async fn connection(&self, with_reaper: bool) -> Connection;

    /// What is to be granted for it.
    async fn spec(&self, connection: &Connection) -> GrantSpec;

    /// Makes the whole grant, or makes it again after it was taken back, and
    /// enters what the setup prints.
    async fn grant(&self, connection: &mut Connection, spec: &GrantSpec);

    /// Of a grant that was verified.
    async fn take_back(&self, connection: &Connection, spec: &GrantSpec, what: Taken);

    async fn edit(&self, connection: &Connection, spec: &GrantSpec, edit: Edit);

    /// Connections of other organizations that enter what they know of
    /// `victim`; where the method has more to steal than names, with that.
    async fn impostors(&self, victim: &Connection) -> Vec<Impostor> {
        vec![Impostor {
            what: "the same scope and the same names in it",
            connection: somebody_else(victim),
        }]
    }

    /// From now on changes of identities take effect late; or no longer.
    async fn lag(&self, on: bool) -> Support;

    /// Lets the lag pass.
    async fn settle(&self);

    /// The next calls of a verification are throttled, as many as one check
    /// must be able to bear.
    async fn throttle(&self) -> Support;

    /// Whether this check may say something else than `pass` of a good grant:
    /// because nobody let this server see it, and that is as it should be.
    fn may_say(&self, check: &Check) -> bool {
        let _ = check;
        false
    }

    /// True where the setup prints what must be entered before anything can be
    /// asked: until then nobody can have refused.
    fn is_entered_afterwards(&self) -> bool {
        false
    }

    /// What may appear nowhere: the secrets of the server, and of the
    /// connections that were made so far.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the connector makes drivers, which have sessions.
    fn drives(&self) -> Support;
}

/// Runs every case. Panics at the first that does not hold.
pub async fn suite(harness: &dyn Harness) -> Report {
    cases!(
        harness,
        granting::it_is_available_and_has_a_principal,
        granting::before_the_grant_it_is_refused,
        granting::after_the_grant_no_check_fails,
        granting::verifying_again_finds_the_same,
        granting::a_dropped_verification_harms_no_other,
        granting::without_a_reaper_its_checks_are_skipped,
        granting::half_a_grant_is_partial,
        granting::a_new_grant_propagates,
        granting::throttling_fails_no_check,
        guide::the_guide_names_what_it_must,
        impostors::another_organization_is_refused,
        reaping::a_reaper_is_of_its_own_scope_only,
        changes::an_edited_grant_is_noticed,
        changes::a_lost_second_key_is_said,
        changes::an_old_version_is_noticed,
        changes::revocation_is_seen_and_heals,
    )
}

/// The cases in which the granted documents themselves matter: shorter than
/// [`suite`], for a second grant on the same target.
pub async fn grants(harness: &dyn Harness) -> Report {
    cases!(
        harness,
        granting::after_the_grant_no_check_fails,
        granting::without_a_reaper_its_checks_are_skipped,
        guide::the_guide_names_what_it_must,
        changes::a_lost_second_key_is_said,
    )
}

/// Collects what is told while a verification runs.
#[derive(Default)]
struct Told(Mutex<Vec<Check>>);

impl Told {
    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn ids(self) -> Vec<String> {
        let checks = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<String> = checks.into_iter().map(|check| check.id).collect();
        ids.sort_unstable();
        ids
    }
}

impl CheckSink for Told {
    fn finished(&self, check: &Check) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(check.clone());
    }
}

/// What tokens begin with, and what stands around a key.
const SECRET: [&str; 4] = ["eyJhbGciOi", "eyJ0eXAiOi", "ya29.", "PRIVATE KEY-----"];

/// Nothing secret is in what people may read.
fn keeps_secrets(harness: &dyn Harness, said: &impl fmt::Debug) {
    let said = format!("{said:?}");
    for mark in SECRET {
        assert!(!said.contains(mark), "{mark} is shown: {said}");
    }
    for secret in harness.secrets() {
        assert!(!said.contains(&secret), "a secret is shown: {said}");
    }
}

/// Verifies, and checks what holds for every verification.
async fn verify(harness: &dyn Harness, connection: &Connection, spec: &GrantSpec) -> Verification {
    let told = Told::default();
    let connector = harness.connector();
    let found = connector
        .verify(connection, spec, harness.now(), &told)
        .await
        .expect("the connection and the grant are of this cloud");
    let mut ids: Vec<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(told.ids(), ids, "every check is told once");
    ids.dedup();
    assert_eq!(ids.len(), found.checks.len(), "ids are unique");
    let prefix = format!("{}.", connector.method().cloud().as_str());
    for check in &found.checks {
        assert!(check.id.starts_with(&prefix), "{check:?}");
        assert!(!check.title.is_empty(), "{check:?}");
        assert!(!check.asked.is_empty(), "{check:?}");
        assert!(!check.evidence.is_empty(), "{check:?}");
        if matches!(check.outcome, Outcome::Fail | Outcome::Warn) {
            assert!(!check.remedy.is_empty(), "{check:?}");
        }
        keeps_secrets(harness, check);
    }
    found
}

/// The check `<cloud>.<what>`.
fn check<'a>(found: &'a Verification, connection: &Connection, what: &str) -> &'a Check {
    let id = format!("{}.{what}", connection.cloud().as_str());
    found
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("there is no check {id} among {:#?}", found.checks))
}

fn outcome(found: &Verification, connection: &Connection, what: &str) -> Outcome {
    check(found, connection, what).outcome
}

/// The checks with one of these outcomes.
fn with<'a>(found: &'a Verification, outcomes: &[Outcome]) -> Vec<&'a Check> {
    let checks = found.checks.iter();
    checks
        .filter(|check| outcomes.contains(&check.outcome))
        .collect()
}

/// What does not pass, and is not said to be allowed to.
fn worse<'a>(harness: &dyn Harness, found: &'a Verification) -> Vec<&'a Check> {
    let checks = found.checks.iter();
    checks
        .filter(|check| check.outcome != Outcome::Pass && !harness.may_say(check))
        .collect()
}

/// As good as a grant by this method can be.
#[track_caller]
fn good(harness: &dyn Harness, found: &Verification) {
    let worse = worse(harness, found);
    assert!(worse.is_empty(), "{worse:#?}");
    assert!(with(found, &[Outcome::Fail]).is_empty(), "{found:#?}");
    assert!(!found.refused);
    assert!(!found.too_broad);
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

/// A connection with everything granted, and nothing verified yet.
async fn fresh(harness: &dyn Harness, with_reaper: bool) -> (Connection, GrantSpec) {
    let mut connection = harness.connection(with_reaper).await;
    let spec = harness.spec(&connection).await;
    harness.grant(&mut connection, &spec).await;
    harness.settle().await;
    (connection, spec)
}

/// A connection with everything granted and verified.
async fn granted(harness: &dyn Harness) -> (Connection, GrantSpec) {
    let (connection, spec) = fresh(harness, true).await;
    let found = verify(harness, &connection, &spec).await;
    good(harness, &found);
    (connected(harness, &connection, &found), spec)
}

/// Something to destroy in the connection's scope.
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
