use crate::Witness;
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    check::Outcome,
    connection::{Connection, Method, State},
    issuer::UPLOADED_KEYS_CHECK,
    signing_key::SigningKey,
    store::{Store, StoreError},
};
use std::sync::Arc;

/// So many connections are named; the rest are counted.
const NAMED: usize = 3;

/// The providers of Google Cloud into which customers upload the keys.
///
/// It asks Google nothing itself: it reads what the last checks of each
/// connection found, of all organizations. A connection that is revoked or was
/// given back holds up nobody.
pub struct Uploaded {
    store: Arc<dyn Store>,
}

impl Uploaded {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    async fn without(&self, key: &SigningKey) -> Result<Vec<String>, StoreError> {
        let mut without = Vec::new();
        for organization in self.store.organizations().await? {
            let connections = self.store.connections(&organization.id).await?;
            for connection in connections.into_iter().filter(is_in_use) {
                if !self.has(&connection, key.created_at).await? {
                    without.push(connection.name);
                }
            }
        }
        Ok(without)
    }

    /// Whether the provider had every key of ours after this one was made.
    async fn has(&self, connection: &Connection, made: Timestamp) -> Result<bool, StoreError> {
        let id = &connection.id;
        let runs = self.store.check_runs(&connection.organization_id, id, 1);
        let Some(run) = runs.await?.into_iter().next() else {
            return Ok(false);
        };
        let passed = |one: &landfall_model::check::Check| {
            one.id == UPLOADED_KEYS_CHECK && one.outcome == Outcome::Pass
        };
        Ok(run.started_at >= made && run.checks.iter().any(passed))
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
        let named: Vec<_> = without.iter().take(NAMED).map(String::as_str).collect();
        let more = without.len() - named.len();
        let more = match more {
            0 => String::new(),
            _ => format!(" and {more} more"),
        };
        Err(format!(
            "{UPLOADED_KEYS_CHECK} did not pass since the key was made: {}{more}",
            named.join(", ")
        ))
    }
}
