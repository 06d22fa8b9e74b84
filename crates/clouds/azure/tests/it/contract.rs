//! The connector's contract by each of the three methods, on the sandbox.

use crate::{
    consent,
    support::{
        TestClock, change,
        customer::{AUTHORIZATION, Grant},
        scene::{Scene, URL, spec},
    },
};
use async_trait::async_trait;
use landfall_contract::{
    Support,
    connector::{Edit, Harness, Impostor, Taken, somebody_else, suite},
};
use landfall_model::{
    Clock as _, Timestamp,
    check::{Check, Outcome},
    connection::{AzureAccess, Connection},
    connector::Connector,
    grant::{GrantSpec, Identity, azure::VERSION_MARK},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const LAG_SECONDS: u64 = 120;
/// Days that a client secret lives.
const DAYS: i64 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    WorkloadIdentity,
    AdminConsent,
    ClientSecret,
}

/// What the last connection was made in: a tenant and a subscription of its
/// own.
#[derive(Clone)]
struct Place {
    scene: Arc<Scene>,
    connector: Arc<dyn Connector>,
}

impl Place {
    async fn new(by: By) -> Self {
        let scene = Arc::new(Scene::new().await);
        let connector = match by {
            By::WorkloadIdentity => scene.connector.clone(),
            By::AdminConsent => scene.by_consent(scene.with_application()),
            By::ClientSecret => scene.by_secret(true),
        };
        Self { scene, connector }
    }
}

struct Microsoft {
    by: By,
    target: &'static str,
    place: Mutex<Place>,
    /// What was made for the last connection.
    grant: Mutex<Grant>,
    secrets: Mutex<Vec<String>>,
    lags: Mutex<bool>,
}

impl Microsoft {
    async fn by(by: By, target: &'static str) -> Self {
        Self {
            by,
            target,
            place: Mutex::new(Place::new(by).await),
            grant: Mutex::default(),
            secrets: Mutex::default(),
            lags: Mutex::new(false),
        }
    }

    fn place(&self) -> Place {
        self.place.lock().unwrap().clone()
    }

    fn made(&self) -> Grant {
        self.grant.lock().unwrap().clone()
    }
}

#[async_trait]
impl Harness for Microsoft {
    fn target(&self) -> &str {
        self.target
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.place().connector
    }

    fn known_as(&self) -> String {
        match self.by {
            By::WorkloadIdentity => URL.to_owned(),
            By::AdminConsent => self.place().scene.operator("client_id"),
            By::ClientSecret => "key".to_owned(),
        }
    }

    fn now(&self) -> Timestamp {
        TestClock.now()
    }

    async fn connection(&self, with_reaper: bool) -> Connection {
        let place = Place::new(self.by).await;
        *self.place.lock().unwrap() = place.clone();
        let Place { scene, connector } = place;
        let mut connection = match self.by {
            By::WorkloadIdentity => scene.connection(),
            By::AdminConsent => {
                let secret = scene.operator("client_secret");
                self.secrets.lock().unwrap().push(secret);
                consent::prepared(&scene, connector.as_ref()).await
            }
            By::ClientSecret => {
                let mut connection = scene.connection();
                change(&mut connection, |azure| {
                    azure.access = AzureAccess::ClientSecret {
                        client_id: None,
                        secret_id: None,
                        secret_key_id: None,
                        secret_expires_at: None,
                    };
                });
                connection
            }
        };
        connection.with_reaper = with_reaper;
        connection
    }

    async fn spec(&self, connection: &Connection) -> GrantSpec {
        spec(connection)
    }

    async fn grant(&self, connection: &mut Connection, _: &GrantSpec) {
        let Place { scene, connector } = self.place();
        if self.by == By::AdminConsent {
            consent::approved(&scene, connector.as_ref(), connection).await;
        }
        let grant = scene.grant(connection).await;
        if self.by == By::ClientSecret {
            let made = &grant[&Identity::Provisioner];
            scene.let_rotate(made).await;
            let secret = scene.use_secret(connection, made, DAYS).await;
            self.secrets.lock().unwrap().push(secret);
        }
        *self.grant.lock().unwrap() = grant;
    }

    async fn take_back(&self, _: &Connection, _: &GrantSpec, what: Taken) {
        let scene = self.place().scene;
        let admin = scene.administrator().await;
        for (identity, made) in self.made() {
            if what == Taken::Reaper && identity != Identity::Reaper {
                continue;
            }
            // The operator's is not the customer's to delete.
            if !made.application.is_empty() {
                let path = format!("/v1.0/applications/{}", made.application);
                admin.must("DELETE", &path, Value::Null).await;
            }
            if what == Taken::Everything {
                for path in [&made.assignment, &made.definition] {
                    let path = format!("{path}?{AUTHORIZATION}");
                    admin.must("DELETE", &path, Value::Null).await;
                }
            }
        }
    }

