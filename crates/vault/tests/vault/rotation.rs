use crate::common::{CANARY, Still, canary, file_keys, said, vault_in};
use async_trait::async_trait;
use landfall_model::{
    Clock as _,
    entropy::SystemEntropy,
    id::{OrganizationId, SecretId},
    organization::Organization,
    secret::{Purpose, Secret, record},
    signing_key::{SigningKey, State},
    store::{Store, Write},
    vault::{KeyVersion, Sealed, Vault, VaultError},
};
use landfall_vault::{
    Envelope, FileKeys, MasterKeys, Missing, RotateError, check, holds_secrets,
    keys::{DataKey, Wrapped},
    rotate, show,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// A database with secrets of two organizations and a signing key.
struct Stage {
    store: Arc<dyn Store>,
    organizations: Vec<OrganizationId>,
}

const SECRETS: usize = 7;

async fn empty() -> Arc<dyn Store> {
    let store = landfall_store::open("sqlite::memory:", Arc::new(Still));
    store.await.unwrap()
}

async fn stage(vault: &Envelope) -> Stage {
    stage_on(empty().await, vault).await
}

async fn stage_on(store: Arc<dyn Store>, vault: &Envelope) -> Stage {
    let mut organizations = Vec::new();
    for name in ["Acme", "Other"] {
        let organization = Organization {
            id: OrganizationId::generate(&Still, &SystemEntropy),
            name: name.into(),
            created_at: Still.now(),
        };
        organizations.push(organization.id.clone());
        let write = Write::InsertOrganization(organization);
        store.commit(vec![write]).await.unwrap();
    }
    for number in 0..SECRETS {
        let organization = &organizations[number % 2];
        let id = SecretId::generate(&Still, &SystemEntropy);
        let purpose = Purpose::AzureClientSecret;
        let name = record(organization, &id, purpose);
        let secret = Secret {
            id,
            organization_id: organization.clone(),
            connection_id: None,
            purpose,
            sealed: vault.seal(&name, &canary()).await.unwrap(),
            expires_at: None,
            created_at: Still.now(),
            version: 1,
        };
        store.commit(vec![Write::PutSecret(secret)]).await.unwrap();
    }
    let private = vault
        .seal(&SigningKey::record("kid"), &canary())
        .await
        .unwrap();
    let key = SigningKey {
        id: "kid".into(),
        state: State::Published {
            since: Still.now(),
            private,
        },
        public_jwk: serde_json::json!({}),
        created_at: Still.now(),
        version: 1,
    };
    store.commit(vec![Write::PutSigningKey(key)]).await.unwrap();
    Stage {
        store,
        organizations,
    }
}

impl Stage {
    async fn secrets(&self) -> Vec<Secret> {
        let mut all = Vec::new();
        for organization in &self.organizations {
            all.extend(self.store.secrets(organization).await.unwrap());
        }
        all
    }

    /// A secret over which another one was copied.
    async fn damaged(&self) -> Secret {
        let mut all = self.secrets().await;
        let (stolen, mut victim) = (all.remove(0), all.remove(0));
        victim.sealed = stolen.sealed;
        victim.version += 1;
        let write = Write::PutSecret(victim.clone());
        self.store.commit(vec![write]).await.unwrap();
        victim
    }

    /// Opens everything, with whatever keys are on the disk now, and says under
    /// which versions it was.
    async fn opens(&self, vault: &Envelope) -> Vec<u32> {
        let mut versions = Vec::new();
        for secret in self.secrets().await {
            let opened = vault.open(&secret.record(), &secret.sealed).await.unwrap();
            assert_eq!(opened.expose_text().unwrap(), CANARY);
            versions.push(secret.sealed.key_version());
        }
        assert_eq!(versions.len(), SECRETS);
        for key in self.store.signing_keys().await.unwrap() {
            let private = key.state.private().unwrap();
            let record = SigningKey::record(&key.id);
            assert_eq!(vault.open(&record, private).await.unwrap(), canary());
            versions.push(private.key_version());
        }
        versions
    }
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let stage = stage(&vault).await;
    let mut seen = Vec::new();
    let rotated = rotate(&*stage.store, &vault, 3, &mut |progress| {
        seen.push(progress)
    })
    .await
    .unwrap();
    assert_eq!((rotated.version, rotated.resumed), (2, false));
    assert_eq!(rotated.resealed, 8);
    assert_eq!(stage.opens(&vault).await, [2; 8]);
    assert!(seen.iter().all(|one| one.total == 8), "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0].done < pair[1].done));
    assert_eq!(seen.last().unwrap().done, 8);

    let shown = show(&*stage.store, vault.keys()).await.unwrap();
    let uses: Vec<_> = shown
        .versions
        .iter()
        .map(|one| (one.version, one.current, one.secrets, one.signing_keys))
        .collect();
    assert_eq!(uses, [(1, false, 0, 0), (2, true, 7, 1)]);

    // And once more.
    let rotated = rotate(&*stage.store, &vault, 100, &mut |_| {})
        .await
        .unwrap();
    assert_eq!((rotated.version, rotated.resumed), (3, false));
    assert_eq!(stage.opens(&vault).await, [3; 8]);
}

/// Keys that stop answering after some questions: as near to a killed process
/// as one process gets, at every question that a rotation asks.
struct Dying {
    keys: FileKeys,
    left: AtomicI64,
}

impl Dying {
    fn ask(&self) -> Result<(), VaultError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        Err(VaultError::Keys {
            operation: "go on living",
            source: "killed".into(),
        })
    }
}

#[async_trait]
impl MasterKeys for Dying {
    fn describe(&self) -> String {
        self.keys.describe()
    }

    async fn current(&self) -> Result<u32, VaultError> {
        self.ask()?;
        self.keys.current().await
    }

    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError> {
        self.keys.versions().await
    }

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError> {
        self.ask()?;
        self.keys.wrap(record, data_key).await
    }

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        self.ask()?;
        self.keys.unwrap(version, record, wrapped).await
    }

    /// Half of the time it dies after the key was added and before it says so.
    async fn add(&self) -> Result<Option<u32>, VaultError> {
        self.ask()?;
        let added = self.keys.add().await;
        self.ask()?;
        added
    }

    fn how_to_add(&self) -> String {
        self.keys.how_to_add()
    }
}

