//! Secrets that customers entrust: sealed, never shown, replaced without an
//! outage.

use crate::common::{
    self, Swift, Tenant,
    entra::{Application, Entra, Fate, Kept, Mortal},
    eventually, vault,
};
use landfall_app::{
    App, Parts, Settings, audit,
    connections::{self, New, Rotate},
    worker,
};
use landfall_model::{
    Clock, Code, Timestamp,
    connection::{Connection, Method, RotationStep, State},
    connector::Connector,
    store::Store,
    vault::Plain,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

pub(super) const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub(super) const SUBSCRIPTION: &str = "22222222-2222-4222-8222-222222222222";
const CLIENT: &str = "33333333-3333-4333-8333-333333333333";
const CANARY: &str = "canary8Q~0123456789012345678901234567890";
const DAY: i64 = 24 * 3600 * 1000;

/// What outlives a process.
pub(super) struct Stage {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<Swift>,
    pub(super) application: Arc<Application>,
}

/// A process.
pub(super) struct Process {
    pub(super) app: Arc<App>,
    fate: Arc<Fate>,
    shutdown: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(Swift::default());
        let store = landfall_store::open("sqlite::memory:", clock.clone())
            .await
            .unwrap();
        Self {
            store,
            clock,
            application: Arc::default(),
        }
    }

    pub(super) fn start(&self, fate: Arc<Fate>) -> Process {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let vault = vault(&self.store, &clock);
        let store: Arc<dyn Store> = Arc::new(Mortal {
            inner: self.store.clone(),
            fate: fate.clone(),
        });
        let connector = |method| {
            Arc::new(Entra {
                method,
                application: self.application.clone(),
                secrets: Arc::new(Kept {
                    store: self.store.clone(),
                    vault: vault.clone(),
                }),
                clock: clock.clone(),
                fate: fate.clone(),
            })
        };
        let mut settings = Settings::default();
        settings.worker.poll = Duration::from_millis(1);
        // This is not about heartbeats.
        settings.engine.lease.length = Duration::from_secs(24 * 3600);
        let connectors: Vec<Arc<dyn Connector>> = vec![
            connector(Method::ClientSecret),
            connector(Method::AdminConsent),
            connector(Method::ServiceAccountKey),
        ];
        let app = App::new(Parts {
            store,
            vault: vault.clone(),
            clock,
            entropy: Arc::new(common::Seeded::default()),
            connectors,
            settings,
        });
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(worker::run(app.clone(), shutdown.clone()));
        Process {
            app,
            fate,
            shutdown,
            worker,
        }
    }

    fn in_days(&self, days: i64) -> Timestamp {
        self.clock.now().plus_millis(days * DAY)
    }
}

impl Process {
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.worker.await.unwrap();
    }

    pub(super) async fn show(&self, tenant: &Tenant, connection: &Connection) -> Connection {
        connections::show(&self.app, &tenant.admin.actor, &connection.id)
            .await
            .unwrap()
            .connection
    }
}

pub(super) fn by_secret(secret: &str) -> New {
    New {
        name: "azure".to_owned(),
        cloud: Some("azure".to_owned()),
        method: Some("client-secret".to_owned()),
        tenant_id: Some(TENANT.to_owned()),
        subscription_id: Some(SUBSCRIPTION.to_owned()),
        client_id: Some(CLIENT.to_owned()),
        client_secret: Some(Plain::from(secret.to_owned())),
        ..New::default()
    }
}

async fn connected(process: &Process, tenant: &Tenant) -> Connection {
    connected_by(process, tenant, by_secret(CANARY)).await
}

pub(super) async fn connected_by(process: &Process, tenant: &Tenant, new: New) -> Connection {
    let created = connections::create(&process.app, &tenant.admin.actor, new)
        .await
        .unwrap();
    eventually("connected", async || {
        let shown = process.show(tenant, &created.connection).await;
        matches!(shown.state, State::Connected { .. })
    })
    .await;
    process.show(tenant, &created.connection).await
}

