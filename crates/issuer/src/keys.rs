use crate::{
    documents,
    key::{self, PrivateKey},
    rotation::Witness,
    token,
    url::IssuerUrl,
};
use async_trait::async_trait;
use landfall_model::{
    Clock, Entropy, Timestamp,
    issuer::{Assertion, Claims, Issuer, IssuerError, LIFETIME},
    signing_key::{SigningKey, State},
    store::{Store, StoreError, Write},
    vault::Vault,
};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// The issuer whose keys are in the store.
pub struct KeyIssuer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    url: Option<IssuerUrl>,
    pub(crate) witnesses: Vec<Arc<dyn Witness>>,
    /// The private key that signed last, so that the vault is asked once for
    /// each key and not for each assertion.
    opened: Mutex<Option<(String, Arc<PrivateKey>)>>,
}

impl KeyIssuer {
    /// `witnesses` are asked before a new key signs: see [`Witness`].
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        url: Option<IssuerUrl>,
        witnesses: Vec<Arc<dyn Witness>>,
    ) -> Self {
        Self {
            store,
            vault,
            clock,
            entropy,
            url,
            witnesses,
            opened: Mutex::new(None),
        }
    }

    /// All keys there ever were, oldest first; makes the first one when there is
    /// none.
    pub async fn keys(&self) -> Result<Vec<SigningKey>, IssuerError> {
        let keys = self.stored().await?;
        if !keys.is_empty() {
            return Ok(keys);
        }
        let now = self.clock.now();
        let first = self.make(now).await?;
        let active = first
            .clone()
            .activate_first(now)
            .map_err(|error| IssuerError::Key {
                operation: "activate the first signing key",
                source: Some(error.into()),
            })?;
        let writes = vec![Write::PutSigningKey(first), Write::PutSigningKey(active)];
        match self.store.commit(writes).await {
            // Another replica was first: its key is the one.
            Ok(()) | Err(StoreError::Conflict { .. }) => self.stored().await,
            Err(error) => Err(IssuerError::Store(error)),
        }
    }

    pub(crate) async fn stored(&self) -> Result<Vec<SigningKey>, IssuerError> {
        self.store.signing_keys().await.map_err(IssuerError::Store)
    }

    /// A key that is not stored yet. Sealed before anybody sees it: there is no
    /// instant at which it is at rest in the clear.
    pub(crate) async fn make(&self, now: Timestamp) -> Result<SigningKey, IssuerError> {
        // A tenth of a second of work, sometimes more.
        let made = tokio::task::spawn_blocking(key::make)
            .await
            .map_err(|error| IssuerError::Key {
                operation: "make a signing key",
                source: Some(error.into()),
            })??;
        let record = SigningKey::record(&made.id);
        let private = self
            .vault
            .seal(&record, &made.pkcs8)
            .await
            .map_err(IssuerError::Vault)?;
        Ok(SigningKey {
            id: made.id,
            state: State::Published {
                since: now,
                private,
            },
            public_jwk: made.public_jwk,
            created_at: now,
            version: 1,
        })
    }

    async fn active(&self) -> Result<SigningKey, IssuerError> {
        let keys = self.keys().await?;
        keys.into_iter()
            .find(|key| matches!(key.state, State::Active { .. }))
            .ok_or(IssuerError::NoActiveKey)
    }

    pub(crate) async fn private(&self, key: &SigningKey) -> Result<Arc<PrivateKey>, IssuerError> {
        {
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((id, private)) = &*opened
                && *id == key.id
            {
                return Ok(private.clone());
            }
        }
        let sealed = key.state.private().ok_or(IssuerError::NoActiveKey)?;
        let record = SigningKey::record(&key.id);
        let plain = self
            .vault
            .open(&record, sealed)
            .await
            .map_err(IssuerError::Vault)?;
        let private = Arc::new(PrivateKey::read(&plain)?);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        *opened = Some((key.id.clone(), private.clone()));
        Ok(private)
    }
}

#[async_trait]
impl Issuer for KeyIssuer {
    fn url(&self) -> Option<&str> {
        self.url.as_ref().map(IssuerUrl::as_str)
    }

    async fn assertion(&self, subject: &str, audience: &str) -> Result<Assertion, IssuerError> {
        self.custom(&Claims {
            subject: subject.to_owned(),
            audience: audience.to_owned(),
            issued_at: self.clock.now(),
            lifetime: LIFETIME,
        })
        .await
    }

    async fn custom(&self, claims: &Claims) -> Result<Assertion, IssuerError> {
        let issuer = self.url().ok_or(IssuerError::NoUrl)?;
        token::check(claims, self.clock.now())?;
        let key = self.active().await?;
        let private = self.private(&key).await?;
        token::sign(&private, &key.id, issuer, claims, &*self.entropy)
    }

    async fn jwks(&self) -> Result<Value, IssuerError> {
        self.keys().await.map(|keys| documents::jwks(&keys))
    }

    async fn key_id(&self) -> Result<String, IssuerError> {
        self.active().await.map(|key| key.id)
    }

    fn discovery(&self) -> Option<Value> {
        self.url.as_ref().map(documents::discovery)
    }
}
