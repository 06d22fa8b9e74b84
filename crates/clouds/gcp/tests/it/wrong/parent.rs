//! Of a grant on a folder or an organization.

use super::{Row, edit_role, in_scene, spoil};
use crate::support::{Above, Scene, check, gcp, ways::Way};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    check::Outcome::{Fail, Pass, Warn},
    connection::Target,
    grant::{GcpGrant, GcpIdentity},
};
use landfall_sandbox::Config;
use serde_json::{Value, json};

async fn scene(above: Above) -> Scene {
    let way = Way::Federation(IssuerKeys::Fetched);
    Scene::above(way, above, Config::default()).await
}

async fn all(above: Above, rows: Vec<Row>) {
    for row in rows {
        in_scene(&scene(above).await, row).await;
    }
}

/// Takes an account's bindings on what is granted away.
async fn unbind(scene: &Scene, grant: &GcpGrant, identity: GcpIdentity) {
    let member = json!(scene.customer.member(grant, identity));
    scene
        .customer
        .bind_on(&grant.place().resource(), |all| {
            all.retain(|binding| binding["members"] != json!([member]))
        })
        .await;
}

async fn bind(scene: &Scene, grant: &GcpGrant, identity: GcpIdentity, role: &str, on: &str) {
    let member = scene.customer.member(grant, identity);
    let binding = json!({ "role": role, "members": [member] });
    scene.customer.bind_on(on, |all| all.push(binding)).await;
}

async fn move_out(scene: &Scene) {
    let body = json!({
        "project": scene.customer.project, "parent": scene.customer.organization,
    });
    scene.admin("gcp/project", body).await;
}

async fn forbid_regions(scene: &Scene) {
    let body = json!({
        "resource": scene.customer.organization,
        "constraint": "gcp.resourceLocations",
        "spec": { "rules": [{ "values": { "allowedValues": ["us-east1"] } }] },
    });
    scene.admin("gcp/org-policy", body).await;
}

/// Lets an account act as the reaper, by the policy of the reaper's account.
async fn let_in(scene: &Scene, grant: &GcpGrant, identity: GcpIdentity, role: &str) {
    let number = scene.customer.number.parse().unwrap();
    let bindings = json!([
        { "role": grant.trust.role(), "members": [grant.trust.member(&number)] },
        { "role": role, "members": [scene.customer.member(grant, identity)] },
    ]);
    scene
        .customer
        .bind_account(grant, GcpIdentity::Reaper, bindings)
        .await;
}

