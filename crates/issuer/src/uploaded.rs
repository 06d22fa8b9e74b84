use crate::Witness;
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    check::Outcome,
    connection::{Connection, Method, State},
    issuer::UPLOADED_KEYS_CHECK,
    signing_key::{LEEWAY, SigningKey},
    store::{Store, StoreError},
};
use std::sync::Arc;

/// So many connections are named; the rest are counted.
const NAMED: usize = 20;

/// Which providers have keys that a customer uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploads {
    /// All: Google cannot fetch them.
    Required,
    /// Those that kept theirs although Google could fetch the keys now. Their
    /// check says so as long as something is missing.
    LeftOver,
}

/// The providers of Google Cloud into which customers upload the keys.
///
/// It asks Google nothing itself: it reads what the last checks of each
/// connection found, of all organizations. A connection that is revoked or was
/// given back holds up nobody.
pub struct Uploaded {
    store: Arc<dyn Store>,
    uploads: Uploads,
}

impl Uploaded {
    pub fn new(store: Arc<dyn Store>, uploads: Uploads) -> Self {
        Self { store, uploads }
    }

    async fn without(&self, key: &SigningKey) -> Result<Vec<String>, StoreError> {
        let mut without = Vec::new();
        for organization in self.store.organizations().await? {
            let connections = self.store.connections(&organization.id).await?;
            for connection in connections.into_iter().filter(is_in_use) {
                if !self.has(&connection, key.created_at).await? {
                    let Connection { name, id, .. } = connection;
                    without.push(format!("{}/{name} ({id})", organization.name));
                }
            }
        }
        Ok(without)
    }

    async fn has(&self, connection: &Connection, made: Timestamp) -> Result<bool, StoreError> {
        let id = &connection.id;
        let runs = self.store.check_runs(&connection.organization_id, id, 1);
        let run = runs.await?.into_iter().next();
        let found = run.as_ref().and_then(|run| {
            let mut checks = run.checks.iter();
            checks.find(|one| one.id == UPLOADED_KEYS_CHECK)
        });
        let outcome = found.map(|check| check.outcome);
        Ok(match self.uploads {
            Uploads::LeftOver => !matches!(outcome, Some(Outcome::Warn | Outcome::Fail)),
            // A look from before the key was stored says nothing of it, and the
            // clocks of two servers differ.
            Uploads::Required => {
                outcome == Some(Outcome::Pass)
                    && run.is_some_and(|run| run.started_at >= made.plus(LEEWAY))
            }
        })
    }
}

fn is_in_use(connection: &Connection) -> bool {
    connection.method() == Method::GcpWorkloadIdentity
        && matches!(
            connection.state,
            State::Connected { .. } | State::Degraded { .. }
        )
}

#[async_trait]
impl Witness for Uploaded {
    fn name(&self) -> String {
        "the providers of Google Cloud with uploaded keys".to_owned()
    }

    async fn sees(&self, key: &SigningKey) -> Result<(), String> {
        let without = match self.without(key).await {
            Ok(without) if without.is_empty() => return Ok(()),
            Ok(without) => without,
            Err(error) => return Err(format!("cannot read what the checks found: {error}")),
        };
        let named = without.len().min(NAMED);
        let more = match without.len() - named {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(format!(
            "{UPLOADED_KEYS_CHECK} did not pass since the key was made: {}{more}",
            without[..named].join(", ")
        ))
    }
}
