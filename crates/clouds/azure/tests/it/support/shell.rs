//! A shell in which the guide's script runs, with what is `az` there.

use super::{
    change, connected,
    scene::{Scene, spec},
};
use crate::consent;
use landfall_model::{
    connection::{Azure, AzureAccess, Connection},
    connector::Connector,
};
use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

/// What `az` is for the script.
pub(crate) enum Az {
    StandIn(PathBuf),
    Real(PathBuf),
}

impl Az {
    /// `None` skips the test, and says so.
    pub(crate) fn stand_in() -> Option<Self> {
        let python = std::env::var_os("LANDFALL_TEST_PYTHON")
            .map_or_else(|| PathBuf::from("python3"), PathBuf::from);
        let found = Command::new(&python).arg("--version").output();
        if found.is_ok_and(|output| output.status.success()) {
            return Some(Self::StandIn(python));
        }
        skipped("there is no Python");
        None
    }

    /// `LANDFALL_TEST_AZ` names it, or it is beside `LANDFALL_TEST_PYTHON`.
    pub(crate) fn real() -> Option<Self> {
        let named = std::env::var_os("LANDFALL_TEST_AZ").map(PathBuf::from);
        let beside = || {
            let python = PathBuf::from(std::env::var_os("LANDFALL_TEST_PYTHON")?);
            Some(python.parent()?.join("az"))
        };
        let found = named.or_else(beside).filter(|path| path.exists());
        if found.is_none() {
            skipped("the Azure CLI is not installed (LANDFALL_TEST_AZ)");
        }
        found.map(Self::Real)
    }
}

fn skipped(why: &str) {
    // Not eprintln!: that is shown for failed tests only.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A shell of the customer's administrator.
pub(crate) struct Shell<'s> {
    scene: &'s Scene,
    folder: tempfile::TempDir,
    pub(crate) real: bool,
}

impl<'s> Shell<'s> {
    pub(crate) fn open(scene: &'s Scene, az: &Az) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shell = Self {
            scene,
            real: matches!(az, Az::Real(_)),
            folder,
        };
        let command = match az {
            Az::StandIn(python) => format!(
                "{} -B {}/tests/az/az.py",
                python.display(),
                env!("CARGO_MANIFEST_DIR")
            ),
            Az::Real(path) => path.display().to_string(),
        };
        let path = shell.path("bin/az");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\nexec {command} \"$@\"\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        if shell.real {
            shell.sign_in();
        }
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn origin(&self) -> String {
        let url = self.scene.config.authority.as_str();
        url.trim_end_matches('/').to_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        let bin = self.path("bin");
        let ca: &Path = self.scene.config.ca_certificate.as_ref().unwrap();
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("AZURE_CONFIG_DIR", self.path("azure"))
            .env("AZURE_CORE_COLLECT_TELEMETRY", "no")
            .env("AZURE_CORE_INSTANCE_DISCOVERY", "false")
            .env("REQUESTS_CA_BUNDLE", ca)
            .env("STANDIN_ORIGIN", self.origin())
            .env("STANDIN_CA", ca)
            .env("STANDIN_TENANT", &self.scene.tenant)
            .env("STANDIN_SUBSCRIPTION", &self.scene.subscription)
            .env("STANDIN_CLIENT", self.scene.of_customer(0, "client_id"))
            .env("STANDIN_SECRET", self.scene.of_customer(0, "client_secret"))
            .env("LANDFALL_WAIT", "0")
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy");
        command
    }

    /// What a person does once, for a cloud that az does not know.
    fn sign_in(&self) {
        let origin = self.origin();
        let cloud = [
            "cloud",
            "register",
            "--name",
            "Sandbox",
            "--endpoint-active-directory",
            &origin,
            "--endpoint-active-directory-resource-id",
            &origin,
            "--endpoint-resource-manager",
            &origin,
            "--endpoint-active-directory-graph-resource-id",
            &origin,
            "--endpoint-microsoft-graph-resource-id",
            &origin,
        ];
        let client = self.scene.of_customer(0, "client_id");
        let secret = self.scene.of_customer(0, "client_secret");
        let login = [
            "login",
            "--service-principal",
            "--username",
            &client,
            "--password",
            &secret,
            "--tenant",
            &self.scene.tenant,
        ];
        for arguments in [&cloud[..], &["cloud", "set", "--name", "Sandbox"], &login] {
            let output = self.command("az").args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}\n{}", both(&output));
        }
    }

    pub(crate) fn run(&self, script: &str, arguments: &[&str]) -> Output {
        self.run_with(script, arguments, &[])
    }

    pub(crate) fn run_with(
        &self,
        script: &str,
        arguments: &[&str],
        set: &[(&str, &str)],
    ) -> Output {
        let path = self.path("connect.sh");
        std::fs::write(&path, script).unwrap();
        let mut command = self.command("bash");
        command.envs(set.iter().copied());
        command.arg(path).args(arguments).output().unwrap()
    }
}

