//! A customer at work in their account, with its administrator's keys and the
//! official SDK.

use super::Keys;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_iam::{Client, types::Tag};
use landfall_contract::connector::{Edit, Taken, aws::Trust};
use landfall_model::{
    connection::Connection,
    grant::{GrantSpec, Identity, PolicyDocument, RoleSpec},
};
use serde_json::json;

pub(crate) struct Customer {
    iam: Client,
}

pub(crate) fn sdk(endpoint: &str, keys: &Keys) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            &keys.access_key_id,
            &keys.secret_access_key,
            None,
            None,
            "test",
        )))
        .build()
}

impl Customer {
    pub(crate) fn new(endpoint: &str, keys: &Keys) -> Self {
        Self {
            iam: Client::new(&sdk(endpoint, keys)),
        }
    }

    pub(crate) async fn grant(&self, connection: &Connection, spec: &GrantSpec) {
        self.policy(connection, &spec.aws().unwrap().boundary).await;
        for role in &spec.aws().unwrap().roles {
            self.role(connection, role).await;
        }
    }

    async fn policy(&self, connection: &Connection, policy: &PolicyDocument) {
        let made = self
            .iam
            .create_policy()
            .policy_name(&policy.name)
            .policy_document(policy.document.to_string())
            .send()
            .await;
        if let Err(error) = made {
            let error = error.into_service_error();
            assert!(
                error.is_entity_already_exists_exception(),
                "{}: {error:?}",
                connection.scope()
            );
        }
    }

    async fn role(&self, connection: &Connection, role: &RoleSpec) {
        let tags = role
            .tags
            .iter()
            .map(|(key, value)| tag(key, value))
            .collect();
        self.iam
            .create_role()
            .role_name(&role.name)
            .assume_role_policy_document(role.trust.to_string())
            .max_session_duration(i32::try_from(role.max_session).expect("small"))
            .set_tags(Some(tags))
            .send()
            .await
            .expect("a role can be made");
        for policy in &role.policies {
            self.policy(connection, policy).await;
            self.iam
                .attach_role_policy()
                .role_name(&role.name)
                .policy_arn(arn(connection, &policy.name))
                .send()
                .await
                .expect("a policy can be attached");
        }
    }

    /// Deletes the roles, as deleting the stack would; policies stay, which is
    /// harder for whoever grants again.
    pub(crate) async fn take_back(&self, connection: &Connection, spec: &GrantSpec, what: Taken) {
        let taken = |role: &&RoleSpec| match what {
            Taken::Everything => true,
            Taken::Reaper => role.identity == Identity::Reaper,
        };
        for role in spec.aws().unwrap().roles.iter().filter(taken) {
            for policy in &role.policies {
                self.iam
                    .detach_role_policy()
                    .role_name(&role.name)
                    .policy_arn(arn(connection, &policy.name))
                    .send()
                    .await
                    .expect("a policy can be detached");
            }
            self.iam
                .delete_role()
                .role_name(&role.name)
                .send()
                .await
                .expect("a role can be deleted");
        }
    }

    pub(crate) async fn trust(&self, spec: &GrantSpec, identity: Identity, trust: Trust) {
        let role = role_of(spec, identity);
        let mut document = role.trust.clone();
        let statement = &mut document["Statement"][0];
        match trust {
            Trust::WithoutExternalId => {
                statement
                    .as_object_mut()
                    .expect("a statement")
                    .remove("Condition");
            }
            Trust::AnyExternalId => {
                statement["Condition"] = json!({"StringLike": {"sts:ExternalId": "*"}});
            }
            Trust::AnothersExternalId => {
                statement["Condition"] =
                    json!({"StringEquals": {"sts:ExternalId": "landfall-of-another-connection"}});
            }
            Trust::AnotherPrincipalToo => {
                let ours = statement["Principal"]["AWS"].clone();
                statement["Principal"]["AWS"] = json!([ours, "arn:aws:iam::999988887777:root"]);
            }
        }
        self.iam
            .update_assume_role_policy()
            .role_name(&role.name)
            .policy_document(document.to_string())
            .send()
            .await
            .expect("a trust policy can be edited");
    }

    async fn allow(&self, role: &str, action: &str) {
        let document = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
        });
        self.iam
            .put_role_policy()
            .role_name(role)
            .policy_name("added-by-hand")
            .policy_document(document.to_string())
            .send()
            .await
            .expect("an inline policy can be put");
    }

    pub(crate) async fn edit(&self, connection: &Connection, spec: &GrantSpec, edit: Edit) {
        let role = role_of(spec, Identity::Provisioner);
        match edit {
            Edit::Permission => {
                self.allow(&role.name, "sqs:*").await;
            }
            Edit::Everything => {
                self.allow(&role.name, "*").await;
                for policy in role.policies.iter().filter(|policy| refuses(policy)) {
                    self.iam
                        .detach_role_policy()
                        .role_name(&role.name)
                        .policy_arn(arn(connection, &policy.name))
                        .send()
                        .await
                        .expect("a policy can be detached");
                }
            }
            Edit::OldVersion => {
                for role in &spec.aws().unwrap().roles {
                    self.iam
                        .tag_role()
                        .role_name(&role.name)
                        .tags(tag("landfall:grant-version", "0"))
                        .send()
                        .await
                        .expect("a role can be tagged");
                }
            }
        }
    }
}

/// Whether a policy holds an explicit refusal.
fn refuses(policy: &PolicyDocument) -> bool {
    policy.document["Statement"]
        .as_array()
        .expect("statements")
        .iter()
        .any(|statement| statement["Effect"] == "Deny")
}

fn role_of(spec: &GrantSpec, identity: Identity) -> &RoleSpec {
    spec.aws()
        .unwrap()
        .roles
        .iter()
        .find(|role| role.identity == identity)
        .expect("the role is in the grant")
}

fn arn(connection: &Connection, policy: &str) -> String {
    format!("arn:aws:iam::{}:policy/{policy}", connection.scope())
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder()
        .key(key)
        .value(value)
        .build()
        .expect("key and value are set")
}
