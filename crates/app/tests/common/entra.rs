//! An application of Entra with its secrets, which does as the test says, and
//! points at which everything stops as if the process had been killed.

use async_trait::async_trait;
use landfall_model::{
    Clock, Timestamp,
    connection::{Azure, AzureAccess, Connection, Method, Target},
    connector::{
        Availability, CheckSink, Connector, Detection, HeldSecret, NewSecret, Region, Verification,
    },
    driver::{Driver, Failure, FailureKind},
    grant::{GrantGuide, GrantSpec, ServerPrincipal},
    id::{OrganizationId, SecretId},
    retained::Retained,
    secret::{Secrets, SecretsError},
    store::{Around, Store, StoreResult, Write},
    vault::{Plain, Vault},
};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Where a process dies: at the `at`-th point that it passes.
#[derive(Default)]
pub struct Fate {
    passed: AtomicUsize,
    at: Option<usize>,
    pub died: AtomicBool,
    /// Points count from here on only.
    pub armed: AtomicBool,
}

impl Fate {
    pub fn at(at: usize) -> Arc<Self> {
        Arc::new(Self {
            at: Some(at),
            ..Self::default()
        })
    }

    pub fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    async fn point(&self) {
        if self.armed.load(Ordering::SeqCst)
            && Some(self.passed.fetch_add(1, Ordering::SeqCst)) == self.at
        {
            self.died.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

/// A store that has a point before and after every commit that touches a
/// connection.
pub struct Mortal {
    pub inner: Arc<dyn Store>,
    pub fate: Arc<Fate>,
}

#[async_trait]
impl Around for Mortal {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn commit_around(&self, writes: Vec<Write>) -> StoreResult<()> {
        let about = writes
            .iter()
            .any(|write| matches!(write, Write::PutConnection(_)));
        if !about {
            return self.inner.commit(writes).await;
        }
        self.fate.point().await;
        let done = self.inner.commit(writes).await;
        self.fate.point().await;
        done
    }
}

/// What opens secrets, as the binary puts it together.
pub struct Kept {
    pub store: Arc<dyn Store>,
    pub vault: Arc<dyn Vault>,
}

#[async_trait]
impl Secrets for Kept {
    async fn open(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> Result<Plain, SecretsError> {
        let secret = self.store.secret(organization, id).await;
        let secret = secret
            .map_err(SecretsError::Store)?
            .ok_or_else(|| SecretsError::Missing { id: id.clone() })?;
        let opened = self.vault.open(&secret.record(), &secret.sealed).await;
        opened.map_err(SecretsError::Vault)
    }
}

#[derive(Clone, Debug)]
pub struct Password {
    pub key_id: String,
    pub name: Option<String>,
    pub value: String,
    pub works_from: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// The application in the tenant: it outlives the processes.
pub struct Application {
    pub passwords: Mutex<Vec<Password>>,
    /// So many answers to an addition are lost after it was made.
    pub lose: AtomicUsize,
    pub may_rotate: AtomicBool,
    pub asked: AtomicUsize,
    pub approved: AtomicBool,
    /// How the next looks end, whatever the secret.
    pub looks: Mutex<VecDeque<bool>>,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            passwords: Mutex::default(),
            lose: AtomicUsize::new(0),
            may_rotate: AtomicBool::new(true),
            asked: AtomicUsize::new(0),
            approved: AtomicBool::new(false),
            looks: Mutex::default(),
        }
    }
}

impl Application {
    pub fn passwords(&self) -> MutexGuard<'_, Vec<Password>> {
        self.passwords.lock().unwrap()
    }

    pub fn add(&self, value: &str, expires_at: Option<Timestamp>) -> String {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let key_id = format!("00000000-0000-4000-8000-{number:012}");
        self.add_as(&key_id, value, expires_at);
        key_id
    }

    pub fn add_as(&self, key_id: &str, value: &str, expires_at: Option<Timestamp>) {
        self.passwords().push(Password {
            key_id: key_id.to_owned(),
            name: None,
            value: value.to_owned(),
            works_from: Timestamp::from_millis(0),
            expires_at,
        });
    }
}

/// A connector to it, by client secret or by consent.
pub struct Entra {
    pub method: Method,
    pub application: Arc<Application>,
    pub secrets: Arc<dyn Secrets>,
    pub clock: Arc<dyn Clock>,
    pub fate: Arc<Fate>,
}

impl Entra {
    async fn value(&self, connection: &Connection) -> Option<String> {
        let id = connection.target.secret_id()?;
        let plain = self
            .secrets
            .open(&connection.organization_id, id)
            .await
            .ok()?;
        // A key of Google's is no text.
        let text = plain.expose_text().map(str::to_owned);
        let bytes = || plain.expose().iter();
        Some(text.unwrap_or_else(|_| bytes().map(|byte| format!("{byte:02x}")).collect()))
    }

    async fn opens(&self, connection: &Connection) -> bool {
        let now = self.clock.now();
        let Some(value) = self.value(connection).await else {
            return false;
        };
        self.application.passwords().iter().any(|one| {
            one.value == value && one.works_from <= now && one.expires_at.is_none_or(|at| now < at)
        })
    }

    async fn let_in(&self, connection: &Connection) -> Result<(), Failure> {
        let refused = |kind, code: &str| Failure::new(kind, code, "AADSTS7000215: invalid secret");
        if !self.opens(connection).await {
            return Err(refused(FailureKind::Unauthorized, "invalid_client"));
        }
        if !self.application.may_rotate.load(Ordering::SeqCst) {
            return Err(refused(FailureKind::Denied, "Authorization_RequestDenied"));
        }
        Ok(())
    }
}

#[async_trait]
impl Connector for Entra {
    fn method(&self) -> Method {
        self.method
    }

    async fn availability(&self) -> Availability {
        Availability::Available
    }

    async fn prepare(&self, connection: &Connection) -> Result<Target, Failure> {
        let mut target = connection.target.clone();
        if let Target::Azure(Azure {
            access: AzureAccess::AdminConsent { client_id, .. },
            ..
        }) = &mut target
        {
            *client_id = Some("99999999-1111-4111-8111-111111111111".parse().unwrap());
        }
        Ok(target)
    }

    fn consent_page(
        &self,
        connection: &Connection,
        redirect_uri: &str,
        state: &str,
    ) -> Result<String, Failure> {
        let tenant = connection.azure()?.tenant_id();
        Ok(format!(
            "https://login.example/{tenant}?redirect_uri={redirect_uri}&state={state}"
        ))
    }

    async fn secrets(&self, connection: &Connection) -> Result<Vec<HeldSecret>, Failure> {
        self.fate.point().await;
        self.let_in(connection).await?;
        let value = self.value(connection).await;
        Ok(self
            .application
            .passwords()
            .iter()
            .map(|one| HeldSecret {
                key_id: one.key_id.clone(),
                name: one.name.clone(),
                created_at: None,
                expires_at: one.expires_at,
                in_use: Some(&one.value) == value.as_ref(),
            })
            .collect())
    }

    async fn add_secret(
        &self,
        connection: &Connection,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<NewSecret, Failure> {
        self.fate.point().await;
        self.let_in(connection).await?;
        let number = self.application.asked.load(Ordering::SeqCst);
        let value = format!("made-by-landfall~{number:024}");
        let key_id = self.application.add(&value, Some(expires_at));
        if let Some(made) = self.application.passwords().last_mut() {
            made.name = Some(name.to_owned());
            // It is not known everywhere at once.
            made.works_from = self.clock.now().plus_millis(30_000);
        }
        self.fate.point().await;
        if self.application.lose.load(Ordering::SeqCst) > 0 {
            self.application.lose.fetch_sub(1, Ordering::SeqCst);
            return Err(Failure::new(
                FailureKind::Unavailable,
                "Lost",
                "the connection was reset",
            ));
        }
        Ok(NewSecret {
            key_id,
            expires_at: Some(expires_at),
            plain: Plain::from(value),
        })
    }

    async fn remove_secret(&self, connection: &Connection, key_id: &str) -> Result<(), Failure> {
        self.fate.point().await;
        self.let_in(connection).await?;
        self.application
            .passwords()
            .retain(|one| one.key_id != key_id);
        self.fate.point().await;
        Ok(())
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        Ok(match self.method {
            Method::AdminConsent => ServerPrincipal::EntraApplication {
                client_id: "99999999-1111-4111-8111-111111111111".parse().unwrap(),
            },
            _ => ServerPrincipal::GivenKey,
        })
    }

    fn guide(
        &self,
        _: &Connection,
        _: &[Connection],
        spec: &GrantSpec,
        _: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        Ok(GrantGuide {
            version: spec.version(),
            digest: spec.digest(),
            facts: vec![],
            ways: vec![],
            revoke_steps: vec![],
        })
    }

    async fn publish(&self, _: &Connection, _: &GrantSpec) -> Result<(), Failure> {
        Ok(())
    }

    async fn detect(&self, connection: &Connection) -> Detection {
        self.fate.point().await;
        let lets_in = match self.method {
            Method::AdminConsent => self.application.approved.load(Ordering::SeqCst),
            _ => {
                let said = self.application.looks.lock().unwrap().pop_front();
                match said {
                    Some(said) => said,
                    None => self.opens(connection).await,
                }
            }
        };
        if lets_in {
            Detection::Granted
        } else {
            Detection::Refused {
                evidence: "AADSTS7000215: invalid client secret".to_owned(),
            }
        }
    }

    async fn verify(
        &self,
        connection: &Connection,
        _: &GrantSpec,
        _: Timestamp,
        _: &dyn CheckSink,
    ) -> Result<Verification, Failure> {
        let by_secret = self.method != Method::AdminConsent;
        let refused = by_secret && !self.opens(connection).await;
        let value = self.value(connection).await;
        let held = self.application.passwords();
        let in_use = held.iter().find(|one| Some(&one.value) == value.as_ref());
        Ok(Verification {
            checks: vec![super::check("azure.token")],
            refused,
            secret: in_use.map(|one| HeldSecret {
                key_id: one.key_id.clone(),
                name: None,
                created_at: None,
                expires_at: one.expires_at,
                in_use: true,
            }),
            can_rotate: self.application.may_rotate.load(Ordering::SeqCst),
            ..Verification::default()
        })
    }

    async fn regions(&self, _: &Connection) -> Result<Vec<Region>, Failure> {
        Ok(vec![])
    }

    async fn provisioner(&self, _: &Connection, _: &str) -> Result<Arc<dyn Driver>, Failure> {
        Err(Failure::new(FailureKind::Invalid, "NotYet", "no driver"))
    }

    async fn reaper(
        &self,
        _: &Connection,
        _: &Retained,
        _: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        Err(Failure::new(FailureKind::Invalid, "NotYet", "no driver"))
    }
}
