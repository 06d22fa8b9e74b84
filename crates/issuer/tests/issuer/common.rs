use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use landfall_issuer::{IssuerUrl, KeyIssuer, Witness};
use landfall_model::{Clock, Timestamp, entropy::SystemEntropy, store::Store};
use landfall_vault::{Envelope, FileKeys, Missing};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

pub const URL: &str = "https://landfall.example.com/tenants";
pub const SUBJECT: &str = "landfall:org_1:con_1";
pub const AUDIENCE: &str = "sts.amazonaws.com";

/// A clock that stands still until a test moves it.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

pub struct Stage {
    pub clock: Arc<TestClock>,
    pub store: Arc<dyn Store>,
    pub folder: TempDir,
}

impl Stage {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000_000)));
        let store = landfall_store::open("sqlite::memory:", clock.clone())
            .await
            .unwrap();
        Self {
            clock,
            store,
            folder,
        }
    }

    /// An issuer as a server has it that was started just now.
    pub fn issuer(&self) -> KeyIssuer {
        self.watched(Vec::new())
    }

    pub fn watched(&self, witnesses: Vec<Arc<dyn Witness>>) -> KeyIssuer {
        self.with(Some(URL), witnesses)
    }

    pub fn with(&self, url: Option<&str>, witnesses: Vec<Arc<dyn Witness>>) -> KeyIssuer {
        let entropy = Arc::new(SystemEntropy);
        let path = self.folder.path().join("vault.key");
        let missing = Missing::Make(self.store.clone());
        let keys = FileKeys::new(path, missing, self.clock.clone(), entropy.clone());
        KeyIssuer::new(
            self.store.clone(),
            Arc::new(Envelope::new(Arc::new(keys), entropy.clone())),
            self.clock.clone(),
            entropy,
            url.map(|url| IssuerUrl::parse(url).unwrap()),
            witnesses,
        )
    }
}

/// The claims, when `jsonwebtoken` finds the token's key in the set and its
/// signature right. Times are for the test: that library reads the machine's
/// clock.
pub fn verified(token: &str, jwks: &Value) -> Result<Value, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let set: JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let kid = header.kid.ok_or("no kid")?;
    let jwk = set.find(&kid).ok_or("the key is not in the set")?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[URL]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    decode::<Value>(token, &key, &validation)
        .map(|data| data.claims)
        .map_err(|error| error.to_string())
}
