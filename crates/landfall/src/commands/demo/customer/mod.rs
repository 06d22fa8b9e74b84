//! The customers: what people with an account, a project or a subscription do
//! in their own cloud, as the guide asks them to.
//!
//! They know Landfall by what it shows them, and share no code with the
//! connectors.

pub mod aws;
pub mod azure;
mod browser;
pub mod gcp;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use landfall_model::{
    connection::Connection,
    grant::{GrantGuide, GrantSpec},
};
use serde_json::Value;

/// What a customer is asked for: the guide, and what the guide is written from.
pub struct Asked {
    pub connection: Connection,
    pub guide: GrantGuide,
    pub spec: GrantSpec,
}

impl Asked {
    fn fact(&self, id: &str) -> anyhow::Result<&str> {
        self.guide
            .fact(id)
            .with_context(|| format!("the guide does not say the {id}"))
    }
}

/// One customer who connects by one method.
#[async_trait]
pub trait Customer: Send + Sync {
    /// What is filled in to begin with: fields of the new connection. Methods
    /// with a secret make it here.
    async fn begin(&self) -> anyhow::Result<Value>;

    /// Makes the grant, and says what it printed to be entered: fields of the
    /// connection; none when Landfall finds out by itself.
    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>>;

    /// Deletes the secret that was handed over, when nobody uses it any more.
    async fn clear_up(&self, asked: &Asked) -> anyhow::Result<()> {
        let _ = asked;
        Ok(())
    }

    /// Takes the grant back.
    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()>;
}

/// The customer at this place in a list of the sandbox's ready JSON.
fn customer<'r>(list: &'r Value, place: usize, what: &str) -> anyhow::Result<&'r Value> {
    list.as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter(|one| one["role"] == "customer")
        .nth(place)
        .ok_or_else(|| anyhow!("the sandbox's JSON has no {what} of a customer number {place}"))
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("no {field} was said"))
}
