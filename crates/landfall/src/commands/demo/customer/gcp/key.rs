use super::{
    super::{Asked, Customer, text},
    Owner,
};
use anyhow::Context as _;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// Of the service account whose key is handed over: any name will do.
const NAME: &str = "for-landfall";

/// An owner who hands over the key of a service account that may arrange who
/// may what in the project.
pub struct Key {
    owner: Owner,
    /// The account and the id of its key.
    made: Mutex<Option<(String, String)>>,
}

impl Key {
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            made: Mutex::default(),
        }
    }

    fn made(&self) -> anyhow::Result<(String, String)> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.clone().context("no key was made")
    }
}

#[async_trait]
impl Customer for Key {
    async fn begin(&self) -> anyhow::Result<Value> {
        let email = self.owner.make_administrator(NAME).await?;
        let file = self.owner.download_key(&email).await?;
        let key: Value = serde_json::from_str(&file).context("the key file is not JSON")?;
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((email, text(&key, "private_key_id")?));
        Ok(json!({ "project_id": self.owner.project, "service_account_key": file }))
    }

    /// Landfall sets up the rest with the key.
    async fn grant(&self, _: &Asked) -> anyhow::Result<Option<Value>> {
        Ok(None)
    }

    async fn clear_up(&self, _: &Asked) -> anyhow::Result<()> {
        let (email, key_id) = self.made()?;
        self.owner.delete_key(&email, &key_id).await
    }

    async fn revoke(&self, _: &Asked) -> anyhow::Result<()> {
        let (email, _) = self.made()?;
        self.owner.delete_account(&email).await
    }
}
