//! Limits of frequency, so that nobody delays anybody else. They count in this
//! replica; what an organization may have in total is counted in the database.

use crate::settings::Rates;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use landfall_model::{Code, Error, error::Result, id::OrganizationId};
use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(crate) struct Limits {
    requests: DefaultKeyedRateLimiter<OrganizationId>,
    refused: DefaultKeyedRateLimiter<IpAddr>,
    connections: DefaultKeyedRateLimiter<OrganizationId>,
    streams: Arc<Mutex<HashMap<OrganizationId, usize>>>,
    most_streams: usize,
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

impl Limits {
    pub(crate) fn new(rates: &Rates) -> Self {
        let requests = Quota::per_second(at_least_one(rates.requests_per_second))
            .allow_burst(at_least_one(rates.requests_burst));
        Self {
            requests: RateLimiter::keyed(requests),
            refused: RateLimiter::keyed(Quota::per_minute(at_least_one(rates.failures_per_minute))),
            connections: RateLimiter::keyed(Quota::per_hour(at_least_one(
                rates.connections_per_hour,
            ))),
            streams: Arc::default(),
            most_streams: rates.streams,
        }
    }

    pub(crate) fn request(&self, organization: &OrganizationId) -> Result<()> {
        check(&self.requests, organization, "too many requests")
    }

    pub(crate) fn refused_sign_in(&self, remote: IpAddr) -> Result<()> {
        let what = "too many refused sign-ins from this address";
        check(&self.refused, &network(remote), what)
    }

    pub(crate) fn new_connection(&self, organization: &OrganizationId) -> Result<()> {
        let what = "too many new connections in an hour";
        check(&self.connections, organization, what)
    }

    pub(crate) fn stream(&self, organization: &OrganizationId) -> Result<StreamSlot> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(organization.clone()).or_insert(0);
        if *open >= self.most_streams {
            return Err(Error::new(
                Code::RateLimited,
                "too many open streams",
                "close some, then try again",
            ));
        }
        *open += 1;
        Ok(StreamSlot {
            organization: organization.clone(),
            streams: self.streams.clone(),
        })
    }

    /// Forgets keys that are back to full, so that memory follows use.
    pub(crate) fn sweep(&self) {
        self.requests.retain_recent();
        self.refused.retain_recent();
        self.connections.retain_recent();
    }
}

/// One open stream; dropping it makes room for another.
#[derive(Debug)]
pub struct StreamSlot {
    organization: OrganizationId,
    streams: Arc<Mutex<HashMap<OrganizationId, usize>>>,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.organization) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.organization);
            }
        }
    }
}

/// One subscriber holds a whole /64 of IPv6 addresses: counting each would be
/// counting none.
fn network(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => remote,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(network.into())
            }
        },
    }
}

/// The source of a [`Code::RateLimited`] error: how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("allowed again in {} seconds", self.retry_after.as_secs())]
pub struct TooSoon {
    pub retry_after: Duration,
}

fn check<K: Clone + Hash + Eq>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
    what: &str,
) -> Result<()> {
    limiter.check_key(key).map_err(|early| {
        let retry_after = early.wait_time_from(governor::clock::DefaultClock::default().now());
        let seconds = retry_after.as_secs().max(1);
        Error::new(
            Code::RateLimited,
            what,
            format!("wait {seconds} seconds, then try again"),
        )
        .with_source(TooSoon { retry_after })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(!same("192.0.2.7", "192.0.2.8"));
    }
}
