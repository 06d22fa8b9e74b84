//! A Landfall in memory: the real store, a cloud that does as it is told, and
//! a clock that is moved by hand.

#![allow(dead_code, reason = "each test binary uses a part of it")]

mod clock;
mod cloud;
pub mod entra;
pub mod recording;

pub use clock::{Hand, Seeded, Swift};
pub use cloud::{FakeCloud, check};

use landfall_app::{
    Actor, App, Parts, Settings, access, applications, connections, environments, organizations,
    tokens,
};
use landfall_model::{
    Clock, Entropy,
    application::Application,
    connection::Connection,
    connector::Detection,
    entropy::SystemEntropy,
    environment::{ApprovalPolicy, Kind, View},
    error::Code,
    member::{Member, Role},
    organization::Organization,
    store::Store,
    vault::Vault,
};
use landfall_vault::{Envelope, FileKeys, Missing};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex};

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-central-1";

pub const SCORE: &str = "\
apiVersion: score.dev/v1b1
metadata:
  name: web
containers:
  main:
    image: registry.example.com/web:1
service:
  ports:
    http:
      port: 80
";

pub struct World {
    pub app: Arc<App>,
    pub store: Arc<dyn Store>,
    pub cloud: Arc<FakeCloud>,
    pub clock: Arc<Hand>,
}

/// A person with their token.
pub struct Person {
    pub member: Member,
    pub token: SecretString,
    pub actor: Actor,
}

impl Person {
    pub fn secret(&self) -> &str {
        self.token.expose_secret()
    }
}

pub struct Tenant {
    pub organization: Organization,
    pub admin: Person,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let clock = Arc::new(Hand::default());
        let (app, store, cloud) = assemble(settings, clock.clone()).await;
        Self {
            app,
            store,
            cloud,
            clock,
        }
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        tenant(&self.app, name).await
    }

    /// A member of the tenant, with a token of the same role.
    pub async fn person(&self, tenant: &Tenant, role: Role) -> Person {
        let new = landfall_app::members::New {
            name: format!("a {role}"),
            role,
        };
        let admin = &tenant.admin.actor;
        let member = landfall_app::members::add(&self.app, admin, new)
            .await
            .unwrap();
        let new = tokens::New {
            name: format!("of a {role}"),
            role: None,
            member_id: Some(member.id.clone()),
            days: None,
        };
        let created = tokens::create(&self.app, admin, new).await.unwrap();
        let actor = access::authenticate(&self.app, &created.secret, None)
            .await
            .unwrap();
        Person {
            member,
            token: created.secret,
            actor,
        }
    }

    /// A connection that was granted and verified.
    pub async fn connected(&self, actor: &Actor) -> Connection {
        connected(&self.app, &self.cloud, actor).await
    }
}

/// The real vault, with its keys in the build's folder for temporary files.
pub fn vault(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Arc<dyn Vault> {
    let name = format!("vault-of-{}.key", std::process::id());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let keys = FileKeys::new(
        path,
        Missing::Make(store.clone()),
        clock.clone(),
        entropy.clone(),
    );
    Arc::new(Envelope::new(Arc::new(keys), entropy))
}

pub async fn assemble(
    mut settings: Settings,
    clock: Arc<dyn Clock>,
) -> (Arc<App>, Arc<dyn Store>, Arc<FakeCloud>) {
    // A test that stops its clock, or runs it fast, is not about heartbeats.
    settings.engine.lease.length = std::time::Duration::from_secs(24 * 3600);
    let store = landfall_store::open("sqlite::memory:", clock.clone())
        .await
        .unwrap();
    let cloud = Arc::new(FakeCloud::default());
    let app = App::new(Parts {
        vault: vault(&store, &clock),
        store: store.clone(),
        clock,
        entropy: Arc::new(Seeded::default()),
        connectors: vec![cloud.clone()],
        settings,
    });
    (app, store, cloud)
}

pub async fn tenant(app: &Arc<App>, name: &str) -> Tenant {
    let kept = Mutex::new(None);
    let founded = organizations::found(app, name, "an admin", async |secret: &SecretString| {
        *kept.lock().unwrap() = Some(secret.clone());
        Ok(())
    })
    .await
    .unwrap();
    let token = kept.into_inner().unwrap().unwrap();
    let actor = access::authenticate(app, &token, None).await.unwrap();
    Tenant {
        organization: founded.organization,
        admin: Person {
            member: founded.admin,
            token,
            actor,
        },
    }
}

pub async fn connected(app: &Arc<App>, cloud: &FakeCloud, actor: &Actor) -> Connection {
    cloud.detects(Detection::Granted);
    cloud.verifies(vec![check("aws.account-matches")], false);
    let created = connections::create(app, actor, new_connection())
        .await
        .unwrap();
    connections::verify(app, actor, &created.connection.id)
        .await
        .unwrap();
    let view = connections::show(app, actor, &created.connection.id)
        .await
        .unwrap();
    assert!(view.connection.state.can_provision());
    view.connection
}

pub fn new_connection() -> connections::New {
    connections::New {
        name: "production".to_owned(),
        account_id: ACCOUNT.to_owned(),
        regions: vec![REGION.to_owned()],
        ..connections::New::default()
    }
}

/// An application with one workload.
pub async fn application(app: &Arc<App>, actor: &Actor) -> Application {
    let new = applications::New {
        name: "shop".to_owned(),
    };
    let application = applications::create(app, actor, new).await.unwrap();
    applications::put_workload(app, actor, &application.id, "web", SCORE)
        .await
        .unwrap()
}

pub async fn environment(
    app: &Arc<App>,
    actor: &Actor,
    application: &Application,
    connection: &Connection,
    approval: ApprovalPolicy,
) -> View {
    let new = environments::New {
        application_id: application.id.clone(),
        connection_id: connection.id.clone(),
        name: "test".to_owned(),
        kind: Kind::Development,
        region: Some(REGION.to_owned()),
        approval: Some(approval),
        settings: Default::default(),
    };
    environments::create(app, actor, new).await.unwrap()
}

/// The code of a refusal.
#[track_caller]
pub fn code<T: std::fmt::Debug>(result: landfall_model::error::Result<T>) -> Code {
    result.expect_err("it must be refused").code
}

/// Waits until `condition` holds, giving other tasks their turn. Fails after a
/// time that only a hang can take.
pub async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..20_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}