fn dying(folder: &Path, after: i64) -> Envelope {
    let keys = Dying {
        keys: file_keys(&folder.join("vault.key"), Missing::Refuse),
        left: AtomicI64::new(after),
    };
    Envelope::new(Arc::new(keys), Arc::new(SystemEntropy))
}

#[tokio::test]
async fn a_rotation_killed_anywhere_leaves_everything_readable_and_is_resumed() {
    let mut interrupted = 0;
    let mut resumed = 0;
    for after in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault_in(folder.path()).await;
        let stage = stage(&vault).await;
        let outcome = rotate(&*stage.store, &dying(folder.path(), after), 2, &mut |_| {}).await;
        stage.opens(&vault).await;
        if outcome.is_ok() {
            break;
        }
        interrupted += 1;
        let again = rotate(&*stage.store, &vault, 2, &mut |_| {}).await.unwrap();
        resumed += u32::from(again.resumed);
        assert_eq!(again.version, 2, "killed after {after}: no third key");
        assert_eq!(stage.opens(&vault).await, [2; 8]);
    }
    assert!(interrupted >= 20, "only {interrupted} places");
    assert!(resumed > 15, "only {resumed} resumed");
}

#[tokio::test]
async fn what_a_server_seals_meanwhile_is_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let stage = stage(&vault).await;
    let changed = stage.secrets().await.remove(3);
    let store = stage.store.clone();
    let late = vault.seal(&changed.record(), &canary()).await.unwrap();
    let mut once = Some((late, changed));
    // In the middle of the rotation, what was sealed with the older key before
    // it is written.
    let mut writes = Vec::new();
    let rotated = rotate(&*stage.store, &vault, 1, &mut |_| {
        if let Some((sealed, secret)) = once.take() {
            let store = store.clone();
            writes.push(tokio::spawn(async move {
                let version = secret.version + 1;
                let write = Secret {
                    sealed,
                    version,
                    ..secret
                };
                // Refused when the rotation was there first: then it is under
                // the new key already.
                let _ = store.commit(vec![Write::PutSecret(write)]).await;
            }));
        }
    })
    .await
    .unwrap();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(rotated.version, 2);
    stage.opens(&vault).await;
}

