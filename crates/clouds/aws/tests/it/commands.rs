//! The commands of the guide, run as a customer would: by a shell, with the
//! official AWS CLI, which takes its endpoint from the environment.

use crate::support::{Keys, sandbox::Sandbox, spec::Grant, tools::folder_of};
use landfall_contract::connector::{
    Harness,
    aws::{Account as _, Trust},
};
use landfall_model::{
    check::Outcome,
    connection::Connection,
    connector::{Detection, Silent},
    grant::GrantSpec,
};
use std::{path::PathBuf, process::Command};

const TASKS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

async fn shell(folder: PathBuf, endpoint: &str, who: &Keys, commands: String) {
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").expect("a path")
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &commands])
        .env("PATH", path)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", &who.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &who.secret_access_key)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("the shell was waited for")
        .expect("there is a shell");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn everything_passes(sandbox: &Sandbox, connection: &Connection, spec: &GrantSpec) {
    let found = sandbox
        .connector
        .verify(connection, spec, sandbox.now(), &Silent)
        .await
        .unwrap();
    for check in &found.checks {
        assert_eq!(check.outcome, Outcome::Pass, "{check:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_iam_commands_make_and_repair_the_grant() {
    let Some(folder) = folder_of("aws") else {
        return;
    };
    // Every command starts the CLI anew, so the grant with few policies.
    let sandbox = Sandbox::start().await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    let principal = sandbox.connector.principal().await.unwrap();
    let commands = sandbox
        .connector
        .guide(&connection, &[], &spec, &principal)
        .unwrap()
        .commands("iam")
        .unwrap()
        .to_owned();
    let (endpoint, customer) = (&sandbox.endpoint, &sandbox.customer);
    shell(folder.clone(), endpoint, customer, commands.clone()).await;
    everything_passes(&sandbox, &connection, &spec).await;

    // Somebody broke the trust policy; running the commands again mends it.
    sandbox
        .trust(
            &spec,
            landfall_model::grant::Identity::Provisioner,
            Trust::WithoutExternalId,
        )
        .await;
    shell(folder, endpoint, customer, commands).await;
    everything_passes(&sandbox, &connection, &spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloudformation_commands_make_the_grant() {
    let Some(folder) = folder_of("aws") else {
        return;
    };
    let sandbox = Sandbox::granting(Grant::Real).await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    let principal = sandbox.connector.principal().await.unwrap();
    let commands = sandbox
        .connector
        .guide(&connection, &[], &spec, &principal)
        .unwrap()
        .commands("cloudformation")
        .unwrap()
        .to_owned();
    let (endpoint, customer) = (&sandbox.endpoint, &sandbox.customer);
    shell(folder.clone(), endpoint, customer, commands.clone()).await;
    everything_passes(&sandbox, &connection, &spec).await;
    // Again, with nothing to change.
    shell(folder, endpoint, customer, commands).await;
}

/// The role of a service stands under the boundary, which therefore outlives
/// the stack.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stack_can_be_made_again_under_a_running_service() {
    let Some(folder) = folder_of("aws") else {
        return;
    };
    let sandbox = Sandbox::granting(Grant::Real).await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    let principal = sandbox.connector.principal().await.unwrap();
    let guide = sandbox
        .connector
        .guide(&connection, &[], &spec, &principal)
        .unwrap();
    let commands = guide.commands("cloudformation").unwrap().to_owned();
    let (endpoint, customer) = (&sandbox.endpoint, &sandbox.customer);
    let run = |commands: String| shell(folder.clone(), endpoint, customer, commands);
    run(commands.clone()).await;
    run(format!(
        "aws iam create-role --role-name landfall-shop-web-execution \\
           --assume-role-policy-document '{TASKS}' --permissions-boundary {}",
        connection.aws().unwrap().boundary_policy_arn()
    ))
    .await;

    let stack = format!(
        "--region us-east-1 --stack-name {}",
        connection.aws().unwrap().stack_name()
    );
    run(format!(
        "set -e; aws cloudformation delete-stack {stack}
         aws cloudformation wait stack-delete-complete {stack}"
    ))
    .await;
    assert!(matches!(
        sandbox.connector.detect(&connection).await,
        Detection::Refused { .. }
    ));
    run(commands).await;
    everything_passes(&sandbox, &connection, &spec).await;
}
