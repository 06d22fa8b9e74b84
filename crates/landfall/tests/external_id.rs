//! The confused deputy, tried with boto3, unmodified: the roles of the template
//! that customers get let in only who has the right external id.

use landfall_model::{
    Timestamp,
    connection::{Aws, AwsAccess, Connection, Partition, State, Target},
    grant::ServerPrincipal,
};
use std::{
    io::{BufReader, Read, Write as _},
    process::{Child, Command, Stdio},
};

/// Ends its process, and nothing else, when it goes away.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sandbox() -> (Process, serde_json::Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["sandbox", "--listen", "127.0.0.1:0", "--speed", "600"])
        .args(["--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let process = Process(child);
    let mut objects = serde_json::Deserializer::from_reader(stdout.take(1 << 20)).into_iter();
    (process, objects.next().unwrap().unwrap())
}

fn account(ready: &serde_json::Value, role: &str) -> serde_json::Value {
    let accounts = ready["aws"]["accounts"].as_array().unwrap();
    let found = accounts.iter().find(|account| account["role"] == role);
    found.unwrap().clone()
}

#[test]
fn both_roles_refuse_a_missing_and_a_wrong_external_id() {
    let Ok(python) = std::env::var("LANDFALL_TEST_PYTHON") else {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "LANDFALL_TEST_PYTHON is required here"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON names no Python with boto3"
        );
        return;
    };
    let (_process, ready) = sandbox();
    let never = Timestamp::from_millis(0);
    let id = |prefix: &str| format!("{prefix}_01900000000070008000000000000001");
    let connection = Connection {
        id: id("con").parse().unwrap(),
        organization_id: id("org").parse().unwrap(),
        name: "customer".into(),
        target: Target::Aws(Aws {
            account_id: account(&ready, "customer")["id"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap(),
            partition: Partition::Aws,
            access: AwsAccess::AssumeRole,
        }),
        external_id: "lf-0123456789abcdef0123456789abcdef".into(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: Vec::new(),
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: never },
        created_at: never,
        updated_at: never,
        version: 1,
    };
    let operator = account(&ready, "operator");
    let principal = ServerPrincipal::Aws {
        arn: operator["principal_arn"].as_str().unwrap().to_owned(),
    };
    let spec = landfall_plan::policy::aws::grant(connection.aws().unwrap(), &principal).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let sandbox_file = folder.path().join("sandbox.json");
    let template_file = folder.path().join("template.json");
    std::fs::write(&sandbox_file, ready.to_string()).unwrap();
    std::fs::write(&template_file, spec.template.to_string()).unwrap();
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/external_id.py"
        ))
        .args([&sandbox_file, &template_file])
        .arg(&connection.external_id)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "roles=2 right=accepted missing=denied wrong=denied"
    );
}
