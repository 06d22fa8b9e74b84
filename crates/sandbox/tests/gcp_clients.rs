//! Google's own clients, unmodified, on a running sandbox. They need Python
//! with google-auth, google-api-python-client and google-cloud-*, which
//! `scripts/test` installs and names in `LANDFALL_TEST_PYTHON`.

use landfall_sandbox::{Config, start};
use std::io::Write as _;
use std::path::Path;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn googles_clients_tour_identity_and_the_hierarchy() {
    let Some(python) = std::env::var_os("LANDFALL_TEST_PYTHON") else {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "LANDFALL_TEST_PYTHON is not set"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON is not set (scripts/test sets it)"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let running = start(Config::default()).await.unwrap();
    let ready = folder.path().join("ready.json");
    std::fs::write(&ready, running.ready.to_string()).unwrap();
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/gcp_tour.py"))
        .arg(ready)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
