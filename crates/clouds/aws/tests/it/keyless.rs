//! Connecting by `oidc`, on the sandbox, which fetches the issuer's keys and
//! verifies.

#[path = "../../../../sandbox/tests/issuer/mod.rs"]
mod issuer;

use crate::support::{
    TestClock, customer,
    sandbox::{REGION, Sandbox},
    spec::Grant,
};
use async_trait::async_trait;
use landfall_aws::{AwsConfig, AwsConnector};
use landfall_contract::connector::Harness as _;
use landfall_model::{
    Clock as _, Timestamp,
    check::{Check, Outcome},
    connection::{AwsAccess, Connection, Method, State},
    connector::{Availability, Connector, Detection, Silent, Verification},
    entropy::SystemEntropy,
    grant::{AWS_AUDIENCE, GrantSpec, Identity},
    issuer::{Assertion, Claims, Issuer, IssuerError, LIFETIME},
};
use serde_json::{Value, json};
use std::sync::Arc;

const URL: &str = "https://id.landfall.example/acme";
const HOST: &str = "id.landfall.example/acme";

/// The port, on an issuer that the test serves.
struct Signs {
    issuer: issuer::Issuer,
    url: Option<String>,
}

#[async_trait]
impl Issuer for Signs {
    fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    async fn assertion(&self, subject: &str, audience: &str) -> Result<Assertion, IssuerError> {
        self.custom(&Claims {
            subject: subject.to_owned(),
            audience: audience.to_owned(),
            issued_at: TestClock.now(),
            lifetime: LIFETIME,
        })
        .await
    }

    async fn custom(&self, claims: &Claims) -> Result<Assertion, IssuerError> {
        let from = claims.issued_at.as_millis() / 1_000;
        let until = from + i64::try_from(claims.lifetime.as_secs()).unwrap();
        let change = json!({ "aud": claims.audience, "exp": until });
        let token = self
            .issuer
            .sign(&self.issuer.claims(&claims.subject, from, &change));
        Ok(Assertion::new(
            token,
            "k1".into(),
            Timestamp::from_millis(until * 1_000),
        ))
    }

    async fn jwks(&self) -> Result<Value, IssuerError> {
        Ok(self.issuer.keys.lock().unwrap().clone())
    }

    async fn key_id(&self) -> Result<String, IssuerError> {
        Ok("k1".into())
    }

    fn discovery(&self) -> Option<Value> {
        Some(self.issuer.discovery.lock().unwrap().clone())
    }
}

pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    connector: Arc<dyn Connector>,
    served_at: String,
    iam: aws_sdk_iam::Client,
}

async fn connector(endpoint: &str, signs: Signs) -> Arc<dyn Connector> {
    let config = AwsConfig {
        endpoint_url: Some(endpoint.parse().unwrap()),
        ..AwsConfig::default()
    };
    let clock = Arc::new(TestClock);
    Arc::new(
        AwsConnector::oidc(config, Arc::new(signs), clock, Arc::new(SystemEntropy))
            .await
            .unwrap(),
    )
}

impl Scene {
    async fn new() -> Self {
        Self::granting(Grant::Real).await
    }

    pub(crate) async fn granting(grants: Grant) -> Self {
        let mut sandbox = Sandbox::granting(grants).await;
        let issuer = issuer::Issuer::start(URL).await;
        let served_at = issuer.served_at.clone();
        let url = Some(URL.to_owned());
        let connector = connector(&sandbox.endpoint, Signs { issuer, url }).await;
        sandbox.connector = connector.clone();
        sandbox.access = AwsAccess::Oidc;
        sandbox.known_as = URL.to_owned();
        let iam = aws_sdk_iam::Client::new(&customer::sdk(&sandbox.endpoint, &sandbox.customer));
        iam.create_open_id_connect_provider()
            .url(URL)
            .client_id_list(AWS_AUDIENCE)
            .send()
            .await
            .unwrap();
        let scene = Self {
            sandbox,
            connector,
            served_at,
            iam,
        };
        scene.serve(true).await;
        scene
    }

    async fn serve(&self, on: bool) {
        let served_at = on.then_some(&self.served_at);
        self.sandbox
            .admin("issuers", &json!({ "url": URL, "served_at": served_at }))
            .await;
    }

    /// A connection with everything granted, as it is once connected.
    async fn granted(&self) -> (Connection, GrantSpec) {
        let mut connection = self.sandbox.connection(true).await;
        let spec = self.sandbox.spec(&connection).await;
        self.sandbox.grant(&mut connection, &spec).await;
        connection.state = State::Connected {
            since: TestClock.now(),
        };
        (connection, spec)
    }

