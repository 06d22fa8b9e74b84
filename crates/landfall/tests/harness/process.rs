//! Child processes that are gone when their handle is.

use anyhow::{Context as _, bail, ensure};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// The binary under test, with nothing of the caller's own configuration.
pub fn landfall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    for (name, _) in std::env::vars_os() {
        let own = name
            .to_str()
            .is_some_and(|name| name.starts_with("LANDFALL") || name.starts_with("AWS_"));
        if own {
            command.env_remove(name);
        }
    }
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// A running child; its output goes to files, so that it can be read after the
/// child was killed.
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Where the output of this life begins in the file.
    since: (u64, u64),
}

impl Process {
    /// Starts `command`; its output is appended to `<folder>/<name>.out` and
    /// `.log`.
    pub fn start(mut command: Command, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.log"));
        let append = |path: &Path| -> anyhow::Result<(File, u64)> {
            let file = File::options().create(true).append(true).open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (out, out_since) = append(&stdout)?;
        let (log, log_since) = append(&stderr)?;
        let child = command
            .stdout(out)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            child,
            stdout,
            stderr,
            since: (out_since, log_since),
        })
    }

    /// SIGKILL, and wait until it is gone.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill")
    }

    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("it did not end within {} s", limit.as_secs()),
        }
    }

    pub fn output(&self) -> anyhow::Result<String> {
        read_from(&self.stdout, self.since.0)
    }

    pub fn log(&self) -> anyhow::Result<String> {
        read_from(&self.stderr, self.since.1)
    }

    /// The first thing that `find` sees in this life's output and log; `None`
    /// when it ended before.
    pub async fn says<T>(
        &mut self,
        limit: Duration,
        find: impl Fn(&str, &str) -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        let started = Instant::now();
        loop {
            let ended = self.ended()?.is_some();
            if let Some(found) = find(&self.output()?, &self.log()?) {
                return Ok(Some(found));
            }
            if ended {
                return Ok(None);
            }
            ensure!(
                started.elapsed() < limit,
                "it said nothing within {} s: {}",
                limit.as_secs(),
                self.log()?
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn read_from(path: &Path, since: u64) -> anyhow::Result<String> {
    let bytes = std::fs::read(path)?;
    let since = usize::try_from(since)?.min(bytes.len());
    Ok(String::from_utf8_lossy(&bytes[since..]).into_owned())
}

/// Whether a process ended by SIGKILL.
pub fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}
