//! A new Azure: the operator's tenant and the customers', drawn from the seed.

use super::graph::permissions::{self, GRAPH_APP_ID};
use super::state::{
    AppRoleAssignment, Application, Cloud, ManagementGroup, RoleAssignment, Secret,
    ServicePrincipal, Subscription, Tenant, User,
};
use crate::clock::Instant;
use crate::rng::Rng;
use crate::world::AccountRole;
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
/// A customer's administrator may arrange applications and their permissions.
const ADMINISTRATOR_ROLES: [&str; 6] = [
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "Domain.Read.All",
    "Organization.Read.All",
];
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const SECRET_ALPHABET: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~_.-";

pub(super) fn secret_text(rng: &mut Rng) -> String {
    let (head, tail) = (rng.text(3, SECRET_ALPHABET), rng.text(34, SECRET_ALPHABET));
    // The form in which Entra makes them: `abc8Q~…`.
    format!("{head}8Q~{tail}")
}

impl Cloud {
    /// One operator and `customers` customers, each with a subscription.
    pub(crate) fn create(seed: u64, customers: usize, now: Instant) -> Self {
        let mut cloud = Self::default();
        cloud.populate(seed, customers, now);
        cloud
    }

    /// Fills a cloud that has no tenants: a new one, or a snapshot from before
    /// there was an Azure.
    pub(crate) fn populate(&mut self, seed: u64, customers: usize, now: Instant) {
        if !self.tenants.is_empty() {
            return;
        }
        self.rng = Some(Rng::seeded_for(seed, "azure"));
        self.add_tenant(AccountRole::Operator, "Operator", "operator", now);
        for number in 1..=customers {
            let name = format!("Customer {number}");
            self.add_tenant(
                AccountRole::Customer,
                &name,
                &format!("customer{number}"),
                now,
            );
        }
    }

    /// Everything but tenants, keys and the address is forgotten.
    pub(crate) fn reset(&mut self, seed: u64, now: Instant) {
        let customers = self.tenants.len().saturating_sub(1);
        *self = Self {
            port: self.port,
            authority_key: self.authority_key.take(),
            signing_key: self.signing_key.take(),
            ..Self::create(seed, customers, now)
        };
    }

    fn add_tenant(&mut self, role: AccountRole, name: &str, label: &str, now: Instant) {
        let id = self.uuid();
        let mut tenant = Tenant {
            id: id.clone(),
            role,
            display_name: name.to_owned(),
            domains: vec![
                format!("{label}.onmicrosoft.com"),
                format!("{label}.example"),
            ],
            users: BTreeMap::new(),
            applications: BTreeMap::new(),
            deleted: BTreeMap::new(),
            principals: BTreeMap::new(),
            app_roles: BTreeMap::new(),
            delegated: BTreeMap::new(),
            management_groups: BTreeMap::new(),
            client_id: self.uuid(),
            client_secret: secret_text(self.rng()),
        };
        tenant.management_groups.insert(
            id.clone(),
            ManagementGroup {
                name: id.clone(),
                display_name: "Tenant Root Group".to_owned(),
                parent: None,
            },
        );
        for (user, global_administrator) in [("admin", true), ("reader", false)] {
            let user_id = self.uuid();
            tenant.users.insert(
                user_id.clone(),
                User {
                    id: user_id,
                    principal_name: format!("{user}@{label}.example"),
                    display_name: format!("{user} of {name}"),
                    global_administrator,
                },
            );
        }
        let graph = self.principal(GRAPH_APP_ID, None, "Microsoft Graph", now);
        let graph_id = graph.id.clone();
        tenant.principals.insert(graph_id.clone(), graph);
        let application = self.first_application(&tenant, name, now);
        let principal = self.principal(
            &application.app_id,
            Some(id.clone()),
            &application.display_name,
            now,
        );
        let principal_id = principal.id.clone();
        tenant.principals.insert(principal_id.clone(), principal);
        tenant
            .applications
            .insert(application.id.clone(), application);
        if role == AccountRole::Customer {
            for permission in ADMINISTRATOR_ROLES {
                let Some(app_role_id) = permissions::role_id(permission) else {
                    continue;
                };
                let assignment = AppRoleAssignment {
                    id: self.uuid(),
                    principal_id: principal_id.clone(),
                    resource_id: graph_id.clone(),
                    app_role_id: app_role_id.to_owned(),
                    created: now,
                    effective_at: now,
                };
                tenant.app_roles.insert(assignment.id.clone(), assignment);
            }
        }
        let subscription = self.uuid();
        self.tenants.insert(id.clone(), tenant);
        self.add_subscription(&id, &subscription, &format!("{name}'s subscription"), now);
    }