#[tokio::test]
async fn one_damaged_record_does_not_keep_the_others_under_the_old_key() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let stage = stage(&vault).await;
    let victim = stage.damaged().await;
    for expected in [2, 3] {
        let rotated = rotate(&*stage.store, &vault, 2, &mut |_| {}).await.unwrap();
        assert_eq!((rotated.version, rotated.resumed), (expected, false));
        assert_eq!(rotated.resealed, 7);
        assert_eq!(rotated.unreadable, [victim.record()]);
        // Alone under its version now, and no reason not to serve the others.
        let found = check(&*stage.store, &vault).await.unwrap();
        assert_eq!(found, [victim.record()]);
    }
    let shown = show(&*stage.store, vault.keys()).await.unwrap();
    let left: Vec<u64> = shown.versions.iter().map(|one| one.secrets).collect();
    assert_eq!(left, [1, 0, 6]);
}

/// Under the newest version it cannot be told from a wrong key, until a rotation
/// puts others beside it.
#[tokio::test]
async fn a_rotation_repairs_where_nothing_under_the_newest_key_opens() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let stage = stage(&vault).await;
    vault.keys().add().await.unwrap();
    let mut victim = stage.secrets().await.remove(0);
    victim.sealed = vault.seal("another record", &canary()).await.unwrap();
    victim.version += 1;
    let write = Write::PutSecret(victim.clone());
    stage.store.commit(vec![write]).await.unwrap();
    assert!(check(&*stage.store, &vault).await.is_err());

    let rotated = rotate(&*stage.store, &vault, 2, &mut |_| {}).await.unwrap();
    assert_eq!((rotated.version, rotated.resumed), (2, true));
    check(&*stage.store, &vault).await.unwrap();
}

#[tokio::test]
async fn no_key_is_added_to_the_keys_of_another_installation() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&vault_in(folder.path()).await).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let wrong = vault_in(elsewhere.path()).await;
    wrong.seal("theirs", &canary()).await.unwrap();
    let error = check(&*stage.store, &wrong).await.unwrap_err();
    assert!(error.to_string().contains("does not open"), "{error:?}");
    let error = rotate(&*stage.store, &wrong, 2, &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(error, RotateError::NothingOpens { .. }),
        "{error:?}"
    );
    assert_eq!(wrong.keys().versions().await.unwrap().len(), 1);
}

/// Two servers that start together on an empty database, each with a key file of
/// its own.
#[tokio::test]
async fn a_second_server_makes_no_key_beside_what_the_first_sealed() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = empty().await;
    let server = |folder: &Path| {
        let keys = file_keys(&folder.join("vault.key"), Missing::Make(store.clone()));
        Envelope::new(Arc::new(keys), Arc::new(SystemEntropy))
    };
    let (first, second) = (server(here.path()), server(there.path()));
    let stage = stage_on(store.clone(), &first).await;
    let error = second.seal("record", &canary()).await.unwrap_err();
    assert!(matches!(error, VaultError::NoKey { .. }), "{error:?}");
    assert!(!there.path().join("vault.key").exists());
    assert_eq!(stage.opens(&first).await, [1; 8]);
}

