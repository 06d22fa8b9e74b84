//! Nobody rides on what another organization approved.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_does_not_ride_on_the_consent() {
    let Approved {
        scene,
        connector,
        connection: ours,
        grant,
    } = granted().await;
    // Organization B enters A's tenant and subscription. Entra issues a token.
    let mut theirs = prepared(&scene, connector.as_ref()).await;
    assert_ne!(theirs.organization_id, ours.organization_id);
    let Detection::Refused { evidence } = connector.detect(&theirs).await else {
        panic!("B got in by A's consent");
    };
    assert!(evidence.contains(&theirs.external_id), "{evidence}");
    connected(&mut theirs);
    let refused = async |theirs: &Connection, says: &str| {
        let found = verify(connector.as_ref(), theirs).await;
        assert!(found.refused);
        let proven = check(&found, "azure.ownership-proven");
        assert_eq!(proven.outcome, Outcome::Fail, "{proven:?}");
        assert!(proven.evidence.contains(says), "{proven:?}");
        assert!(proven.remedy.contains(&theirs.external_id), "{proven:?}");
        assert_eq!(with(&found, Outcome::Fail), ["azure.ownership-proven"]);
        assert_eq!(
            with(&found, Outcome::Pass),
            [
                "azure.application",
                "azure.tenant-found",
                "azure.consent-given",
                "azure.application-accepted"
            ],
            "nothing else was asked"
        );
        // Nothing of A's is told: no name, no domain, no nonce.
        let all = format!("{:?}", found.checks);
        for secret in [
            "Customer 1",
            &scene.of_customer(0, "domain"),
            &ours.external_id,
        ] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        let failure = connector.regions(theirs).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied);
        assert_eq!(failure.code, "OwnershipNotProven");
    };
    refused(&theirs, "no assignment").await;

    // A guest who may hand out a harmless role is no owner.
    let admin = scene.administrator().await;
    let principal = &grant[&Identity::Provisioner].principal;
    let subscription = format!("/subscriptions/{}", scene.subscription);
    let assign = async |role: &str, scope: &str, description: &str| {
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/{}?{AUTHORIZATION}",
            guid()
        );
        let body = json!({"properties": {
            "roleDefinitionId": format!(
                "{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
            ),
            "principalId": principal, "principalType": "ServicePrincipal",
            "description": description,
        }});
        admin.must("PUT", &path, body).await;
    };
    let nonce = format!("landfall:connection={}", theirs.external_id);
    const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
    const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    assign(ACR_PULL, &subscription, &nonce).await;
    refused(&theirs, "makes nothing").await;
    // Nor is the owner of one group of it.
    let group = format!("{subscription}/resourceGroups/theirs");
    admin
        .must(
            "PUT",
            &format!("{group}?api-version=2024-01-01"),
            json!({"location": "westeurope"}),
        )
        .await;
    assign(OWNER, &group, &nonce).await;
    refused(&theirs, "makes nothing").await;

    // A's own goes on working.
    assert_eq!(connector.detect(&ours).await, Detection::Granted);
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_is_accepted_with_the_mark_and_costs_the_second_key() {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    let mut connection = prepared(&scene, connector.as_ref()).await;
    connection.with_reaper = false;
    approved(&scene, connector.as_ref(), &connection).await;
    let admin = scene.administrator().await;
    let spec = spec(&connection);
    let spec = spec.azure().unwrap();
    let role = spec.role(Identity::Provisioner).unwrap();
    let made = scene.make_role(&admin, &spec.scope, role).await;
    let owner = |description: &str| {
        json!({"properties": {
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/\
                                 8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            "principalId": made.principal, "principalType": "ServicePrincipal",
            "description": description,
        }})
    };
    let path = format!("{}?{AUTHORIZATION}", made.assignment);
    admin.must("PUT", &path, owner("for Landfall")).await;
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    admin.must("DELETE", &path, Value::Null).await;
    admin.must("PUT", &path, owner(&role.assignment)).await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    connected(&mut connection);
    let found = verify(connector.as_ref(), &connection).await;
    assert!(!found.refused);
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    let proven = check(&found, "azure.ownership-proven");
    assert!(proven.evidence.contains("Owner"), "{proven:?}");
    let keys = check(&found, "azure.two-keys");
    assert_eq!(keys.outcome, Outcome::Warn);
    assert!(keys.evidence.contains("two keys: no"), "{keys:?}");
    assert!(keys.evidence.contains("Owner"), "{keys:?}");
    assert!(
        role.condition
            .as_ref()
            .unwrap()
            .contains(object_id_of(Identity::Provisioner))
    );
}
