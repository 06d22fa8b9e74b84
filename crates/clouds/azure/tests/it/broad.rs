//! The broad role that other products ask for, where it was chosen.

use crate::support::{
    change, check, connected,
    customer::AUTHORIZATION,
    scene::{Scene, spec, verify},
    shell::{Az, BY, By, Shell},
    with,
};
use landfall_model::{
    check::Outcome,
    connection::Breadth,
    connector::{Detection, Verification},
    grant::Identity,
};
use serde_json::Value;

fn one_key_is_enough(found: &Verification) {
    assert!(found.too_broad && !found.refused);
    assert_eq!(with(found, Outcome::Fail), [""; 0]);
    // One honest outcome, and no list of everything that it could do.
    assert_eq!(with(found, Outcome::Warn), ["azure.two-keys"]);
    let keys = check(found, "azure.two-keys");
    for said in ["two keys: no", "was chosen", "one key is enough"] {
        assert!(keys.evidence.contains(said), "{keys:?}");
    }
    assert!(keys.remedy.contains("make another connection"), "{keys:?}");
    for id in [
        "azure.grant-as-specified",
        "azure.grant-version",
        "azure.refused.excluded",
        "azure.permissions.registration",
    ] {
        let check = check(found, id);
        assert_eq!(check.outcome, Outcome::Pass, "{check:?}");
    }
    let limited = check(found, "azure.assignments-limited");
    assert_eq!(limited.outcome, Outcome::Skipped, "{limited:?}");
    for gone in [
        "azure.refused.locks",
        "azure.refused.destruction",
        "azure.refused.widening",
    ] {
        assert!(!found.checks.iter().any(|check| check.id == gone), "{gone}");
    }
    // The reaper is as always.
    let reaper = check(found, "azure.refused.reaper-widening");
    assert_eq!(reaper.outcome, Outcome::Pass, "{reaper:?}");
}

async fn connects(az: &Az, by: By) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let (connector, mut connection) = by.run(&shell, |azure| azure.breadth = Breadth::Broad).await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = verify(connector.as_ref(), &connection).await;
    one_key_is_enough(&found);
    let keys = check(&found, "azure.two-keys");
    let name = connection.azure().unwrap().display_name("provisioner");
    assert!(keys.evidence.contains(&name), "{keys:?}");

    // Narrow again: the script narrows the role and limits its assignment, by
    // every method in the same words.
    connection.grant_digest = found.grant_digest;
    change(&mut connection, |azure| azure.breadth = Breadth::Narrow);
    let found = verify(connector.as_ref(), &connection).await;
    as_it_was_for_the_narrow_one(&found);
    if by != By::Token {
        return;
    }
    by.run_again(&shell, connector.as_ref(), &mut connection)
        .await;
    let found = verify(connector.as_ref(), &connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0], "{by:?}");
    assert_eq!(with(&found, Outcome::Warn), [""; 0], "{by:?}");
    assert!(!found.too_broad);
    // And back, over a condition that is there.
    change(&mut connection, |azure| azure.breadth = Breadth::Broad);
    by.run_again(&shell, connector.as_ref(), &mut connection)
        .await;
    connection.grant_digest = None;
    one_key_is_enough(&verify(connector.as_ref(), &connection).await);
}

