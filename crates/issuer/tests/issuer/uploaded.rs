//! Keys that customers upload: a new one does not sign before they did.

use crate::common::{AUDIENCE, SUBJECT, Stage};
use landfall_issuer::{KeyIssuer, RotateError, Step, Uploaded, Uploads};
use landfall_model::{
    Clock as _, Timestamp,
    check::{CheckRun, Outcome},
    connection::{Connection, State},
    entropy::SystemEntropy,
    id::{CheckRunId, ConnectionId, OrganizationId},
    issuer::Issuer as _,
    organization::Organization,
    signing_key::{CACHE_TIME, LEEWAY, State as SigningState},
    store::Write,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

/// Those of one organization.
struct Customers {
    stage: Arc<Stage>,
    organization: OrganizationId,
}

impl Customers {
    async fn new() -> Self {
        Self::named("Acme", Arc::new(Stage::new().await)).await
    }

    async fn of_another_organization(&self) -> Self {
        Self::named("Other", self.stage.clone()).await
    }

    async fn named(name: &str, stage: Arc<Stage>) -> Self {
        let now = stage.clock.now();
        let organization = OrganizationId::at(now, &SystemEntropy);
        let put = Write::InsertOrganization(Organization {
            id: organization.clone(),
            name: name.to_owned(),
            created_at: now,
        });
        stage.store.commit(vec![put]).await.unwrap();
        Self {
            stage,
            organization,
        }
    }

    fn pass(&self, time: Duration) {
        self.stage.clock.advance(time);
    }

    fn issuer(&self, uploads: Uploads) -> KeyIssuer {
        let witness = Uploaded::new(self.stage.store.clone(), uploads);
        self.stage.watched(vec![Arc::new(witness)])
    }

    async fn connected(&self, name: &str, target: Value) -> Connection {
        let now = self.stage.clock.now();
        let id = ConnectionId::at(now, &SystemEntropy);
        let mut fields = json!({
            "id": id, "organization_id": self.organization, "name": name,
            "external_id": id, "regions": [], "with_reaper": true,
            "state": { "status": "connected", "since": now },
            "created_at": now, "updated_at": now, "version": 1,
        });
        let all = fields.as_object_mut().unwrap();
        all.extend(target.as_object().unwrap().clone());
        let connection: Connection = serde_json::from_value(fields).unwrap();
        self.put(connection.clone()).await;
        connection
    }

    async fn put(&self, connection: Connection) {
        let put = Write::PutConnection(connection);
        self.stage.store.commit(vec![put]).await.unwrap();
    }

    async fn becomes(&self, connection: &Connection, state: State) {
        self.put(Connection {
            state,
            version: connection.version + 1,
            ..connection.clone()
        })
        .await;
    }

    /// What a verification found of the provider's keys.
    async fn found(&self, connection: &Connection, outcome: Outcome) {
        let now = self.stage.clock.now();
        let run: CheckRun = serde_json::from_value(json!({
            "id": CheckRunId::at(now, &SystemEntropy),
            "organization_id": connection.organization_id, "connection_id": connection.id,
            "trigger": "schedule", "started_at": now, "finished_at": now,
            "checks": [{
                "id": "gcp.provider-keys", "title": "", "outcome": outcome,
                "asked": "", "evidence": "", "remedy": "", "millis": 1,
            }],
        }))
        .unwrap();
        let insert = Write::InsertCheckRun(run);
        self.stage.store.commit(vec![insert]).await.unwrap();
    }

    /// Why the new key does not sign; nothing once it does.
    async fn waits(&self, uploads: Uploads) -> Option<String> {
        let steps = self.issuer(uploads).advance().await.unwrap();
        match steps.as_slice() {
            [Step::Waiting { unseen, .. }] => Some(unseen[0].evidence.clone()),
            [Step::Activated { .. }] => None,
            other => panic!("{other:?}"),
        }
    }
}

fn google(project: &str) -> Value {
    json!({
        "cloud": "gcp", "method": "workload-identity", "project_id": project,
        "project_number": "123456789",
    })
}

fn degraded(since: Timestamp) -> State {
    State::Degraded {
        since,
        failed_checks: vec!["gcp.billing-attached".into()],
    }
}

#[tokio::test]
async fn a_key_does_not_sign_before_every_provider_in_use_has_it() {
    let customers = Customers::new().await;
    let issuer = customers.issuer(Uploads::Required);
    let first = issuer.key_id().await.unwrap();
    let shop = customers.connected("shop", google("acme-shop")).await;
    let blog = customers.connected("blog", google("acme-blog")).await;
    let gone = customers.connected("gone", google("acme-gone")).await;
    let other = customers.of_another_organization().await;
    let wiki = other.connected("wiki", google("other-wiki")).await;
    let by_oidc = json!({
        "cloud": "aws", "account_id": "123456789012", "partition": "aws", "method": "oidc",
    });
    customers.connected("aws", by_oidc).await;
    for connection in [&shop, &blog, &gone, &wiki] {
        customers.found(connection, Outcome::Pass).await;
    }
    customers.pass(MINUTE);
    let new = issuer.rotate().await.unwrap();
    // Too early to be of the new key for certain.
    customers.found(&shop, Outcome::Pass).await;
    customers.pass(CACHE_TIME + LEEWAY);

    let waits = customers.waits(Uploads::Required).await.unwrap();
    for name in ["Acme/shop", "Acme/blog", "Acme/gone", "Other/wiki"] {
        assert!(waits.contains(name), "{waits}");
    }
    assert!(!waits.contains("aws"), "{waits}");
    customers.found(&shop, Outcome::Pass).await;
    customers.found(&blog, Outcome::Warn).await;
    customers.found(&wiki, Outcome::Pass).await;
    let since = customers.stage.clock.now();
    let reason = "taken back".to_owned();
    customers
        .becomes(&gone, State::Revoked { since, reason })
        .await;
    customers.becomes(&blog, degraded(since)).await;
    let waits = customers.waits(Uploads::Required).await.unwrap();
    assert!(
        waits.ends_with(&format!(": Acme/blog ({})", blog.id)),
        "{waits}"
    );
    assert_eq!(issuer.key_id().await.unwrap(), first);
    assert_eq!(issuer.unseen(&new).await.len(), 1);

    customers.pass(MINUTE);
    customers.found(&blog, Outcome::Pass).await;
    assert_eq!(customers.waits(Uploads::Required).await, None);
    assert_eq!(issuer.key_id().await.unwrap(), new.id);
}

/// Google fetches the keys now, but not for the one who uploaded them once.
#[tokio::test]
async fn keys_that_were_left_in_a_provider_are_waited_for() {
    let customers = Customers::new().await;
    let issuer = customers.issuer(Uploads::LeftOver);
    issuer.key_id().await.unwrap();
    customers
        .connected("never looked at", google("acme-new"))
        .await;
    let shop = customers.connected("shop", google("acme-shop")).await;
    customers.pass(MINUTE);
    issuer.rotate().await.unwrap();
    customers.pass(CACHE_TIME + LEEWAY);
    customers.found(&shop, Outcome::Warn).await;
    let waits = customers.waits(Uploads::LeftOver).await.unwrap();
    assert!(
        waits.contains("shop") && !waits.contains("never"),
        "{waits}"
    );
    customers.pass(MINUTE);
    customers.found(&shop, Outcome::Pass).await;
    assert_eq!(customers.waits(Uploads::LeftOver).await, None);
}

#[tokio::test]
async fn an_operator_need_not_wait_for_customers_but_for_the_clouds() {
    let customers = Customers::new().await;
    let issuer = customers.issuer(Uploads::Required);
    let none = issuer.stop_waiting().await.unwrap_err();
    assert!(matches!(none, RotateError::NoneUnderWay), "{none:?}");
    issuer.key_id().await.unwrap();
    customers.connected("shop", google("acme-shop")).await;
    customers.pass(MINUTE);
    let new = issuer.rotate().await.unwrap();
    let early = issuer.stop_waiting().await.unwrap_err();
    assert!(matches!(early, RotateError::UnderWay { .. }), "{early:?}");
    customers.pass(CACHE_TIME + LEEWAY);
    assert!(customers.waits(Uploads::Required).await.is_some());
    assert_eq!(issuer.stop_waiting().await.unwrap().id, new.id);
    assert_eq!(issuer.key_id().await.unwrap(), new.id);
}

/// Nobody can be asked anything with a key that does not open, so nobody could
/// ever be seen to have the new one.
#[tokio::test]
async fn a_new_key_does_not_wait_when_the_old_one_cannot_sign() {
    let customers = Customers::new().await;
    let issuer = customers.issuer(Uploads::Required);
    let first = issuer.key_id().await.unwrap();
    customers.connected("shop", google("acme-shop")).await;
    customers.pass(MINUTE);
    let new = issuer.rotate().await.unwrap();
    customers.pass(CACHE_TIME + LEEWAY);
    assert!(customers.waits(Uploads::Required).await.is_some());

    let keys = customers.stage.store.signing_keys().await.unwrap();
    let mut active = keys.into_iter().find(|key| key.id == first).unwrap();
    let (SigningState::Active { private, .. }, later) = (&mut active.state, &new.state) else {
        panic!("{:?}", active.state);
    };
    // Sealed for another record: the vault refuses it.
    *private = later.private().unwrap().clone();
    active.version += 1;
    let put = Write::PutSigningKey(active);
    customers.stage.store.commit(vec![put]).await.unwrap();
    assert_eq!(customers.waits(Uploads::Required).await, None);
    let signs = customers.issuer(Uploads::Required);
    assert_eq!(signs.key_id().await.unwrap(), new.id);
    signs.assertion(SUBJECT, AUDIENCE).await.unwrap();
}

#[tokio::test]
async fn many_are_counted_and_some_are_named() {
    let customers = Customers::new().await;
    let issuer = customers.issuer(Uploads::Required);
    issuer.key_id().await.unwrap();
    for number in 0..22 {
        let name = format!("shop-{number}");
        let target = google(&format!("acme-{name}"));
        customers.connected(&name, target).await;
    }
    let new = issuer.rotate().await.unwrap();
    let unseen = issuer.unseen(&new).await;
    assert!(unseen[0].evidence.ends_with("and 2 more"), "{unseen:?}");
}
