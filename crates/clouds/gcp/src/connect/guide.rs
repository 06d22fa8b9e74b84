//! The ways to make the grant, written out for a person.

mod console;
mod opentofu;
mod script;

use crate::{config::GcpConfig, door::federation::provider};
use landfall_model::{
    connection::{GcpAccess, GcpConnection, Parent, ProjectId},
    driver::Failure,
    grant::{Fact, GcpGrant, GcpIdentity, GcpTrust, GrantGuide, GrantSpec, How, Way},
};
use script::Key;
use serde_json::Value;

/// What every way needs to know.
struct Context<'a> {
    config: &'a GcpConfig,
    grant: &'a GcpGrant,
    /// The keys to upload, where Google shall not fetch them.
    uploads: Option<&'a Value>,
}

impl Context<'_> {
    /// In the order in which they are made.
    fn accounts(&self) -> impl Iterator<Item = &landfall_model::grant::GcpAccount> {
        self.grant.accounts.iter()
    }
}

pub(super) fn write(
    config: &GcpConfig,
    connection: GcpConnection<'_>,
    grant: &GcpGrant,
    spec: &GrantSpec,
    uploads: Option<&Value>,
) -> Result<GrantGuide, Failure> {
    let context = Context {
        config,
        grant,
        uploads,
    };
    let ways = match connection.access() {
        GcpAccess::WorkloadIdentity { .. } => ways(
            grant.parent.as_ref(),
            script::for_a_pool(&context),
            opentofu::module(&context),
            console::for_a_pool(&context),
        ),
        GcpAccess::Impersonation { .. } => ways(
            grant.parent.as_ref(),
            script::for_an_account(&context),
            opentofu::module(&context),
            console::for_an_account(&context),
        ),
        GcpAccess::ServiceAccountKey {
            service_account,
            key_id,
            ..
        } => by_key(
            config,
            &Key {
                project: Some(grant.project_id.as_str()),
                account: Some(service_account),
                known: Some(key_id),
                apis: &grant.bootstrap_apis,
            },
        ),
    };
    Ok(GrantGuide {
        version: grant.version,
        digest: spec.digest(),
        facts: facts(connection, grant),
        ways,
        revoke_steps: console::revoke(&context, connection.access()),
    })
}

/// The ways to make a key, for those who have no connection yet: one is made
/// with the key. Without a project, the script takes the one that gcloud is set
/// to.
pub fn key_setup(config: &GcpConfig, project: Option<&ProjectId>) -> Vec<Way> {
    let apis = FIRST.map(str::to_owned);
    by_key(
        config,
        &Key {
            project: project.map(ProjectId::as_str),
            account: None,
            known: None,
            apis: &apis,
        },
    )
}

/// What an owner switches on before Landfall can switch on the rest.
const FIRST: [&str; 2] = [
    "cloudresourcemanager.googleapis.com",
    "serviceusage.googleapis.com",
];

fn by_key(config: &GcpConfig, key: &Key<'_>) -> Vec<Way> {
    ways(
        None,
        script::for_a_key(key),
        opentofu::for_a_key(key),
        console::for_a_key(config, key),
    )
}

/// The recommended one first.
fn ways(parent: Option<&Parent>, script: String, module: String, steps: Vec<String>) -> Vec<Way> {
    let way = |id: &str, title: &str, about: &str, how: How| Way {
        id: id.to_owned(),
        title: title.to_owned(),
        about: about.to_owned(),
        how,
    };
    let who = who(parent);
    vec![
        way(
            "script",
            "With one command in Cloud Shell",
            &format!(
                "Open Cloud Shell as {who}, read the script, and run it. Running it again repairs \
                 what is there."
            ),
            How::Commands { commands: script },
        ),
        way(
            "opentofu",
            "With OpenTofu or Terraform",
            "Write it to landfall.tf in a folder of its own, and apply it. Choose this if your \
             project is already described in code.",
            How::Commands { commands: module },
        ),
        way(
            "console",
            "By hand in the console",
            "The same, click by click.",
            How::Steps { steps },
        ),
    ]
}

/// Who can make the grant.
fn who(parent: Option<&Parent>) -> String {
    match parent {
        None => "an owner of the project".to_owned(),
        Some(parent) => format!(
            "an owner of the project who is also Organization Role Administrator of {} and {}",
            parent.organization(),
            if parent.is_folder() {
                format!("Folder IAM Admin of {}", parent.resource())
            } else {
                "Organization Administrator".to_owned()
            }
        ),
    }
}

fn facts(connection: GcpConnection<'_>, grant: &GcpGrant) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |id: &str, label: &str, value: &str| {
        facts.push(Fact {
            id: id.to_owned(),
            label: label.to_owned(),
            value: value.to_owned(),
        });
    };
    fact("project-id", "Project", grant.project_id.as_str());
    if let Some(parent) = &grant.parent {
        let label = if parent.is_folder() {
            "Folder that is granted"
        } else {
            "Organization that is granted"
        };
        fact("parent", label, &parent.to_string());
    }
    match &grant.trust {
        GcpTrust::Federation {
            pool_id,
            provider_id,
            issuer_url,
            subject,
            condition,
            ..
        } => {
            fact("pool", "Workload identity pool", pool_id);
            fact("provider", "Provider", provider_id);
            fact("issuer", "Issuer", issuer_url);
            fact("subject", "Subject", subject);
            fact("condition", "Attribute condition", condition);
            if let GcpAccess::WorkloadIdentity {
                project_number: Some(number),
            } = connection.access()
            {
                let audience = format!("https:{}", provider(connection, number));
                fact("audience", "Audience", &audience);
            }
        }
        GcpTrust::Account { email, .. } => fact("trusted", "Trusted service account", email),
    }
    if let GcpAccess::ServiceAccountKey { key_id, .. } = connection.access() {
        fact("key", "Key", key_id);
    }
    for account in &grant.accounts {
        let label = match account.identity {
            GcpIdentity::Bootstrap => "Bootstrap account",
            GcpIdentity::Provisioner => "Provisioner account",
            GcpIdentity::Reaper => "Reaper account",
        };
        fact(account.identity.as_str(), label, &account.email);
    }
    let two_keys = match (connection.access(), connection.with_reaper) {
        (_, false) => "no: there is no reaper, so Landfall never deletes what holds data",
        (GcpAccess::WorkloadIdentity { .. } | GcpAccess::Impersonation { .. }, true) => "yes",
        (GcpAccess::ServiceAccountKey { .. }, true) => {
            "yes, once everything is made: Landfall takes Project IAM Admin away from the key's \
             account, unless that has more roles than the setup gives it"
        }
    };
    fact("two-keys", "Two keys to destroy", two_keys);
    facts
}

#[cfg(test)]
mod tests;