/// A key service that counts what it is asked.
struct Service {
    keys: FileKeys,
    /// What it describes as the newest, whatever it wraps with.
    says: Option<u32>,
    described: AtomicI64,
    wrapped: AtomicI64,
}

fn service(folder: &Path, says: Option<u32>) -> Arc<Service> {
    Arc::new(Service {
        keys: file_keys(&folder.join("vault.key"), Missing::Refuse),
        says,
        described: AtomicI64::new(0),
        wrapped: AtomicI64::new(0),
    })
}

#[async_trait]
impl MasterKeys for Service {
    fn describe(&self) -> String {
        "a service".into()
    }

    async fn current(&self) -> Result<u32, VaultError> {
        self.described.fetch_add(1, Ordering::SeqCst);
        match self.says {
            Some(version) => Ok(version),
            None => self.keys.current().await,
        }
    }

    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError> {
        self.keys.versions().await
    }

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError> {
        let before = self.wrapped.fetch_add(1, Ordering::SeqCst);
        assert!(before < 100, "it goes round for ever");
        self.keys.wrap(record, data_key).await
    }

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        self.keys.unwrap(version, record, wrapped).await
    }

    async fn add(&self) -> Result<Option<u32>, VaultError> {
        self.keys.add().await
    }

    fn how_to_add(&self) -> String {
        self.keys.how_to_add()
    }
}

#[tokio::test]
async fn a_service_that_wraps_with_an_older_key_than_it_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&vault_in(folder.path()).await).await;
    let vault = Envelope::new(service(folder.path(), Some(2)), Arc::new(SystemEntropy));
    let error = rotate(&*stage.store, &vault, 3, &mut |_| {})
        .await
        .unwrap_err();
    let RotateError::Vault(error) = error else {
        panic!("{error:?}");
    };
    let said = said(&error);
    assert!(said.contains("newest version is 2"), "{said}");
    assert_eq!(stage.opens(&vault).await, [1; 8]);
}

/// Each question may be a process or a request across a network.
#[tokio::test]
async fn a_rotation_asks_for_the_newest_version_once() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&vault_in(folder.path()).await).await;
    let service = service(folder.path(), None);
    let vault = Envelope::new(service.clone(), Arc::new(SystemEntropy));
    rotate(&*stage.store, &vault, 3, &mut |_| {}).await.unwrap();
    assert_eq!(service.described.load(Ordering::SeqCst), 1);
    assert_eq!(service.wrapped.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn a_source_that_cannot_add_a_key_says_how() {
    let store = empty().await;
    let value = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let keys =
        landfall_vault::EnvKeys::holding("KEYS", Some(value.into()), Arc::new(SystemEntropy));
    let vault = Envelope::new(Arc::new(keys.unwrap()), Arc::new(SystemEntropy));
    let error = rotate(&*store, &vault, 2, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, RotateError::AddByHand { .. }), "{error:?}");
    assert!(error.to_string().contains("KEYS"));
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_found_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let empty = empty().await;
    assert!(!holds_secrets(&*empty).await.unwrap());
    check(&*empty, &vault).await.unwrap();

    let stage = stage(&vault).await;
    assert!(holds_secrets(&*stage.store).await.unwrap());
    check(&*stage.store, &vault).await.unwrap();
    rotate(&*stage.store, &vault, 2, &mut |_| {}).await.unwrap();
    check(&*stage.store, &vault).await.unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    assert!(
        check(&*stage.store, &vault_in(elsewhere.path()).await)
            .await
            .is_err()
    );
    let lost = file_keys(&elsewhere.path().join("none"), Missing::Refuse);
    let lost = Envelope::new(Arc::new(lost), Arc::new(SystemEntropy));
    assert!(check(&*stage.store, &lost).await.is_err());

    // Not only a wrong ring: a secret in the clear cannot even be represented.
    assert!(Sealed::parse(CANARY).is_err());
}
