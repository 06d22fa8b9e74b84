//! The operator's part: the application, its secret, and what is wrong with them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn without_an_application_the_method_says_what_the_operator_does() {
    let scene = Scene::new().await;
    let unavailable = async |config: AzureConfig, reason: &str, next: &str| {
        let connector = scene.by_consent(config);
        let Availability::Unavailable {
            reason: said,
            next_step,
        } = connector.availability().await
        else {
            panic!("{reason}: it is available");
        };
        assert!(said.contains(reason), "{said}");
        assert!(next_step.contains(next), "{next_step}");
        connector
    };
    let connector = unavailable(
        scene.config.clone(),
        "no application",
        "clouds.azure.application.client_id",
    )
    .await;
    let connection = unprepared(&scene);
    let failure = connector.prepare(&connection).await.unwrap_err();
    assert_eq!(failure.code, "NoApplication");
    let failure = connector.principal().await.unwrap_err();
    assert_eq!(failure.code, "NoApplication");
    assert!(connector.consent_page(&connection, CALLBACK, "s").is_err());
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");

    let mut config = scene.with_application();
    let path = config
        .application
        .as_ref()
        .unwrap()
        .client_secret_file
        .clone()
        .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    unavailable(config.clone(), "read by others", "client_secret_file").await;
    std::fs::remove_file(&path).unwrap();
    unavailable(config.clone(), "cannot be read", "client_secret_file").await;
    config.application = None;
    let other = scene
        .connector
        .consent_page(&scene.connection(), CALLBACK, "s");
    assert_eq!(other.unwrap_err().code, "NotOfThisMethod");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_trouble_revokes_nobody() {
    let Approved {
        scene,
        connector,
        connection,
        ..
    } = granted().await;
    let config = scene.with_application();
    let path = config.application.unwrap().client_secret_file.unwrap();
    let untouched = async |says: &str| {
        let found = connector.detect(&connection).await;
        assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
        let found = verify(connector.as_ref(), &connection).await;
        assert!(!found.refused);
        let accepted = check(&found, "azure.application-accepted");
        assert_eq!(accepted.outcome, Outcome::Unanswered, "{accepted:?}");
        assert!(accepted.evidence.contains(says), "{accepted:?}");
        found
    };
    // A secret that Entra does not take (any more).
    std::fs::write(&path, "abc8Q~0123456789012345678901234567890._-").unwrap();
    let found = untouched("AADSTS7000215").await;
    let accepted = check(&found, "azure.application-accepted");
    assert!(
        accepted.remedy.contains("the operator renews"),
        "{accepted:?}"
    );
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    // None at all.
    std::fs::remove_file(&path).unwrap();
    let found = untouched("cannot read").await;
    assert_eq!(with(&found, Outcome::Fail), ["azure.application"]);
    // Renewed: no restart is needed.
    scene.with_application();
    assert_eq!(connector.detect(&connection).await, Detection::Granted);

    // Another application than the one that was approved.
    let other = Application {
        client_id: guid().parse().unwrap(),
        ..scene.with_application().application.unwrap()
    };
    let config = AzureConfig {
        application: Some(other.clone()),
        ..scene.config.clone()
    };
    let changed = scene.by_consent(config);
    let found = changed.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let found = verify(changed.as_ref(), &connection).await;
    let application = check(&found, "azure.application");
    assert_eq!(application.outcome, Outcome::Fail);
    assert!(application.remedy.contains("back"), "{application:?}");
    assert!(!found.refused);
    // Preparing anew forgets what was approved.
    let mut approved = connection.clone();
    change(&mut approved, |azure| {
        if let AzureAccess::AdminConsent { approved_at, .. } = &mut azure.access {
            *approved_at = Some(TestClock.now());
        }
    });
    let Target::Azure(azure) = changed.prepare(&approved).await.unwrap() else {
        panic!("it is to Azure");
    };
    let AzureAccess::AdminConsent {
        client_id,
        approved_at,
        ..
    } = azure.access
    else {
        panic!("it is by consent");
    };
    assert_eq!(client_id, Some(other.client_id));
    assert_eq!(approved_at, None);
    // The same one keeps it.
    let Target::Azure(azure) = connector.prepare(&approved).await.unwrap() else {
        panic!("it is to Azure");
    };
    assert_eq!(Target::Azure(azure), approved.target);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_can_do_without_a_secret() {
    let Approved {
        scene, connection, ..
    } = granted().await;
    let config = AzureConfig {
        application: Some(Application {
            client_secret_file: None,
            ..scene.with_application().application.unwrap()
        }),
        ..scene.config.clone()
    };
    let keyless = scene.by_consent(config);
    let found = keyless.detect(&connection).await;
    // The operator has not said whom it trusts: nobody is revoked by that.
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let trust = json!({
        "client_id": scene.operator("client_id"), "issuer": URL,
        "subject": APPLICATION_SUBJECT, "audience": "api://AzureADTokenExchange",
    });
    scene.admin("azure/federated-credentials", &trust).await;
    assert_eq!(keyless.availability().await, Availability::Available);
    assert_eq!(keyless.detect(&connection).await, Detection::Granted);
    let found = verify(keyless.as_ref(), &connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    let own = check(&found, "azure.application");
    assert!(own.evidence.contains("by assertions"), "{own:?}");
}