    async fn edit(&self, _: &Connection, _: &GrantSpec, edit: Edit) {
        let scene = self.place().scene;
        let made = self.made();
        let provisioner = &made[&Identity::Provisioner];
        match edit {
            Edit::Permission => {
                scene
                    .edit(provisioner, |role| {
                        let actions = role["permissions"][0]["actions"].as_array_mut().unwrap();
                        actions.push(json!("Microsoft.Network/dnszones/read"));
                    })
                    .await;
            }
            Edit::Everything => scene.also(provisioner, "Owner").await,
            Edit::OldVersion => {
                for made in made.values() {
                    scene
                        .edit(made, |role| {
                            let text = role["description"].as_str().unwrap();
                            let (text, _) = text.split_once(VERSION_MARK).unwrap();
                            role["description"] = json!(format!("{text}{VERSION_MARK}0"));
                        })
                        .await;
                }
            }
        }
    }

    async fn impostors(&self, victim: &Connection) -> Vec<Impostor> {
        let what = match self.by {
            By::WorkloadIdentity => "the victim's client id",
            By::AdminConsent => "the consent of the victim's administrator",
            By::ClientSecret => "the victim's client id, and the id of its secret",
        };
        let mut impostors = vec![Impostor {
            what,
            connection: somebody_else(victim),
        }];
        if self.by == By::ClientSecret {
            // An application of its own in the same tenant, which has no role.
            let scene = self.place().scene;
            let mut own = somebody_else(victim);
            let admin = scene.administrator().await;
            let body = json!({ "displayName": "somebody-elses" });
            let application = admin.must("POST", "/v1.0/applications", body).await;
            let body = json!({ "appId": application["appId"] });
            admin.must("POST", "/v1.0/servicePrincipals", body).await;
            let mut made = self.made()[&Identity::Provisioner].clone();
            made.application = application["id"].as_str().unwrap().to_owned();
            made.client = application["appId"].as_str().unwrap().to_owned();
            let secret = scene.use_secret(&mut own, &made, DAYS).await;
            self.secrets.lock().unwrap().push(secret);
            impostors.push(Impostor {
                what: "an application and a secret of its own in the victim's tenant",
                connection: own,
            });
        }
        impostors
    }

    async fn lag(&self, on: bool) -> Support {
        *self.lags.lock().unwrap() = on;
        let seconds = if on { LAG_SECONDS } else { 0 };
        self.place().scene.lags(seconds).await;
        Support::Done
    }

    /// The sandbox's clock is moved only where that is needed: assertions are
    /// signed with the machine's time.
    async fn settle(&self) {
        let lags = *self.lags.lock().unwrap();
        if lags {
            let advance = json!({ "advance_seconds": LAG_SECONDS + 1 });
            self.place().scene.admin("clock", &advance).await;
        }
    }

    async fn throttle(&self) -> Support {
        let scene = self.place().scene;
        for service in ["entra", "arm", "graph"] {
            scene.fault("throttle", service, 3).await;
        }
        Support::Done
    }

    /// Graph is not ours to read, and needs not be.
    fn may_say(&self, check: &Check) -> bool {
        check.outcome == Outcome::Skipped
            && check.id.starts_with("azure.federated-credential-exact.")
    }

    /// The client id: Entra chooses it when the setup runs. The operator's is
    /// there before.
    fn is_entered_afterwards(&self) -> bool {
        self.by != By::AdminConsent
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap().clone()
    }

    /// Environments in Azure cannot be made yet: there is no driver.
    fn drives(&self) -> Support {
        Support::Missing
    }
}

async fn holds(by: By, target: &'static str) {
    let microsoft = Microsoft::by(by, target).await;
    let report = suite(&microsoft).await;
    assert_eq!(report.skipped, ["a_reaper_is_of_its_own_scope_only"]);
    // That no secret is shown means something only where there is one.
    let keyless = by == By::WorkloadIdentity;
    assert_eq!(microsoft.secrets().is_empty(), keyless);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_workload_identity_the_connector_keeps_its_contract() {
    holds(
        By::WorkloadIdentity,
        "azure workload-identity on the sandbox",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_admin_consent_the_connector_keeps_its_contract() {
    holds(By::AdminConsent, "azure admin-consent on the sandbox").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_client_secret_the_connector_keeps_its_contract() {
    holds(By::ClientSecret, "azure client-secret on the sandbox").await;
}
