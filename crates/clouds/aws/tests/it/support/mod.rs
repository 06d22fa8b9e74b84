pub(crate) mod customer;
pub(crate) mod sandbox;
pub(crate) mod spec;
pub(crate) mod tools;

use async_trait::async_trait;
use landfall_aws::{AwsConfig, AwsConnector, Identity};
use landfall_model::{
    Clock, Entropy, Timestamp,
    connection::{Aws, AwsAccess, Connection, Partition, State, Target},
    connector::Connector,
    entropy::SystemEntropy,
    id::{ConnectionId, OrganizationId},
};
use std::{sync::Arc, time::Duration};

/// The machine's time, because requests are signed with it; waits take none.
pub(crate) struct TestClock;

#[async_trait]
impl Clock for TestClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "requests are signed with the machine's time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        Timestamp::from_millis(
            i64::try_from(since.as_millis()).expect("before the year 292 million"),
        )
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

pub(crate) struct Keys {
    pub(crate) account: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// The connector of an operator with these keys.
pub(crate) async fn connector(
    endpoint: &str,
    operator: &Keys,
    adjust: impl FnOnce(&mut AwsConfig),
) -> Arc<dyn Connector> {
    let mut config = AwsConfig {
        endpoint_url: Some(endpoint.parse().expect("a URL")),
        identity: Identity::Static {
            access_key_id: operator.access_key_id.clone(),
            secret_access_key: operator.secret_access_key.clone().into(),
            session_token: None,
        },
        ..AwsConfig::default()
    };
    adjust(&mut config);
    let connector = AwsConnector::assume_role(config, Arc::new(TestClock), Arc::new(SystemEntropy))
        .await
        .expect("a usable configuration");
    Arc::new(connector)
}

/// A new pending connection to an account.
pub(crate) fn connection(account: &str, region: &str, with_reaper: bool) -> Connection {
    let now = TestClock.now();
    let entropy: &dyn Entropy = &SystemEntropy;
    let random: [u8; 12] = entropy.array();
    let external_id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Connection {
        id: ConnectionId::at(now, entropy),
        organization_id: OrganizationId::at(now, entropy),
        name: "test".to_owned(),
        target: Target::Aws(Aws {
            account_id: account.parse().expect("an account id"),
            partition: Partition::Aws,
            access: AwsAccess::AssumeRole,
        }),
        external_id: format!("landfall-{external_id}"),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec![region.to_owned()],
        default_region: None,
        with_reaper,
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