/// What Landfall asks for where a folder alone is granted.
async fn let_us_see(scene: &Scene, grant: &GcpGrant) {
    let organization = scene.customer.organization.clone();
    let role = "roles/iam.organizationRoleViewer";
    bind(scene, grant, GcpIdentity::Bootstrap, role, &organization).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_folder() {
    all(
        Above::Folder,
        vec![
            (
                "another folder was entered",
                spoil!(|_s, connection, _g| {
                    let Target::Gcp(target) = &mut connection.target else {
                        panic!("Google Cloud");
                    };
                    let organization = target.parent.as_ref().unwrap().organization();
                    target.parent = Some(format!("{organization}/folders/1").parse().unwrap());
                }),
                "gcp.organization-visible",
                Fail,
                "If the project was moved",
            ),
            (
                "the project was moved out of the folder",
                spoil!(|scene, _c, _g| {
                    move_out(scene).await;
                }),
                "gcp.organization-visible",
                Fail,
                "gcloud projects get-ancestors",
            ),
            (
                "it is not the project's id that is wrong",
                spoil!(|scene, _c, _g| {
                    move_out(scene).await;
                }),
                "gcp.project-matches",
                Fail,
                "Or the project is no longer below folders/",
            ),
            (
                "the organization forbids the regions",
                spoil!(|scene, _c, _g| {
                    forbid_regions(scene).await;
                }),
                "gcp.organization-policy.locations",
                Fail,
                "choose other regions",
            ),
            (
                "its policies are out of sight",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Bootstrap, |all| {
                        all.remove("orgpolicy.policy.get");
                    })
                    .await;
                }),
                "gcp.organization-policy.locations",
                Warn,
                "run the setup again: by its custom role",
            ),
            (
                "the grant is not as it was",
                spoil!(|scene, _c, grant| {
                    unbind(scene, grant, GcpIdentity::Reaper).await;
                }),
                "gcp.grant-unchanged",
                Warn,
                "of the project (provider, trust), of the organization (roles) and of the folder",
            ),
            (
                "nobody lets us see the roles",
                spoil!(|_s, _c, _g| {}),
                "gcp.role-as-granted.provisioner",
                Warn,
                "Organization Role Viewer (roles/iam.organizationRoleViewer) on organizations/",
            ),
            (
                "somebody did",
                spoil!(|scene, _c, grant| {
                    let_us_see(scene, grant).await;
                }),
                "gcp.role-as-granted.provisioner",
                Pass,
                "",
            ),
            (
                "the provisioner's role is gone, unseen",
                spoil!(|scene, _c, grant| {
                    let role = grant.role(GcpIdentity::Provisioner).unwrap();
                    let path = format!("v1/{}", role.name);
                    scene.customer.delete("iam", &path).await.ok();
                }),
                "gcp.permissions.network",
                Fail,
                "it writes the custom role of the provisioner",
            ),
            (
                "the provisioner's binding is gone",
                spoil!(|scene, _c, grant| {
                    unbind(scene, grant, GcpIdentity::Provisioner).await;
                }),
                "gcp.provisioner-bound",
                Fail,
                "none of its accounts may change who has which role there",
            ),
            (
                "the reaper's binding is gone",
                spoil!(|scene, _c, grant| {
                    unbind(scene, grant, GcpIdentity::Reaper).await;
                }),
                "gcp.bindings-as-granted.reaper",
                Fail,
                "run the setup again",
            ),
            (
                "the bootstrap's binding is gone",
                spoil!(|scene, _c, grant| {
                    unbind(scene, grant, GcpIdentity::Bootstrap).await;
                }),
                "gcp.parent-active",
                Fail,
                "it binds the bootstrap's role on folders/",
            ),
            (
                "the reaper is gone",
                spoil!(|scene, _c, grant| {
                    let account = scene.customer.account(grant, GcpIdentity::Reaper);
                    scene.customer.delete("iam", &account).await.ok();
                }),
                "gcp.reaper-impersonated",
                Fail,
                "missing or disabled",
            ),
            (
                "the role was widened, unseen",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                        all.insert("storage.buckets.delete".into());
                    })
                    .await;
                }),
                "gcp.refused.provisioner-no-destruction",
                Fail,
                "widened its custom role",
            ),
            (
                "the role was narrowed, unseen",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Bootstrap, |all| {
                        all.remove("resourcemanager.folders.getIamPolicy");
                    })
                    .await;
                }),
                "gcp.permissions.parent",
                Fail,
                "it writes the custom role of the bootstrap",
            ),
            (
                "an older setup, by the account's description",
                spoil!(|scene, _c, grant| {
                    let account = scene.customer.account(grant, GcpIdentity::Reaper);
                    let old = json!({ "description": "landfall-grant-version=1" });
                    let body = json!({ "serviceAccount": old, "updateMask": "description" });
                    scene.customer.patch("iam", &account, body).await.ok();
                }),
                "gcp.grant-version",
                Warn,
                "run the current setup again",
            ),
            (
                "the provisioner may set the folder's policy, by a role above the folder",
                spoil!(|scene, _c, grant| {
                    let organization = scene.customer.organization.clone();
                    let role = "roles/resourcemanager.folderIamAdmin";
                    bind(scene, grant, GcpIdentity::Provisioner, role, &organization).await;
                }),
                "gcp.refused.provisioner-no-parent",
                Fail,
                "there are no two keys",
            ),
            (
                "a role on the project alone",
                spoil!(|scene, _c, grant| {
                    let project = format!("projects/{}", scene.customer.project);
                    bind(
                        scene,
                        grant,
                        GcpIdentity::Provisioner,
                        "roles/run.admin",
                        &project,
                    )
                    .await;
                }),
                "gcp.bindings-as-granted.provisioner",
                Fail,
                "take these bindings",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_organization() {
    all(
        Above::Organization,
        vec![
            (
                "the reaper's role is deleted",
                spoil!(|scene, _c, grant| {
                    let role = grant.role(GcpIdentity::Reaper).unwrap();
                    let path = format!("v1/{}", role.name);
                    scene.customer.delete("iam", &path).await.ok();
                }),
                "gcp.role-as-granted.reaper",
                Fail,
                "run the setup again",
            ),
            (
                "the role was widened",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                        all.insert("dns.managedZones.list".into());
                    })
                    .await;
                }),
                "gcp.role-as-granted.provisioner",
                Warn,
                "can change IAM in this organization",
            ),
            (
                "and the grant is not as it was",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                        all.insert("dns.managedZones.list".into());
                    })
                    .await;
                }),
                "gcp.grant-unchanged",
                Warn,
                "of the project (provider, trust) and of the organization (roles, bindings)",
            ),
            (
                "the organization forbids the regions",
                spoil!(|scene, _c, _g| {
                    forbid_regions(scene).await;
                }),
                "gcp.organization-policy.locations",
                Fail,
                "choose other regions",
            ),
            (
                "the provisioner's binding is gone",
                spoil!(|scene, _c, grant| {
                    unbind(scene, grant, GcpIdentity::Provisioner).await;
                }),
                "gcp.bindings-as-granted.provisioner",
                Fail,
                "run the setup again",
            ),
            (
                "a role on the folder between",
                spoil!(|scene, _c, grant| {
                    let folder = scene.customer.folder.clone();
                    bind(
                        scene,
                        grant,
                        GcpIdentity::Provisioner,
                        "roles/browser",
                        &folder,
                    )
                    .await;
                }),
                "gcp.bindings-as-granted.provisioner",
                Fail,
                "take these bindings",
            ),
            (
                "an older setup",
                spoil!(|scene, _c, grant| {
                    let change = json!({ "description": "landfall-grant-version=1" });
                    scene
                        .customer
                        .role(grant, GcpIdentity::Reaper, change)
                        .await;
                }),
                "gcp.grant-version",
                Warn,
                "run the current setup again",
            ),
        ],
    )
    .await;
}

