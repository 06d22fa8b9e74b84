//! Reading the grant as it is in the project, and above it.

use super::super::{
    Run,
    policy::{self, Of},
    project,
};
use super::texts;
use crate::{error::SERVICE_DISABLED, http::Session};
use landfall_model::{
    connection::Parent,
    digest::Digest,
    driver::{Failure, FailureKind},
    grant::{GcpIdentity, GcpTrust},
};
use serde_json::{Value, json};

pub(super) type Read = Result<Value, Failure>;

/// Each part with why it could not be read, where it could not.
pub(super) struct Snapshot {
    /// `None` where there is none to read.
    pub(super) provider: Option<Read>,
    /// The policy of what is granted.
    pub(super) policy: Read,
    /// Those from the project up to what is granted, without the latter.
    pub(super) below: Result<Vec<(String, Value)>, Failure>,
    roles: Vec<(GcpIdentity, Read)>,
    /// The accounts themselves, where the roles may be out of sight.
    accounts: Vec<(GcpIdentity, Read)>,
    trusts: Vec<(GcpIdentity, Read)>,
}

impl Snapshot {
    pub(super) fn role(&self, identity: GcpIdentity) -> Option<&Read> {
        of(&self.roles, identity)
    }

    /// An account, where it was read.
    pub(super) fn account(&self, identity: GcpIdentity) -> Option<&Read> {
        of(&self.accounts, identity)
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
        let below = self.below.as_ref().ok()?;
        let mut accounts = Vec::new();
        for account in &run.grant.accounts {
            let role = match self.role(account.identity)? {
                Ok(role) => role,
                Err(failure) if is_out_of_sight(run, failure) => &Value::Null,
                Err(_) => return None,
            };
            let trust = self.trust(account.identity)?.as_ref().ok()?;
            let member = account.member();
            let mut said = json!({
                "identity": account.identity,
                "permissions": texts(&role["includedPermissions"]),
                "bindings": bindings_of(policy, &member),
                "trust": everything_in(trust),
            });
            if run.grant.parent.is_some() {
                said["below"] = json!(bindings_in(below, &member));
            }
            accounts.push(said);
        }
        Digest::of_json(&json!({ "provider": provider, "accounts": accounts })).ok()
    }
}

/// The custom roles of an organization are seen by who is granted something on
/// the organization itself, not on a folder of it.
pub(super) fn is_out_of_sight(run: &Run<'_>, failure: &Failure) -> bool {
    let folder = run.grant.parent.as_ref().is_some_and(Parent::is_folder);
    folder && failure.kind == FailureKind::Denied && failure.code != SERVICE_DISABLED
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
    let folder = run.grant.parent.as_ref().is_some_and(Parent::is_folder);
    let accounts = run
        .grant
        .accounts
        .iter()
        .filter(|_| folder)
        .map(|account| async {
            let path = format!("v1/projects/{project}/serviceAccounts/{}", account.email);
            (account.identity, get(path).await)
        });
    let place = run.grant.place().resource();
    let (provider, policy, below, roles, accounts, trusts) = futures::join!(
        provider,
        policy::read(run, session, Of::Node(&place)),
        below(run, session, &place),
        futures::future::join_all(roles),
        futures::future::join_all(accounts),
        futures::future::join_all(trusts)
    );
    Snapshot {
        provider,
        policy,
        below,
        roles,
        accounts,
        trusts,
    }
}

/// What is bound between the project and what is granted reaches the project
/// too, and would not be seen from above.
async fn below(
    run: &Run<'_>,
    session: &Session,
    place: &str,
) -> Result<Vec<(String, Value)>, Failure> {
    if run.grant.parent.is_none() {
        return Ok(Vec::new());
    }
    let project = format!("projects/{}", run.connection.project_id());
    let mut nodes = vec![project];
    let above = project::ancestry(run, session).await?;
    nodes.extend(above.into_iter().take_while(|node| node != place));
    let read = nodes.into_iter().map(|node| async move {
        let policy = policy::read(run, session, Of::Node(&node)).await?;
        Ok((node, policy))
    });
    futures::future::try_join_all(read).await
}

/// The bindings of a member in several policies, with where each is.
pub(super) fn bindings_in(policies: &[(String, Value)], member: &str) -> Vec<String> {
    policies
        .iter()
        .flat_map(|(node, policy)| {
            bindings_of(policy, member)
                .into_iter()
                .map(move |binding| format!("{binding} on {node}"))
        })
        .collect()
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
