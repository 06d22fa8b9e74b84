//! Programs that other people wrote. They are beside the Python that
//! `LANDFALL_TEST_PYTHON` names (`scripts/test` installs them); without it the
//! tests that need them skip, and say so.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The folder of a program. `None` skips the test; where everything is
/// required, a missing program fails it.
pub(crate) fn folder_of(program: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("LANDFALL_TEST_PYTHON")
        .and_then(|python| PathBuf::from(python).parent().map(PathBuf::from))
        .filter(|folder| folder.join(program).exists());
    if folder.is_none() {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "{program} is not beside LANDFALL_TEST_PYTHON"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {program} is not beside LANDFALL_TEST_PYTHON (scripts/test sets it)"
        );
    }
    folder
}

/// A ministack of this test's own.
pub(crate) struct Emulator {
    pub(crate) endpoint: String,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Emulator {
    /// `None` when it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let program = folder_of("ministack")?.join("ministack");
        // Free now; if somebody takes it first, the start fails and says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(program)
            .current_dir(folder.path())
            // Without it, nothing is denied.
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ministack can be run");
        for _ in 0..600 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(Self {
                    endpoint: format!("http://127.0.0.1:{port}"),
                    process,
                    _folder: folder,
                });
            }
            let ended = process.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "ministack ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let _ = process.kill();
        panic!("ministack does not listen on port {port}");
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
