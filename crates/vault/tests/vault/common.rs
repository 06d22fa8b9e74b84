use landfall_model::{
    Clock, Timestamp,
    entropy::SystemEntropy,
    vault::{Plain, VaultError},
};
use landfall_vault::{Envelope, FileKeys, Missing};
use std::{path::Path, sync::Arc, time::Duration};

pub const CANARY: &str = "canary-5d1c8e-do-not-show";

pub struct Still;

#[async_trait::async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    async fn sleep(&self, _: Duration) {}
}

pub fn file_keys(path: &Path, missing: Missing) -> FileKeys {
    FileKeys::new(
        path.to_owned(),
        missing,
        Arc::new(Still),
        Arc::new(SystemEntropy),
    )
}

/// A missing key file may be made: no database needs it.
pub async fn make() -> Missing {
    let store = landfall_store::open("sqlite::memory:", Arc::new(Still));
    Missing::Make(store.await.unwrap())
}

pub async fn vault_in(folder: &Path) -> Envelope {
    let keys = file_keys(&folder.join("vault.key"), make().await);
    Envelope::new(Arc::new(keys), Arc::new(SystemEntropy))
}

pub fn canary() -> Plain {
    Plain::from(CANARY.to_owned())
}

/// An error with all its causes, as a log would show it.
pub fn said(error: &VaultError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error} {error:?}"));
        cause = error.source();
    }
    text
}
