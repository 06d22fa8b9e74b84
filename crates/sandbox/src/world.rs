//! The whole cloud as one value: what a snapshot carries.

use crate::clock::{SimClock, SimTime};
use crate::faults::Faults;
use crate::iam::{self, Caller};
use crate::rng::Rng;
use crate::wire::AwsError;
use crate::{cloudcontrol, cloudformation};
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

/// All accounts, the clock, and what is shared between accounts.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    pub clock: SimClock,
    /// Ids and names that outlive a restart are drawn here.
    pub rng: Rng,
    pub accounts: BTreeMap<String, Account>,
    pub faults: Faults,
    /// Sessions issued by STS, by access key id.
    pub sessions: BTreeMap<String, iam::Session>,
    /// Objects served as from a bucket, by `bucket/key`.
    pub templates: BTreeMap<String, String>,
    /// Simulated time until a changed role or policy takes effect. A knob of
    /// the running process, not of the cloud: a restart brings its own.
    #[serde(skip)]
    pub iam_lag: Duration,
    #[serde(skip)]
    pub(crate) parsed: iam::Parsed,
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
    pub fn region_enabled(&self, region: &str) -> bool {
        REGIONS
            .iter()
            .any(|(name, opt_in)| *name == region && (!opt_in || self.opted_in.contains(region)))
    }
}

impl World {
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
