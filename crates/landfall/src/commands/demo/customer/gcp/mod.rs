//! Owners of Google Cloud projects, who do what the script of the guide does.

mod key;
mod owner;

pub use key::Key;
pub use owner::Owner;

use super::{Asked, Customer};
use anyhow::Context as _;
use async_trait::async_trait;
use landfall_model::grant::GcpGrant;
use serde_json::{Value, json};

impl Asked {
    fn gcp(&self) -> anyhow::Result<&GcpGrant> {
        self.spec.gcp().context("not a grant on Google Cloud")
    }
}

/// An owner who lets Landfall's own assertions in.
pub struct Federation(pub Owner);

#[async_trait]
impl Customer for Federation {
    async fn begin(&self) -> anyhow::Result<Value> {
        Ok(json!({ "project_id": self.0.project }))
    }

    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        self.0.grant(asked.gcp()?).await?;
        Ok(Some(json!({ "project_number": self.0.number })))
    }

    /// Without the pool nothing of ours is let in.
    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        self.0.delete_pool(asked.fact("pool")?).await
    }
}

/// An owner who lets a service account of the operator's in.
pub struct Impersonation(pub Owner);

#[async_trait]
impl Customer for Impersonation {
    async fn begin(&self) -> anyhow::Result<Value> {
        Ok(json!({ "project_id": self.0.project }))
    }

    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        self.0.grant(asked.gcp()?).await?;
        Ok(None)
    }

    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        for account in &asked.gcp()?.accounts {
            self.0.delete_account(&account.email).await?;
        }
        Ok(())
    }
}
