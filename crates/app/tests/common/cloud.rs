use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, Method},
    connector::{Availability, CheckSink, Connector, Detection, Region, Verification},
    digest::Digest,
    driver::{
        AttemptToken, Driver, Failure, FailureKind, Observed, OperationId, PatchOperation,
        Progress, Status,
    },
    grant::{Fact, GrantGuide, GrantSpec, How, ServerPrincipal, Way},
    retained::Retained,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// An account that does as the test says. What is not about permissions or
/// time: for those there is the sandbox.
pub struct FakeCloud {
    state: Arc<Mutex<State>>,
}

struct State {
    unavailable: bool,
    detection: Detection,
    verification: Verification,
    regions: Vec<(String, bool)>,
    /// Accounts that never answer.
    silent: Vec<String>,
    /// `provisioner` refuses with this after so many more calls.
    refusal: Option<(u32, Failure)>,
    /// `reaper` refuses with this.
    no_reaper: Option<Failure>,
    /// The server's own identity is refused with this.
    no_identity: Option<Failure>,
    /// Reads and lists fail with this.
    unreadable: Option<Failure>,
    resources: BTreeMap<(String, String), Value>,
    made: u32,
    /// Reads under way, and the most that there were at once.
    reading: (usize, usize),
    /// `detect 123456789012`, `create AWS::EC2::VPC`, `reaper …`.
    calls: Vec<String>,
}

impl Default for FakeCloud {
    fn default() -> Self {
        let refused = "sts:AssumeRole is refused".to_owned();
        let state = State {
            unavailable: false,
            detection: Detection::Refused { evidence: refused },
            verification: Verification {
                checks: vec![],
                refused: true,
                grant_version: None,
                grant_digest: None,
                ..Verification::default()
            },
            regions: vec![
                ("eu-central-1".to_owned(), true),
                ("us-east-1".to_owned(), true),
                ("af-south-1".to_owned(), false),
            ],
            silent: vec![],
            refusal: None,
            no_reaper: None,
            no_identity: None,
            unreadable: None,
            resources: BTreeMap::new(),
            made: 0,
            reading: (0, 0),
            calls: vec![],
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }
}

/// A check that passed.
pub fn check(id: &str) -> Check {
    Check {
        id: id.to_owned(),
        title: format!("{id} holds"),
        outcome: Outcome::Pass,
        asked: "sts:GetCallerIdentity".to_owned(),
        evidence: "as expected".to_owned(),
        remedy: String::new(),
        millis: 3,
    }
}

impl FakeCloud {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn detects(&self, detection: Detection) {
        self.lock().detection = detection;
    }

    pub fn verifies(&self, checks: Vec<Check>, refused: bool) {
        self.lock().verification = Verification {
            checks,
            refused,
            grant_version: (!refused).then_some(1),
            grant_digest: (!refused).then(|| Digest::of_bytes(b"roles")),
            ..Verification::default()
        };
    }

    pub fn unavailable(&self) {
        self.lock().unavailable = true;
    }

    pub fn silence(&self, account_id: &str) {
        self.lock().silent.push(account_id.to_owned());
    }

    pub fn refuses_the_provisioner_after(&self, calls: u32, failure: Failure) {
        self.lock().refusal = Some((calls, failure));
    }

    pub fn accepts_the_provisioner(&self) {
        self.lock().refusal = None;
    }

    pub fn refuses_the_reaper(&self, failure: Option<Failure>) {
        self.lock().no_reaper = failure;
    }

    pub fn refuses_the_server(&self, failure: Failure) {
        self.lock().no_identity = Some(failure);
    }

    pub fn refuses_to_be_read(&self, failure: Failure) {
        self.lock().unreadable = Some(failure);
    }

    pub fn most_reads_at_once(&self) -> usize {
        self.lock().reading.1
    }

    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    pub fn count(&self, prefix: &str) -> usize {
        let state = self.lock();
        state
            .calls
            .iter()
            .filter(|call| call.starts_with(prefix))
            .count()
    }

