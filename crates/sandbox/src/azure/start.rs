//! Starting the Azure side of a sandbox.

use super::server::Server;
use super::state::Cloud;
use super::tls::{self, Tls, TlsError};
use crate::config::Config;
use crate::shared::Shared;
use crate::world::{AccountRole, World};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Why the Azure side did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {addr}")]
    Listen {
        addr: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot prepare https")]
    Tls(#[from] TlsError),
    #[error("cannot write the authority's certificate")]
    Certificate(#[source] std::io::Error),
}

/// A bound listener, not yet served.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Tls,
    origin: String,
    pub certificate: Certificate,
}

/// Where the authority's certificate lies. A temporary file goes with it.
#[derive(Debug)]
pub(crate) enum Certificate {
    BesideSnapshot(PathBuf),
    Temporary(tempfile::TempPath),
}

impl Certificate {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::BesideSnapshot(path) => path,
            Self::Temporary(path) => path,
        }
    }
}

/// Binds, and writes the authority's certificate.
pub(crate) async fn listen(config: &Config, world: &mut World) -> Result<Listening, StartError> {
    let tls = tls::prepare(world.azure.authority_key.as_deref())?;
    world.azure.authority_key = Some(tls.authority_key.clone());
    let listener = bind(config.azure_listen, world.azure.port).await?;
    let addr = listener.local_addr().map_err(|source| StartError::Listen {
        addr: config.azure_listen,
        source,
    })?;
    world.azure.port = Some(addr.port());
    let certificate = write(config, &tls.authority).map_err(StartError::Certificate)?;
    Ok(Listening {
        listener,
        tls,
        origin: format!("https://{addr}"),
        certificate,
    })
}

/// A free port is wanted where none is named, but after a restart the one that
/// clients know already.
async fn bind(wanted: SocketAddr, known: Option<u16>) -> Result<TcpListener, StartError> {
    if wanted.port() == 0
        && let Some(port) = known
        && let Ok(listener) = TcpListener::bind((wanted.ip(), port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(wanted)
        .await
        .map_err(|source| StartError::Listen {
            addr: wanted,
            source,
        })
}

fn write(config: &Config, pem: &str) -> std::io::Result<Certificate> {
    match &config.snapshot {
        Some(snapshot) => {
            let mut path = snapshot.as_os_str().to_owned();
            path.push(".azure-ca.pem");
            let path = PathBuf::from(path);
            std::fs::write(&path, pem)?;
            Ok(Certificate::BesideSnapshot(path))
        }
        None => {
            let mut file = tempfile::Builder::new()
                .prefix("landfall-sandbox-ca-")
                .suffix(".pem")
                .tempfile()?;
            file.write_all(pem.as_bytes())?;
            Ok(Certificate::Temporary(file.into_temp_path()))
        }
    }
}

impl Listening {
    /// The `azure` part of the ready JSON. `http` is the origin of the pages.
    pub(crate) fn ready(&self, cloud: &Cloud, http: &str) -> Value {
        let mut tenants: Vec<_> = cloud.tenants.values().collect();
        tenants.sort_by_key(|tenant| (tenant.role != AccountRole::Operator, &tenant.display_name));
        let tenants: Vec<Value> = tenants
            .into_iter()
            .map(|tenant| {
                let subscription = cloud
                    .subscriptions
                    .values()
                    .find(|subscription| subscription.tenant == tenant.id);
                let principal = tenant
                    .principals
                    .values()
                    .find(|principal| principal.app_id == tenant.client_id);
                json!({
                    "id": tenant.id,
                    "role": tenant.role,
                    "subscription_id": subscription.map(|subscription| &subscription.id),
                    "client_id": tenant.client_id,
                    "client_secret": tenant.client_secret,
                    "principal_id": principal.map(|principal| &principal.id),
                    "domain": tenant.domains.last(),
                })
            })
            .collect();
        json!({
            "authority": self.origin,
            "resource_manager": self.origin,
            "graph": self.origin,
            "portal_url": format!("{}/portal", self.origin),
            "admin_url": format!("{http}/_sandbox/azure"),
            "ca_certificate": self.certificate.path(),
            "tenants": tenants,
        })
    }

    /// Serves until `stop` turns true.
    pub(crate) async fn serve(self, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
        let Self {
            listener,
            tls,
            origin,
            certificate,
        } = self;
        Server::new(shared, tls.acceptor, origin)
            .run(listener, stop)
            .await;
        // A temporary file is removed when the sandbox is over, not before.
        drop(certificate);
    }
}
