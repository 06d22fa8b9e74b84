//! The connector's contract by each of the three methods, on the sandbox.

use crate::support::{Scene, URL, gcp, ways::Way};
use async_trait::async_trait;
use landfall_contract::{
    Support,
    connector::{Edit, Harness, Impostor, Taken, somebody_else, suite},
};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    Clock as _, Timestamp,
    check::{Check, Outcome},
    connection::{Connection, GcpAccess, Target},
    connector::Connector,
    grant::{GcpGrant, GcpIdentity, GrantSpec, version_mark},
    secret::parse_key,
};
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const LAG: Duration = Duration::from_secs(400);
/// Until APIs are on for those whose calls are counted.
const SWITCHED: Duration = Duration::from_secs(30);

/// A project of its own for each connection.
struct Google {
    way: Way,
    target: &'static str,
    scene: Mutex<Arc<Scene>>,
    /// The lines of the keys of customers and of the operator.
    secrets: Mutex<Vec<String>>,
    /// The last grant was taken back.
    taken: AtomicBool,
}

impl Google {
    async fn by(way: Way, target: &'static str) -> Self {
        Self {
            way,
            target,
            scene: Mutex::new(Arc::new(Scene::by(way, Config::default()).await)),
            secrets: Mutex::default(),
            taken: AtomicBool::new(false),
        }
    }

    fn scene(&self) -> Arc<Scene> {
        self.scene.lock().unwrap().clone()
    }

    fn remember(&self, file: &Value) {
        let key = file["private_key"].as_str().expect("a key");
        let lines = key.lines().filter(|line| line.len() > 40);
        self.secrets
            .lock()
            .unwrap()
            .extend(lines.map(str::to_owned));
    }

    /// A connection by a new key of this account.
    async fn by_key_of(&self, scene: &Scene, email: &str) -> Connection {
        let file = scene.customer.make_key(email).await;
        self.remember(&file);
        scene.by_key(&parse_key(file.to_string().as_bytes(), None).expect("a key"))
    }