/// Whatever gives the provisioner the second key, wherever it is bound.
#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_too_broad_leave_one_key() {
    for (above, identity, role, on) in [
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/owner",
            "folder",
        ),
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/editor",
            "folder",
        ),
        (
            Above::Folder,
            GcpIdentity::Bootstrap,
            "roles/resourcemanager.folderIamAdmin",
            "folder",
        ),
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/resourcemanager.folderIamAdmin",
            "organization",
        ),
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/iam.organizationRoleAdmin",
            "organization",
        ),
        (
            Above::Organization,
            GcpIdentity::Provisioner,
            "roles/cloudsql.admin",
            "organization",
        ),
        (
            Above::Organization,
            GcpIdentity::Bootstrap,
            "roles/resourcemanager.projectIamAdmin",
            "project",
        ),
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/resourcemanager.projectCreator",
            "organization",
        ),
        (
            Above::Organization,
            GcpIdentity::Bootstrap,
            "roles/cloudsql.admin",
            "project",
        ),
        (
            Above::Folder,
            GcpIdentity::Provisioner,
            "roles/iam.serviceAccountTokenCreator",
            "reaper",
        ),
        (
            Above::Organization,
            GcpIdentity::Bootstrap,
            "roles/iam.serviceAccountTokenCreator",
            "reaper",
        ),
    ] {
        let scene = scene(above).await;
        let (connection, spec) = scene.connected().await;
        let before = scene.verify(&connection, &spec).await;
        assert!(!before.too_broad, "{role}");
        let on = match on {
            "folder" => scene.customer.folder.clone(),
            "organization" => scene.customer.organization.clone(),
            "reaper" => on.to_owned(),
            _ => format!("projects/{}", scene.customer.project),
        };
        if on == "reaper" {
            let_in(&scene, gcp(&spec), identity, role).await;
        } else {
            bind(&scene, gcp(&spec), identity, role, &on).await;
        }
        let found = scene.verify(&connection, &spec).await;
        assert!(found.too_broad, "{role} on {on}");
        if Some(&on)
            == scene
                .parent
                .as_ref()
                .map(|parent| parent.resource())
                .as_ref()
        {
            let id = format!("gcp.bindings-as-granted.{}", identity.as_str());
            let bindings = check(&found, &id);
            assert_eq!(bindings.outcome, Fail, "{bindings:?}");
            assert!(bindings.evidence.contains(role), "{bindings:?}");
        }
    }
}

/// What is not seen is no drift, and what is seen for the first time is judged.
#[tokio::test(flavor = "multi_thread")]
async fn a_widened_role_is_found_once_it_is_seen() {
    let scene = scene(Above::Folder).await;
    let (connection, spec) = scene.connected().await;
    assert!(connection.grant_digest.is_some());
    assert_eq!(connection.grant_version, Some(gcp(&spec).version));
    let_us_see(&scene, gcp(&spec)).await;
    let found = scene.verify(&connection, &spec).await;
    let unchanged = check(&found, "gcp.grant-unchanged");
    assert_eq!(unchanged.outcome, Pass, "{unchanged:?}");
    edit_role(&scene, gcp(&spec), GcpIdentity::Provisioner, |all| {
        all.insert("dns.managedZones.list".into());
    })
    .await;
    let found = scene.verify(&connection, &spec).await;
    let role = check(&found, "gcp.role-as-granted.provisioner");
    assert_eq!(role.outcome, Warn, "{role:?}");
    assert!(role.evidence.contains("dns.managedZones.list"), "{role:?}");
    let unchanged = check(&found, "gcp.grant-unchanged");
    assert_eq!(unchanged.outcome, Warn, "{unchanged:?}");
}

/// A binding that was taken away is missed, whoever was let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_binding_taken_away_is_drift() {
    for way in [Way::Federation(IssuerKeys::Fetched), Way::Account] {
        for above in [Above::Folder, Above::Organization] {
            let scene = Scene::above(way, above, Config::default()).await;
            let (connection, spec) = scene.connected().await;
            unbind(&scene, gcp(&spec), GcpIdentity::Reaper).await;
            let found = scene.verify(&connection, &spec).await;
            for (id, outcome) in [
                ("gcp.bindings-as-granted.reaper", Fail),
                ("gcp.permissions.destruction", Fail),
                ("gcp.grant-unchanged", Warn),
                ("gcp.bindings-as-granted.provisioner", Pass),
            ] {
                let one = check(&found, id);
                assert_eq!(one.outcome, outcome, "{one:?}");
            }
            assert_ne!(json!(found.grant_digest), Value::Null);
            assert_ne!(found.grant_digest, connection.grant_digest);
        }
    }
}
