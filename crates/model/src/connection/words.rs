//! A connection in words for people: what it reaches, as whom, and what is
//! left to say or to delete.

use super::{
    AwsAccess, AwsConnection, Azure, AzureAccess, AzureConnection, Breadth, Connection, Gcp,
    GcpAccess, GcpConnection, Target,
};

enum Keys {
    One,
    Two,
    NoReaper,
    Unknown,
}

impl Connection {
    /// What a person wants to know of it besides its state, label and value.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = match &self.target {
            Target::Aws(target) => {
                let aws = AwsConnection::new(self, target);
                let mut facts = vec![
                    ("Account", aws.account_id().to_string()),
                    ("Partition", aws.partition().as_str().to_owned()),
                ];
                match aws.access() {
                    AwsAccess::AssumeRole => facts.push(("External id", self.external_id.clone())),
                    AwsAccess::Oidc => facts.push(("Subject", self.subject())),
                }
                facts.push(("Provisioner", aws.provisioner_role_arn()));
                if self.with_reaper {
                    facts.push(("Reaper", aws.reaper_role_arn()));
                }
                facts
            }
            Target::Gcp(target) => {
                let gcp = GcpConnection::new(self, target);
                let mut facts = vec![("Project", gcp.project_id().to_string())];
                if let Some(parent) = gcp.parent() {
                    facts.push(("Granted on", parent.to_string()));
                }
                match gcp.access() {
                    GcpAccess::WorkloadIdentity { project_number } => {
                        if let Some(number) = project_number {
                            facts.push(("Project number", number.to_string()));
                        }
                        facts.push(("Subject", self.subject()));
                    }
                    GcpAccess::Impersonation { service_account } => {
                        if let Some(email) = service_account {
                            facts.push(("Our service account", email.clone()));
                        }
                    }
                    GcpAccess::ServiceAccountKey {
                        service_account,
                        key_id,
                        ..
                    } => {
                        facts.push(("Service account", service_account.clone()));
                        facts.push(("Key id", key_id.clone()));
                    }
                }
                facts.push(("Provisioner", gcp.service_account_email("provisioner")));
                if self.with_reaper {
                    facts.push(("Reaper", gcp.service_account_email("reaper")));
                }
                facts
            }
            Target::Azure(target) => {
                let azure = AzureConnection::new(self, target);
                let mut facts = vec![
                    ("Subscription", azure.subscription_id().to_string()),
                    ("Tenant", azure.tenant_id().to_string()),
                ];
                if let Some(group) = azure.management_group() {
                    facts.push(("Management group", group.to_string()));
                }
                if azure.breadth() == Breadth::Broad {
                    facts.push(("Role", "broad, as it was chosen".to_owned()));
                }
                if let Some(client_id) = azure.client_id() {
                    facts.push(("Client id", client_id.to_string()));
                }
                match azure.access() {
                    AzureAccess::WorkloadIdentity { .. } => {
                        facts.push(("Subject", self.subject()));
                    }
                    AzureAccess::ClientSecret {
                        secret_expires_at: Some(at),
                        ..
                    } => facts.push(("Secret expires", at.to_string())),
                    AzureAccess::ClientSecret { .. } | AzureAccess::AdminConsent { .. } => {}
                }
                facts
            }
        };
        facts.push(("Two keys", self.two_keys_in_words().to_owned()));
        facts
    }

    /// Whether two different identities are needed to destroy anything, in a
    /// word.
    pub const fn two_keys(&self) -> &'static str {
        match self.keys() {
            Keys::One => "no",
            Keys::Unknown => "not checked",
            Keys::Two => "yes",
            Keys::NoReaper => "no reaper",
        }
    }

    pub const fn two_keys_in_words(&self) -> &'static str {
        match self.keys() {
            Keys::One => "no: what was granted lets the provisioner destroy by itself",
            Keys::Unknown => "not checked yet",
            Keys::Two => "yes",
            Keys::NoReaper => "the reaper was left out: Landfall prints what to delete by hand",
        }
    }

    /// Claims no second key that was not seen, and none where the broad role was
    /// chosen, whatever the checks could see of it.
    const fn keys(&self) -> Keys {
        let is_broad = self.too_broad || matches!(self.target.breadth(), Breadth::Broad);
        match (is_broad, self.checked_at, self.with_reaper) {
            (true, _, _) => Keys::One,
            (false, None, _) => Keys::Unknown,
            (false, Some(_), true) => Keys::Two,
            (false, Some(_), false) => Keys::NoReaper,
        }
    }

    /// What only the setup knows and a person has to enter: the API's field and
    /// what it is called. Of a connection that moves, of the new way.
    pub fn missing_fact(&self) -> Option<(&'static str, &'static str)> {
        let target = self
            .migration
            .as_ref()
            .map_or(&self.target, |migration| &migration.target);
        match target {
            Target::Gcp(Gcp {
                access:
                    GcpAccess::WorkloadIdentity {
                        project_number: None,
                    },
                ..
            }) => Some(("project_number", "Project number")),
            Target::Azure(Azure {
                access: AzureAccess::WorkloadIdentity { client_id: None },
                ..
            }) => Some(("client_id", "Client id")),
            _ => None,
        }
    }

    /// What to delete in the cloud to take the grant away: `the stack …`.
    pub fn grant_in_words(&self) -> String {
        match &self.target {
            Target::Aws(target) => {
                let aws = AwsConnection::new(self, target);
                format!("the stack {}", aws.stack_name())
            }
            Target::Gcp(target) => {
                let gcp = GcpConnection::new(self, target);
                let keyless = matches!(gcp.access(), GcpAccess::WorkloadIdentity { .. });
                let pool = if keyless {
                    format!(" and the workload identity pool {}", gcp.pool_id())
                } else {
                    String::new()
                };
                format!(
                    "the service accounts landfall-…-{} of the project{pool}",
                    self.suffix()
                )
            }
            Target::Azure(_) => format!("the applications landfall-…-{}", self.suffix()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(breadth: &str, checked_at: Option<&str>) -> Connection {
        let id = |prefix: &str| format!("{prefix}_0190b5c8e0f07c3f8a1d2b3c4d5e6f70");
        serde_json::from_value(serde_json::json!({
            "id": id("con"), "organization_id": id("org"), "name": "x",
            "cloud": "azure", "method": "workload-identity", "breadth": breadth,
            "tenant_id": "11111111-1111-4111-8111-111111111111",
            "subscription_id": "22222222-2222-4222-8222-222222222222",
            "external_id": "lf-x", "regions": [], "with_reaper": true, "too_broad": false,
            "checked_at": checked_at, "state": { "status": "pending", "since": "2026-01-01T00:00:00Z" },
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn no_second_key_is_claimed_that_was_not_seen_or_was_given_away() {
        let at = Some("2026-01-02T00:00:00Z");
        assert_eq!(azure("narrow", None).two_keys(), "not checked");
        assert_eq!(azure("narrow", at).two_keys(), "yes");
        assert_eq!(azure("broad", None).two_keys(), "no");
        assert_eq!(azure("broad", at).two_keys(), "no");
        let mut granted_more = azure("narrow", at);
        granted_more.too_broad = true;
        assert_eq!(granted_more.two_keys(), "no");
    }
}
