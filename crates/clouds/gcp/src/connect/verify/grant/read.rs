//! Reading the grant as it is in the project.

use super::super::{
    Run,
    policy::{self, Of},
};
use super::texts;
use crate::http::Session;
use landfall_model::{
    digest::Digest,
    driver::Failure,
    grant::{GcpIdentity, GcpTrust},
};
use serde_json::{Value, json};

pub(super) type Read = Result<Value, Failure>;

/// Each part with why it could not be read, where it could not.
pub(super) struct Snapshot {
    /// `None` where there is none to read.
    pub(super) provider: Option<Read>,
    pub(super) policy: Read,
    roles: Vec<(GcpIdentity, Read)>,
    trusts: Vec<(GcpIdentity, Read)>,
}

impl Snapshot {
    pub(super) fn role(&self, identity: GcpIdentity) -> Option<&Read> {
        of(&self.roles, identity)
    }

    /// The policy of an account itself.
    pub(super) fn trust(&self, identity: GcpIdentity) -> Option<&Read> {
        of(&self.trusts, identity)
    }

    /// Of what decides who may do what; not of names, nor of uploaded keys,
    /// which change at every rotation.
    pub(super) fn digest(&self, run: &Run<'_>) -> Option<Digest> {
        let provider = match &self.provider {
            None => Value::Null,
            Some(Ok(provider)) => json!({
                "issuer": provider["oidc"]["issuerUri"],
                "audiences": provider["oidc"]["allowedAudiences"],
                "condition": provider["attributeCondition"],
                "mapping": provider["attributeMapping"],
                "disabled": provider["disabled"],
            }),
            Some(Err(_)) => return None,
        };
        let policy = self.policy.as_ref().ok()?;
        let mut accounts = Vec::new();
        for account in &run.grant.accounts {
            let role = self.role(account.identity)?.as_ref().ok()?;
            let trust = self.trust(account.identity)?.as_ref().ok()?;
            accounts.push(json!({
                "identity": account.identity,
                "permissions": texts(&role["includedPermissions"]),
                "bindings": bindings_of(policy, &account.member()),
                "trust": everything_in(trust),
            }));
        }
        Digest::of_json(&json!({ "provider": provider, "accounts": accounts })).ok()
    }
}

fn of(all: &[(GcpIdentity, Read)], identity: GcpIdentity) -> Option<&Read> {
    let (_, read) = all.iter().find(|(known, _)| *known == identity)?;
    Some(read)
}

pub(super) async fn snapshot(run: &Run<'_>, session: &Session) -> Snapshot {
    let project = run.connection.project_id();
    let get =
        |path: String| async move { run.recorder.patiently(|| session.get("iam", &path)).await };
    let provider = async {
        match &run.grant.trust {
            GcpTrust::Federation {
                pool_id,
                provider_id,
                ..
            } => Some(
                get(format!(
                    "v1/projects/{project}/locations/global/workloadIdentityPools/{pool_id}/\
                     providers/{provider_id}"
                ))
                .await,
            ),
            GcpTrust::Account { .. } => None,
        }
    };
    let roles = run.grant.roles.iter().map(|role| async {
        let read = get(format!("v1/{}", role.name)).await;
        (role.identity, read)
    });
    let trusts = run.grant.accounts.iter().map(|account| async {
        let read = policy::read(run, session, Of::Account(&account.email)).await;
        (account.identity, read)
    });
    let (provider, policy, roles, trusts) = futures::join!(
        provider,
        policy::read(run, session, Of::Project),
        futures::future::join_all(roles),
        futures::future::join_all(trusts)
    );
    Snapshot {
        provider,
        policy,
        roles,
        trusts,
    }
}

/// The role and the condition of each binding that names a member, as texts.
pub(in super::super) fn bindings_of(policy: &Value, member: &str) -> Vec<String> {
    let mut found: Vec<String> = bindings(policy)
        .filter(|binding| texts(&binding["members"]).contains(&member))
        .map(|binding| shown(binding, None))
        .collect();
    found.sort();
    found
}

/// The same with the members, for all of them.
pub(super) fn everything_in(policy: &Value) -> Vec<String> {
    let mut found: Vec<String> = bindings(policy)
        .flat_map(|binding| {
            texts(&binding["members"])
                .into_iter()
                .map(|member| shown(binding, Some(member)))
        })
        .collect();
    found.sort();
    found
}

fn bindings(policy: &Value) -> impl Iterator<Item = &Value> {
    policy["bindings"].as_array().into_iter().flatten()
}

/// `role to member if expression`
pub(super) fn line(role: &str, member: Option<&str>, expression: Option<&str>) -> String {
    let mut text = role.to_owned();
    if let Some(member) = member {
        text = format!("{text} to {member}");
    }
    if let Some(expression) = expression {
        text = format!("{text} if {expression}");
    }
    text
}

fn shown(binding: &Value, member: Option<&str>) -> String {
    line(
        binding["role"].as_str().unwrap_or_default(),
        member,
        binding["condition"]["expression"].as_str(),
    )
}
