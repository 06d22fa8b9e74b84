//! The server: store, clouds, use cases, API, pages and workers put together.

use crate::{clock::SystemClock, config::Config, connectors, keeping, secret_file};
use anyhow::Context as _;
use axum::Router;
use landfall_app::{App, Parts, Settings, organizations, worker};
use landfall_issuer::KeyIssuer;
use landfall_model::{connector::Connector, entropy::SystemEntropy, store::Store, vault::Vault};
use landfall_vault::Missing;
use secrecy::{ExposeSecret, SecretString};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// The name of the file in the data folder that holds the first token.
pub const ADMIN_TOKEN: &str = "admin-token";

const SHORTEST_RETRY: Duration = Duration::from_millis(10);

/// A server that answers.
pub struct Server {
    /// `http://127.0.0.1:7070`, as this machine reaches it.
    pub url: String,
    /// The same connectors that the server uses.
    pub connectors: Vec<Arc<dyn Connector>>,
    pub app: Arc<App>,
    /// Where the admin token was written, on the first start only.
    pub first_token: Option<PathBuf>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Ends streams and workers, lets requests finish, and returns when all is
    /// over. Rollouts go on at the next start.
    pub async fn shutdown(self) {
        self.app.closing().cancel();
        self.shutdown.cancel();
        for task in self.tasks {
            // A task that panicked has stopped too.
            let _ = task.await;
        }
    }
}

/// The use cases on the server's own database: what serves, and what an operator
/// does beside a server that runs. The state is in `data_dir`, which is made if
/// it is not there.
pub async fn app(
    config: &Config,
    data_dir: &Path,
    connectors: Vec<Arc<dyn Connector>>,
) -> anyhow::Result<Arc<App>> {
    let store = keeping::store(config, data_dir).await?;
    // What is done beside a server seals nothing.
    let missing = Missing::Make(store.clone());
    let vault = keeping::unchecked_vault(config, data_dir, missing)?;
    Ok(app_on(config, store, Arc::new(vault), connectors))
}

fn app_on(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Arc<dyn Vault>,
    connectors: Vec<Arc<dyn Connector>>,
) -> Arc<App> {
    App::new(Parts {
        store,
        vault,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        connectors,
        settings: settings(config),
    })
}

/// Starts a server.
pub async fn start(config: &Config, data_dir: &Path) -> anyhow::Result<Server> {
    let store = keeping::store(config, data_dir).await?;
    let vault = keeping::vault(config, data_dir, &store).await?;
    let issuer = keeping::issuer(config, store.clone(), vault.clone())?;
    let secrets = keeping::secrets(store.clone(), vault.clone());
    let connectors = connectors::all(config, issuer.clone(), secrets).await?;
    let app = app_on(config, store, vault, connectors.clone());

    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr().context("cannot tell the address")?;
    let token_file = data_dir.join(ADMIN_TOKEN);
    let founded = organizations::bootstrap(
        &app,
        &config.organization,
        "admin",
        async |secret: &SecretString| {
            secret_file::write(&token_file, secret.expose_secret().as_bytes())
        },
    )
    .await
    .context("cannot make the first organization")?;

    let shutdown = CancellationToken::new();
    let url = format!("http://{address}");
    // Port 0 is none that people could be sent back to.
    let public_url = config
        .public_url
        .as_ref()
        .map_or_else(|| url.clone(), |_| config.public_url());
    let router = router(&app, &issuer, public_url);
    let tasks = vec![
        tokio::spawn(worker::run(app.clone(), shutdown.clone())),
        tokio::spawn(keeping::advance(issuer, shutdown.clone())),
        tokio::spawn(serve(listener, router, shutdown.clone())),
    ];
    Ok(Server {
        url,
        connectors,
        app,
        first_token: founded.map(|_| token_file),
        shutdown,
        tasks,
    })
}

fn router(app: &Arc<App>, issuer: &Arc<KeyIssuer>, public_url: String) -> Router {
    let options = landfall_dashboard::Options { public_url };
    landfall_api::router(app.clone())
        .merge(landfall_api::issuer_router(issuer.clone()))
        .merge(landfall_dashboard::router(app.clone(), options))
}

async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the listener ended");
    }
}

pub fn database_url(config: &Config, data_dir: &Path) -> SecretString {
    config
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", data_dir.join("landfall.db").display()).into())
}

fn settings(config: &Config) -> Settings {
    let scale = config.engine.wait_scale;
    let mut settings = Settings::default();
    settings.quotas.connections = config.limits.connections_per_organization;
    settings.quotas.applications = config.limits.applications_per_organization;
    settings.quotas.environments = config.limits.environments_per_organization;
    settings.worker.runs = config.engine.workers;
    settings.detection.shortest = settings.detection.shortest.mul_f64(scale);
    settings.detection.propagating = settings.detection.propagating.mul_f64(scale);
    settings.rotation.pause = settings.rotation.pause.mul_f64(scale);
    let engine = &mut settings.engine;
    engine.poll.scale = scale;
    // Not below what a loopback cloud under load needs to recover in.
    engine.retry.base = engine.retry.base.mul_f64(scale).max(SHORTEST_RETRY);
    engine.retry.cap = engine.retry.cap.mul_f64(scale).max(SHORTEST_RETRY * 50);
    engine.lease.length = Duration::from_secs_f64(config.engine.lease_seconds);
    settings.deployment_url = config.deployments.url.clone();
    settings
}
