use crate::support::sandbox::{REGION, Sandbox};
use async_trait::async_trait;
use landfall_contract::{
    Support,
    driver::{Fault, Harness, Sample, suite},
};
use landfall_model::driver::{AttemptToken, Driver, PatchOperation};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

struct OnSandbox {
    sandbox: Sandbox,
    driver: Arc<dyn Driver>,
    tokens: AtomicU32,
}

#[async_trait]
impl Harness for OnSandbox {
    fn target(&self) -> &str {
        "sandbox"
    }

    fn driver(&self) -> Arc<dyn Driver> {
        self.driver.clone()
    }

    fn sample(&self, name: &str) -> Sample {
        let identifier = format!("landfall-{name}");
        Sample {
            type_name: "AWS::Logs::LogGroup".to_owned(),
            properties: json!({
                "LogGroupName": identifier,
                "RetentionInDays": 7,
                "Tags": [{"Key": "landfall:environment", "Value": "test"}],
            }),
            patch: vec![PatchOperation::Replace {
                path: "/RetentionInDays".to_owned(),
                value: json!(30),
            }],
            patched: ("/RetentionInDays".to_owned(), json!(30)),
            create_only_patch: vec![PatchOperation::Replace {
                path: "/LogGroupName".to_owned(),
                value: json!("landfall-renamed"),
            }],
            scope: None,
            identifier,
        }
    }

    fn token(&self) -> AttemptToken {
        AttemptToken(format!(
            "attempt-{}",
            self.tokens.fetch_add(1, Ordering::Relaxed)
        ))
    }

    async fn settle(&self) {
        self.sandbox.advance(600).await;
    }

    async fn inject(&self, fault: Fault) -> Support {
        let kind = match fault {
            Fault::AnswerLost => "lost_answer",
            Fault::Throttled => "throttle",
            Fault::ServerError => "http_500",
            Fault::Fails => "fail",
            Fault::FailsWithIdentifier => "fail_with_identifier",
        };
        self.sandbox
            .admin(
                "faults",
                &json!({
                    "kind": kind,
                    "match": {"service": "cloudcontrolapi", "operation": "CreateResource"},
                }),
            )
            .await;
        Support::Done
    }

    async fn outlive_tokens(&self) -> Support {
        self.sandbox.advance(37 * 3600).await;
        Support::Done
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_keeps_its_contract_on_the_sandbox() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.granted().await;
    let driver = sandbox
        .connector
        .provisioner(&connection, REGION)
        .await
        .expect("the provisioner");
    let harness = OnSandbox {
        sandbox,
        driver,
        tokens: AtomicU32::new(0),
    };
    let report = suite(&harness).await;
    assert_eq!(report.skipped, Vec::<&str>::new());
}
