//! The simulated Google Cloud as a value: what a snapshot carries of it.

use super::policy::{Binding, Policy};
use crate::clock::{SimTime, WallTime};
use crate::iam::{Moment, Versioned};
use crate::rng::Rng;
use crate::world::AccountRole;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub rng: Rng,
    /// By resource name: `organizations/1`, `folders/2`, `projects/<number>`.
    pub nodes: BTreeMap<String, Node>,
    /// Access tokens, administrators' included.
    pub tokens: BTreeMap<String, Token>,
    pub operations: BTreeMap<String, Operation>,
}

/// Something of the resource hierarchy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    pub name: String,
    pub parent: Option<String>,
    pub display_name: String,
    pub created: SimTime,
    pub policy: Versioned<Policy>,
    /// Custom roles, by id. Folders have none.
    pub roles: BTreeMap<String, CustomRole>,
    /// Organization policies set here, by constraint without `constraints/`.
    pub org_policies: BTreeMap<String, OrgPolicy>,
    pub kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Organization { domain: String, customer_id: String },
    Folder,
    Project(Box<Project>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Project {
    pub id: String,
    pub number: String,
    pub role: AccountRole,
    /// Deleted, and to be purged in thirty days.
    #[serde(default)]
    pub deleted: bool,
    /// `billingAccounts/…`
    pub billing: Option<String>,
    /// APIs that are on, with the time from which calls pass.
    pub services: BTreeMap<String, SimTime>,
    /// By unique id, since a deleted one leaves its address to a new one.
    pub accounts: BTreeMap<String, ServiceAccount>,
    pub pools: BTreeMap<String, Pool>,
    /// Limits that differ from the defaults, by `service/metric/region`.
    pub quotas: BTreeMap<String, i64>,
}

/// Whether something exists or can still be brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Life {
    Active,
    Deleted { at: SimTime },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServiceAccount {
    pub unique_id: String,
    pub email: String,
    pub display_name: String,
    pub description: String,
    pub disabled: bool,
    pub life: Life,
    pub keys: BTreeMap<String, Key>,
    pub policy: Versioned<Policy>,
}

/// The public half of a key; the private half is given out once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    /// PKCS#1 `RSAPublicKey`, base 64.
    pub public: String,
    /// SubjectPublicKeyInfo, base 64.
    pub spki: String,
    pub created: WallTime,
    pub disabled: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub display_name: String,
    pub description: String,
    pub disabled: bool,
    pub life: Life,
    pub providers: BTreeMap<String, Provider>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Provider {
    pub display_name: String,
    pub description: String,
    pub disabled: bool,
    pub life: Life,
    pub attribute_mapping: BTreeMap<String, String>,
    pub attribute_condition: String,
    pub issuer_uri: String,
    pub allowed_audiences: Vec<String>,
    /// Uploaded keys; without them the issuer is asked.
    pub jwks_json: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CustomRole {
    pub title: String,
    pub description: String,
    pub stage: String,
    pub generation: u64,
    pub deleted: bool,
    pub permissions: Versioned<BTreeSet<String>>,
}

/// A policy as Organization Policy v2 shows it, without its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrgPolicy {
    pub spec: Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    /// As a policy names it.
    pub member: String,
    /// Unique id of the service account that it was issued to.
    #[serde(default)]
    pub account: Option<String>,
    /// Wall time; administrators' tokens never expire.
    pub expires: Option<WallTime>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// The service that polls are sent to.
    pub service: String,
    pub done_at: SimTime,
    pub metadata: Value,
    pub response: Value,
}

/// APIs that a new project has on.
const INITIAL: [&str; 4] = ["cloudapis", "servicemanagement", "serviceusage", "storage"];

/// The account in the operator's project that a server has a key of.
pub(super) const SERVER: &str = "landfall-server";

/// Alphabet of tokens.
pub(super) const URL_SAFE: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// Empty, see [`State::populate`].
impl Default for State {
    fn default() -> Self {
        Self {
            rng: Rng::seeded_for(0, "gcp"),
            nodes: BTreeMap::new(),
            tokens: BTreeMap::new(),
            operations: BTreeMap::new(),
        }
    }
}

impl State {
    /// An organization for the operator and one for each customer, each with
    /// a folder and a project with billing; administrators with their tokens.
    pub fn create(seed: u64, customers: usize, now: SimTime) -> Self {
        let mut state = Self::default();
        state.populate(seed, customers, now);
        state
    }

    /// Fills a cloud that has nothing: a new one, or a snapshot from before
    /// there was a Google Cloud.
    pub fn populate(&mut self, seed: u64, customers: usize, now: SimTime) {
        if !self.nodes.is_empty() {
            return;
        }
        let at = &Moment {
            wall: now,
            now,
            effective_at: now,
            nonce: 0,
        };
        self.rng = Rng::seeded_for(seed, "gcp");
        self.tenant("operator", AccountRole::Operator, at);
        for index in 1..=customers {
            self.tenant(&format!("customer-{index}"), AccountRole::Customer, at);
        }
        self.server(at);
    }

    /// What an operator of a Landfall server sets up in a project of their own:
    /// an identity that makes service accounts there.
    fn server(&mut self, at: &Moment) {
        let operated = self
            .projects()
            .find(|(_, project)| project.role == AccountRole::Operator)
            .map(|(node, project)| (node.name.clone(), project.id.clone()));
        let Some((node, id)) = operated else {
            return;
        };
        let email = format!("{SERVER}@{id}.iam.gserviceaccount.com");
        let unique_id = format!("1{}", self.rng.text(20, b"0123456789"));
        if let Some(node) = self.nodes.get_mut(&node) {
            let mut policy = node.policy.latest().clone();
            policy.bindings.push(Binding::new(
                "roles/iam.serviceAccountAdmin",
                &format!("serviceAccount:{email}"),
            ));
            policy.bindings.sort();
            node.policy = Versioned::new(policy, at.now);
        }
        let Some(project) = self.project_mut(&id) else {
            return;
        };
        for api in ["iam", "iamcredentials"] {
            project
                .services
                .insert(format!("{api}.googleapis.com"), at.now);
        }
        let account = ServiceAccount {
            unique_id: unique_id.clone(),
            email,
            display_name: "Landfall server".to_owned(),
            description: String::new(),
            disabled: false,
            life: Life::Active,
            keys: BTreeMap::new(),
            policy: Versioned::new(Policy::default(), at.now),
        };
        project.accounts.insert(unique_id, account);
    }

    fn tenant(&mut self, name: &str, role: AccountRole, at: &Moment) {
        let admin = format!("user:admin@{name}.example");
        let organization = format!("organizations/{}", self.number());
        let customer_id = format!("C0{}", self.rng.text(7, b"0123456789abcdefghijklmnop"));
        let bindings = [
            "roles/resourcemanager.organizationAdmin",
            "roles/resourcemanager.folderAdmin",
            "roles/resourcemanager.projectCreator",
            "roles/iam.roleAdmin",
        ]
        .map(|role| Binding::new(role, &admin));
        self.node(
            &organization,
            None,
            &format!("{name}.example"),
            Kind::Organization {
                domain: format!("{name}.example"),
                customer_id,
            },
            bindings.to_vec(),
            at,
        );
        let folder = format!("folders/{}", self.number());
        self.node(
            &folder,
            Some(organization),
            "production",
            Kind::Folder,
            Vec::new(),
            at,
        );
        let id = format!("{name}-{}", self.rng.text(6, b"0123456789"));
        let number = self.project(&id, role, Some(folder), &admin, at);
        if let Some(project) = self.project_mut(&number) {
            project.billing = Some(format!("billingAccounts/{name}"));
        }
        let token = self.new_token();
        self.tokens.insert(
            token,
            Token {
                member: admin,
                account: None,
                expires: None,
            },
        );
    }

    /// Makes a project that its creator owns; returns its number.
    pub fn project(
        &mut self,
        id: &str,
        role: AccountRole,
        parent: Option<String>,
        owner: &str,
        at: &Moment,
    ) -> String {
        let number = self.number();
        let services = INITIAL.map(|name| (format!("{name}.googleapis.com"), at.now));
        let project = Project {
            id: id.to_owned(),
            number: number.clone(),
            role,
            deleted: false,
            billing: None,
            services: services.into(),
            accounts: BTreeMap::new(),
            pools: BTreeMap::new(),
            quotas: BTreeMap::new(),
        };
        self.node(
            &format!("projects/{number}"),
            parent,
            id,
            Kind::Project(Box::new(project)),
            vec![Binding::new("roles/owner", owner)],
            at,
        );
        number
    }

    fn node(
        &mut self,
        name: &str,
        parent: Option<String>,
        display_name: &str,
        kind: Kind,
        bindings: Vec<Binding>,
        at: &Moment,
    ) {
        let node = Node {
            name: name.to_owned(),
            parent,
            display_name: display_name.to_owned(),
            created: at.now,
            // Whoever makes something may use it at once.
            policy: Versioned::new(Policy::of(bindings), at.now),
            roles: BTreeMap::new(),
            org_policies: BTreeMap::new(),
            kind,
        };
        self.nodes.insert(name.to_owned(), node);
    }

    /// A number as organizations, folders and projects have.
    pub fn number(&mut self) -> String {
        format!(
            "{}{}",
            self.rng.below(9) + 1,
            self.rng.text(11, b"0123456789")
        )
    }

    pub fn new_token(&mut self) -> String {
        format!("ya29.{}", self.rng.text(120, URL_SAFE))
    }

    pub fn projects(&self) -> impl Iterator<Item = (&Node, &Project)> {
        self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Project(project) => Some((node, project.as_ref())),
            _ => None,
        })
    }

    /// A project by id or by number.
    pub fn find_project(&self, id: &str) -> Option<(&Node, &Project)> {
        self.projects()
            .find(|(_, project)| project.id == id || project.number == id)
    }

    pub fn project_mut(&mut self, id: &str) -> Option<&mut Project> {
        self.nodes
            .values_mut()
            .find_map(|node| match &mut node.kind {
                Kind::Project(project) if project.id == id || project.number == id => {
                    Some(project.as_mut())
                }
                _ => None,
            })
    }

    /// A node and what is above it, the node first.
    pub fn chain(&self, name: &str) -> Vec<&Node> {
        let mut chain = Vec::new();
        let mut next = self.nodes.get(name);
        while let Some(node) = next {
            chain.push(node);
            next = node
                .parent
                .as_ref()
                .and_then(|parent| self.nodes.get(parent));
        }
        chain
    }

    /// A service account that exists, by address or unique id, with the number
    /// of its project.
    pub fn account(&self, id: &str) -> Option<(&Project, &ServiceAccount)> {
        self.projects().find_map(|(_, project)| {
            let account = project.accounts.values().find(|account| {
                account.life == Life::Active && (account.email == id || account.unique_id == id)
            })?;
            Some((project, account))
        })
    }

    pub fn account_mut(&mut self, unique_id: &str) -> Option<&mut ServiceAccount> {
        self.nodes
            .values_mut()
            .find_map(|node| match &mut node.kind {
                Kind::Project(project) => project.accounts.get_mut(unique_id),
                _ => None,
            })
    }

    /// Renames a member in every policy, as happens when an account is deleted
    /// or brought back. Takes effect at once.
    pub fn rename_member(&mut self, from: &str, to: &str, at: &Moment) {
        let at = Moment {
            effective_at: at.now,
            ..*at
        };
        let rename = |versioned: &mut Versioned<Policy>| {
            let mut policy = versioned.latest().clone();
            if policy.rename(from, to) {
                versioned.set(policy, &at);
            }
        };
        for node in self.nodes.values_mut() {
            rename(&mut node.policy);
            if let Kind::Project(project) = &mut node.kind {
                for account in project.accounts.values_mut() {
                    rename(&mut account.policy);
                }
            }
        }
    }
}
