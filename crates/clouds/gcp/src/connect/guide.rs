//! The ways to make the grant, written out for a person.

mod console;
mod opentofu;
mod quote;
mod script;

use crate::{config::GcpConfig, door};
use landfall_model::{
    connection::{GcpAccess, GcpConnection},
    driver::Failure,
    grant::{Fact, GcpGrant, GcpIdentity, GcpTrust, GrantGuide, GrantSpec, How, Way},
};
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
    let way = |id: &str, title: &str, about: &str, how: How| Way {
        id: id.to_owned(),
        title: title.to_owned(),
        about: about.to_owned(),
        how,
    };
    let mut ways = vec![way(
        "script",
        "With one command in Cloud Shell",
        "Open Cloud Shell as an owner of the project, read the script, and run it. Running it \
         again repairs what is there.",
        How::Commands {
            commands: script::for_a_pool(&context),
        },
    )];
    ways.push(way(
        "opentofu",
        "With OpenTofu or Terraform",
        "Write it to landfall.tf in a folder of its own, and apply it. Choose this if your \
             project is already described in code.",
        How::Commands {
            commands: opentofu::module(&context),
        },
    ));
    ways.push(way(
        "console",
        "By hand in the console",
        "The same, click by click.",
        How::Steps {
            steps: console::for_a_pool(&context),
        },
    ));
    Ok(GrantGuide {
        version: grant.version,
        digest: spec.digest(),
        facts: facts(connection, grant),
        ways,
        revoke_steps: console::revoke(&context),
    })
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
                let audience = format!("https:{}", door::provider(connection, number));
                fact("audience", "Audience", &audience);
            }
        }
        GcpTrust::Account { email, .. } => fact("trusted", "Trusted service account", email),
    }
    for account in &grant.accounts {
        let label = match account.identity {
            GcpIdentity::Bootstrap => "Bootstrap account",
            GcpIdentity::Provisioner => "Provisioner account",
            GcpIdentity::Reaper => "Reaper account",
        };
        fact(account.identity.as_str(), label, &account.email);
    }
    let two_keys = match (&grant.trust, connection.with_reaper) {
        (_, false) => "no: there is no reaper, so Landfall never deletes what holds data",
        (GcpTrust::Federation { .. }, true) => "yes",
        // Its Project IAM Admin can give itself anything.
        (GcpTrust::Account { .. }, true) => "no: the account that was given can grant anything",
    };
    fact("two-keys", "Two keys to destroy", two_keys);
    facts
}

#[cfg(test)]
mod tests;
