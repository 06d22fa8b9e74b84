use super::{
    super::{Asked, Customer, browser::Browser},
    Administrator,
};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use landfall_model::grant::Identity;
use serde_json::Value;
use std::collections::BTreeMap;

/// An administrator who approves the operator's application on Microsoft's
/// page, to which Landfall's page leads.
pub struct Consent {
    administrator: Administrator,
    /// The server, and a token with which to sign in on its page.
    landfall: String,
    token: String,
}

impl Consent {
    pub fn new(administrator: Administrator, landfall: &str, token: &str) -> Self {
        Self {
            administrator,
            landfall: landfall.to_owned(),
            token: token.to_owned(),
        }
    }

    /// From the connection's page to Microsoft's and back.
    async fn approve(&self, connection: &str) -> anyhow::Result<()> {
        let landfall = Browser::new()?;
        let form = landfall
            .open(&format!("{}/sign-in", self.landfall))
            .await?
            .form("/sign-in", &[])?
            .with("token", &self.token);
        landfall.send(&form).await?;
        let path = format!("/connections/{connection}");
        let shown = landfall.open(&format!("{}{path}", self.landfall)).await?;
        let asking = shown.form(&format!("{path}/consent"), &[])?;
        let leading = landfall.send(&asking).await?.page.link("continue")?;

        let microsoft = self.administrator.browser()?;
        let asked = microsoft.open(&leading).await?;
        let administrator = asked.button("Accept as admin@")?;
        let approval = asked.form("", &[])?.with("user", &administrator);
        let back = microsoft.send(&approval).await?.location;
        let back = back.context("Microsoft's page leads nowhere")?;
        // What the page says beside an error looks like success.
        ensure!(
            !back.query_pairs().any(|(name, _)| name == "error"),
            "Microsoft's page says {back}"
        );
        landfall.open(back.as_str()).await?;
        Ok(())
    }
}

#[async_trait]
impl Customer for Consent {
    async fn begin(&self) -> anyhow::Result<Value> {
        Ok(self.administrator.names())
    }

    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        self.approve(asked.connection.id.as_str()).await?;
        let grant = asked.azure()?;
        let azure = asked.connection.azure()?;
        let client_id = azure.client_id().context("no application is named")?;
        let signed_in = self.administrator.sign_in().await?;
        let approved = signed_in.approved(client_id.as_str()).await?;
        let mut made = BTreeMap::from([(Identity::Provisioner, approved)]);
        if let Some(role) = grant.role(Identity::Reaper) {
            let reaper = signed_in.register(&role.name).await?;
            signed_in.trust(&reaper, asked).await?;
            made.insert(Identity::Reaper, reaper);
        }
        signed_in.assign(grant, &made).await?;
        Ok(None)
    }

    /// The application leaves the tenant, and its roles with it.
    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        let signed_in = self.administrator.sign_in().await?;
        let azure = asked.connection.azure()?;
        let client_id = azure.client_id().context("no application is named")?;
        signed_in.dismiss(client_id.as_str()).await?;
        if let Some(role) = asked.azure()?.role(Identity::Reaper) {
            signed_in.unregister(&role.name).await?;
        }
        Ok(())
    }
}
