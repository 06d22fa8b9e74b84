pub(crate) mod customer;
pub(crate) mod emulators;
pub(crate) mod groups;
pub(crate) mod scene;
pub(crate) mod shell;

use async_trait::async_trait;
use landfall_model::{
    Clock, Entropy, Timestamp,
    check::{Check, Outcome},
    connection::{Azure, AzureAccess, Breadth, Connection, State, Target},
    connector::Verification,
    entropy::SystemEntropy,
    id::{ConnectionId, OrganizationId, SecretId},
    secret::{Secrets, SecretsError},
    vault::Plain,
};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

/// The machine's time, because assertions are verified with it; waits take
/// none.
pub(crate) struct TestClock;

#[async_trait]
impl Clock for TestClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "assertions are verified with the machine's time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        Timestamp::from_millis(i64::try_from(since.as_millis()).expect("not that late"))
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

/// A new pending connection to a subscription.
pub(crate) fn connection(tenant: &str, subscription: &str, access: AzureAccess) -> Connection {
    let now = TestClock.now();
    let entropy: &dyn Entropy = &SystemEntropy;
    let random: [u8; 12] = entropy.array();
    let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Connection {
        id: ConnectionId::at(now, entropy),
        organization_id: OrganizationId::at(now, entropy),
        name: "test".to_owned(),
        target: Target::Azure(Azure {
            tenant_id: tenant.parse().expect("a tenant id"),
            subscription_id: subscription.parse().expect("a subscription id"),
            management_group: None,
            breadth: Breadth::Narrow,
            access,
        }),
        external_id: format!("landfall-{nonce}"),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["westeurope".to_owned()],
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

pub(crate) fn change(connection: &mut Connection, change: impl FnOnce(&mut Azure)) {
    let Target::Azure(azure) = &mut connection.target else {
        panic!("the connection is to Azure");
    };
    change(azure);
}

pub(crate) fn connected(connection: &mut Connection) {
    connection.state = State::Connected {
        since: TestClock.now(),
    };
}

pub(crate) fn check<'v>(found: &'v Verification, id: &str) -> &'v Check {
    found
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| {
            let ids: Vec<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
            panic!("no check {id} among {ids:?}")
        })
}

/// The ids of the checks with this outcome.
pub(crate) fn with(found: &Verification, outcome: Outcome) -> Vec<&str> {
    found
        .checks
        .iter()
        .filter(|check| check.outcome == outcome)
        .map(|check| check.id.as_str())
        .collect()
}

/// Secrets in memory, each of one organization.
#[derive(Default)]
pub(crate) struct Kept {
    of: Mutex<BTreeMap<(OrganizationId, SecretId), String>>,
}

impl Kept {
    pub(crate) fn put(&self, organization: &OrganizationId, text: &str) -> SecretId {
        let id = SecretId::at(TestClock.now(), &SystemEntropy);
        let key = (organization.clone(), id.clone());
        self.of.lock().unwrap().insert(key, text.to_owned());
        id
    }
}

#[async_trait]
impl Secrets for Kept {
    async fn open(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> Result<Plain, SecretsError> {
        let key = (organization.clone(), id.clone());
        let known = self.of.lock().unwrap().get(&key).cloned();
        known
            .map(Plain::from)
            .ok_or_else(|| SecretsError::Missing { id: id.clone() })
    }
}
