//! How patient the engine is. All of it is configuration; `scale` shortens or
//! lengthens every wait at once.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub poll: PollPolicy,
    pub retry: RetryPolicy,
    pub call: CallPolicy,
    pub breaker: BreakerPolicy,
    pub lease: LeasePolicy,
}

/// When to ask how an operation is doing.
#[derive(Clone, Debug)]
pub struct PollPolicy {
    /// Multiplies every poll interval: 0.01 for a cloud that is a hundred times
    /// faster than the real one.
    pub scale: f64,
    /// Never ask more often.
    pub shortest: Duration,
    /// How often to look whether somebody asked to cancel.
    pub cancel: Duration,
    /// An operation is given up (it stays in the journal, and a resume polls it
    /// again) after its typical duration this many times, or after `at_least`.
    pub patience: u32,
    pub at_least: Duration,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            scale: 1.0,
            shortest: Duration::from_millis(50),
            cancel: Duration::from_secs(3),
            patience: 10,
            at_least: Duration::from_secs(30 * 60),
        }
    }
}

impl PollPolicy {
    /// How long to wait before the poll number `polls` (from 0). Early enough
    /// not to waste a quick operation's time, then geometrically rarer, and
    /// never rarer than a tenth of what is typical.
    pub(crate) fn interval(&self, type_name: &str, polls: u32) -> Duration {
        let typical = typical_seconds(type_name);
        let first = (typical * 0.3).clamp(0.5, 20.0);
        let cap = (typical / 10.0).clamp(2.0, 15.0);
        // The first wait is a guess at most of the work; what follows grows
        // from a small step, so that the end is seen soon after it comes.
        let seconds = match polls {
            0 => first,
            _ => cap.min(1.4_f64.powi(i32::try_from(polls.min(30)).unwrap_or(30)) * 0.7),
        };
        self.scaled(seconds)
    }

    pub(crate) fn cancel_interval(&self) -> Duration {
        self.scaled(self.cancel.as_secs_f64())
    }

    /// How long an operation may take before this run stops waiting.
    pub(crate) fn deadline(&self, type_name: &str) -> Duration {
        let typical = Duration::from_secs_f64(typical_seconds(type_name));
        typical.saturating_mul(self.patience).max(self.at_least)
    }

    /// How long a creation usually takes.
    pub(crate) fn typical(&self, type_name: &str) -> Duration {
        self.scaled(typical_seconds(type_name))
    }

    fn scaled(&self, seconds: f64) -> Duration {
        let scale = if self.scale.is_finite() && self.scale > 0.0 {
            self.scale
        } else {
            1.0
        };
        Duration::try_from_secs_f64(seconds * scale)
            .unwrap_or(Duration::from_secs(60))
            .max(self.shortest)
    }
}

/// Roughly how long a type's creation takes. Types that are not here are
/// quick. Measured values differ by region and day: only poll intervals and
/// patience hang on them.
const TYPICAL_SECONDS: &[(&str, f64)] = &[
    ("AWS::AutoScaling::AutoScalingGroup", 60.0),
    ("AWS::CertificateManager::Certificate", 180.0),
    ("AWS::CloudFront::Distribution", 300.0),
    ("AWS::EC2::NatGateway", 110.0),
    ("AWS::EC2::VPC", 12.0),
    ("AWS::EC2::VPCEndpoint", 60.0),
    ("AWS::ECS::Cluster", 10.0),
    ("AWS::ECS::Service", 120.0),
    ("AWS::EKS::Addon", 90.0),
    ("AWS::EKS::Cluster", 600.0),
    ("AWS::EKS::FargateProfile", 120.0),
    ("AWS::EKS::Nodegroup", 180.0),
    ("AWS::ElastiCache::ReplicationGroup", 480.0),
    ("AWS::ElastiCache::ServerlessCache", 240.0),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", 150.0),
    ("AWS::IAM::InstanceProfile", 120.0),
    ("AWS::IAM::Role", 12.0),
    ("AWS::RDS::DBCluster", 120.0),
    ("AWS::RDS::DBInstance", 400.0),
];

fn typical_seconds(type_name: &str) -> f64 {
    TYPICAL_SECONDS
        .binary_search_by(|(name, _)| (*name).cmp(type_name))
        .map_or(3.0, |index| TYPICAL_SECONDS[index].1)
}

/// How to repeat what is worth repeating: full jitter between zero and a bound
/// that doubles.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    pub base: Duration,
    pub cap: Duration,
    /// Calls of one attempt, beside throttled ones.
    pub calls: u32,
    /// Attempts of one node between two resumes.
    pub attempts: u32,
    /// From the first failure to the last repetition.
    pub window: Duration,
    /// The same for what has not settled (a new role): identity takes minutes.
    pub settle_window: Duration,
    /// Reads of what was just made, before it counts as absent.
    pub reads: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            calls: 12,
            attempts: 4,
            window: Duration::from_secs(15 * 60),
            settle_window: Duration::from_secs(10 * 60),
            reads: 8,
        }
    }
}

#[derive(Clone, Debug)]
pub struct CallPolicy {
    /// A call without an answer counts as lost after this.
    pub timeout: Duration,
    /// Calls in flight per account, region and API: where to start and the
    /// highest that the limiter goes.
    pub initial_window: u32,
    pub largest_window: u32,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            initial_window: 8,
            largest_window: 32,
        }
    }
}

/// When to stop asking a connection that does not answer or refuses us.
#[derive(Clone, Debug)]
pub struct BreakerPolicy {
    /// Refusals of our credentials in a row.
    pub refusals: u32,
    /// Answers in a row that are the cloud's own trouble, or no answer, over
    /// at least `outage`: a short one is what retries are for.
    pub troubles: u32,
    pub outage: Duration,
    /// Then one call may try again after this.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            refusals: 4,
            troubles: 15,
            outage: Duration::from_secs(90),
            pause: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Debug)]
pub struct LeasePolicy {
    /// How far each heartbeat moves the lease's end.
    pub length: Duration,
}

impl Default for LeasePolicy {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(TYPICAL_SECONDS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_slow_type_is_asked_later_and_less_often() {
        let policy = PollPolicy::default();
        let (role, database) = ("AWS::EC2::Subnet", "AWS::RDS::DBInstance");
        assert!(policy.interval(role, 0) < policy.interval(database, 0));
        assert!(policy.interval(role, 20) < policy.interval(database, 20));
        assert!(policy.interval(database, 20) <= Duration::from_secs(15));
        assert!(policy.deadline(database) > policy.deadline(role));
    }

    #[test]
    fn scale_shortens_every_poll_but_not_below_the_floor() {
        let slow = PollPolicy::default();
        let fast = PollPolicy {
            scale: 0.01,
            ..PollPolicy::default()
        };
        let database = "AWS::RDS::DBInstance";
        assert_eq!(slow.interval(database, 0), fast.interval(database, 0) * 100);
        assert_eq!(fast.interval("AWS::SNS::Topic", 0), fast.shortest);
        let broken = PollPolicy {
            scale: f64::NAN,
            ..PollPolicy::default()
        };
        assert_eq!(broken.interval(database, 3), slow.interval(database, 3));
    }
}
