//! What a sandbox can be told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// One sandbox. `Default` listens on a free loopback port, in real time,
/// without faults and without a snapshot.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. Loopback only.
    pub listen: SocketAddr,
    /// Where Azure listens, over https; port 0 takes a free one.
    pub azure_listen: SocketAddr,
    /// How many simulated seconds pass in one second.
    pub speed: f64,
    /// Ids, keys and dice follow from it.
    pub seed: u64,
    /// Simulated time until a new or changed role or policy takes effect.
    pub iam_lag: Duration,
    /// Probability that a call is answered with the service's throttling error.
    pub throttle: f64,
    /// Probability that a call is answered with a 5xx.
    pub error_rate: f64,
    /// File that remembers the cloud over restarts; created when absent.
    pub snapshot: Option<PathBuf>,
    /// How many customer accounts there are, besides the operator's.
    pub customers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            azure_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            speed: 1.0,
            seed: 1,
            iam_lag: Duration::ZERO,
            throttle: 0.0,
            error_rate: 0.0,
            snapshot: None,
            customers: 3,
        }
    }
}
