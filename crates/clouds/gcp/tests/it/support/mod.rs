//! A sandbox, an issuer and a connector inside the test.

pub(crate) mod customer;
pub(crate) mod ways;

use async_trait::async_trait;
use axum::{Json, Router, routing::get};
use customer::Customer;
use landfall_gcp::{GcpConfig, GcpConnector, IssuerKeys, OperatorConfig};
use landfall_issuer::{IssuerUrl, KeyIssuer};
use landfall_model::{
    Clock, Entropy, Timestamp,
    check::{Check, Outcome},
    connection::{Connection, Gcp, GcpAccess, Parent, ProjectNumber, State, Target},
    connector::{Connector, Silent, Verification},
    entropy::SystemEntropy,
    grant::{GcpGrant, GrantSpec},
    id::{ConnectionId, OrganizationId},
    issuer::Issuer,
};
use landfall_sandbox::{Config, Running};
use landfall_vault::{Envelope, FileKeys, Missing};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use ways::{Shelf, Way};

pub(crate) const URL: &str = "https://id.landfall.example/acme";
pub(crate) const REGION: &str = "europe-west1";

/// The machine's time, and the sandbox's: a wait moves both, and takes none.
pub(crate) struct SharedClock {
    moved: AtomicI64,
    sandbox: String,
    http: reqwest::Client,
}

#[async_trait]
impl Clock for SharedClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "assertions are signed with the time that the sandbox has"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let millis = i64::try_from(since.as_millis()).expect("before the year 292 million");
        Timestamp::from_millis(millis).plus_millis(self.moved.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        let body = json!({ "advance_seconds": duration.as_secs_f64() });
        let url = format!("{}/_sandbox/clock", self.sandbox);
        let answer = self.http.post(url).json(&body).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
        let millis = i64::try_from(duration.as_millis()).expect("a short wait");
        self.moved.fetch_add(millis, Ordering::SeqCst);
    }
}

impl SharedClock {
    /// This server's clock goes wrong, and nobody else's.
    pub(crate) fn drift(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a short drift");
        self.moved.fetch_add(millis, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    Folder,
    Organization,
}

pub(crate) struct Scene {
    pub(crate) way: Way,
    /// What connections are granted on, where that is above the project.
    pub(crate) parent: Option<Parent>,
    pub(crate) secrets: Arc<Shelf>,
    pub(crate) operator: Customer,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) sandbox: String,
    pub(crate) template: String,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<SharedClock>,
    pub(crate) issuer: Arc<KeyIssuer>,
    pub(crate) connector: Arc<GcpConnector>,
    pub(crate) customer: Customer,
    served_at: String,
    _running: Running,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default(), IssuerKeys::Fetched).await
    }

    pub(crate) async fn with(config: Config, keys: IssuerKeys) -> Self {
        Self::by(Way::Federation(keys), config).await
    }

    pub(crate) async fn by(way: Way, config: Config) -> Self {
        let running = landfall_sandbox::start(config)
            .await
            .expect("the sandbox starts");
        let sandbox = format!("http://{}", running.addr);
        let gcp = &running.ready["gcp"];
        let template = gcp["endpoint_template"].as_str().expect("text").to_owned();
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let clock = Arc::new(SharedClock {
            moved: AtomicI64::new(0),
            sandbox: sandbox.clone(),
            http: http.clone(),
        });
        let folder = tempfile::tempdir().expect("a folder");
        let issuer = Arc::new(issuer(&folder, clock.clone()).await);
        let served_at = serve(issuer.clone()).await;
        let customer = Customer::new(&gcp["projects"][1], &template, http.clone());
        let operator = Customer::new(&gcp["projects"][0], &template, http.clone());
        let secrets = Arc::new(Shelf::default());
        let mut config = GcpConfig {
            endpoint_template: template.clone(),
            ..GcpConfig::default()
        };
        let entropy = Arc::new(SystemEntropy);
        let connector = match way {
            Way::Federation(keys) => {
                config.issuer_keys = keys;
                GcpConnector::workload_identity(config, issuer.clone(), clock.clone(), entropy)
            }
            Way::Key => {
                let secrets = secrets.clone();
                GcpConnector::service_account_key(config, secrets, clock.clone(), entropy)
            }
            Way::Account => {
                let email = gcp["projects"][0]["service_account"]
                    .as_str()
                    .expect("text");
                let made = operator.make_key(email).await;
                let path = folder.path().join("operator.json");
                ways::write_private(&path, made.to_string().as_bytes());
                config.operator = Some(OperatorConfig {
                    project_id: operator.project.parse().expect("a project id"),
                    credentials_file: Some(path),
                    metadata: false,
                    metadata_url: "http://metadata.google.internal".to_owned(),
                });
                GcpConnector::impersonation(config, clock.clone(), entropy)
            }
        }
        .expect("a usable configuration");
        let scene = Self {
            way,
            parent: None,
            secrets,
            operator,
            folder,
            sandbox,
            template,
            http,
            clock,
            issuer,
            connector: Arc::new(connector),
            customer,
            served_at,
            _running: running,
        };
        scene
            .reachable(way != Way::Federation(IssuerKeys::Uploaded))
            .await;
        scene
    }

    /// The same for what is above the project.
    pub(crate) async fn above(way: Way, above: Above, config: Config) -> Self {
        let mut scene = Self::by(way, config).await;
        let Customer {
            organization,
            folder,
            ..
        } = &scene.customer;
        let parent = match above {
            Above::Folder => format!("{organization}/{folder}"),
            Above::Organization => organization.clone(),
        };
        scene.parent = Some(parent.parse().expect("a parent"));
        scene
    }

    /// Whether Google can fetch the issuer's keys.
    pub(crate) async fn reachable(&self, on: bool) {
        let served_at = on.then_some(&self.served_at);
        let body = json!({ "url": URL, "served_at": served_at });
        self.admin("issuers", body).await;
    }

    pub(crate) async fn admin(&self, what: &str, body: Value) {
        let url = format!("{}/_sandbox/{what}", self.sandbox);
        let answer = self.http.post(url).json(&body).send().await;
        let answer = answer.expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{what}: {status} {text}");
    }

    /// A pending connection to the customer's project.
    pub(crate) fn connection(&self) -> Connection {
        let number = self.customer.number.parse().expect("a number");
        let project = &self.customer.project;
        self.placed(connection(project, Some(number), self.clock.now()))
    }

    fn placed(&self, mut connection: Connection) -> Connection {
        if let Target::Gcp(target) = &mut connection.target {
            target.parent.clone_from(&self.parent);
        }
        connection
    }

    pub(crate) async fn spec(&self, connection: &Connection) -> GrantSpec {
        let principal = self.connector.principal().await.expect("an issuer");
        landfall_plan::policy::grant(connection, &principal).expect("a grant")
    }

    /// A connection with everything granted, not verified yet.
    pub(crate) async fn granted(&self) -> (Connection, GrantSpec) {
        let connection = self.pending().await;
        let spec = self.spec(&connection).await;
        if self.way != Way::Key {
            self.customer.grant(gcp(&spec), None).await;
        }
        // Until the APIs are on for those whose calls are counted.
        self.clock.sleep(Duration::from_secs(30)).await;
        (connection, spec)
    }

    /// The same, verified once and found good.
    pub(crate) async fn connected(&self) -> (Connection, GrantSpec) {
        let (mut connection, spec) = self.granted().await;
        let found = self.verify(&connection, &spec).await;
        let bad = worse(&found);
        assert!(bad.is_empty(), "{bad:#?}");
        connection.state = State::Connected {
            since: self.clock.now(),
        };
        connection.grant_version = found.grant_version;
        connection.grant_digest = found.grant_digest;
        (connection, spec)
    }

    pub(crate) async fn verify(&self, connection: &Connection, spec: &GrantSpec) -> Verification {
        self.connector
            .verify(connection, spec, self.clock.now(), &Silent)
            .await
            .unwrap()
    }

    /// Asserts what a check finds, and that it says what to do.
    pub(crate) async fn finds(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        id: &str,
        outcome: Outcome,
        remedy: &str,
    ) -> Verification {
        let found = self.verify(connection, spec).await;
        let check = check(&found, id);
        assert_eq!(check.outcome, outcome, "{check:#?}");
        assert!(check.remedy.contains(remedy), "{check:#?}");
        found
    }
}