    pub fn resources(&self) -> Vec<(String, String)> {
        self.lock().resources.keys().cloned().collect()
    }

    /// Somebody deletes it in the console.
    pub fn lose(&self, type_name: &str) {
        self.lock()
            .resources
            .retain(|(kind, _), _| kind != type_name);
    }

    async fn answer(&self, what: &str, connection: &Connection) {
        let silent = {
            let mut state = self.lock();
            state.calls.push(format!("{what} {}", connection.scope()));
            state.silent.iter().any(|id| id == connection.scope())
        };
        if silent {
            std::future::pending::<()>().await;
        }
    }

    fn driver(&self, identity: &'static str) -> Arc<dyn Driver> {
        Arc::new(FakeDriver {
            state: self.state.clone(),
            identity,
        })
    }
}

#[async_trait]
impl Connector for FakeCloud {
    fn method(&self) -> Method {
        Method::AssumeRole
    }

    async fn availability(&self) -> Availability {
        if self.lock().unavailable {
            Availability::Unavailable {
                reason: "this server has no AWS identity".to_owned(),
                next_step: "configure one".to_owned(),
            }
        } else {
            Availability::Available
        }
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        if let Some(failure) = &self.lock().no_identity {
            return Err(failure.clone());
        }
        Ok(ServerPrincipal::Aws {
            arn: "arn:aws:iam::999999999999:role/landfall-server".to_owned(),
        })
    }

    fn guide(
        &self,
        connection: &Connection,
        _: &[Connection],
        spec: &GrantSpec,
        principal: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        let fact = |id: &str, value: &str| Fact {
            id: id.to_owned(),
            label: id.to_owned(),
            value: value.to_owned(),
        };
        Ok(GrantGuide {
            version: spec.version(),
            digest: spec.digest(),
            facts: vec![
                fact("principal", principal.as_str()),
                fact("external-id", &connection.external_id),
            ],
            ways: vec![Way {
                id: "cloudformation".to_owned(),
                title: "With one command in CloudShell".to_owned(),
                about: String::new(),
                how: How::Commands {
                    commands: "aws cloudformation create-stack".to_owned(),
                },
            }],
            revoke_steps: vec![],
        })
    }

    async fn publish(&self, _: &Connection, _: &GrantSpec) -> Result<(), Failure> {
        Ok(())
    }

    async fn detect(&self, connection: &Connection) -> Detection {
        self.answer("detect", connection).await;
        self.lock().detection.clone()
    }

    async fn verify(
        &self,
        connection: &Connection,
        _: &GrantSpec,
        _: Timestamp,
        sink: &dyn CheckSink,
    ) -> Result<Verification, Failure> {
        self.answer("verify", connection).await;
        let verification = self.lock().verification.clone();
        for check in &verification.checks {
            sink.finished(check);
        }
        Ok(verification)
    }

    async fn regions(&self, connection: &Connection) -> Result<Vec<Region>, Failure> {
        self.answer("regions", connection).await;
        let state = self.lock();
        let region = |(name, enabled): &(String, bool)| Region {
            name: name.clone(),
            enabled: *enabled,
            changing: false,
        };
        Ok(state.regions.iter().map(region).collect())
    }

    async fn provisioner(
        &self,
        connection: &Connection,
        _: &str,
    ) -> Result<Arc<dyn Driver>, Failure> {
        self.answer("provisioner", connection).await;
        match &mut self.lock().refusal {
            Some((0, failure)) => return Err(failure.clone()),
            Some((left, _)) => *left -= 1,
            None => {}
        }
        Ok(self.driver("provisioner"))
    }

