//! A new signing key in three steps, each one transaction: published, active
//! (the old one retiring), and the old one retired. Each step is taken when it
//! is due, by whichever server looks first; killed between two, the next look
//! goes on.

use crate::KeyIssuer;
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    issuer::IssuerError,
    signing_key::{InvalidStep, SigningKey, State},
    store::{StoreError, Write},
    vault::VaultError,
};
use serde::Serialize;

/// Somebody whose view of the key set is not ours: a bucket that somebody
/// uploads to, a provider with uploaded keys. A new key does not sign before
/// every witness sees it: what it signed would be refused there.
#[async_trait]
pub trait Witness: Send + Sync + 'static {
    /// What is looked at, for people: `https://…/.well-known/jwks.json`.
    fn name(&self) -> String;

    /// Whether the key can be seen there now; if not, why not, for people.
    async fn sees(&self, key: &SigningKey) -> Result<(), String>;
}

/// Why a key cannot sign yet although its time has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unseen {
    pub witness: String,
    pub evidence: String,
}

/// What a look at the keys did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    Activated {
        key: String,
    },
    Retired {
        key: String,
    },
    /// Nothing is lost by waiting: the old key signs meanwhile.
    Waiting {
        key: String,
        unseen: Vec<Unseen>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("a rotation is under way: the new key {key} may sign from {at}")]
    UnderWay { key: String, at: Timestamp },
    #[error("no rotation is under way")]
    NoneUnderWay,
    #[error("cannot rotate the signing keys")]
    Issuer(#[from] IssuerError),
    #[error("cannot take a step of the rotation")]
    Step(#[from] InvalidStep),
}

impl KeyIssuer {
    /// Begins a rotation: publishes a new key, which signs once everybody must
    /// have seen it. [`KeyIssuer::advance`] does the rest.
    pub async fn rotate(&self) -> Result<SigningKey, RotateError> {
        let keys = self.keys().await?;
        under_way(&keys)?;
        let new = self.make(self.clock.now()).await?;
        let write = Write::PutSigningKey(new.clone());
        match self.store.commit(vec![write]).await {
            Ok(()) => Ok(new),
            Err(StoreError::Conflict { .. }) => {
                under_way(&self.stored().await?)?;
                Err(IssuerError::Store(StoreError::Conflict {
                    noun: "signing key",
                    id: new.id,
                })
                .into())
            }
            Err(error) => Err(IssuerError::Store(error).into()),
        }
    }

    /// Takes each step whose time has come. Harmless to repeat, and to do from
    /// several servers at once: the second one's write is refused.
    pub async fn advance(&self) -> Result<Vec<Step>, RotateError> {
        let now = self.clock.now();
        let keys = self.stored().await?;
        let mut steps = Vec::new();
        let due = |key: &&SigningKey| key.due_at().is_some_and(|at| at <= now);
        for key in keys.iter().filter(due) {
            let step = match key.state {
                State::Published { .. } => self.activate(key, &keys, now).await?,
                State::Retiring { .. } => {
                    let retired = key.clone().retire(now)?;
                    let done = self.commit(vec![Write::PutSigningKey(retired)]).await?;
                    done.then(|| Step::Retired {
                        key: key.id.clone(),
                    })
                }
                State::Active { .. } | State::Retired { .. } => None,
            };
            steps.extend(step);
        }
        Ok(steps)
    }

    /// Ends the wait for witnesses, never that for the clouds: the new key signs
    /// now, and whoever does not have it refuses this server until they do.
    pub async fn stop_waiting(&self) -> Result<SigningKey, RotateError> {
        let now = self.clock.now();
        let keys = self.stored().await?;
        let new = keys.iter().find(|key| is_published(key));
        let new = new.ok_or(RotateError::NoneUnderWay)?;
        if new.due_at().is_some_and(|at| at > now) {
            under_way(&keys)?;
        }
        // Where another server takes the step just now, it is the same step.
        self.begin(new, &keys, now).await?;
        Ok(new.clone().activate(now)?)
    }

    async fn activate(
        &self,
        key: &SigningKey,
        keys: &[SigningKey],
        now: Timestamp,
    ) -> Result<Option<Step>, RotateError> {
        // Where the old key cannot sign, waiting helps nobody: what has to be
        // asked of a cloud before a witness sees the new one cannot be asked.
        if self.signs(keys).await {
            let unseen = self.unseen(key).await;
            if !unseen.is_empty() {
                return Ok(Some(Step::Waiting {
                    key: key.id.clone(),
                    unseen,
                }));
            }
        }
        let done = self.begin(key, keys, now).await?;
        Ok(done.then(|| Step::Activated {
            key: key.id.clone(),
        }))
    }

    /// A vault that does not answer now may answer later; what it refuses to
    /// open it will refuse again.
    async fn signs(&self, keys: &[SigningKey]) -> bool {
        let is_active = |key: &&SigningKey| matches!(key.state, State::Active { .. });
        let Some(active) = keys.iter().find(is_active) else {
            return false;
        };
        !matches!(
            self.private(active).await,
            Err(IssuerError::Vault(VaultError::Refused { .. }) | IssuerError::Key { .. })
        )
    }

    /// The old key stops and the new one begins in one transaction: there is
    /// never none that signs, and never two. False when another server took the
    /// step.
    async fn begin(
        &self,
        key: &SigningKey,
        keys: &[SigningKey],
        now: Timestamp,
    ) -> Result<bool, RotateError> {
        let mut writes = Vec::new();
        for old in keys {
            if matches!(old.state, State::Active { .. }) {
                writes.push(Write::PutSigningKey(old.clone().stop(now)?));
            }
        }
        writes.push(Write::PutSigningKey(key.clone().activate(now)?));
        self.commit(writes).await
    }

    /// Where a published key is not seen yet.
    pub async fn unseen(&self, key: &SigningKey) -> Vec<Unseen> {
        let mut unseen = Vec::new();
        for witness in &self.witnesses {
            if let Err(evidence) = witness.sees(key).await {
                unseen.push(Unseen {
                    witness: witness.name(),
                    evidence,
                });
            }
        }
        unseen
    }

    /// False when another server took the step.
    async fn commit(&self, writes: Vec<Write>) -> Result<bool, RotateError> {
        match self.store.commit(writes).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(IssuerError::Store(error).into()),
        }
    }
}

const fn is_published(key: &SigningKey) -> bool {
    matches!(key.state, State::Published { .. })
}

fn under_way(keys: &[SigningKey]) -> Result<(), RotateError> {
    match keys.iter().find(|key| is_published(key)) {
        Some(key) => Err(RotateError::UnderWay {
            key: key.id.clone(),
            at: key.due_at().unwrap_or(key.created_at),
        }),
        None => Ok(()),
    }
}
