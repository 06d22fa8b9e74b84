//! Keys that customers upload: a new one does not sign before they did.

use crate::common::Stage;
use landfall_issuer::{KeyIssuer, Step, Uploaded};
use landfall_model::{
    Clock as _,
    check::{CheckRun, Outcome},
    connection::{Connection, State},
    entropy::SystemEntropy,
    id::{CheckRunId, ConnectionId, OrganizationId},
    issuer::Issuer as _,
    organization::Organization,
    signing_key::{CACHE_TIME, LEEWAY},
    store::Write,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

struct Customers {
    stage: Stage,
    organization: OrganizationId,
}

impl Customers {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let now = stage.clock.now();
        let organization = OrganizationId::at(now, &SystemEntropy);
        let put = Write::InsertOrganization(Organization {
            id: organization.clone(),
            name: "Acme".into(),
            created_at: now,
        });
        stage.store.commit(vec![put]).await.unwrap();
        Self {
            stage,
            organization,
        }
    }

    fn issuer(&self) -> KeyIssuer {
        let witness = Uploaded::new(self.stage.store.clone());
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

    /// What a verification found of the provider's keys.
    async fn found(&self, connection: &Connection, outcome: Outcome) {
        let now = self.stage.clock.now();
        let run: CheckRun = serde_json::from_value(json!({
            "id": CheckRunId::at(now, &SystemEntropy),
            "organization_id": self.organization, "connection_id": connection.id,
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
    async fn waits(&self) -> Option<String> {
        let steps = self.issuer().advance().await.unwrap();
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

#[tokio::test]
async fn a_key_does_not_sign_before_every_provider_in_use_has_it() {
    let customers = Customers::new().await;
    let issuer = customers.issuer();
    let first = issuer.key_id().await.unwrap();
    let shop = customers.connected("shop", google("acme-shop")).await;
    let blog = customers.connected("blog", google("acme-blog")).await;
    let gone = customers.connected("gone", google("acme-gone")).await;
    customers
        .connected(
            "aws",
            json!({ "cloud": "aws", "account_id": "123456789012", "partition": "aws",
                "method": "oidc" }),
        )
        .await;
    for connection in [&shop, &blog, &gone] {
        customers.found(connection, Outcome::Pass).await;
    }
    customers.stage.clock.advance(Duration::from_secs(60));
    let new = issuer.rotate().await.unwrap();
    customers.stage.clock.advance(CACHE_TIME + LEEWAY);

    // What was found before the key was there says nothing of it.
    let waits = customers.waits().await.unwrap();
    for name in ["shop", "blog", "gone"] {
        assert!(waits.contains(name), "{waits}");
    }
    customers.found(&shop, Outcome::Pass).await;
    customers.found(&blog, Outcome::Warn).await;
    let since = customers.stage.clock.now();
    let reason = "taken back".to_owned();
    customers
        .put(Connection {
            state: State::Revoked { since, reason },
            version: 2,
            ..gone
        })
        .await;
    let waits = customers.waits().await.unwrap();
    assert!(waits.ends_with(": blog"), "{waits}");
    assert_eq!(issuer.key_id().await.unwrap(), first);
    assert_eq!(issuer.unseen(&new).await.len(), 1);

    customers.stage.clock.advance(Duration::from_secs(60));
    customers.found(&blog, Outcome::Pass).await;
    assert_eq!(customers.waits().await, None);
    assert_eq!(issuer.key_id().await.unwrap(), new.id);
}

#[tokio::test]
async fn many_are_counted_and_a_few_are_named() {
    let customers = Customers::new().await;
    let issuer = customers.issuer();
    issuer.key_id().await.unwrap();
    for number in 0..5 {
        let name = format!("shop-{number}");
        customers
            .connected(&name, google(&format!("acme-{name}")))
            .await;
    }
    let new = issuer.rotate().await.unwrap();
    let unseen = issuer.unseen(&new).await;
    assert!(unseen[0].evidence.ends_with("and 2 more"), "{unseen:?}");
}
