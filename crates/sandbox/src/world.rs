//! The whole cloud as one value: what a snapshot carries.

use crate::clock::{SimClock, SimTime};
use crate::config::Config;
use crate::faults::Faults;
use crate::iam::{self, Caller};
use crate::rng::Rng;
use crate::wire::AwsError;
use crate::{azure, cloudcontrol, cloudformation, gcp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Every region the sandbox has, with whether it must be opted into.
pub const REGIONS: [(&str, bool); 9] = [
    ("ap-southeast-2", false),
    ("ca-central-1", false),
    ("eu-central-1", false),
    ("eu-south-2", true),
    ("eu-west-1", false),
    ("eu-west-2", false),
    ("us-east-1", false),
    ("us-east-2", false),
    ("us-west-2", false),
];

/// The characters of secret access keys and session tokens.
pub(crate) const SECRET_ALPHABET: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// All accounts, the clock, and what is shared between accounts.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    pub clock: SimClock,
    /// Ids and names that outlive a restart are drawn here.
    pub rng: Rng,
    pub accounts: BTreeMap<String, Account>,
    pub faults: Faults,
    /// Administrators' keys, by access key id.
    pub keys: BTreeMap<String, AdministratorKey>,
    /// Sessions issued by STS, by access key id.
    pub sessions: BTreeMap<String, iam::Session>,
    /// Where the documents of token issuers are served, for every cloud, by
    /// canonical URL without a trailing slash.
    #[serde(default)]
    pub issuers: BTreeMap<String, String>,
    /// Objects served as from a bucket, by `bucket/key`.
    pub templates: BTreeMap<String, String>,
    /// Google Cloud: its projects and what is in them.
    #[serde(default)]
    pub(crate) gcp: gcp::State,
    #[serde(default)]
    pub azure: azure::Cloud,
    /// Simulated time until a changed role or policy takes effect. A knob of
    /// the running process, not of the cloud: a restart brings its own.
    #[serde(skip)]
    pub iam_lag: Duration,
    #[serde(skip)]
    pub(crate) parsed: iam::Parsed,
}

/// The long-lived key of an account's administrator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdministratorKey {
    pub account: String,
    pub secret_access_key: String,
}

/// What an account is in the stories that tests tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountRole {
    /// Runs Landfall.
    Operator,
    /// Grants Landfall access.
    Customer,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub role: AccountRole,
    pub iam: iam::State,
    /// The organization's service control policy, a policy document.
    pub scp: Option<String>,
    /// Opt-in regions that are switched on.
    pub opted_in: BTreeSet<String>,
    pub cloudcontrol: BTreeMap<String, cloudcontrol::Region>,
    pub cloudformation: BTreeMap<String, cloudformation::State>,
}

impl Account {
    fn new(id: String, role: AccountRole) -> Self {
        Self {
            iam: iam::State::new(&id),
            id,
            role,
            scp: None,
            opted_in: BTreeSet::new(),
            cloudcontrol: BTreeMap::new(),
            cloudformation: BTreeMap::new(),
        }
    }

    pub fn region_enabled(&self, region: &str) -> bool {
        REGIONS
            .iter()
            .any(|(name, opt_in)| *name == region && (!opt_in || self.opted_in.contains(region)))
    }
}

impl World {
    /// A new cloud: one operator and some customers, their ids and keys drawn
    /// from the seed.
    pub fn create(config: &Config) -> Self {
        let mut rng = Rng::seeded_for(config.seed, "world");
        let mut accounts = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let roles = std::iter::once(AccountRole::Operator)
            .chain(std::iter::repeat_n(AccountRole::Customer, config.customers));
        for role in roles {
            let id = format!("{}{}", rng.below(9) + 1, rng.text(11, b"0123456789"));
            keys.insert(
                rng.iam_id("AKIA"),
                AdministratorKey {
                    account: id.clone(),
                    secret_access_key: rng.text(40, SECRET_ALPHABET),
                },
            );
            accounts.insert(id.clone(), Account::new(id, role));
        }
        let clock = SimClock::start(config.speed);
        Self {
            seed: config.seed,
            gcp: gcp::State::create(config.seed, config.customers, clock.now()),
            azure: azure::Cloud::create(config.seed, config.customers, clock.wall()),
            clock,
            rng,
            accounts,
            faults: Faults::default(),
            keys,
            sessions: BTreeMap::new(),
            issuers: BTreeMap::new(),
            templates: BTreeMap::new(),
            iam_lag: config.iam_lag,
            parsed: iam::Parsed::default(),
        }
    }

    /// Takes over the knobs of a process that continues this world.
    pub(crate) fn resume(&mut self, config: &Config) {
        self.clock.set_speed(config.speed);
        self.iam_lag = config.iam_lag;
        // A snapshot may be older than a cloud.
        let customers = self.accounts.len().saturating_sub(1);
        let (wall, now) = (self.clock.wall(), self.clock.now());
        self.gcp.populate(self.seed, customers, now);
        self.azure.populate(self.seed, customers, wall);
    }

    pub fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// An account that a caller was authenticated for, or a test named.
    pub fn account(&self, id: &str) -> Result<&Account, AwsError> {
        self.accounts.get(id).ok_or_else(|| no_account(id))
    }

    pub fn account_mut(&mut self, id: &str) -> Result<&mut Account, AwsError> {
        self.accounts.get_mut(id).ok_or_else(|| no_account(id))
    }

    /// What an IAM change needs to know about when it happens. Take it before
    /// borrowing an account.
    pub fn moment(&mut self) -> iam::Moment {
        let now = self.clock.now();
        iam::Moment {
            wall: self.clock.wall(),
            now,
            effective_at: now.plus(self.iam_lag),
            nonce: self.rng.next_u64(),
        }
    }

    /// The administrator of an account: whose keys the ready JSON gives, and
    /// who sits at the console.
    pub fn administrator(&self, account: &str) -> Result<Caller, AwsError> {
        self.account(account)
            .map(|account| Caller::administrator(&account.id))
    }

    /// The object that a template URL names, by path (`/templates/<bucket>/<key>`)
    /// whatever its host, so that it also resolves behind a forwarded port.
    pub fn template(&self, url: &str) -> Option<&str> {
        let (_, key) = url.split_once("/templates/")?;
        let key = key.split(['?', '#']).next().unwrap_or(key);
        let key = percent_encoding::percent_decode_str(key)
            .decode_utf8()
            .ok()?;
        self.templates.get(key.as_ref()).map(String::as_str)
    }
}

fn no_account(id: &str) -> AwsError {
    AwsError::bad("NoSuchAccount", format!("There is no account {id} here."))
}
