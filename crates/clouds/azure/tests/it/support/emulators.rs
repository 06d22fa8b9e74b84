//! Starting entra-emulator and arm-emulator, and leading the clouds' names to
//! them.

mod customer;
mod network;

use super::scene::{self, URL};
use axum::Router;
pub(crate) use customer::{Clients, condition_of};
use landfall_azure::AzureConfig;
use landfall_issuer::KeyIssuer;
use network::{Https, certify, listen, proxy};
use std::{
    collections::BTreeMap,
    io::Write as _,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;

/// What both have from the start.
pub(crate) const TENANT: &str = "6f89cf12-978b-4d23-ac18-9ef0c127cf87";
pub(crate) const SUBSCRIPTION: &str = "6082bfda-63d0-46f4-8272-ae9195139feb";

/// Whom our assertions are for.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Where entra-emulator is neither Entra nor Graph.
const ADMIN: &str = "entra.example";
const PROXY: &str = "LANDFALL_TEST_EMULATORS_PROXY";

pub(crate) struct Programs {
    entra: PathBuf,
    arm: PathBuf,
}

/// As the environment names them, or on the `PATH`.
pub(crate) fn programs() -> Option<Programs> {
    let find = |variable: &str, program: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        let found = named.or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .map(|folder| folder.join(program))
                .find(|file| file.is_file())
        });
        if found.is_none() {
            // Not eprintln!: that is shown for failed tests only.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: {program} is neither on the PATH nor named by {variable}"
            );
        }
        found
    };
    Some(Programs {
        entra: find("LANDFALL_TEST_ENTRA_EMULATOR", "entra-emulator")?,
        arm: find("LANDFALL_TEST_ARM_EMULATOR", "arm-emulator")?,
    })
}

/// Where this process sends its calls, when it was started for that.
pub(crate) fn proxy_of_this_process() -> Option<u16> {
    std::env::var(PROXY).ok()?.parse().ok()
}

/// Runs a test of this program in a process that has a proxy.
pub(crate) async fn run_behind_a_proxy(test: &str) {
    let port = free_port();
    let proxy = format!("http://127.0.0.1:{port}");
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(PROXY, port.to_string())
        .env("HTTPS_PROXY", &proxy)
        .env("https_proxy", &proxy);
    for other in ["NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(other);
    }
    let ended = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// Free now; if somebody takes it first, the start fails and says so.
fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

struct Process(Child);

impl Process {
    async fn start(mut command: Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).spawn();
        let mut process = Self(child.expect("the program can be run"));
        for _ in 0..600 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_ok()
            {
                return process;
            }
            let ended = process.0.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{command:?} does not listen on port {port}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both of them, with this server's issuer beside them.
pub(crate) struct Emulators {
    pub(crate) issuer: Arc<KeyIssuer>,
    /// The public cloud's, with the authority of our certificate.
    pub(crate) config: AzureConfig,
    pub(crate) http: reqwest::Client,
    _processes: [Process; 2],
    _folder: tempfile::TempDir,
}

impl Emulators {
    pub(crate) async fn start(programs: &Programs, proxy_port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = AzureConfig {
            ca_certificate: Some(folder.path().join("ca.pem")),
            ..AzureConfig::default()
        };
        let host = |url: &str| url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
        let (login, graph) = (host(config.authority.as_str()), host(config.graph.as_str()));
        let (management, ours) = (host(config.resource_manager.as_str()), host(URL));
        let names = [&login, &graph, &management, &ours, ADMIN, "localhost"];
        let acceptor = certify(folder.path(), names.map(str::to_owned).to_vec());

        let issuer = scene::issuer(folder.path()).await;
        let base = url::Url::parse(URL).unwrap().path().to_owned();
        let documents = Router::new().nest(&base, scene::documents(issuer.clone()));
        let listener = listen(0).await;
        let ours_port = listener.local_addr().unwrap().port();
        let listener = Https { listener, acceptor };
        tokio::spawn(async move { axum::serve(listener, documents).await.unwrap() });

        let (entra, arm) = (free_port(), free_port());
        let routes = BTreeMap::from([
            (login.clone(), entra),
            (graph.clone(), entra),
            (ADMIN.to_owned(), entra),
            (management, arm),
            (ours, ours_port),
        ]);
        tokio::spawn(proxy(listen(proxy_port).await, Arc::new(routes)));

        let file = |name: &str| folder.path().join(name);
        let mut command = Command::new(&programs.entra);
        command
            .current_dir(folder.path())
            .env("HOST", "127.0.0.1")
            .env("PORT", entra.to_string())
            .env("LOGIN_ORIGIN", format!("https://{login}"))
            .env("GRAPH_ORIGIN", format!("https://{graph}"))
            .env("TENANT_ID", TENANT)
            .env("ENTRA_DATA_DIR", "")
            .env("TLS_CERT", file("tls/cert.pem"))
            .env("TLS_KEY", file("tls/key.pem"))
            // It fetches our keys through the proxy too.
            .env("SSL_CERT_FILE", file("ca.pem"))
            .stderr(Stdio::null());
        let entra_process = Process::start(command, entra).await;
        let mut command = Command::new(&programs.arm);
        command
            .current_dir(folder.path())
            .args(["--addr", &format!("127.0.0.1:{arm}")])
            .env("ARM_DATA_DIR", folder.path())
            .args(["--entra-issuer", &format!("https://{login}/{TENANT}/v2.0")])
            .args(["--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION])
            .env("SSL_CERT_FILE", file("ca.pem"))
            .stderr(Stdio::null());
        let arm_process = Process::start(command, arm).await;

        let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
        Self {
            issuer,
            config,
            http: reqwest::Client::builder()
                .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
                .build()
                .unwrap(),
            _processes: [entra_process, arm_process],
            _folder: folder,
        }
    }

    /// A path of entra-emulator's own interface, by which it is set up.
    pub(crate) fn admin(path: &str) -> String {
        format!("https://{ADMIN}/admin/api/{path}")
    }
}