/// Chose the narrow role and has the broad one.
fn as_it_was_for_the_narrow_one(found: &Verification) {
    assert!(found.too_broad && !found.refused);
    assert_eq!(with(found, Outcome::Fail), [""; 0]);
    for id in [
        "azure.refused.locks",
        "azure.refused.destruction",
        "azure.refused.keys",
        "azure.refused.widening",
        "azure.assignments-limited",
        "azure.two-keys",
        "azure.grant-as-specified",
    ] {
        let check = check(found, id);
        assert_eq!(check.outcome, Outcome::Warn, "{check:?}");
    }
    let keys = check(found, "azure.two-keys");
    assert!(!keys.evidence.contains("chosen"), "{keys:?}");
    let specified = check(found, "azure.grant-as-specified");
    for said in ["also allows *", "excludes Microsoft.Authorization/elevate"] {
        assert!(specified.evidence.contains(said), "{specified:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_the_broad_role_by_every_method() {
    let Some(az) = Az::stand_in() else { return };
    for by in BY {
        connects(&az, by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_the_broad_role_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    connects(&az, By::Token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broad_role_at_a_management_group_without_a_reaper() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    connection.with_reaper = false;
    change(&mut connection, |azure| azure.breadth = Breadth::Broad);
    scene.below_a_group(&mut connection).await;
    scene.grant(&mut connection).await;
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert!(found.too_broad);
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), ["azure.two-keys"]);
    let above = check(&found, "azure.management-group-above");
    assert_eq!(above.outcome, Outcome::Pass, "{above:?}");
}

/// What was chosen is compared like any other grant.
#[tokio::test(flavor = "multi_thread")]
async fn a_broad_role_that_is_not_the_generated_one_is_named() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    change(&mut connection, |azure| azure.breadth = Breadth::Broad);
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let made = &grant[&Identity::Provisioner];
    scene
        .edit(made, |role| {
            let left_out = role["permissions"][0]["notActions"].as_array_mut().unwrap();
            left_out.retain(|action| !action.as_str().unwrap().contains("elevateAccess"));
        })
        .await;
    let found = scene.verify(&connection).await;
    let specified = check(&found, "azure.grant-as-specified");
    assert_eq!(specified.outcome, Outcome::Warn);
    assert!(
        specified
            .evidence
            .contains("does not exclude Microsoft.Authorization/elevateAccess"),
        "{specified:?}"
    );
    let excluded = check(&found, "azure.refused.excluded");
    assert_eq!(excluded.outcome, Outcome::Warn, "{excluded:?}");
    // What the script brings back needs no other connection.
    assert!(excluded.remedy.contains("run the script"), "{excluded:?}");
    assert!(found.too_broad);

    // Chosen broad, and not run again since: what is there is narrow, and no
    // second key is claimed for that.
    let mut narrow = connection.clone();
    change(&mut narrow, |azure| azure.breadth = Breadth::Narrow);
    let spec = spec(&narrow);
    let role = spec.azure().unwrap().role(Identity::Provisioner).unwrap();
    scene
        .edit(made, |definition| {
            definition["permissions"][0]["actions"] = serde_json::json!(role.actions);
            definition["permissions"][0]["notActions"] = serde_json::json!([]);
        })
        .await;
    let found = scene.verify(&connection).await;
    assert!(found.too_broad);
    let specified = check(&found, "azure.grant-as-specified");
    assert!(
        specified.evidence.contains("does not allow *"),
        "{specified:?}"
    );
}

/// It really does what it is said to: deletes, and takes locks away.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_really_enough() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    change(&mut connection, |azure| azure.breadth = Breadth::Broad);
    let grant = scene.grant(&mut connection).await;
    let makes = scene
        .as_identity(&connection, &grant[&Identity::Provisioner])
        .await;
    let group = format!(
        "/subscriptions/{}/resourceGroups/landfall-shop",
        scene.subscription
    );
    let api = "api-version=2024-01-01";
    let made = format!("{group}?{api}");
    let place = serde_json::json!({"location": "westeurope"});
    makes.must("PUT", &made, place).await;
    let lock = format!("{group}/providers/Microsoft.Authorization/locks/landfall?{api}");
    let level = serde_json::json!({"properties": {"level": "CanNotDelete"}});
    makes.must("PUT", &lock, level).await;
    let (status, _) = makes.call("DELETE", &made, Value::Null).await;
    assert_eq!(status, 409);
    makes.must("DELETE", &lock, Value::Null).await;
    makes.must("DELETE", &made, Value::Null).await;
    let reapers = format!("{}?{AUTHORIZATION}", grant[&Identity::Reaper].assignment);
    makes.must("DELETE", &reapers, Value::Null).await;
}
