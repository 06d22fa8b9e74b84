//! The people of the simulated projects and tenants. A visitor has no shell in a
//! cloud that is simulated: once they have begun to connect, these run the
//! setup there, and say what it printed.

use super::{headless, journey::Api, provider::Provider, ways};
use crate::{secret_file, server::Server};
use anyhow::Context as _;
use landfall_model::connection::{AzureAccess, Cloud, Connection, State, Target};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, time::Duration};
use ways::Way;

/// Between two looks at what the visitor does.
const LOOK: Duration = Duration::from_secs(1);

pub struct People(Vec<Person>);

struct Person {
    way: Way,
    scope: String,
    /// What the visitor enters, in words.
    enter: String,
}

impl People {
    /// Everybody but the customer of AWS, whose console the visitor uses
    /// themselves. What is secret is put into files in `folder`.
    pub async fn gather(
        provider: &Provider,
        server: &Server,
        token: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut people = Vec::new();
        for way in ways::all(provider, &server.url, token)? {
            if way.method.cloud() != Cloud::Aws {
                people.push(Person::of(way, folder).await?);
            }
        }
        Ok(Self(people))
    }

    /// A line for each way to connect.
    pub fn lines(&self) -> String {
        let line = |one: &Person| format!("  {:<26}{}", one.way.method.to_string(), one.enter);
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Does its part for each connection that the visitor makes, for ever.
    pub async fn attend(&self, api: &Api, server: &Server) {
        let mut done = BTreeSet::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let connections: Vec<Connection> = api.items("/connections").await.unwrap_or_default();
            for connection in connections {
                let Some(person) = self.0.iter().find(|one| one.is_asked(&connection)) else {
                    continue;
                };
                // Once: what the visitor takes back stays taken back.
                if !done.insert(connection.id.clone()) {
                    continue;
                }
                let name = connection.name.clone();
                match person.act(api, server, connection).await {
                    Ok(said) => eprintln!("{name}: the setup was run in the cloud. {said}"),
                    Err(error) => eprintln!("{name}: the setup failed: {error:#}"),
                }
            }
        }
    }
}

impl Person {
    async fn of(way: Way, folder: &Path) -> anyhow::Result<Self> {
        let names = way.customer.begin().await?;
        let mut enter = Vec::new();
        for (field, label) in [
            ("project_id", "project"),
            ("tenant_id", "tenant"),
            ("subscription_id", "subscription"),
            ("client_id", "client id"),
        ] {
            if let Some(value) = names[field].as_str() {
                enter.push(format!("{label} {value}"));
            }
        }
        for (field, file, label) in [
            ("service_account_key", "demo-key.json", "the key file"),
            ("client_secret", "demo-client-secret", "the secret in"),
        ] {
            if let Some(value) = names[field].as_str() {
                let path = folder.join(file);
                secret_file::write(&path, value.as_bytes())
                    .with_context(|| format!("cannot write {}", path.display()))?;
                enter.push(format!("{label} {}", path.display()));
            }
        }
        let scope = names["project_id"]
            .as_str()
            .or_else(|| names["subscription_id"].as_str());
        Ok(Self {
            scope: scope.context("the customer has no scope")?.to_owned(),
            enter: enter.join(", "),
            way,
        })
    }

    fn is_asked(&self, connection: &Connection) -> bool {
        let pending = matches!(connection.state, State::Pending { .. });
        // On Microsoft's page it is the visitor who approves.
        let approved = match &connection.target {
            Target::Azure(azure) => !matches!(
                azure.access,
                AzureAccess::AdminConsent {
                    approved_at: None,
                    ..
                }
            ),
            _ => true,
        };
        pending
            && approved
            && connection.method() == self.way.method
            && connection.scope() == self.scope
    }

    /// Says what the setup printed at its end.
    async fn act(
        &self,
        api: &Api,
        server: &Server,
        connection: Connection,
    ) -> anyhow::Result<String> {
        let path = format!("/connections/{}/grant", connection.id);
        let grant: Value = api.get(&path).await?;
        let created = json!({ "connection": connection, "grant": grant });
        let asked = headless::asked(server, &created).await?;
        let printed = self.way.customer.grant(&asked).await?.unwrap_or_default();
        Ok(
            match printed.as_object().and_then(|all| all.iter().next()) {
                Some((field, value)) => format!(
                    "It printed the {}, to be entered on the connection's page: {}",
                    field.replace('_', " "),
                    value.as_str().unwrap_or_default()
                ),
                None => "Nothing more needs to be entered.".to_owned(),
            },
        )
    }
}
