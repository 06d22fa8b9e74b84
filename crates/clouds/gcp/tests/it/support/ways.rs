//! The ways in, as the customer and the operator set them up.

use super::{
    Scene, connection_by,
    customer::{Customer, Said},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use landfall_gcp::{GcpConfig, GcpConnector, IssuerKeys};
use landfall_model::{
    Clock as _,
    connection::{Connection, GcpAccess},
    connector::Connector as _,
    entropy::SystemEntropy,
    grant::GcpGrant,
    id::{OrganizationId, SecretId},
    secret::{Secrets, SecretsError, ServiceAccountKey, parse_key},
    vault::Plain,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Federation(IssuerKeys),
    Key,
    Account,
}

/// Keys by whose they are; what a vault does is tested elsewhere.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<(OrganizationId, SecretId), Plain>>);

impl Shelf {
    pub(crate) fn put(&self, organization: &OrganizationId, id: &SecretId, plain: Plain) {
        self.0
            .lock()
            .expect("not poisoned")
            .insert((organization.clone(), id.clone()), plain);
    }
}

#[async_trait]
impl Secrets for Shelf {
    async fn open(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> Result<Plain, SecretsError> {
        self.0
            .lock()
            .expect("not poisoned")
            .get(&(organization.clone(), id.clone()))
            .cloned()
            .ok_or_else(|| SecretsError::Missing { id: id.clone() })
    }
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .expect("a file");
    file.write_all(bytes).expect("it is written");
}

impl Customer {
    pub(crate) fn email(&self, id: &str) -> String {
        format!("{id}@{}.iam.gserviceaccount.com", self.project)
    }

    /// The key file of a new key.
    pub(crate) async fn make_key(&self, email: &str) -> Value {
        let path = format!("v1/projects/{}/serviceAccounts/{email}/keys", self.project);
        let made = self.post("iam", &path, json!({})).await.ok();
        let file = STANDARD
            .decode(made["privateKeyData"].as_str().expect("text"))
            .expect("base 64");
        serde_json::from_slice(&file).expect("a key file")
    }

    pub(crate) async fn enable(&self, apis: &[&str]) {
        for api in apis {
            let path = format!(
                "v1/projects/{}/services/{api}.googleapis.com:enable",
                self.project
            );
            self.post("serviceusage", &path, json!({})).await.ok();
        }
    }

    pub(crate) async fn make_account(&self, id: &str) -> String {
        let path = format!("v1/projects/{}/serviceAccounts", self.project);
        self.post("iam", &path, json!({ "accountId": id }))
            .await
            .ok();
        self.email(id)
    }

    /// What a customer does for a key: two APIs, an account with one role, and
    /// its key.
    pub(crate) async fn prepare_key(&self, id: &str) -> ServiceAccountKey {
        self.enable(&["cloudresourcemanager", "serviceusage"]).await;
        let email = self.make_account(id).await;
        self.admit(&email).await;
        let file = self.make_key(&email).await;
        parse_key(file.to_string().as_bytes(), None).expect("a key")
    }

    /// Lets a connection by assertions in beside whoever is let in.
    pub(crate) async fn let_in_too(&self, grant: &GcpGrant) {
        self.make_pool(grant, None).await;
        let member = grant.trust.member(&self.number.parse().expect("a number"));
        for account in &grant.accounts {
            let path = self.account(grant, account.identity);
            let read = format!("{path}:getIamPolicy?options.requestedPolicyVersion=3");
            let mut policy = self.post("iam", &read, json!({})).await.ok();
            let new = json!({ "role": grant.trust.role(), "members": [member] });
            policy["bindings"]
                .as_array_mut()
                .expect("somebody is let in")
                .push(new);
            let body = json!({ "policy": policy });
            let path = format!("{path}:setIamPolicy");
            self.post("iam", &path, body).await.ok();
        }
    }

    /// Project IAM Admin, without a condition.
    pub(crate) async fn admit(&self, email: &str) {
        self.bind_role("roles/resourcemanager.projectIamAdmin", email)
            .await;
    }

    pub(crate) async fn bind_role(&self, role: &str, email: &str) {
        let binding = json!({ "role": role, "members": [format!("serviceAccount:{email}")] });
        self.bind(|all| all.push(binding)).await;
    }

    /// The bindings of the project that name an account, as they are.
    pub(crate) async fn roles_of(&self, email: &str) -> Vec<String> {
        let asked = json!({ "options": { "requestedPolicyVersion": 3 } });
        let path = format!("v3/projects/{}:getIamPolicy", self.project);
        let policy = self.post("cloudresourcemanager", &path, asked).await.ok();
        let member = json!(format!("serviceAccount:{email}"));
        let has = |binding: &&Value| {
            binding["members"]
                .as_array()
                .is_some_and(|members| members.contains(&member))
        };
        policy["bindings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(has)
            .map(|binding| binding["role"].as_str().expect("text").to_owned())
            .collect()
    }

    /// A token of an account, as whoever has `token`.
    pub(crate) async fn act_as(&self, token: &str, email: &str) -> Said {
        let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let body = json!({ "scope": ["https://www.googleapis.com/auth/cloud-platform"] });
        self.call(token, "POST", "iamcredentials", &path, body)
            .await
    }
}

impl Scene {
    /// A pending connection by the way of the scene.
    pub(crate) async fn pending(&self) -> Connection {
        match self.way {
            Way::Federation(_) => self.connection(),
            Way::Key => {
                let key = self.customer.prepare_key("any-name").await;
                self.by_key(&key)
            }
            Way::Account => {
                let access = GcpAccess::Impersonation {
                    service_account: None,
                };
                self.prepared(access).await
            }
        }
    }

    /// A connector by assertions, on the same cloud.
    pub(crate) fn keyless(&self) -> GcpConnector {
        let config = GcpConfig {
            endpoint_template: self.template.clone(),
            ..GcpConfig::default()
        };
        GcpConnector::workload_identity(
            config,
            self.issuer.clone(),
            self.clock.clone(),
            Arc::new(SystemEntropy),
        )
        .expect("a usable configuration")
    }

    /// A connection by a key that was given to it.
    pub(crate) fn by_key(&self, key: &ServiceAccountKey) -> Connection {
        let now = self.clock.now();
        let secret_id = SecretId::at(now, &SystemEntropy);
        let access = GcpAccess::ServiceAccountKey {
            service_account: key.service_account.clone(),
            key_id: key.key_id.clone(),
            secret_id: secret_id.clone(),
        };
        let connection = connection_by(&self.customer.project, access, now);
        self.secrets.put(
            &connection.organization_id,
            &secret_id,
            key.private_key.clone(),
        );
        connection
    }

    async fn prepared(&self, access: GcpAccess) -> Connection {
        let mut connection = self.placed(connection_by(
            &self.customer.project,
            access,
            self.clock.now(),
        ));
        connection.target = self
            .connector
            .prepare(&connection)
            .await
            .expect("an account");
        connection
    }
}
