//! What an operator may set. Every default suits a small installation.

use landfall_engine::Policy;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub quotas: Quotas,
    pub tokens: Tokens,
    pub detection: Detection,
    pub verification: Verification,
    pub rotation: Rotation,
    pub planning: Planning,
    pub worker: Worker,
    /// How patient rollouts and destructions are, and how long a lease is.
    pub engine: Policy,
    pub rates: Rates,
    /// How people reach a load balancer, when not by its own DNS name (a
    /// simulated or private cloud): the scheme, host and port of an endpoint's
    /// URL are replaced by this, in which `{host}` is the DNS name. The
    /// endpoint's path follows.
    pub deployment_url: Option<String>,
}

/// How much one organization may have.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Not disconnected ones.
    pub connections: usize,
    pub applications: usize,
    pub environments: usize,
    pub workloads_per_application: usize,
    pub members: usize,
    /// Valid ones.
    pub tokens: usize,
    /// Bytes of one Score file.
    pub score_bytes: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            connections: 1_000,
            applications: 1_000,
            environments: 5_000,
            workloads_per_application: 50,
            members: 1_000,
            tokens: 1_000,
            score_bytes: 256 * 1024,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Tokens {
    pub default_days: u32,
    pub longest_days: u32,
    /// How long a browser stays signed in.
    pub session: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            default_days: 90,
            longest_days: 365,
            session: Duration::from_secs(12 * 3600),
        }
    }
}

/// How often Landfall looks for a grant.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The first look, and the shortest pause.
    pub shortest: Duration,
    /// The pause grows with the time waited, up to this.
    pub longest: Duration,
    /// While the cloud's identity settles.
    pub propagating: Duration,
    /// How long a denial does not count after the grant was first seen. IAM
    /// settles within seconds, rarely minutes (AWS docs: "Changes that I make
    /// are not always immediately visible").
    pub deadline: Duration,
    /// A slow look for the return of a revoked grant.
    pub revoked: Duration,
    /// One look.
    pub timeout: Duration,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(2),
            longest: Duration::from_secs(600),
            propagating: Duration::from_secs(5),
            deadline: Duration::from_secs(300),
            revoked: Duration::from_secs(300),
            timeout: Duration::from_secs(20),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Verification {
    /// Between scheduled runs, give or take a fifth.
    pub interval: Duration,
    /// The same while a check fails.
    pub degraded: Duration,
    /// All checks of one connection.
    pub timeout: Duration,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(6 * 3600),
            degraded: Duration::from_secs(600),
            timeout: Duration::from_secs(120),
        }
    }
}

/// Replacing secrets that end, where the customer let us.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// So long before the end of the one in use.
    pub before: Duration,
    /// How long a new one lives.
    pub lifetime: Duration,
    /// A new one must work so often in a row before it is used: the cloud's
    /// identity is served from many places, and they learn of it one by one.
    pub times: u32,
    /// Between two tries.
    pub pause: Duration,
    /// After so long without success a new one is given up.
    pub patience: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            before: Duration::from_secs(30 * DAY),
            lifetime: Duration::from_secs(180 * DAY),
            times: 3,
            pause: Duration::from_secs(20),
            patience: Duration::from_secs(15 * 60),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Planning {
    /// A plan asks for a new verification when the last one is older.
    pub verified_within: Duration,
    /// Reads of the account at the same time, for one plan.
    pub parallel_reads: usize,
    /// Observing the account for one plan.
    pub timeout: Duration,
}

impl Default for Planning {
    fn default() -> Self {
        Self {
            verified_within: Duration::from_secs(15 * 60),
            parallel_reads: 8,
            timeout: Duration::from_secs(90),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Worker {
    /// Rollouts and destructions at the same time.
    pub runs: usize,
    /// Detections and verifications at the same time.
    pub checks: usize,
    /// Of both, for one organization: one customer's thousand jobs do not
    /// delay another's one.
    pub per_organization: usize,
    /// Between looks for due work. Work that this process enqueues wakes it at
    /// once.
    pub poll: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            runs: 32,
            checks: 128,
            per_organization: 8,
            poll: Duration::from_millis(500),
        }
    }
}

/// Limits of frequency, in each replica.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Requests of one organization.
    pub requests_per_second: u32,
    pub requests_burst: u32,
    /// Refused sign-ins from one address.
    pub failures_per_minute: u32,
    /// Live streams of one organization at the same time.
    pub streams: usize,
    /// New connections of one organization.
    pub connections_per_hour: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            requests_per_second: 50,
            requests_burst: 400,
            failures_per_minute: 30,
            streams: 200,
            connections_per_hour: 120,
        }
    }
}
