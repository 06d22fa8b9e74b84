//! What only AWS promises: what can be seen of roles in an account, and what
//! keeps others out of roles behind an external id.

mod account;
mod external_id;

use super::Harness;
use crate::{Report, Support, cases};
use async_trait::async_trait;
use landfall_model::{
    connection::Connection,
    grant::{GrantSpec, Identity},
};

/// How a customer's trust policy is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever knows the role's name gets in.
    WithoutExternalId,
    /// Asks for an external id, any.
    AnyExternalId,
    /// Asks for that of another connection.
    AnothersExternalId,
    /// Also lets somebody else in.
    AnotherPrincipalToo,
}

/// An account of AWS, and the organization above it.
#[async_trait]
pub trait Account: Harness {
    /// The organization above the account denies `action`, or no longer.
    async fn organization_denies(&self, connection: &Connection, action: Option<&str>) -> Support;

    /// A region of the account that is not enabled.
    fn disabled_region(&self) -> Option<String>;

    /// Changes the trust policy of a role; `assume-role` only.
    async fn trust(&self, spec: &GrantSpec, identity: Identity, trust: Trust);
}

/// What every grant of roles promises, whoever they trust.
pub async fn roles(harness: &dyn Account) -> Report {
    cases!(
        harness,
        account::what_was_edited_is_named,
        account::an_organizations_denial_is_named,
        account::a_disabled_region_fails,
        account::a_reaper_needs_a_narrowing_policy,
        account::the_guide_has_the_ways_of_aws,
    )
}

/// The part of [`roles`] in which the granted documents themselves matter.
pub async fn grants(harness: &dyn Account) -> Report {
    cases!(
        harness,
        account::what_was_edited_is_named,
        account::an_organizations_denial_is_named,
        account::the_guide_has_the_ways_of_aws,
    )
}

/// What grants behind an external id promise besides.
pub async fn behind_an_external_id(harness: &dyn Account) -> Report {
    cases!(
        harness,
        external_id::before_the_grant_nothing_is_said_of_it,
        external_id::a_role_without_external_id_is_found,
        external_id::a_role_with_any_external_id_is_found,
        external_id::somebody_elses_external_id_is_refused,
        external_id::another_principal_is_noticed,
        external_id::the_guide_asks_for_it,
    )
}