#[tokio::test]
async fn a_secret_is_sealed_and_shown_to_nobody() {
    let stage = Stage::new().await;
    stage.application.add(CANARY, Some(stage.in_days(300)));
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let connection = connected(&process, &tenant).await;

    let sealed = stage.store.secrets(actor.organization_id()).await.unwrap();
    assert_eq!(sealed.len(), 1);
    assert_eq!(sealed[0].connection_id.as_ref(), Some(&connection.id));
    let audit = audit::list(&process.app, actor, Some(0), Some(500)).await;
    let view = connections::show(&process.app, actor, &connection.id).await;
    for text in [
        serde_json::to_string(&sealed).unwrap(),
        serde_json::to_string(&audit.unwrap()).unwrap(),
        serde_json::to_string(&view.unwrap()).unwrap(),
        format!("{:?}", by_secret(CANARY)),
        serde_json::to_string(&by_secret(CANARY)).unwrap(),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
    // The end was read in the cloud, and the key's id with it.
    assert!(connection.target.secret_expires_at().is_some());
    assert!(connection.target.secret_key_id().is_some());

    connections::disconnect(&process.app, actor, &connection.id)
        .await
        .unwrap();
    let sealed = stage.store.secrets(actor.organization_id()).await.unwrap();
    assert!(sealed.is_empty(), "{sealed:?}");
    process.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused_by_field_and_nothing_is_stored() {
    let stage = Stage::new().await;
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let with = |change: fn(&mut New)| {
        let mut new = by_secret(CANARY);
        change(&mut new);
        new
    };
    let secret = |text: &str| {
        let mut new = by_secret(CANARY);
        new.client_secret = Some(Plain::from(text.to_owned()));
        new
    };
    let malformed = Code::ConnectionSecretMalformed;
    let rows = [
        (
            with(|new| new.client_secret = None),
            malformed,
            "client_secret",
            "is missing",
        ),
        (secret(""), malformed, "client_secret", "empty"),
        (
            secret(CLIENT),
            malformed,
            "client_secret",
            "the secret's id, not its value",
        ),
        (
            secret("abc8Q~ 012345678901234567890"),
            malformed,
            "client_secret",
            "space",
        ),
        (secret("short"), malformed, "client_secret", "short"),
        (
            secret(&"x".repeat(300)),
            malformed,
            "client_secret",
            "too long",
        ),
        (
            with(|new| new.secret_expires_at = Some("next year".to_owned())),
            malformed,
            "secret_expires_at",
            "neither a day",
        ),
        (
            with(|new| new.secret_expires_at = Some("2025-01-01".to_owned())),
            malformed,
            "secret_expires_at",
            "is over",
        ),
        (
            with(|new| new.client_id = None),
            Code::ConnectionAccountMalformed,
            "client_id",
            "",
        ),
        (
            with(|new| new.method = Some("admin-consent".to_owned())),
            Code::RequestMalformed,
            "client_secret",
            "does not belong to this method",
        ),
        (
            with(|new| new.service_account_key = Some(Plain::from("{}".to_owned()))),
            Code::RequestMalformed,
            "service_account_key",
            "belongs to Google Cloud",
        ),
        (
            with(|new| new.cloud = Some("gcp".to_owned())),
            Code::ConnectionMethodUnavailable,
            "method",
            "is not offered",
        ),
    ];
    for (new, code, field, words) in rows {
        let shown = format!("{new:?}");
        let error = connections::create(&process.app, actor, new)
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{shown}");
        let violation = &error.violations[0];
        assert_eq!(violation.field, field, "{shown}");
        assert!(violation.message.contains(words), "{shown}: {violation:?}");
        assert!(!error.next_step.is_empty(), "{shown}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    let organization = actor.organization_id();
    assert!(stage.store.secrets(organization).await.unwrap().is_empty());
    assert!(
        stage
            .store
            .connections(organization)
            .await
            .unwrap()
            .is_empty()
    );
    process.stop().await;
}

/// The secret that the connection uses works, and everything with a name of
/// ours is known.
async fn whole(stage: &Stage, tenant: &Tenant, connection: &Connection) {
    let organization = tenant.admin.actor.organization_id();
    let stored = stage.store.connection(organization, &connection.id).await;
    let stored = stored.unwrap().unwrap();
    let key = stored.target.secret_key_id().expect("it was recognised");
    let passwords = stage.application.passwords().clone();
    assert!(
        passwords.iter().any(|one| one.key_id == key),
        "{passwords:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_a_rotation_ends_with_one_secret_that_works() {
    // Without a death first: how many points there are.
    let points = rotated(None, 0).await;
    assert!(points > 15, "{points}");
    for at in 0..points {
        rotated(Some(at), 0).await;
    }
    // Answers that were lost, without and with a death.
    rotated(None, 1).await;
    rotated(None, 3).await;
    for at in (0..points).step_by(3) {
        rotated(Some(at), 1).await;
    }
}

/// A rotation because the secret ends soon, in a process that dies at the point
/// `at`, and in another one after it.
async fn rotated(at: Option<usize>, lose: usize) -> usize {
    let stage = Stage::new().await;
    stage.application.add(CANARY, Some(stage.in_days(300)));
    stage.application.lose.store(lose, Ordering::SeqCst);
    let process = stage.start(at.map_or_else(Arc::default, Fate::at));
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let connection = connected(&process, &tenant).await;
    let old = connection.target.secret_key_id().unwrap().to_owned();

    let fate = process.fate.clone();
    fate.armed.store(true, Ordering::SeqCst);
    // The request itself may be what dies.
    let app = process.app.clone();
    let (asking, id) = (actor.clone(), connection.id.clone());
    let request =
        tokio::spawn(
            async move { connections::rotate(&app, &asking, &id, Rotate::default()).await },
        );
    let done = async |process: &Process| {
        let shown = process.show(&tenant, &connection).await;
        shown.rotation.is_none() && shown.target.secret_key_id() != Some(&old)
    };
    eventually("it died or ended", async || {
        fate.died.load(Ordering::SeqCst) || done(&process).await
    })
    .await;
    whole(&stage, &tenant, &connection).await;
    let died = fate.died.load(Ordering::SeqCst);
    request.abort();
    process.stop().await;

    let again = stage.start(Arc::default());
    if died {
        let begun = again.show(&tenant, &connection).await.rotation.is_some();
        if !begun && !done(&again).await {
            // It died before it was written down: as if never asked.
            connections::rotate(&again.app, actor, &connection.id, Rotate::default())
                .await
                .unwrap();
        }
        eventually("the next process ends it", async || done(&again).await).await;
    }
    let shown = again.show(&tenant, &connection).await;
    assert!(
        matches!(shown.state, State::Connected { .. }),
        "{:?}",
        shown.state
    );
    let passwords = stage.application.passwords().clone();
    assert_eq!(passwords.len(), 1, "died at {at:?}: {passwords:?}");
    assert_eq!(
        shown.target.secret_key_id(),
        Some(passwords[0].key_id.as_str())
    );
    let sealed = stage.store.secrets(actor.organization_id()).await.unwrap();
    assert_eq!(sealed.len(), 1, "died at {at:?}");
    assert_eq!(shown.target.secret_id(), Some(&sealed[0].id));
    again.stop().await;
    fate.passed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_ends_soon_is_replaced_where_the_customer_let_us() {
    let stage = Stage::new().await;
    stage.application.add(CANARY, Some(stage.in_days(20)));
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    stage.application.may_rotate.store(false, Ordering::SeqCst);
    let connection = connected(&process, &tenant).await;
    assert_eq!(connection.rotation, None, "it may not");
    let actor = &tenant.admin.actor;
    let view = connections::show(&process.app, actor, &connection.id).await;
    assert_eq!(view.unwrap().expiry.unwrap().warning_days, Some(30));

    stage.application.may_rotate.store(true, Ordering::SeqCst);
    connections::verify(&process.app, actor, &connection.id)
        .await
        .unwrap();
    eventually("a new one", async || {
        let shown = process.show(&tenant, &connection).await;
        shown.rotation.is_none()
            && shown.target.secret_key_id() != connection.target.secret_key_id()
    })
    .await;
    let shown = process.show(&tenant, &connection).await;
    assert!(shown.target.secret_expires_at().unwrap() > stage.in_days(150));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_entered_by_hand_is_used_only_once_it_works() {
    let stage = Stage::new().await;
    stage.application.add(CANARY, Some(stage.in_days(300)));
    stage.application.may_rotate.store(false, Ordering::SeqCst);
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let connection = connected(&process, &tenant).await;

    let enter = async |text: &str| {
        let new = Rotate {
            client_secret: Some(Plain::from(text.to_owned())),
            ..Rotate::default()
        };
        connections::rotate(&process.app, actor, &connection.id, new).await
    };
    // A wrong one, and then the right one, before the first was given up.
    enter("wrong8Q~0123456789012345678901234567890")
        .await
        .unwrap();
    let shown = process.show(&tenant, &connection).await;
    assert_eq!(shown.target, connection.target, "the old one goes on");
    let right = "right8Q~0123456789012345678901234567890";
    let key = stage.application.add(right, Some(stage.in_days(200)));
    enter(right).await.unwrap();
    eventually("it is used", async || {
        let shown = process.show(&tenant, &connection).await;
        shown.target.secret_key_id() == Some(&key)
    })
    .await;
    // It may not remove the old one, and says so.
    eventually("it says what is left to do", async || {
        let shown = process.show(&tenant, &connection).await;
        match shown.rotation.map(|rotation| rotation.step) {
            Some(RotationStep::GaveUp { reason }) => reason.contains("remove it by hand"),
            _ => false,
        }
    })
    .await;
    assert_eq!(stage.application.passwords().len(), 2);
    let sealed = stage.store.secrets(actor.organization_id()).await.unwrap();
    assert_eq!(sealed.len(), 1);

    // A wrong one alone is given up after a while, and the old one goes on.
    enter("other8Q~0123456789012345678901234567890")
        .await
        .unwrap();
    stage.clock.skip(Duration::from_secs(20 * 60));
    eventually("it is given up", async || {
        let shown = process.show(&tenant, &connection).await;
        match shown.rotation.map(|rotation| rotation.step) {
            Some(RotationStep::GaveUp { reason }) => reason.contains("does not work"),
            _ => false,
        }
    })
    .await;
    let shown = process.show(&tenant, &connection).await;
    assert_eq!(shown.target.secret_key_id(), Some(key.as_str()));
    assert!(matches!(shown.state, State::Connected { .. }));
    let sealed = stage.store.secrets(actor.organization_id()).await.unwrap();
    assert_eq!(sealed.len(), 1);
    process.stop().await;
}

#[tokio::test]
async fn what_the_setup_prints_is_entered_afterwards_and_together() {
    let stage = Stage::new().await;
    stage.application.add(CANARY, Some(stage.in_days(300)));
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let mut new = by_secret(CANARY);
    (new.client_id, new.client_secret) = (None, None);
    let created = connections::create(&process.app, actor, new).await.unwrap();
    let id = &created.connection.id;
    let organization = actor.organization_id();
    assert!(stage.store.secrets(organization).await.unwrap().is_empty());

    let enter = async |client_id: Option<&str>, secret: Option<&str>| {
        let new = Rotate {
            client_id: client_id.map(str::to_owned),
            client_secret: secret.map(|text| Plain::from(text.to_owned())),
            ..Rotate::default()
        };
        connections::rotate(&process.app, actor, id, new).await
    };
    for (client_id, secret, field) in [
        (None, Some(CANARY), "client_id"),
        (Some("landfall"), Some(CANARY), "client_id"),
        (Some(CLIENT), None, "client_secret"),
    ] {
        let error = enter(client_id, secret).await.unwrap_err();
        assert_eq!(error.violations[0].field, field, "{error:?}");
    }
    assert!(stage.store.secrets(organization).await.unwrap().is_empty());
    let entered = enter(Some(CLIENT), Some(CANARY)).await.unwrap();
    assert_eq!(
        entered.azure().unwrap().client_id().unwrap().as_str(),
        CLIENT
    );
    eventually("connected", async || {
        let shown = process.show(&tenant, &created.connection).await;
        matches!(shown.state, State::Connected { .. })
    })
    .await;
    // From now on the application stays.
    let error = enter(Some(CLIENT), Some(CANARY)).await.unwrap_err();
    assert_eq!(error.code, Code::ConnectionState);
    process.stop().await;
}
