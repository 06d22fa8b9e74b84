//! What the simulated Azure remembers: tenants, and what hangs below them.

use crate::clock::Instant;
use crate::rng::Rng;
use crate::world::AccountRole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything of Azure, as one value that a snapshot carries.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cloud {
    pub rng: Option<Rng>,
    /// Where the https listener was, so that a restart can be found again.
    pub port: Option<u16>,
    /// Key of the certificate authority, PEM: clients go on trusting it after
    /// a restart.
    pub authority_key: Option<String>,
    /// Key that signs tokens, PKCS#8 in base 64. Made when first needed.
    pub signing_key: Option<String>,
    pub tenants: BTreeMap<String, Tenant>,
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Resource groups' contents, locks, policies: by lower-case id.
    pub resources: BTreeMap<String, Value>,
    pub definitions: BTreeMap<String, RoleDefinition>,
    /// By lower-case id.
    pub assignments: BTreeMap<String, RoleAssignment>,
    pub codes: BTreeMap<String, Code>,
    /// Long-running deletions: until when each goes on.
    pub operations: BTreeMap<String, Instant>,
    /// Knobs of the running process, not of the cloud.
    #[serde(skip)]
    pub lags: Lags,
}

/// Simulated time until a change takes effect.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lags {
    pub role_assignment: Duration,
    pub federated_credential: Duration,
    pub consent: Duration,
    pub secret: Duration,
    pub provider_registration: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub id: String,
    pub role: AccountRole,
    pub display_name: String,
    /// Verified ones; the first is the default.
    pub domains: Vec<String>,
    pub users: BTreeMap<String, User>,
    pub applications: BTreeMap<String, Application>,
    pub deleted: BTreeMap<String, Deleted>,
    pub principals: BTreeMap<String, ServicePrincipal>,
    pub app_roles: BTreeMap<String, AppRoleAssignment>,
    pub delegated: BTreeMap<String, Value>,
    /// By name; the root group is named like the tenant.
    pub management_groups: BTreeMap<String, ManagementGroup>,
    /// Application id and secret that the ready JSON gives.
    pub client_id: String,
    pub client_secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub principal_name: String,
    pub display_name: String,
    pub global_administrator: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    pub id: String,
    pub app_id: String,
    pub display_name: String,
    pub created: Instant,
    pub multi_tenant: bool,
    pub redirect_uris: Vec<String>,
    /// `requiredResourceAccess`, as written.
    pub required: Value,
    pub secrets: Vec<Secret>,
    pub certificates: Vec<Certificate>,
    pub federated: Vec<Federated>,
    pub owners: BTreeSet<String>,
    /// Properties without a meaning here: notes, tags.
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    pub key_id: String,
    pub display_name: Option<String>,
    pub text: String,
    pub start: Instant,
    pub end: Instant,
    pub effective_at: Instant,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificate {
    pub key_id: String,
    pub display_name: Option<String>,
    /// DER, base 64.
    pub der: String,
    pub start: Instant,
    pub end: Instant,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Federated {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub effective_at: Instant,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deleted {
    pub at: Instant,
    pub application: Application,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServicePrincipal {
    pub id: String,
    pub app_id: String,
    pub owner_tenant: Option<String>,
    pub display_name: String,
    pub enabled: bool,
    pub created: Instant,
    pub effective_at: Instant,
    pub owners: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppRoleAssignment {
    pub id: String,
    pub principal_id: String,
    pub resource_id: String,
    pub app_role_id: String,
    pub created: Instant,
    pub effective_at: Instant,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManagementGroup {
    pub name: String,
    pub display_name: String,
    pub parent: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Subscription {
    pub id: String,
    pub tenant: String,
    pub display_name: String,
    pub enabled: bool,
    /// Name of the management group that it is in.
    pub management_group: String,
    /// Namespace to the simulated time from which it is registered.
    pub providers: BTreeMap<String, Instant>,
    /// Limits that differ from the defaults, by name.
    pub quota: BTreeMap<String, u64>,
    /// By lower-case name.
    pub groups: BTreeMap<String, ResourceGroup>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourceGroup {
    pub name: String,
    pub location: String,
    pub tags: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleDefinition {
    pub name: String,
    pub tenant: Option<String>,
    pub role_name: String,
    pub description: String,
    pub assignable_scopes: Vec<String>,
    pub permissions: Vec<Permission>,
    pub created: Option<Instant>,
    pub updated: Option<Instant>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Permission {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// As written; the map's key is its lower-case form.
    pub id: String,
    pub name: String,
    pub tenant: String,
    /// Lower case, without a trailing slash; the root is empty.
    pub scope: String,
    pub definition: String,
    pub principal_id: String,
    pub principal_type: String,
    pub description: Option<String>,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub created: Instant,
    pub created_by: String,
    pub effective_at: Instant,
}

/// An authorization code: once, within ten minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    pub tenant: String,
    pub user: String,
    pub client_id: String,
    pub redirect_uri: String,
    pub scope: String,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    pub expires: Instant,
}

/// When something happens: `wall` for credentials, `now` (simulated) for
/// propagation.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub wall: Instant,
    pub now: Instant,
}

impl Cloud {
    pub fn rng(&mut self) -> &mut Rng {
        self.rng.get_or_insert_with(|| Rng::seeded_for(1, "azure"))
    }

    pub fn uuid(&mut self) -> String {
        self.rng().uuid()
    }

    /// A tenant by id or by a verified domain.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        let name = name.to_lowercase();
        self.tenants.get(&name).or_else(|| {
            self.tenants
                .values()
                .find(|tenant| tenant.domains.contains(&name))
        })
    }

    /// The application with a client id, and the tenant that has it.
    pub fn application(&self, app_id: &str) -> Option<(&Tenant, &Application)> {
        let app_id = app_id.to_lowercase();
        self.tenants.values().find_map(|tenant| {
            let found = tenant.applications.values().find(|a| a.app_id == app_id)?;
            Some((tenant, found))
        })
    }
}

impl Tenant {
    pub fn principal_of(&self, app_id: &str) -> Option<&ServicePrincipal> {
        self.principals
            .values()
            .find(|principal| principal.app_id.eq_ignore_ascii_case(app_id))
    }

    /// Whether an object id names somebody who can hold a role, and as what.
    pub fn principal_type(&self, object_id: &str) -> Option<&'static str> {
        if self.principals.contains_key(object_id) {
            Some("ServicePrincipal")
        } else if self.users.contains_key(object_id) {
            Some("User")
        } else {
            None
        }
    }
}
