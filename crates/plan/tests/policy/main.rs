//! The grant's documents: their limits, what they never say, and that they
//! change only together with their version.

#[path = "../common/mod.rs"]
mod common;

mod blueprint;
mod clients;
mod docs;
mod grant;
mod keyless;
mod questions;
mod refused;
mod session;
mod version;

use landfall_model::{
    Timestamp,
    connection::{Aws, AwsAccess, Connection, Partition, State, Target},
    grant::{AwsGrant, Identity, RoleSpec, ServerPrincipal},
    graph::Address,
    retained::{self, Reason, Retained},
};
use serde_json::Value;

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str) -> T {
    format!("{prefix}_{:0>32}", "1a2b3c4d").parse().unwrap()
}

/// The grant in the terms of AWS.
mod aws {
    pub use landfall_plan::policy::aws::*;

    pub fn grant(
        connection: &super::Connection,
        principal: &super::ServerPrincipal,
    ) -> Result<super::AwsGrant, PolicyError> {
        landfall_plan::policy::aws::grant(connection.aws().unwrap(), principal)
    }
}

fn account(partition: Partition, access: AwsAccess) -> Target {
    Target::Aws(Aws {
        account_id: "123456789012".parse().unwrap(),
        partition,
        access,
    })
}

fn connection() -> Connection {
    Connection {
        id: id("con"),
        organization_id: id("org"),
        name: "shop".into(),
        target: account(Partition::Aws, AwsAccess::AssumeRole),
        external_id: "lf-0190b5c8e0f07c3f8a1d2b3c4d5e6f70".into(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["eu-central-1".into(), "us-east-1".into()],
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending {
            since: Timestamp::from_millis(0),
        },
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        version: 1,
    }
}

fn principal() -> ServerPrincipal {
    ServerPrincipal::Aws {
        arn: "arn:aws:iam::210987654321:role/landfall-server".into(),
    }
}

fn issuer() -> ServerPrincipal {
    ServerPrincipal::Issuer {
        url: "https://id.landfall.example/acme".into(),
    }
}

fn keyless() -> Connection {
    Connection {
        target: account(Partition::Aws, AwsAccess::Oidc),
        ..connection()
    }
}

fn granted() -> AwsGrant {
    aws::grant(&connection(), &principal()).unwrap()
}

fn role(grant: &AwsGrant, identity: Identity) -> &RoleSpec {
    grant
        .roles
        .iter()
        .find(|role| role.identity == identity)
        .unwrap()
}

fn retained(type_name: &str, identifier: &str) -> Retained {
    Retained {
        id: id("ret"),
        organization_id: id("org"),
        connection_id: id("con"),
        environment_id: id("env"),
        environment_name: "shop/production".into(),
        address: Address::new("a"),
        type_name: type_name.into(),
        title: "t".into(),
        identifier: identifier.into(),
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since: Timestamp::from_millis(0),
        monthly_cents: None,
        state: retained::State::Retained,
        version: 1,
    }
}

/// A member that is one text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn statements(document: &Value) -> &[Value] {
    document["Statement"].as_array().unwrap()
}

/// The statements of all policies of a role.
fn statements_of(grant: &AwsGrant, identity: Identity) -> Vec<&Value> {
    role(grant, identity)
        .policies
        .iter()
        .flat_map(|policy| statements(&policy.document))
        .collect()
}

/// Actions that a role is allowed, each once, sorted.
fn allowed(grant: &AwsGrant, identity: Identity) -> Vec<String> {
    let mut actions: Vec<String> = statements_of(grant, identity)
        .into_iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(|statement| texts(&statement["Action"]))
        .map(str::to_owned)
        .collect();
    actions.sort();
    actions.dedup();
    actions
}

/// As IAM counts a document's characters.
fn size(document: &Value) -> usize {
    document
        .to_string()
        .chars()
        .filter(|c| !c.is_whitespace())
        .count()
}
