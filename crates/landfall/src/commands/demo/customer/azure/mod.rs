//! Administrators of Azure tenants who own a subscription there, and do what the
//! script of the guide does.

mod consent;
mod directory;
mod secret;

pub use consent::Consent;
pub use directory::Administrator;
pub use secret::Secret;

use super::{Asked, Customer};
use anyhow::Context as _;
use async_trait::async_trait;
use landfall_model::grant::{AzureGrant, Identity};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Asked {
    fn azure(&self) -> anyhow::Result<&AzureGrant> {
        self.spec.azure().context("not a grant on Azure")
    }
}

/// An administrator who lets Landfall's own assertions in.
pub struct Federation(pub Administrator);

#[async_trait]
impl Customer for Federation {
    async fn begin(&self) -> anyhow::Result<Value> {
        Ok(self.0.names())
    }

    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        let grant = asked.azure()?;
        let signed_in = self.0.sign_in().await?;
        let mut made = BTreeMap::new();
        for role in &grant.roles {
            let application = signed_in.register(&role.name).await?;
            signed_in.trust(&application, asked).await?;
            made.insert(role.identity, application);
        }
        signed_in.assign(grant, &made).await?;
        let provisioner = made
            .get(&Identity::Provisioner)
            .context("the grant has no provisioner")?;
        Ok(Some(json!({ "client_id": provisioner.client_id })))
    }

    /// Deleting the applications ends every way in, at once.
    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        let grant = asked.azure()?;
        let signed_in = self.0.sign_in().await?;
        for role in &grant.roles {
            signed_in.unregister(&role.name).await?;
        }
        Ok(())
    }
}