pub(crate) fn both(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) async fn script(connector: &dyn Connector, connection: &Connection) -> String {
    let principal = connector.principal().await.unwrap();
    let guide = connector
        .guide(connection, &[], &spec(connection), &principal)
        .unwrap();
    guide.commands("script").unwrap().to_owned()
}

/// The value that the script printed behind a label.
pub(crate) fn printed<'o>(output: &'o str, label: &str) -> &'o str {
    output
        .lines()
        .find_map(|line| line.trim().strip_prefix(label))
        .unwrap_or_else(|| panic!("no '{label}' in\n{output}"))
        .trim()
}

/// By which method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Token,
    Secret,
    Consent,
}

pub(crate) const BY: [By; 3] = [By::Token, By::Secret, By::Consent];

impl By {
    pub(crate) fn connector(self, scene: &Scene) -> Arc<dyn Connector> {
        match self {
            Self::Token => scene.connector.clone(),
            Self::Secret => scene.by_secret(true),
            Self::Consent => scene.by_consent(scene.with_application()),
        }
    }

    /// Before the script ran; by consent, approved.
    pub(crate) async fn connection(self, scene: &Scene, connector: &dyn Connector) -> Connection {
        if self == Self::Consent {
            let connection = consent::prepared(scene, connector).await;
            consent::approved(scene, connector, &connection).await;
            return connection;
        }
        let mut connection = scene.connection();
        if self == Self::Secret {
            self.entered(scene, &mut connection, None, None);
        }
        connection
    }

    fn entered(
        self,
        scene: &Scene,
        connection: &mut Connection,
        client: Option<&str>,
        secret: Option<&str>,
    ) {
        let client_id = client.map(|id| id.parse().unwrap());
        let secret_id = secret.map(|text| scene.kept.put(&connection.organization_id, text));
        change(connection, |azure| {
            azure.access = match self {
                Self::Token => AzureAccess::WorkloadIdentity { client_id },
                Self::Secret => AzureAccess::ClientSecret {
                    client_id,
                    secret_id,
                    secret_key_id: None,
                    secret_expires_at: None,
                },
                Self::Consent => return,
            };
        });
    }

    /// Runs the script of a connection with this target, and enters what it
    /// prints.
    pub(crate) async fn run(
        self,
        shell: &Shell<'_>,
        edit: impl FnOnce(&mut Azure),
    ) -> (Arc<dyn Connector>, Connection) {
        let scene = shell.scene;
        let connector = self.connector(scene);
        let mut connection = self.connection(scene, connector.as_ref()).await;
        change(&mut connection, edit);
        self.run_again(shell, connector.as_ref(), &mut connection)
            .await;
        connected(&mut connection);
        (connector, connection)
    }

    pub(crate) async fn run_again(
        self,
        shell: &Shell<'_>,
        connector: &dyn Connector,
        connection: &mut Connection,
    ) {
        let output = shell.run(&script(connector, connection).await, &[]);
        assert!(output.status.success(), "{self:?}: {}", both(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        if self != Self::Consent {
            let client = printed(&text, "Client id:");
            let secret = (self == Self::Secret).then(|| printed(&text, "Client secret:"));
            self.entered(shell.scene, connection, Some(client), secret);
        }
    }
}
