//! Official clients and an independent oracle, unmodified. They need Python
//! with boto3, the AWS CLI and cfn-lint, which `scripts/test` installs and
//! names in `LANDFALL_TEST_PYTHON`.

use landfall_sandbox::{Config, start};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

fn python() -> Option<PathBuf> {
    let python = std::env::var_os("LANDFALL_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "LANDFALL_TEST_PYTHON is not set"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON is not set (scripts/test sets it)"
        );
    }
    python
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn run(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_and_the_cli_tour_the_resources() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let running = start(Config {
        speed: 2_000.0,
        ..Config::default()
    })
    .await
    .unwrap();
    let ready = folder.path().join("ready.json");
    std::fs::write(&ready, running.ready.to_string()).unwrap();
    run(Command::new(python)
        .arg(here("tests/clients/tour_resources.py"))
        .arg(ready))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cfn_lint_agrees_with_the_table() {
    let Some(python) = python() else { return };
    let find = "import cfnlint, os; print(os.path.dirname(cfnlint.__file__))";
    let cfn_lint = run(Command::new(&python).args(["-c", find])).await;
    let said = run(Command::new(python)
        .arg(here("derive/derive.py"))
        .args(["--check", "--cfn-lint", cfn_lint.trim(), "--out"])
        .arg(here("src/types/table.json")))
    .await;
    assert!(said.contains("problems=0"), "{said}");
}