    async fn verify(&self, connection: &Connection, spec: &GrantSpec) -> Verification {
        self.connector
            .verify(connection, spec, TestClock.now(), &Silent)
            .await
            .unwrap()
    }

    /// Changes the condition of a role's trust policy.
    async fn trusting(&self, spec: &GrantSpec, identity: Identity, condition: Value) {
        let role = spec
            .aws()
            .unwrap()
            .roles
            .iter()
            .find(|role| role.identity == identity)
            .unwrap();
        let mut trust = role.trust.clone();
        trust["Statement"][0]["Condition"] = condition;
        self.iam
            .update_assume_role_policy()
            .role_name(&role.name)
            .policy_document(trust.to_string())
            .send()
            .await
            .unwrap();
    }
}

fn check<'a>(found: &'a Verification, id: &str) -> &'a Check {
    found
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("no check {id}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_connection_passes_every_check_and_works() {
    let scene = Scene::new().await;
    assert_eq!(scene.connector.method(), Method::Oidc);
    assert_eq!(
        scene.connector.availability().await,
        Availability::Available
    );
    let (connection, spec) = scene.granted().await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection, &spec).await;
    for check in &found.checks {
        assert_eq!(check.outcome, Outcome::Pass, "{check:#?}");
        assert!(
            !check.evidence.contains("eyJ"),
            "a token is shown: {check:?}"
        );
    }
    for identity in ["provisioner", "reaper"] {
        for id in [
            "token-accepted",
            "token-subject-enforced",
            "token-audience-enforced",
            "token-expiry-enforced",
            "token-signature-enforced",
            "session-duration",
        ] {
            check(&found, &format!("aws.{id}.{identity}"));
        }
    }
    scene
        .connector
        .provisioner(&connection, REGION)
        .await
        .map(drop)
        .unwrap();
    let regions = scene.connector.regions(&connection).await.unwrap();
    assert!(regions.iter().any(|region| region.name == REGION));
    // This server's principal was never used.
    assert_eq!(scene.sandbox.requests("AssumeRole").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_forgot_the_subject_is_found() {
    let scene = Scene::new().await;
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let (connection, spec) = scene.granted().await;
        let audience = json!({ "StringEquals": { format!("{HOST}:aud"): AWS_AUDIENCE } });
        scene.trusting(&spec, identity, audience).await;
        let found = scene.verify(&connection, &spec).await;
        let who = identity.as_str();
        let check = check(&found, &format!("aws.token-subject-enforced.{who}"));
        assert_eq!(check.outcome, Outcome::Fail);
        assert!(check.evidence.contains("every connection of this server"));
        assert!(check.remedy.contains(&connection.subject()));
        assert!(!found.refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_connections_subject_does_not_let_us_in() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.granted().await;
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let other = json!({ "StringEquals": {
            format!("{HOST}:aud"): AWS_AUDIENCE,
            format!("{HOST}:sub"): "landfall:org_other:con_other",
        } });
        scene.trusting(&spec, identity, other).await;
    }
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let found = scene.verify(&connection, &spec).await;
    assert!(found.refused);
    let accepted = check(&found, "aws.token-accepted.provisioner");
    assert_eq!(accepted.outcome, Outcome::Fail);
    assert!(accepted.remedy.contains(URL), "{accepted:?}");
    let skipped = check(&found, "aws.token-subject-enforced.provisioner");
    assert_eq!(skipped.outcome, Outcome::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_aws_cannot_reach_is_no_revocation() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.granted().await;
    scene.serve(false).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let found = scene.verify(&connection, &spec).await;
    assert!(!found.refused);
    assert_eq!(
        check(&found, "aws.token-accepted.provisioner").outcome,
        Outcome::Unanswered
    );
    scene.serve(true).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_accounts_provider_the_grant_is_refused() {
    let scene = Scene::new().await;
    let (connection, _) = scene.granted().await;
    scene
        .iam
        .delete_open_id_connect_provider()
        .open_id_connect_provider_arn(connection.aws().unwrap().oidc_provider_arn(URL))
        .send()
        .await
        .unwrap();
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_address_the_method_is_unavailable() {
    let sandbox = Sandbox::start().await;
    let issuer = issuer::Issuer::start(URL).await;
    let connector = connector(&sandbox.endpoint, Signs { issuer, url: None }).await;
    let Availability::Unavailable { next_step, .. } = connector.availability().await else {
        panic!("AWS could not fetch the keys");
    };
    assert!(next_step.contains("issuer.url"), "{next_step}");
    assert!(connector.principal().await.is_err());
}
