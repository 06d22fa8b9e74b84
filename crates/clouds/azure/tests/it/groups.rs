//! A grant at a management group, by each method.

use crate::{
    consent,
    support::{
        TestClock, change, check, connected,
        customer::{AUTHORIZATION, guid},
        groups::at,
        scene::{Scene, verify},
        shell::{Az, BY, By, Shell, both, printed, script},
        with,
    },
};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Connection, State},
    connector::Detection,
    grant::Identity,
};
use serde_json::{Value, json};

const ABOVE: &str = "azure.management-group-above";

async fn connects(az: &Az, by: By) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let admin = scene.administrator().await;
    let group = scene.group(&admin, None).await;
    let elsewhere = scene.group(&admin, None).await;
    scene.move_to(&admin, &scene.subscription, &group).await;
    let (connector, mut connection) = by
        .run(&shell, |azure| {
            azure.management_group = Some(group.parse().unwrap());
        })
        .await;
    // Moved away: what was granted at the group does not count.
    scene.move_to(&admin, &scene.subscription, &elsewhere).await;
    let Detection::Refused { evidence } = connector.detect(&connection).await else {
        panic!("{by:?}: the subscription is not below the group");
    };
    assert!(
        evidence.contains("must be above the subscription"),
        "{by:?}: {evidence}"
    );
    let found = verify(connector.as_ref(), &connection).await;
    let above = check(&found, ABOVE);
    assert_eq!(above.outcome, Outcome::Fail, "{by:?}");
    // What moves it comes last, with what that changes.
    let (first, then) = above.remedy.split_once(". If it is right, run: ").unwrap();
    assert!(first.contains("disconnect, and connect with"), "{above:?}");
    assert!(then.ends_with("policies and roles"), "{above:?}");

    scene.move_to(&admin, &scene.subscription, &group).await;
    assert_eq!(
        connector.detect(&connection).await,
        Detection::Granted,
        "{by:?}"
    );
    let found = verify(connector.as_ref(), &connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0], "{by:?}");
    assert_eq!(with(&found, Outcome::Warn), [""; 0], "{by:?}");
    assert!(!found.too_broad && !found.refused);
    for id in [ABOVE, "azure.grant-as-specified", "azure.two-keys"] {
        assert_eq!(check(&found, id).outcome, Outcome::Pass, "{by:?}: {id}");
    }
    // The others below the group are not looked at, and that is said.
    let keys = check(&found, "azure.two-keys");
    let seen = format!("as seen from the subscription {}", scene.subscription);
    assert!(keys.evidence.contains(&seen), "{by:?}: {keys:?}");
    let definitions = format!(
        "/providers/Microsoft.Management/managementGroups/{group}/providers/\
         Microsoft.Authorization/roleDefinitions"
    );
    let custom = format!("{definitions}?{AUTHORIZATION}&$filter=type%20eq%20'CustomRole'");
    let roles = admin.must("GET", &custom, Value::Null).await;
    for role in roles["value"].as_array().unwrap() {
        let scopes = &role["properties"]["assignableScopes"];
        assert_eq!(scopes.as_array().unwrap().len(), 1, "{scopes}");
    }

    // Edited at the group, it is told as drift; the script undoes it, which is
    // the same script by every method.
    connection.grant_digest = found.grant_digest;
    // The reaper's: by consent a provisioner that makes nothing is not ours.
    let is_reapers = |role: &&Value| {
        let name = role["properties"]["roleName"].as_str();
        name.is_some_and(|name| name.starts_with("landfall-reaper"))
    };
    let roles = roles["value"].as_array().unwrap();
    let mut role = roles.iter().find(is_reapers).unwrap().clone();
    role["properties"]["permissions"][0]["actions"] = json!(["*/read"]);
    let name = role["name"].as_str().unwrap();
    let edited = format!("{definitions}/{name}?{AUTHORIZATION}");
    admin.must("PUT", &edited, role).await;
    let found = verify(connector.as_ref(), &connection).await;
    let drift = check(&found, "azure.grant-unchanged");
    assert_eq!(drift.outcome, Outcome::Warn, "{by:?}: {drift:?}");
    assert!(
        drift.remedy.contains("management group's activity log"),
        "{drift:?}"
    );
    if by != By::Token {
        return;
    }
    by.run_again(&shell, connector.as_ref(), &mut connection)
        .await;
    let found = verify(connector.as_ref(), &connection).await;
    let drift = check(&found, "azure.grant-unchanged");
    assert!(drift.evidence.starts_with("still"), "{by:?}: {drift:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_at_a_management_group_by_every_method() {
    let Some(az) = Az::stand_in() else { return };
    for by in BY {
        connects(&az, by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_at_a_management_group_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    connects(&az, By::Token).await;
}

/// A mistyped group would give roles over what somebody else has in it.
async fn stops_at_another_group(az: &Az, by: By) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let admin = scene.administrator().await;
    let group = scene.group(&admin, None).await;
    let below = scene.group(&admin, Some(&group)).await;
    // It has a subscription, which is not the entered one.
    scene.another_subscription(Some(&below)).await;
    let connector = by.connector(&scene);
    let mut connection = by.connection(&scene, connector.as_ref()).await;
    at(&mut connection, &group);
    let text = script(connector.as_ref(), &connection).await;
    let output = shell.run(&text, &[]);
    assert!(!output.status.success(), "{by:?}: {}", both(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = format!(
        "the subscription {} is not below the management group {group}",
        scene.subscription
    );
    assert!(said.contains(&why), "{by:?}: {said}");
    assert!(output.stdout.is_empty(), "{by:?}: {}", both(&output));
    let roles = format!(
        "/providers/Microsoft.Management/managementGroups/{group}/providers/\
         Microsoft.Authorization/roleDefinitions?{AUTHORIZATION}\
         &$filter=type%20eq%20'CustomRole'"
    );
    let roles = admin.must("GET", &roles, Value::Null).await;
    assert_eq!(roles["value"], json!([]), "{by:?}");
    for identity in ["provisioner", "reaper"] {
        let name = connection.azure().unwrap().display_name(identity);
        let named = format!("/v1.0/applications?$filter=displayName%20eq%20'{name}'");
        let made = admin.must("GET", &named, Value::Null).await;
        assert_eq!(made["value"], json!([]), "{by:?}: {name}");
    }

    // Further up is above, too.
    scene.move_to(&admin, &scene.subscription, &below).await;
    by.run_again(&shell, connector.as_ref(), &mut connection)
        .await;
    assert_eq!(
        connector.detect(&connection).await,
        Detection::Granted,
        "{by:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_nothing_at_a_group_that_is_not_above() {
    let Some(az) = Az::stand_in() else { return };
    for by in BY {
        stops_at_another_group(&az, by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_nothing_at_another_group_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    stops_at_another_group(&az, By::Token).await;
}

/// The group is not what is wrong then.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_not_there_is_not_said_to_be_outside_the_group() {
    let scene = Scene::new().await;
    for by in [By::Token, By::Consent] {
        let connector = by.connector(&scene);
        let mut connection = by.connection(&scene, connector.as_ref()).await;
        scene.below_a_group(&mut connection).await;
        scene.grant(&mut connection).await;
        connected(&mut connection);
        for (subscription, cause) in [
            (guid(), "azure.subscription-found"),
            (
                scene.of_customer(1, "subscription_id"),
                "azure.tenant-matches",
            ),
        ] {
            change(&mut connection, |azure| {
                azure.subscription_id = subscription.parse().unwrap();
            });
            let found = verify(connector.as_ref(), &connection).await;
            assert!(found.refused, "{by:?}: {cause}");
            assert_eq!(check(&found, cause).outcome, Outcome::Fail, "{by:?}");
            let above = check(&found, ABOVE);
            assert_eq!(above.outcome, Outcome::Skipped, "{by:?}: {above:?}");
            let see = format!("see {cause}");
            assert!(above.evidence.contains(&see), "{by:?}: {above:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_group_of_the_tenant_is_a_group() {
    let Some(az) = Az::stand_in() else { return };
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, &az);
    let admin = scene.administrator().await;
    let principal = format!(
        "/v1.0/servicePrincipals(appId='{}')",
        scene.of_customer(0, "client_id")
    );
    let principal = admin.must("GET", &principal, Value::Null).await;
    // The root group has the tenant's id.
    let root = scene.tenant.clone();
    let owner = json!({
        "scope": format!("/providers/Microsoft.Management/managementGroups/{root}"),
        "principal_id": principal["id"],
        "role": "Owner",
    });
    scene.admin("azure/role-assignments", &owner).await;
    let mut connection = scene.connection();
    at(&mut connection, &root);
    let script = script(scene.connector.as_ref(), &connection).await;
    let output = shell.run(&script, &[]);
    assert!(output.status.success(), "{}", both(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let client = printed(&text, "Client id:").parse().unwrap();
    change(&mut connection, |azure| {
        azure.access = landfall_model::connection::AzureAccess::WorkloadIdentity {
            client_id: Some(client),
        };
    });
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_at_the_group_is_seen() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.below_a_group(&mut connection).await;
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let admin = scene.administrator().await;
    for (identity, partial) in [(Identity::Reaper, true), (Identity::Provisioner, false)] {
        let assignment = format!("{}?{AUTHORIZATION}", grant[&identity].assignment);
        admin.must("DELETE", &assignment, Value::Null).await;
        let found = scene.connector.detect(&connection).await;
        if partial {
            let missing = Identity::Reaper;
            assert_eq!(found, Detection::Partial { missing });
        } else {
            assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
        }
        assert_eq!(scene.verify(&connection).await.refused, !partial);
    }
    // Neither shows itself: nothing is made up about which is above which.
    let found = scene.verify(&connection).await;
    let above = check(&found, ABOVE);
    assert_eq!(above.outcome, Outcome::Skipped, "{above:?}");
    assert!(above.evidence.contains("not visible to us"), "{above:?}");
}

/// A subscription that was moved just now may not be known everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_outside_the_group_counts_only_after_a_while() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.below_a_group(&mut connection).await;
    scene.grant(&mut connection).await;
    let admin = scene.administrator().await;
    let elsewhere = scene.group(&admin, None).await;
    scene.move_to(&admin, &scene.subscription, &elsewhere).await;
    let now = TestClock.now();
    for (for_millis, outcome) in [(60_000, Outcome::Propagating), (-1, Outcome::Fail)] {
        connection.state = State::Propagating {
            since: now,
            deadline: now.plus_millis(for_millis),
        };
        let found = scene.verify(&connection).await;
        assert_eq!(check(&found, ABOVE).outcome, outcome);
    }
}

/// By consent all customers are entered as one application: what it may see at
/// a group is told only to whom the group's grant belongs.
#[tokio::test(flavor = "multi_thread")]
async fn another_organization_learns_nothing_of_a_group() {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    let mut ours = By::Consent.connection(&scene, connector.as_ref()).await;
    let group = scene.below_a_group(&mut ours).await;
    scene.grant(&mut ours).await;
    connected(&mut ours);
    let claim = async |subscription: Option<&str>| -> Connection {
        let mut theirs = consent::prepared(&scene, connector.as_ref()).await;
        at(&mut theirs, &group);
        change(&mut theirs, |azure| {
            if let Some(id) = subscription {
                azure.subscription_id = id.parse().unwrap();
            }
        });
        connected(&mut theirs);
        theirs
    };
    let own = |found: &landfall_model::connector::Verification| {
        for check in &found.checks {
            let told = check
                .evidence
                .contains("a role is assigned at the management group");
            assert!(
                !told && !check.evidence.contains(&ours.external_id),
                "{check:?}"
            );
        }
        let above = check(found, ABOVE);
        assert_eq!(above.outcome, Outcome::Skipped, "{above:?}");
    };
    // A's own subscription and group.
    let theirs = claim(None).await;
    let found = verify(connector.as_ref(), &theirs).await;
    assert_eq!(with(&found, Outcome::Fail), ["azure.ownership-proven"]);
    own(&found);

    // A subscription in the same tenant that is not below A's group.
    let outside = scene.another_subscription(None).await;
    let theirs = claim(Some(&outside)).await;
    let found = verify(connector.as_ref(), &theirs).await;
    assert!(found.refused);
    own(&found);

    // One below the group, whose owner is B: that is no right on the others.
    let inside = scene.another_subscription(Some(&group)).await;
    let theirs = claim(Some(&inside)).await;
    let admin = scene.administrator().await;
    let client = scene.operator("client_id");
    let us = format!("/v1.0/servicePrincipals(appId='{client}')");
    let us = admin.must("GET", &us, Value::Null).await;
    let path = format!(
        "/subscriptions/{inside}/providers/Microsoft.Authorization/roleAssignments/{}?{AUTHORIZATION}",
        guid()
    );
    let body = json!({"properties": {
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/\
                             8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "principalId": us["id"], "principalType": "ServicePrincipal",
        "description": format!("landfall:connection={}", theirs.external_id),
    }});
    admin.must("PUT", &path, body).await;
    let found = verify(connector.as_ref(), &theirs).await;
    assert_eq!(with(&found, Outcome::Fail), ["azure.ownership-proven"]);
    own(&found);
    let failure = connector.regions(&theirs).await.unwrap_err();
    assert_eq!(failure.code, "OwnershipNotProven");
    // Of the subscription alone it is enough.
    let mut alone = theirs.clone();
    change(&mut alone, |azure| azure.management_group = None);
    let found = verify(connector.as_ref(), &alone).await;
    let proven = check(&found, "azure.ownership-proven");
    assert_eq!(proven.outcome, Outcome::Pass, "{proven:?}");
    assert!(!found.checks.iter().any(|check| check.id == ABOVE));
}

/// The limits of custom roles at management groups, which the grant keeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_custom_role_has_one_group_and_there_no_data_actions() {
    let scene = Scene::new().await;
    let admin = scene.administrator().await;
    let (one, other) = (
        scene.group(&admin, None).await,
        scene.group(&admin, None).await,
    );
    let groups = "/providers/Microsoft.Management/managementGroups";
    let role = |scopes: &[&str], data: &[&str]| {
        json!({"properties": {
            "roleName": format!("limits {}", guid()),
            "assignableScopes":
                scopes.iter().map(|name| format!("{groups}/{name}")).collect::<Vec<_>>(),
            "permissions": [{"actions": ["*/read"], "dataActions": data}],
        }})
    };
    let definition = || {
        format!(
            "{groups}/{one}/providers/Microsoft.Authorization/roleDefinitions/{}",
            guid()
        )
    };
    let path = format!("{}?{AUTHORIZATION}", definition());
    let (status, answer) = admin.call("PUT", &path, role(&[&one, &other], &[])).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(
        answer["error"]["code"],
        "InvalidRoleDefinitionAssignableScopes"
    );
    let data = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    let principal = format!(
        "/v1.0/servicePrincipals(appId='{}')",
        scene.of_customer(0, "client_id")
    );
    let principal = admin.must("GET", &principal, Value::Null).await;
    for (data, status) in [(&[data][..], 400), (&[], 201)] {
        let made = definition();
        let path = format!("{made}?{AUTHORIZATION}");
        admin.must("PUT", &path, role(&[&one], data)).await;
        let path = format!(
            "{groups}/{one}/providers/Microsoft.Authorization/roleAssignments/{}?{AUTHORIZATION}",
            guid()
        );
        let body = json!({"properties": {
            "roleDefinitionId": made,
            "principalId": principal["id"], "principalType": "ServicePrincipal",
        }});
        let (is, answer) = admin.call("PUT", &path, body).await;
        assert_eq!(is, status, "{answer}");
    }
}