    async fn reaper(
        &self,
        connection: &Connection,
        resource: &Retained,
        session_policy: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        self.answer("reaper", connection).await;
        if let Some(failure) = &self.lock().no_reaper {
            return Err(failure.clone());
        }
        let policy = session_policy.to_string();
        assert!(
            policy.len() <= 2048,
            "a session policy has at most 2,048 characters"
        );
        self.lock()
            .calls
            .push(format!("narrowed to {}", resource.identifier));
        Ok(self.driver("reaper"))
    }
}

struct FakeDriver {
    state: Arc<Mutex<State>>,
    identity: &'static str,
}

impl FakeDriver {
    fn note(&self, call: &str, type_name: &str) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        state
            .calls
            .push(format!("{}: {call} {type_name}", self.identity));
        state
    }
}

fn done(identifier: &str) -> Progress {
    Progress {
        operation: OperationId(format!("op-{identifier}")),
        identifier: Some(identifier.to_owned()),
        status: Status::Succeeded,
    }
}

/// Attributes that other resources refer to; more than any one type has.
fn described(properties: &Value, identifier: &str) -> Value {
    let mut described = properties.clone();
    let members = described.as_object_mut().unwrap();
    for name in [
        "VpcId",
        "SubnetId",
        "GroupId",
        "Id",
        "Arn",
        "InternetGatewayId",
        "RouteTableId",
        "AllocationId",
        "NatGatewayId",
        "LoadBalancerArn",
        "DNSName",
        "TargetGroupArn",
        "ListenerArn",
        "RepositoryUri",
        "TaskDefinitionArn",
        "ServiceArn",
        "RoleId",
    ] {
        members.entry(name).or_insert_with(|| json!(identifier));
    }
    described
}

#[async_trait]
impl Driver for FakeDriver {
    async fn create(
        &self,
        type_name: &str,
        properties: &Value,
        _: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let mut state = self.note("create", type_name);
        state.made += 1;
        let short = type_name.rsplit(':').next().unwrap().to_lowercase();
        let named = [
            "RoleName",
            "ClusterName",
            "LogGroupName",
            "RepositoryName",
            "BucketName",
        ]
        .iter()
        .find_map(|name| properties[*name].as_str());
        let identifier = named.map_or_else(|| format!("{short}-{}", state.made), str::to_owned);
        let described = described(properties, &identifier);
        state
            .resources
            .insert((type_name.to_owned(), identifier.clone()), described);
        Ok(done(&identifier))
    }

    async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        _: &[PatchOperation],
        _: &AttemptToken,
    ) -> Result<Progress, Failure> {
        drop(self.note("update", type_name));
        Ok(done(identifier))
    }

    async fn delete(
        &self,
        type_name: &str,
        identifier: &str,
        _: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let mut state = self.note("delete", type_name);
        assert_eq!(self.identity, "reaper", "only the reaper deletes");
        state
            .resources
            .remove(&(type_name.to_owned(), identifier.to_owned()));
        Ok(done(identifier))
    }

    async fn poll(&self, _: &OperationId) -> Result<Progress, Failure> {
        Err(Failure::new(
            FailureKind::Forgotten,
            "Forgotten",
            "no such operation",
        ))
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        {
            let mut state = self.note("read", type_name);
            state.reading.0 += 1;
            state.reading.1 = state.reading.1.max(state.reading.0);
        }
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.reading.0 -= 1;
        if let Some(failure) = &state.unreadable {
            return Err(failure.clone());
        }
        let key = (type_name.to_owned(), identifier.to_owned());
        Ok(state.resources.get(&key).map(|properties| Observed {
            identifier: identifier.to_owned(),
            properties: properties.clone(),
        }))
    }

    async fn list(&self, type_name: &str, _: Option<&Value>) -> Result<Vec<Observed>, Failure> {
        let state = self.note("list", type_name);
        if let Some(failure) = &state.unreadable {
            return Err(failure.clone());
        }
        let of_type = state
            .resources
            .iter()
            .filter(|((kind, _), _)| kind == type_name);
        Ok(of_type
            .map(|((_, identifier), properties)| Observed {
                identifier: identifier.clone(),
                properties: properties.clone(),
            })
            .collect())
    }
}
