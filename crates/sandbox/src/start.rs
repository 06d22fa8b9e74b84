//! Starting and stopping a sandbox.

use crate::azure;
use crate::config::Config;
use crate::http::Server;
use crate::log::RequestLog;
use crate::shared::Shared;
use crate::snapshot::{self, SnapshotError};
use crate::world::{AccountRole, REGIONS, World};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Whoever reaches the sandbox may do everything to it.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("{0} must be {1}")]
    Setting(&'static str, &'static str),
    #[error("cannot listen on {addr}")]
    Listen {
        addr: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot start the simulated Azure")]
    Azure(#[from] azure::StartError),
    #[error("cannot continue from the snapshot {}", path.display())]
    Snapshot {
        path: PathBuf,
        #[source]
        source: SnapshotError,
    },
    #[error("cannot write beside the snapshot {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A sandbox that answers. Dropping it stops it; [`Running::shutdown`] also
/// waits.
#[derive(Debug)]
pub struct Running {
    /// The JSON that `landfall sandbox` prints.
    pub ready: Value,
    /// The address that was bound.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    azure: JoinHandle<()>,
}

impl Running {
    /// Stops listening, lets open requests finish for a moment, and returns
    /// when all is over. Accepted changes are in the snapshot already.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // A server that panicked has stopped too.
        let _ = self.server.await;
        let _ = self.azure.await;
    }
}

/// Starts a sandbox on the current runtime.
///
/// # Errors
/// When the settings make no sense, the address is taken, or the snapshot
/// cannot be read or written.
pub async fn start(config: Config) -> Result<Running, StartError> {
    check(&config)?;
    let mut world = load(&config)?;
    let log_path = config.snapshot.as_deref().map(snapshot::request_log_path);
    let log = RequestLog::open(log_path.clone()).map_err(|source| StartError::Write {
        path: log_path.unwrap_or_default(),
        source,
    })?;
    let listen = |source| StartError::Listen {
        addr: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;
    let azure = azure::listen(&config, &mut world).await?;
    let mut ready = ready(&world, addr);
    ready["azure"] = azure.ready(&world.azure, &format!("http://{addr}"));
    // The key and the port that were chosen just now.
    save(&config, &world)?;
    let shared = Arc::new(Shared::new(config, addr, world, log));
    let (stop, stopped) = watch::channel(false);
    let azure = tokio::spawn(azure.serve(Arc::clone(&shared), stopped.clone()));
    let server = tokio::spawn(Server::new(shared).run(listener, stopped));
    Ok(Running {
        ready,
        addr,
        stop,
        server,
        azure,
    })
}

fn check(config: &Config) -> Result<(), StartError> {
    if !config.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(config.listen));
    }
    if !config.azure_listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(config.azure_listen));
    }
    if !(config.speed > 0.0 && config.speed <= 1e6) {
        return Err(StartError::Setting(
            "speed",
            "greater than 0 and at most 1000000",
        ));
    }
    for (name, probability) in [
        ("throttle", config.throttle),
        ("error-rate", config.error_rate),
    ] {
        if !(0.0..=1.0).contains(&probability) {
            return Err(StartError::Setting(name, "a probability between 0 and 1"));
        }
    }
    if !(1..=100).contains(&config.customers) {
        return Err(StartError::Setting("customers", "between 1 and 100"));
    }
    Ok(())
}

fn load(config: &Config) -> Result<World, StartError> {
    let Some(path) = &config.snapshot else {
        return Ok(World::create(config));
    };
    let known = snapshot::read(path).map_err(|source| StartError::Snapshot {
        path: path.clone(),
        source,
    })?;
    let world = match known {
        Some(mut world) => {
            world.resume(config);
            world
        }
        None => World::create(config),
    };
    Ok(world)
}

/// Also finds out now, not at the first change, whether it can be written.
fn save(config: &Config, world: &World) -> Result<(), StartError> {
    let Some(path) = &config.snapshot else {
        return Ok(());
    };
    snapshot::write(path, world).map_err(|source| StartError::Write {
        path: path.clone(),
        source,
    })
}

fn ready(world: &World, addr: SocketAddr) -> Value {
    let endpoint = format!("http://{addr}");
    let mut accounts: Vec<_> = world
        .keys
        .iter()
        .filter_map(|(id, key)| Some((id, key, world.accounts.get(&key.account)?)))
        .collect();
    accounts
        .sort_by_key(|(_, _, account)| (account.role != AccountRole::Operator, account.id.clone()));
    let accounts: Vec<Value> = accounts
        .into_iter()
        .map(|(access_key_id, key, account)| {
            json!({
                "id": account.id,
                "role": account.role,
                "access_key_id": access_key_id,
                "secret_access_key": key.secret_access_key,
                "principal_arn": crate::iam::Caller::administrator(&account.id).arn,
            })
        })
        .collect();
    json!({
        "aws": {
            "endpoint_url": endpoint,
            "console_url": format!("{endpoint}/console"),
            "template_bucket_url": format!("{endpoint}/templates/landfall-templates"),
            "admin_url": format!("{endpoint}/_sandbox"),
            "regions": REGIONS.map(|(name, _)| name),
            "accounts": accounts,
        },
        "gcp": crate::gcp::ready(world, &endpoint),
    })
}
