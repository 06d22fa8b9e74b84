//! A sandbox inside the test.

use super::{Keys, TestClock, connection, connector, customer::Customer, spec::Grant};
use async_trait::async_trait;
use landfall_contract::{
    Support,
    connector::{
        Edit, Harness, Taken,
        aws::{Account, Trust},
    },
};
use landfall_model::{
    Clock, Timestamp,
    connection::{AwsAccess, Connection, Target},
    connector::Connector,
    grant::{GrantSpec, Identity},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) const REGION: &str = "eu-central-1";
const LAG_SECONDS: u64 = 60;

pub(crate) struct Sandbox {
    pub(crate) endpoint: String,
    pub(crate) operator: Keys,
    pub(crate) customer: Keys,
    pub(crate) connector: Arc<dyn Connector>,
    /// By which method connections are made.
    pub(crate) access: AwsAccess,
    /// See [`Harness::known_as`].
    pub(crate) known_as: String,
    pub(crate) grants: Grant,
    lags: AtomicBool,
    http: reqwest::Client,
    _running: landfall_sandbox::Running,
}

impl Sandbox {
    /// A sandbox in which customers make the small grant.
    pub(crate) async fn start() -> Self {
        Self::granting(Grant::Small).await
    }

    pub(crate) async fn granting(grants: Grant) -> Self {
        let running = landfall_sandbox::start(landfall_sandbox::Config::default())
            .await
            .expect("the sandbox starts");
        let aws = &running.ready["aws"];
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let keys = |role: &str| {
            let account = aws["accounts"]
                .as_array()
                .expect("accounts")
                .iter()
                .find(|account| account["role"] == role)
                .expect("an account");
            Keys {
                account: text(&account["id"]),
                access_key_id: text(&account["access_key_id"]),
                secret_access_key: text(&account["secret_access_key"]),
            }
        };
        let endpoint = text(&aws["endpoint_url"]);
        let operator = keys("operator");
        let connector = connector(&endpoint, &operator, |_| {}).await;
        Self {
            known_as: operator.account.clone(),
            operator,
            customer: keys("customer"),
            connector,
            access: AwsAccess::AssumeRole,
            grants,
            lags: AtomicBool::new(false),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            endpoint,
            _running: running,
        }
    }

    /// `POST /_sandbox/<path>`; its answer, `null` when there is none.
    pub(crate) async fn admin(&self, path: &str, body: &Value) -> Value {
        let answer = self
            .http
            .post(format!("{}/_sandbox/{path}", self.endpoint))
            .json(body)
            .send()
            .await
            .expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        self.admin("clock", &json!({"advance_seconds": seconds}))
            .await;
    }

    pub(crate) async fn get(&self, url: &str) -> String {
        let answer = self.http.get(url).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.text().await.expect("text")
    }

    /// How often an operation was asked for.
    pub(crate) async fn requests(&self, operation: &str) -> usize {
        let text = self
            .get(&format!("{}/_sandbox/requests", self.endpoint))
            .await;
        let log: Value = serde_json::from_str(&text).expect("JSON");
        log["requests"]
            .as_array()
            .expect("requests")
            .iter()
            .filter(|request| request["operation"] == operation)
            .count()
    }

    fn admin_of_customer(&self) -> Customer {
        Customer::new(&self.endpoint, &self.customer)
    }

    /// A connection with everything granted.
    pub(crate) async fn granted(&self) -> Connection {
        let mut connection = self.connection(true).await;
        let spec = self.spec(&connection).await;
        self.grant(&mut connection, &spec).await;
        connection
    }
}

#[async_trait]
impl Harness for Sandbox {
    fn target(&self) -> &str {
        match self.access {
            AwsAccess::AssumeRole => "aws assume-role on the sandbox",
            AwsAccess::Oidc => "aws oidc on the sandbox",
        }
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn known_as(&self) -> String {
        self.known_as.clone()
    }

    fn now(&self) -> Timestamp {
        TestClock.now()
    }

    async fn connection(&self, with_reaper: bool) -> Connection {
        let mut connection = connection(&self.customer.account, REGION, with_reaper);
        if let Target::Aws(aws) = &mut connection.target {
            aws.access = self.access;
        }
        connection
    }

    async fn spec(&self, connection: &Connection) -> GrantSpec {
        let principal = self.connector.principal().await.expect("an identity");
        self.grants.spec(connection, &principal)
    }

    async fn grant(&self, connection: &mut Connection, spec: &GrantSpec) {
        self.admin_of_customer().grant(connection, spec).await;
    }

    async fn take_back(&self, connection: &Connection, spec: &GrantSpec, what: Taken) {
        self.admin_of_customer()
            .take_back(connection, spec, what)
            .await;
    }

    async fn edit(&self, connection: &Connection, spec: &GrantSpec, edit: Edit) {
        self.admin_of_customer().edit(connection, spec, edit).await;
    }

    async fn lag(&self, on: bool) -> Support {
        self.lags.store(on, Ordering::SeqCst);
        let seconds = if on { LAG_SECONDS } else { 0 };
        self.admin("settings", &json!({"iam_lag_seconds": seconds}))
            .await;
        Support::Done
    }

    /// The sandbox's clock is moved only where that is needed: assertions are
    /// signed with the machine's time.
    async fn settle(&self) {
        if self.lags.load(Ordering::SeqCst) {
            self.advance(2 * LAG_SECONDS).await;
        }
    }

    async fn throttle(&self) -> Support {
        for service in ["sts", "iam", "account"] {
            self.admin(
                "faults",
                &json!({"kind": "throttle", "match": {"service": service}, "times": 4}),
            )
            .await;
        }
        Support::Done
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.operator.secret_access_key.clone()]
    }

    fn drives(&self) -> Support {
        Support::Done
    }
}

#[async_trait]
impl Account for Sandbox {
    async fn organization_denies(&self, connection: &Connection, action: Option<&str>) -> Support {
        let policy = action.map(|action| {
            json!({
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "*", "Resource": "*"},
                    {"Effect": "Deny", "Action": action, "Resource": "*"},
                ],
            })
        });
        self.admin(
            "iam/scp",
            &json!({"account": connection.scope(), "policy": policy}),
        )
        .await;
        Support::Done
    }

    fn disabled_region(&self) -> Option<String> {
        Some("eu-south-2".to_owned())
    }

    async fn trust(&self, spec: &GrantSpec, identity: Identity, trust: Trust) {
        self.admin_of_customer().trust(spec, identity, trust).await;
    }
}
