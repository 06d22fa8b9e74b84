//! Connecting by `workload-identity`.

use crate::support::{
    change, check, connected,
    scene::{Scene, URL},
    with,
};
use landfall_model::{
    check::Outcome,
    connection::{AzureAccess, Method},
    connector::{Availability, Detection},
    grant::Identity,
};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_connection_passes_every_check() {
    let scene = Scene::new().await;
    assert_eq!(scene.connector.method(), Method::AzureWorkloadIdentity);
    assert_eq!(
        scene.connector.availability().await,
        Availability::Available
    );
    let mut connection = scene.connection();
    // What is there before anybody said what the script printed.
    let Detection::Refused { evidence } = scene.connector.detect(&connection).await else {
        panic!("nothing was entered");
    };
    assert!(evidence.contains("client id"), "{evidence}");
    let found = scene.verify(&connection).await;
    assert_eq!(
        check(&found, "azure.client-found").outcome,
        Outcome::Propagating
    );
    assert!(!found.refused);

    scene.grant(&mut connection).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert!(!found.refused);
    assert_eq!(found.grant_version, Some(1));
    assert!(found.grant_digest.is_some());
    for check in &found.checks {
        // Graph is not ours to read, and needs not be.
        let hidden = check.id.starts_with("azure.federated-credential-exact");
        let wanted = if hidden {
            Outcome::Skipped
        } else {
            Outcome::Pass
        };
        assert_eq!(check.outcome, wanted, "{check:#?}");
    }
    let ids: BTreeSet<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), found.checks.len(), "an id is used twice");
    assert!(ids.len() >= 12, "{ids:?}");
    for who in ["provisioner", "reaper"] {
        for id in [
            "token-accepted",
            "token-subject-enforced",
            "token-audience-enforced",
            "token-expiry-enforced",
            "token-signature-enforced",
            "role-assigned",
        ] {
            check(&found, &format!("azure.{id}.{who}"));
        }
    }
    let registered = check(&found, "azure.provider-registered.microsoft.app");
    assert!(registered.evidence.contains("just now"), "{registered:?}");
    assert!(
        check(&found, "azure.two-keys")
            .evidence
            .contains("two keys: yes")
    );

    // A second run finds the same grant, and has nothing to register.
    connection.grant_digest = found.grant_digest;
    let again = scene.verify(&connection).await;
    let unchanged = check(&again, "azure.grant-unchanged");
    assert!(unchanged.evidence.starts_with("still"), "{unchanged:?}");
    let registered = check(&again, "azure.provider-registered.microsoft.app");
    assert_eq!(registered.evidence, "Registered");

    let regions = scene.connector.regions(&connection).await.unwrap();
    assert!(regions.iter().any(|region| region.name == "westeurope"));
    let Err(failure) = scene.connector.provisioner(&connection, "westeurope").await else {
        panic!("there is no driver yet");
    };
    assert_eq!(failure.code, "NotYet");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connections_application_is_closed_to_another() {
    let scene = Scene::new().await;
    let mut ours = scene.connection();
    let grant = scene.grant(&mut ours).await;
    // Another organization enters the client id that it saw somewhere.
    let mut theirs = scene.connection();
    let client = grant[&Identity::Provisioner].client.parse().unwrap();
    change(&mut theirs, |azure| {
        azure.access = AzureAccess::WorkloadIdentity {
            client_id: Some(client),
        };
    });
    let found = scene.connector.detect(&theirs).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    connected(&mut theirs);
    let found = scene.verify(&theirs).await;
    assert!(found.refused);
    let accepted = check(&found, "azure.token-accepted.provisioner");
    assert_eq!(accepted.outcome, Outcome::Fail);
    assert!(accepted.evidence.contains("AADSTS700213"), "{accepted:?}");
    assert!(accepted.remedy.contains(&theirs.subject()), "{accepted:?}");
    assert!(accepted.remedy.contains(URL), "{accepted:?}");
    assert_eq!(
        check(&found, "azure.token-subject-enforced.provisioner").outcome,
        Outcome::Skipped
    );
    assert_eq!(
        with(&found, Outcome::Pass),
        ["azure.issuer", "azure.tenant-found", "azure.client-found"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_trusts_too_much_is_found_when_graph_is_readable() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let provisioner = &grant[&Identity::Provisioner];
    // Application.Read.All
    scene
        .permit(provisioner, "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30")
        .await;
    let found = scene.verify(&connection).await;
    for who in ["provisioner", "reaper"] {
        let exact = check(&found, &format!("azure.federated-credential-exact.{who}"));
        assert_eq!(exact.outcome, Outcome::Pass, "{exact:?}");
    }
    let permissions = check(&found, "azure.graph-permissions");
    assert_eq!(permissions.outcome, Outcome::Warn);
    assert!(
        permissions.evidence.contains("Application.Read.All"),
        "{permissions:?}"
    );

    scene
        .trust(provisioner, "other", "https://evil.example", "anybody")
        .await;
    let found = scene.verify(&connection).await;
    let exact = check(&found, "azure.federated-credential-exact.provisioner");
    assert_eq!(exact.outcome, Outcome::Warn);
    assert!(exact.evidence.contains("https://evil.example"), "{exact:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_entra_cannot_reach_is_no_revocation() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.grant(&mut connection).await;
    connected(&mut connection);
    scene.serve_issuer(false).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let found = scene.verify(&connection).await;
    assert!(!found.refused);
    assert_eq!(
        check(&found, "azure.token-accepted.provisioner").outcome,
        Outcome::Unanswered
    );
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
}