    /// A subscription in the root group, which the tenant's administrators own.
    pub(super) fn add_subscription(&mut self, tenant: &str, id: &str, name: &str, now: Instant) {
        self.subscriptions.insert(
            id.to_owned(),
            Subscription {
                id: id.to_owned(),
                tenant: tenant.to_owned(),
                display_name: name.to_owned(),
                enabled: true,
                management_group: tenant.to_owned(),
                // What every subscription has from the start.
                providers: ["microsoft.authorization", "microsoft.resources"]
                    .map(|namespace| (namespace.to_owned(), now))
                    .into(),
                quota: BTreeMap::new(),
                groups: BTreeMap::new(),
            },
        );
        let Some(of) = self.tenants.get(tenant) else {
            return;
        };
        let application = of
            .principal_of(&of.client_id)
            .map(|one| (one.id.clone(), "ServicePrincipal"));
        let mut users = of.users.values();
        let person = users
            .find(|user| user.global_administrator)
            .map(|one| (one.id.clone(), "User"));
        let scope = format!("/subscriptions/{id}");
        for (holder, kind) in application.into_iter().chain(person) {
            self.own(tenant, &scope, &holder, kind, now);
        }
    }

    /// Makes somebody Owner of a scope, as its creation or a test does.
    pub(super) fn own(
        &mut self,
        tenant: &str,
        scope: &str,
        holder: &str,
        kind: &str,
        now: Instant,
    ) {
        let name = self.uuid();
        let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        self.assignments.insert(
            id.to_lowercase(),
            RoleAssignment {
                id,
                name,
                tenant: tenant.to_owned(),
                scope: scope.to_lowercase(),
                definition: OWNER.to_owned(),
                principal_id: holder.to_owned(),
                principal_type: kind.to_owned(),
                description: None,
                condition: None,
                condition_version: None,
                created: now,
                created_by: String::new(),
                effective_at: now,
            },
        );
    }

    pub(super) fn principal(
        &mut self,
        app_id: &str,
        owner_tenant: Option<String>,
        display_name: &str,
        effective_at: Instant,
    ) -> ServicePrincipal {
        ServicePrincipal {
            id: self.uuid(),
            app_id: app_id.to_owned(),
            owner_tenant,
            display_name: display_name.to_owned(),
            enabled: true,
            created: effective_at,
            effective_at,
            owners: BTreeSet::new(),
        }
    }

    /// The operator's multi-tenant application, or a customer's administrator.
    fn first_application(&mut self, tenant: &Tenant, name: &str, now: Instant) -> Application {
        let operator = tenant.role == AccountRole::Operator;
        let read_domains = permissions::role_id("Domain.Read.All").unwrap_or_default();
        Application {
            id: self.uuid(),
            app_id: tenant.client_id.clone(),
            display_name: if operator {
                "Landfall".to_owned()
            } else {
                format!("{name}'s administrator")
            },
            created: now,
            multi_tenant: operator,
            redirect_uris: Vec::new(),
            required: if operator {
                json!([{
                    "resourceAppId": GRAPH_APP_ID,
                    "resourceAccess": [{ "id": read_domains, "type": "Role" }],
                }])
            } else {
                json!([])
            },
            secrets: vec![Secret {
                key_id: self.uuid(),
                display_name: Some("sandbox".to_owned()),
                text: tenant.client_secret.clone(),
                start: now,
                end: now.plus(YEAR * 2),
                effective_at: now,
            }],
            certificates: Vec::new(),
            federated: Vec::new(),
            owners: BTreeSet::new(),
            other: Map::new(),
        }
    }
}
