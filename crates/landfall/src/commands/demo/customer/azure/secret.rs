use super::{
    super::{Asked, Customer},
    Administrator,
    directory::Application,
};
use anyhow::Context as _;
use async_trait::async_trait;
use landfall_model::grant::Identity;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Of an application's password that a person makes for other products, too.
const NAME: &str = "landfall-by-secret";

/// An administrator who hands over a client secret, and lets the application
/// renew it.
pub struct Secret {
    administrator: Administrator,
    registered: Mutex<Option<Application>>,
}

impl Secret {
    pub fn new(administrator: Administrator) -> Self {
        Self {
            administrator,
            registered: Mutex::default(),
        }
    }

    fn registered(&self) -> anyhow::Result<Application> {
        let registered = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        registered.clone().context("nothing was registered")
    }
}

#[async_trait]
impl Customer for Secret {
    async fn begin(&self) -> anyhow::Result<Value> {
        let signed_in = self.administrator.sign_in().await?;
        let application = signed_in.register(NAME).await?;
        let mut names = self.administrator.names();
        names["client_id"] = application.client_id.clone().into();
        names["client_secret"] = signed_in.add_password(&application).await?.into();
        *self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(application);
        Ok(names)
    }

    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        let grant = asked.azure()?;
        let signed_in = self.administrator.sign_in().await?;
        let provisioner = self.registered()?;
        signed_in.let_rotate(&provisioner).await?;
        let mut made = BTreeMap::from([(Identity::Provisioner, provisioner)]);
        // The reaper never has a secret.
        if let Some(role) = grant.role(Identity::Reaper) {
            let reaper = signed_in.register(&role.name).await?;
            signed_in.trust(&reaper, asked).await?;
            made.insert(Identity::Reaper, reaper);
        }
        signed_in.assign(grant, &made).await?;
        Ok(None)
    }

    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        let signed_in = self.administrator.sign_in().await?;
        if let Some(role) = asked.azure()?.role(Identity::Reaper) {
            signed_in.unregister(&role.name).await?;
        }
        signed_in.unregister(NAME).await
    }
}