pub(crate) fn gcp(spec: &GrantSpec) -> &GcpGrant {
    spec.gcp().expect("a grant on Google Cloud")
}

pub(crate) fn check<'a>(found: &'a Verification, id: &str) -> &'a Check {
    found
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("no check {id}"))
}

/// What did not pass, but for the policies of the organization, which nobody
/// let us see, and its custom roles, which a folder's grant does not show.
pub(crate) fn worse(found: &Verification) -> Vec<&Check> {
    let unseen = |check: &Check| {
        check.outcome == Outcome::Warn
            && (check.id.starts_with("gcp.organization-policy.")
                || (check.id.starts_with("gcp.role-as-granted.")
                    && check.evidence.starts_with("not visible to us: ")))
    };
    found
        .checks
        .iter()
        .filter(|check| check.outcome != Outcome::Pass && !unseen(check))
        .collect()
}

pub(crate) fn connection(
    project: &str,
    project_number: Option<ProjectNumber>,
    now: Timestamp,
) -> Connection {
    connection_by(project, GcpAccess::WorkloadIdentity { project_number }, now)
}

pub(crate) fn connection_by(project: &str, access: GcpAccess, now: Timestamp) -> Connection {
    let entropy: &dyn Entropy = &SystemEntropy;
    Connection {
        id: ConnectionId::at(now, entropy),
        organization_id: OrganizationId::at(now, entropy),
        name: "test".to_owned(),
        target: Target::Gcp(Gcp {
            project_id: project.parse().expect("a project id"),
            parent: None,
            access,
        }),
        external_id: "lf-test".to_owned(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec![REGION.to_owned()],
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: now },
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

async fn issuer(folder: &tempfile::TempDir, clock: Arc<SharedClock>) -> KeyIssuer {
    let store = landfall_store::open("sqlite::memory:", clock.clone())
        .await
        .expect("a store");
    let entropy = Arc::new(SystemEntropy);
    let path = folder.path().join("vault.key");
    let keys = FileKeys::new(
        path,
        Missing::Make(store.clone()),
        clock.clone(),
        entropy.clone(),
    );
    KeyIssuer::new(
        store,
        Arc::new(Envelope::new(Arc::new(keys), entropy.clone())),
        clock,
        entropy,
        Some(IssuerUrl::parse(URL).expect("a URL")),
        Vec::new(),
    )
}

async fn serve(issuer: Arc<KeyIssuer>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let discovery = issuer.discovery();
    let router = Router::new()
        .route(
            landfall_model::issuer::DISCOVERY_PATH,
            get(async move || Json(discovery)),
        )
        .route(
            landfall_model::issuer::JWKS_PATH,
            get(async move || Json(issuer.jwks().await.expect("keys"))),
        );
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
