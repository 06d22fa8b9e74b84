//! The same contract on an emulator that other people wrote: it enforces trust
//! policies, external ids and permissions by a reading of its own.

use crate::support::{
    Keys, TestClock, connection, connector,
    customer::{Customer, sdk},
    spec::Grant,
    tools::Emulator,
};
use async_trait::async_trait;
use landfall_contract::{
    Support,
    connector::{
        Edit, Harness, Taken,
        aws::{self, Account, Trust},
        suite,
    },
};
use landfall_model::{
    Clock, Timestamp,
    check::Outcome,
    connection::Connection,
    connector::{Connector, Detection, Silent},
    grant::{GrantSpec, Identity},
};
use serde_json::json;
use std::sync::Arc;

struct Ministack {
    endpoint: String,
    customer: Keys,
    operator: Keys,
    connector: Arc<dyn Connector>,
    grants: Grant,
}

/// There a 12-digit access key with the secret `test` is that account's root.
fn root(account: &str) -> Keys {
    Keys {
        account: account.to_owned(),
        access_key_id: account.to_owned(),
        secret_access_key: "test".to_owned(),
    }
}

/// An IAM user for the server: root may not assume roles.
async fn operator(endpoint: &str, account: &str) -> Keys {
    let iam = aws_sdk_iam::Client::new(&sdk(endpoint, &root(account)));
    iam.create_user()
        .user_name("landfall-server")
        .send()
        .await
        .expect("a user can be made");
    iam.put_user_policy()
        .user_name("landfall-server")
        .policy_name("assume")
        .policy_document(
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": ["sts:AssumeRole", "sts:GetCallerIdentity"],
                    "Resource": "*",
                }],
            })
            .to_string(),
        )
        .send()
        .await
        .expect("its policy can be put");
    let key = iam
        .create_access_key()
        .user_name("landfall-server")
        .send()
        .await
        .expect("it can have a key")
        .access_key
        .expect("the key");
    Keys {
        account: account.to_owned(),
        access_key_id: key.access_key_id,
        secret_access_key: key.secret_access_key,
    }
}

impl Ministack {
    fn customer(&self) -> Customer {
        Customer::new(&self.endpoint, &self.customer)
    }
}

#[async_trait]
impl Harness for Ministack {
    fn target(&self) -> &str {
        "aws assume-role on ministack"
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn known_as(&self) -> String {
        self.operator.account.clone()
    }

    fn now(&self) -> Timestamp {
        TestClock.now()
    }

    async fn connection(&self, with_reaper: bool) -> Connection {
        connection(&self.customer.account, "us-east-1", with_reaper)
    }

    async fn spec(&self, connection: &Connection) -> GrantSpec {
        let principal = self.connector.principal().await.expect("an identity");
        let mut spec = self.grants.spec(connection, &principal);
        // AWS lets this action be granted for roles (AWS docs: "Actions,
        // resources, and condition keys for IAM"); ministack knows `*` only.
        let GrantSpec::Aws(aws) = &mut spec else {
            unreachable!("the connection is to AWS");
        };
        let verify = &mut aws.roles[0].policies[0].document["Statement"];
        verify.as_array_mut().expect("statements").push(json!({
            "Effect": "Allow",
            "Action": "iam:SimulatePrincipalPolicy",
            "Resource": "*",
        }));
        spec
    }

    async fn grant(&self, connection: &mut Connection, spec: &GrantSpec) {
        self.customer().grant(connection, spec).await;
    }

    async fn take_back(&self, connection: &Connection, spec: &GrantSpec, what: Taken) {
        self.customer().take_back(connection, spec, what).await;
    }

    async fn edit(&self, connection: &Connection, spec: &GrantSpec, edit: Edit) {
        self.customer().edit(connection, spec, edit).await;
    }

    /// What is written is in effect at once.
    async fn lag(&self, _: bool) -> Support {
        Support::Missing
    }

    async fn settle(&self) {}

    /// It answers everything.
    async fn throttle(&self) -> Support {
        Support::Missing
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.operator.secret_access_key.clone()]
    }

    fn drives(&self) -> Support {
        Support::Done
    }
}

#[async_trait]
impl Account for Ministack {
    /// Its simulator knows no policies of organizations.
    async fn organization_denies(&self, _: &Connection, _: Option<&str>) -> Support {
        Support::Missing
    }

    /// All are on.
    fn disabled_region(&self) -> Option<String> {
        None
    }

    async fn trust(&self, spec: &GrantSpec, identity: Identity, trust: Trust) {
        self.customer().trust(spec, identity, trust).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_its_contract_on_ministack() {
    let Some(emulator) = Emulator::start().await else {
        return;
    };
    let endpoint = emulator.endpoint.clone();
    let operator = operator(&endpoint, "111111111111").await;
    let mut target = Ministack {
        customer: root("222222222222"),
        connector: connector(&endpoint, &operator, |_| {}).await,
        operator,
        endpoint,
        grants: Grant::Small,
    };
    let report = suite(&target).await;
    assert_eq!(
        report.skipped,
        ["a_new_grant_propagates", "throttling_fails_no_check"]
    );
    let report = aws::roles(&target).await;
    assert_eq!(
        report.skipped,
        [
            "an_organizations_denial_is_named",
            "a_disabled_region_fails"
        ]
    );
    let report = aws::behind_an_external_id(&target).await;
    assert!(report.skipped.is_empty(), "{report:?}");
    target.grants = Grant::Real;
    the_real_grant_works_as_far_as_it_is_simulated(&target).await;
}

/// ministack's simulator ignores the context of a question, so that conditions
/// on tags are never met: its answers about the real policies say nothing. That
/// it accepts and enforces everything else does.
async fn the_real_grant_works_as_far_as_it_is_simulated(target: &Ministack) {
    let mut connection = target.connection(true).await;
    let spec = target.spec(&connection).await;
    target.grant(&mut connection, &spec).await;
    assert_eq!(
        target.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = target
        .connector
        .verify(&connection, &spec, target.now(), &Silent)
        .await
        .unwrap();
    let mut passed = 0;
    for check in &found.checks {
        if !check.id.starts_with("aws.permissions.") {
            assert_eq!(check.outcome, Outcome::Pass, "{check:#?}");
            passed += 1;
        }
    }
    assert_eq!(passed, 14);
}
