use crate::common::{AUDIENCE, SUBJECT, Stage, verified};
use async_trait::async_trait;
use landfall_issuer::{RotateError, Step, Witness};
use landfall_model::{
    Clock as _,
    issuer::{Assertion, Issuer as _, LIFETIME},
    signing_key::{CACHE_TIME, LEEWAY, SigningKey},
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

fn states(keys: &[SigningKey]) -> Vec<&'static str> {
    keys.iter().map(|key| key.state.as_str()).collect()
}

/// Two rotations, looked at every few minutes, by servers that are killed and
/// started anew between any two looks: whatever is valid then verifies with the
/// key set of that instant and with every one of the cache time before.
#[tokio::test]
async fn at_every_instant_every_valid_assertion_verifies_with_old_and_new_key_sets() {
    let stage = Stage::new().await;
    let mut sets: Vec<(landfall_model::Timestamp, Value)> = Vec::new();
    let mut alive: Vec<Assertion> = Vec::new();
    let mut signers = std::collections::BTreeSet::new();
    let mut rotations = 0;
    let step = 7 * MINUTE;
    let oldest = i64::try_from(CACHE_TIME.as_millis()).unwrap();
    for look in 0..700_u32 {
        // A new process each time: nothing is remembered but what is stored.
        let issuer = stage.issuer();
        let now = stage.clock.now();
        if look % 300 == 5 {
            issuer.rotate().await.unwrap();
            rotations += 1;
        }
        // Another server signed just before this one took a step.
        let early = stage.issuer().assertion(SUBJECT, AUDIENCE).await.unwrap();
        issuer.advance().await.unwrap();
        sets.push((now, issuer.jwks().await.unwrap()));
        sets.retain(|(at, _)| now.millis_since(*at) <= oldest);
        alive.push(early);
        alive.push(issuer.assertion(SUBJECT, AUDIENCE).await.unwrap());
        alive.retain(|one| one.expires_at() > now);
        for one in &alive {
            signers.insert(one.key_id().to_owned());
            // The newest and the oldest bound all between: keys are published
            // once and retired once.
            for (at, set) in [sets.first().unwrap(), sets.last().unwrap()] {
                let found = verified(one.token(), set);
                assert!(found.is_ok(), "look {look}, keys of {at}: {found:?}");
            }
        }
        // Also between two looks, when a token is about to expire.
        stage.clock.advance(step);
    }
    assert_eq!(rotations, 3);
    assert!(signers.len() >= 3, "{signers:?}");
    let keys = stage.store.signing_keys().await.unwrap();
    assert_eq!(states(&keys)[..2], ["retired", "retired"]);
}

#[tokio::test]
async fn a_rotation_takes_each_step_when_it_is_due_and_not_before() {
    let stage = Stage::new().await;
    let issuer = stage.issuer();
    let first = issuer.key_id().await.unwrap();
    // Keys of one instant are in the order of their ids, which are random.
    stage.clock.advance(MINUTE);
    let new = issuer.rotate().await.unwrap();
    let error = stage.issuer().rotate().await.unwrap_err();
    assert!(matches!(error, RotateError::UnderWay { .. }), "{error:?}");
    assert_eq!(issuer.advance().await.unwrap(), []);
    assert_eq!(
        issuer.jwks().await.unwrap()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    stage.clock.advance(CACHE_TIME + LEEWAY - MINUTE);
    assert_eq!(issuer.advance().await.unwrap(), []);
    assert_eq!(issuer.key_id().await.unwrap(), first);
    let last = issuer.assertion(SUBJECT, AUDIENCE).await.unwrap();
    stage.clock.advance(MINUTE);
    let key = new.id.clone();
    assert_eq!(issuer.advance().await.unwrap(), [Step::Activated { key }]);
    assert_eq!(issuer.key_id().await.unwrap(), new.id);
    // What the old one signed is still good, although its private key is gone.
    assert!(verified(last.token(), &issuer.jwks().await.unwrap()).is_ok());
    let keys = stage.store.signing_keys().await.unwrap();
    assert_eq!(states(&keys), ["retiring", "active"]);
    assert!(keys[0].state.private().is_none());

    stage.clock.advance(LIFETIME + LEEWAY);
    assert_eq!(
        issuer.advance().await.unwrap(),
        [Step::Retired { key: first }]
    );
    assert!(verified(last.token(), &issuer.jwks().await.unwrap()).is_err());
    assert_eq!(issuer.advance().await.unwrap(), []);
}

struct Bucket(Mutex<Vec<String>>);

#[async_trait]
impl Witness for Bucket {
    fn name(&self) -> String {
        "the bucket".into()
    }

    async fn sees(&self, key: &SigningKey) -> Result<(), String> {
        let seen = self.0.lock().unwrap();
        seen.contains(&key.id).then_some(()).ok_or("no".into())
    }
}

#[tokio::test]
async fn a_key_does_not_sign_before_every_witness_sees_it() {
    let stage = Stage::new().await;
    let bucket = Arc::new(Bucket(Mutex::default()));
    let issuer = stage.watched(vec![bucket.clone()]);
    let first = issuer.key_id().await.unwrap();
    let new = issuer.rotate().await.unwrap();
    stage.clock.advance(CACHE_TIME + LEEWAY);
    for _ in 0..2 {
        let steps = issuer.advance().await.unwrap();
        let [Step::Waiting { key, unseen }] = steps.as_slice() else {
            panic!("{steps:?}");
        };
        assert_eq!((key, unseen[0].witness.as_str()), (&new.id, "the bucket"));
        assert_eq!(issuer.key_id().await.unwrap(), first);
    }
    bucket.0.lock().unwrap().push(new.id.clone());
    assert_eq!(issuer.advance().await.unwrap().len(), 1);
    assert_eq!(issuer.key_id().await.unwrap(), new.id);
}

/// Servers that look at the same instant take each step once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_advance_together_take_a_step_once() {
    let stage = Stage::new().await;
    stage.issuer().keys().await.unwrap();
    stage.clock.advance(MINUTE);
    stage.issuer().rotate().await.unwrap();
    stage.clock.advance(CACHE_TIME + LEEWAY);
    let tasks = (0..4).map(|_| {
        let issuer = stage.issuer();
        tokio::spawn(async move { issuer.advance().await.unwrap().len() })
    });
    let mut taken = 0;
    for task in tasks.collect::<Vec<_>>() {
        taken += task.await.unwrap();
    }
    assert_eq!(taken, 1);
    let keys = stage.store.signing_keys().await.unwrap();
    assert_eq!(states(&keys), ["retiring", "active"]);
}
