//! The script of the guide, run by a shell with the stand-in for gcloud.

use crate::{
    script::{fast, said, script, shell},
    support::{Above, Scene, check, gcp, ways::Way, worse},
};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::Connection,
    connector::{Connector as _, Detection},
    grant::{GcpGrant, GcpIdentity, GrantSpec},
};
use serde_json::json;
use std::{process::Output, time::Duration};

const WAYS: [Way; 2] = [Way::Federation(IssuerKeys::Fetched), Way::Account];
const ABOVE: [Above; 2] = [Above::Folder, Above::Organization];

async fn run(scene: &Scene, connection: &Connection, spec: &GrantSpec) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let script = script(scene, connection, spec).await;
    let output = shell(scene, script, &folder.path().join("log")).await;
    scene.clock.sleep(Duration::from_secs(30)).await;
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_the_grant_by_both_methods() {
    for (way, above) in [(WAYS[0], Above::Organization), (WAYS[1], Above::Folder)] {
        made(&Scene::above(way, above, fast()).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_repairs_the_grant() {
    for (way, above) in [(WAYS[0], Above::Folder), (WAYS[1], Above::Organization)] {
        let scene = Scene::above(way, above, fast()).await;
        let (connection, spec) = made(&scene).await;
        broken_and_repaired(&scene, &connection, &spec).await;
        taken_back(&scene, &connection, gcp(&spec)).await;
    }
}

async fn made(scene: &Scene) -> (Connection, GrantSpec) {
    let connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let output = run(scene, &connection, &spec).await;
    assert!(output.status.success(), "{}", said(&output));
    let found = scene.connector.detect(&connection).await;
    assert_eq!(found, Detection::Granted);
    passes(scene, &connection, &spec).await;
    // Nothing of it is on the project, and nobody of ours may give roles.
    for account in &gcp(&spec).accounts {
        let roles = scene.customer.roles_of(&account.email).await;
        assert!(roles.is_empty(), "{roles:?}");
    }
    (connection, spec)
}

/// Broken in several ways; running the script again mends all of them.
async fn broken_and_repaired(scene: &Scene, connection: &Connection, spec: &GrantSpec) {
    let grant = gcp(spec);
    let customer = &scene.customer;
    for role in &grant.roles {
        let path = format!("v1/{}", role.name);
        customer.delete("iam", &path).await.ok();
    }
    let member = json!([customer.member(grant, GcpIdentity::Provisioner)]);
    customer
        .bind_on(&grant.place().resource(), |all| {
            all.retain(|binding| binding["members"] != member);
        })
        .await;
    let reaper = customer.account(grant, GcpIdentity::Reaper);
    let old = json!({ "description": "landfall-grant-version=1" });
    let body = json!({ "serviceAccount": old, "updateMask": "description" });
    customer.patch("iam", &reaper, body).await.ok();
    let path = format!("{reaper}:disable");
    customer.post("iam", &path, json!({})).await.ok();
    let found = scene.verify(connection, spec).await;
    assert!(worse(&found).len() > 3, "{:#?}", worse(&found));
    let output = run(scene, connection, spec).await;
    assert!(output.status.success(), "{}", said(&output));
    passes(scene, connection, spec).await;
}

/// As the guide says: the accounts are deleted.
async fn taken_back(scene: &Scene, connection: &Connection, grant: &GcpGrant) {
    for account in &grant.accounts {
        let path = scene.customer.account(grant, account.identity);
        scene.customer.delete("iam", &path).await.ok();
    }
    let found = scene.connector.detect(connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
}

/// Every check; a folder shows everything once Landfall may look.
async fn passes(scene: &Scene, connection: &Connection, spec: &GrantSpec) {
    let found = scene.verify(connection, spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
    assert!(!found.too_broad);
    assert_eq!(found.grant_version, Some(gcp(spec).version));
    assert!(found.grant_digest.is_some());
    let bound = check(&found, "gcp.provisioner-bound");
    let place = gcp(spec).place();
    assert!(bound.evidence.contains(&place.resource()), "{bound:?}");
    let role = check(&found, "gcp.role-as-granted.bootstrap");
    if place.noun() == "folder" {
        assert_eq!(role.outcome, Outcome::Warn, "{role:?}");
        let organization = scene.customer.organization.clone();
        let viewer = json!({
            "role": "roles/iam.organizationRoleViewer",
            "members": [scene.customer.member(gcp(spec), GcpIdentity::Bootstrap)],
        });
        scene
            .customer
            .bind_on(&organization, |all| all.push(viewer.clone()))
            .await;
        let found = scene.verify(connection, spec).await;
        assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
        let role = check(&found, "gcp.role-as-granted.bootstrap");
        assert_eq!(role.outcome, Outcome::Pass, "{role:?}");
        scene
            .customer
            .bind_on(&organization, |all| all.retain(|one| *one != viewer))
            .await;
    } else {
        assert_eq!(role.outcome, Outcome::Pass, "{role:?}");
    }
}

/// What the administrator may is replaced; they stay the project's owner.
async fn only(scene: &Scene, roles: &[&str]) {
    let admin = "user:admin@customer-1.example";
    let bindings: Vec<_> = roles
        .iter()
        .map(|role| json!({ "role": role, "members": [admin] }))
        .collect();
    let body = json!({ "resource": scene.customer.organization, "bindings": bindings });
    scene.admin("gcp/policy", body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_says_which_role_the_person_lacks() {
    const MAKES: &str = "roles/iam.organizationRoleAdmin";
    const BINDS: &str = "roles/resourcemanager.folderIamAdmin";
    for (above, has, words) in [
        (Above::Folder, vec![BINDS], MAKES),
        (Above::Folder, vec![MAKES], BINDS),
        (Above::Organization, vec![], MAKES),
        (
            Above::Organization,
            vec![MAKES, BINDS],
            "roles/resourcemanager.organizationAdmin",
        ),
    ] {
        let scene = Scene::above(WAYS[0], above, fast()).await;
        only(&scene, &has).await;
        let connection = scene.pending().await;
        let spec = scene.spec(&connection).await;
        let output = run(&scene, &connection, &spec).await;
        assert!(!output.status.success());
        let said = said(&output);
        assert!(said.contains(words), "{said}");
        let parent = scene.parent.as_ref().unwrap();
        let place = if words == MAKES {
            parent.organization()
        } else {
            parent.resource()
        };
        assert!(said.contains(&format!("in {place}.")), "{place}: {said}");
        assert!(!said.contains("Done."), "{said}");
    }
    // These two are enough on a folder.
    let scene = Scene::above(WAYS[0], Above::Folder, fast()).await;
    only(&scene, &[MAKES, BINDS]).await;
    let connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    let output = run(&scene, &connection, &spec).await;
    assert!(output.status.success(), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_nothing_where_the_project_is_elsewhere() {
    for way in WAYS {
        for (parent, words) in [
            (
                "organizations/9/folders/8",
                "is not below folders/8 of organizations/9",
            ),
            ("organizations/9", "is not in organizations/9"),
        ] {
            let mut scene = Scene::by(way, fast()).await;
            scene.parent = Some(parent.parse().unwrap());
            let connection = scene.pending().await;
            let spec = scene.spec(&connection).await;
            let output = run(&scene, &connection, &spec).await;
            assert!(!output.status.success());
            let said = said(&output);
            assert!(said.contains(words), "{said}");
            // What is above it is said, to be compared.
            let folder = scene.customer.folder.replace("folders/", "folder,");
            assert!(said.contains(&folder), "{said}");
            assert!(!said.contains("APIs enabled"), "{said}");
        }
    }
}

/// What people are shown besides the script.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_says_where_what_is_made() {
    for way in WAYS {
        for above in ABOVE {
            let scene = Scene::above(way, above, fast()).await;
            let connection = scene.pending().await;
            let spec = scene.spec(&connection).await;
            let grant = gcp(&spec);
            let principal = scene.connector.principal().await.unwrap();
            let guide = scene
                .connector
                .guide(&connection, &[], &spec, &principal)
                .unwrap();
            let (noun, resource) = (grant.place().noun(), grant.place().resource());
            let module = guide.commands("opentofu").unwrap();
            for kind in [
                "google_organization_iam_custom_role".to_owned(),
                format!("google_{noun}_iam_member"),
            ] {
                let times = module.matches(&format!("resource \"{kind}\"")).count();
                assert_eq!(times, 3, "{kind}: {module}");
            }
            for kind in [
                "google_project_iam_member",
                "google_project_iam_custom_role",
            ] {
                assert!(!module.contains(kind), "{module}");
            }
            let text = serde_json::to_string(&guide).unwrap();
            for words in [
                format!("Select {resource} at the top."),
                format!("remove these roles on {resource}"),
                format!("of {}", scene.customer.organization),
                format!(
                    "Organization Role Administrator of {}",
                    scene.customer.organization
                ),
            ] {
                assert!(text.contains(&words), "{words}: {text}");
            }
            assert!(!text.contains("projectIamAdmin"), "{text}");
            let fact = guide.facts.iter().find(|fact| fact.id == "parent").unwrap();
            assert_eq!(fact.value, scene.parent.as_ref().unwrap().to_string());
        }
    }
}