    /// The account of a connection's key.
    fn account_of(connection: &Connection) -> String {
        match connection.gcp().unwrap().access() {
            GcpAccess::ServiceAccountKey {
                service_account, ..
            } => service_account.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Another key of the same account.
    async fn new_key(&self, scene: &Scene, connection: &mut Connection) {
        let made = self.by_key_of(scene, &Self::account_of(connection)).await;
        let GcpAccess::ServiceAccountKey { secret_id, .. } = made.gcp().unwrap().access() else {
            unreachable!("it is by a key");
        };
        // It was put for an organization that nobody knows.
        use landfall_model::secret::Secrets as _;
        let opened = scene.secrets.open(&made.organization_id, secret_id).await;
        scene.secrets.put(
            &connection.organization_id,
            secret_id,
            opened.expect("it was put just now"),
        );
        connection.target = made.target.clone();
    }
}

/// The accounts let the connection in again.
async fn let_in(scene: &Scene, grant: &GcpGrant) {
    let number = scene.customer.number.parse().unwrap();
    let members = [grant.trust.member(&number)];
    for account in &grant.accounts {
        let bindings = json!([{ "role": grant.trust.role(), "members": members }]);
        scene
            .customer
            .bind_account(grant, account.identity, bindings)
            .await;
    }
}

fn pool(scene: &Scene, connection: &Connection) -> String {
    let pool = connection.gcp().unwrap().pool_id();
    format!("{}/{pool}", scene.customer.pools())
}

#[async_trait]
impl Harness for Google {
    fn target(&self) -> &str {
        self.target
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.scene().connector.clone()
    }

    fn known_as(&self) -> String {
        match self.way {
            Way::Federation(_) => URL.to_owned(),
            Way::Account => self.scene().operator.email("landfall-server"),
            Way::Key => "key".to_owned(),
        }
    }

    fn now(&self) -> Timestamp {
        self.scene().clock.now()
    }

    async fn connection(&self, with_reaper: bool) -> Connection {
        let scene = Arc::new(Scene::by(self.way, Config::default()).await);
        *self.scene.lock().unwrap() = scene.clone();
        let mut connection = match self.way {
            Way::Key => {
                // What has to be there for a key to be made: it may nothing.
                let customer = &scene.customer;
                customer
                    .enable(&["cloudresourcemanager", "serviceusage"])
                    .await;
                let email = customer.make_account("any-name").await;
                scene.clock.sleep(SWITCHED).await;
                self.by_key_of(&scene, &email).await
            }
            Way::Federation(_) => scene.pending().await,
            Way::Account => {
                let file = std::fs::read(scene.folder.path().join("operator.json"));
                let file = serde_json::from_slice(&file.expect("a file"));
                self.remember(&file.expect("a key file"));
                scene.pending().await
            }
        };
        connection.with_reaper = with_reaper;
        connection
    }

    async fn spec(&self, connection: &Connection) -> GrantSpec {
        self.scene().spec(connection).await
    }

    async fn grant(&self, connection: &mut Connection, spec: &GrantSpec) {
        let scene = self.scene();
        let grant = gcp(spec);
        let again = self.taken.swap(false, Ordering::SeqCst);
        match self.way {
            Way::Key => {
                let email = Self::account_of(connection);
                if again {
                    self.new_key(&scene, connection).await;
                }
                scene.customer.admit(&email).await;
            }
            Way::Federation(_) if again => {
                let path = format!("{}:undelete", pool(&scene, connection));
                scene.customer.post("iam", &path, json!({})).await.ok();
            }
            Way::Account if again => let_in(&scene, grant).await,
            Way::Federation(_) | Way::Account => scene.customer.grant(grant, None).await,
        }
        scene.clock.sleep(SWITCHED).await;
    }

    async fn take_back(&self, connection: &Connection, spec: &GrantSpec, what: Taken) {
        let scene = self.scene();
        let (customer, grant) = (&scene.customer, gcp(spec));
        match (what, connection.gcp().unwrap().access()) {
            (Taken::Reaper, _) => {
                customer
                    .bind_account(grant, GcpIdentity::Reaper, json!([]))
                    .await;
            }
            (Taken::Everything, GcpAccess::WorkloadIdentity { .. }) => {
                customer.delete("iam", &pool(&scene, connection)).await.ok();
            }
            (Taken::Everything, GcpAccess::Impersonation { .. }) => {
                for account in &grant.accounts {
                    customer
                        .bind_account(grant, account.identity, json!([]))
                        .await;
                }
            }
            (
                Taken::Everything,
                GcpAccess::ServiceAccountKey {
                    service_account,
                    key_id,
                    ..
                },
            ) => {
                let project = &customer.project;
                let path = format!(
                    "v1/projects/{project}/serviceAccounts/{service_account}/keys/{key_id}"
                );
                customer.delete("iam", &path).await.ok();
            }
        }
        let taken = what == Taken::Everything;
        self.taken.store(taken, Ordering::SeqCst);
    }

    async fn edit(&self, _: &Connection, spec: &GrantSpec, edit: Edit) {
        let scene = self.scene();
        let (customer, grant) = (&scene.customer, gcp(spec));
        let who = GcpIdentity::Provisioner;
        match edit {
            Edit::Permission => {
                let mut permissions = grant.role(who).expect("a role").permissions.clone();
                permissions.insert("dns.managedZones.list".to_owned());
                let change = json!({ "includedPermissions": permissions });
                customer.role(grant, who, change).await;
            }
            Edit::Everything => {
                let member = customer.member(grant, who);
                customer
                    .bind(|all| all.push(json!({ "role": "roles/owner", "members": [member] })))
                    .await;
            }
            Edit::OldVersion => {
                let change = json!({ "description": version_mark(0) });
                customer.role(grant, who, change).await;
            }
        }
    }

    async fn impostors(&self, victim: &Connection) -> Vec<Impostor> {
        let scene = self.scene();
        let names = Impostor {
            what: "the same names, and the victim's way in",
            connection: somebody_else(victim),
        };
        let mut own = somebody_else(victim);
        match self.way {
            Way::Federation(_) => return vec![names],
            Way::Key => {
                let email = scene.customer.make_account("another-name").await;
                let made = self.by_key_of(&scene, &email).await;
                own.organization_id = made.organization_id;
                own.target = made.target;
            }
            Way::Account => {
                let Target::Gcp(target) = &mut own.target else {
                    unreachable!("the connection is to Google Cloud");
                };
                target.access = GcpAccess::Impersonation {
                    service_account: None,
                };
                own.target = scene.connector.prepare(&own).await.expect("an account");
            }
        }
        let own = Impostor {
            what: "the same names, with a way in of its own",
            connection: own,
        };
        vec![names, own]
    }

    async fn lag(&self, on: bool) -> Support {
        let seconds = if on { LAG.as_secs() } else { 0 };
        self.scene()
            .admin("settings", json!({ "iam_lag_seconds": seconds }))
            .await;
        Support::Done
    }

    async fn settle(&self) {
        self.scene().clock.sleep(LAG + SWITCHED).await;
    }

    async fn throttle(&self) -> Support {
        for service in [
            "oauth2",
            "sts",
            "iam",
            "iamcredentials",
            "cloudresourcemanager",
            "serviceusage",
        ] {
            let fault = json!({
                "kind": "throttle",
                "match": { "service": format!("{service}.googleapis.com") },
                "times": 3,
            });
            self.scene().admin("faults", fault).await;
        }
        Support::Done
    }

    /// Policies of the organization are shown to those whom it lets see them.
    fn may_say(&self, check: &Check) -> bool {
        check.outcome == Outcome::Warn && check.id.starts_with("gcp.organization-policy.")
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap().clone()
    }

    /// Environments in Google Cloud cannot be made yet: there is no driver.
    fn drives(&self) -> Support {
        Support::Missing
    }
}

async fn holds(way: Way, target: &'static str) {
    let google = Google::by(way, target).await;
    let report = suite(&google).await;
    assert_eq!(report.skipped, ["a_reaper_is_of_its_own_scope_only"]);
    // That no key is shown means something only where there is one.
    let keyless = matches!(way, Way::Federation(_));
    assert_eq!(google.secrets().is_empty(), keyless);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_workload_identity_the_connector_keeps_its_contract() {
    let way = Way::Federation(IssuerKeys::Fetched);
    holds(way, "gcp workload-identity on the sandbox").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_impersonation_the_connector_keeps_its_contract() {
    holds(Way::Account, "gcp impersonation on the sandbox").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_service_account_key_the_connector_keeps_its_contract() {
    holds(Way::Key, "gcp service-account-key on the sandbox").await;
}
