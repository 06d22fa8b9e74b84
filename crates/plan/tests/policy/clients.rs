//! The grant held against what other people wrote: linters that know every IAM
//! action, and an emulator. They need Python with the packages of
//! `scripts/requirements.txt`, which `scripts/test` installs and names in
//! `LANDFALL_TEST_PYTHON`.

use super::*;
use landfall_plan::policy::aws::reaper_session_policy;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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

fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn run(python: &Path, script: &str, arguments: &[&Path]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn linters_find_nothing_in_any_partition() {
    let Some(python) = python() else { return };
    for (partition, with_reaper) in [
        (Partition::Aws, true),
        (Partition::AwsUsGov, true),
        (Partition::AwsCn, false),
    ] {
        let mut connection = connection();
        connection.target = account(partition, AwsAccess::AssumeRole);
        connection.with_reaper = with_reaper;
        let principal = ServerPrincipal::Aws {
            arn: principal()
                .as_str()
                .replace("arn:aws:", &format!("arn:{}:", partition.as_str())),
        };
        let grant = aws::grant(&connection, &principal).unwrap();
        let name = format!("grant-{}.json", partition.as_str());
        let grant = written(&name, &serde_json::to_string(&grant).unwrap());
        run(&python, "lint_grant.py", &[&grant]);
    }
    let grant = aws::grant(&keyless(), &issuer()).unwrap();
    let grant = written("grant-oidc.json", &serde_json::to_string(&grant).unwrap());
    run(&python, "lint_grant.py", &[&grant]);
}

#[test]
fn an_emulator_lets_in_and_refuses_as_the_grant_says() {
    let Some(python) = python() else { return };
    let grant = written(
        "grant-ministack.json",
        &serde_json::to_string(&granted()).unwrap(),
    );
    let approved = retained("AWS::S3::Bucket", "landfall-approved");
    let session = reaper_session_policy(&approved, Partition::Aws).unwrap();
    let session = written("session-ministack.json", &session.to_string());
    let flag = Path::new("--session");
    run(&python, "grant_on_ministack.py", &[&grant, flag, &session]);
}
