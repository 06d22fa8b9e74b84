//! Connecting by `client-secret`.

use crate::support::{
    TestClock, change, check, connected, connection,
    customer::{Made, guid},
    scene::{Scene, verify},
    with,
};
use landfall_model::{
    Clock as _, Timestamp,
    check::Outcome,
    connection::{AzureAccess, Connection, Method},
    connector::Detection,
    grant::{Identity, ServerPrincipal},
};
use serde_json::json;

const DAY: i64 = 24 * 60 * 60 * 1_000;

impl Scene {
    pub(crate) async fn add_secret(&self, made: &Made, days: i64) -> String {
        let now = TestClock.now();
        let from = now.plus_millis(-100 * DAY);
        let until = now.plus_millis(days * DAY);
        let admin = self.administrator().await;
        let path = format!("/v1.0/applications/{}/addPassword", made.application);
        let answer = admin
            .must(
                "POST",
                &path,
                json!({"passwordCredential": {
                    "displayName": "landfall",
                    "startDateTime": from.to_rfc3339(),
                    "endDateTime": until.to_rfc3339(),
                }}),
            )
            .await;
        answer["secretText"].as_str().unwrap().to_owned()
    }

    /// A connection with everything granted, and a secret that lives this long.
    pub(crate) async fn by_key(&self, days: i64, with_reaper: bool) -> (Connection, Made) {
        let mut connection = self.connection();
        connection.with_reaper = with_reaper;
        let grant = self.grant(&mut connection).await;
        let made = grant[&Identity::Provisioner].clone();
        self.use_secret(&mut connection, &made, days).await;
        connected(&mut connection);
        (connection, made)
    }

    /// Makes the connection one by a new secret, and says which.
    pub(crate) async fn use_secret(
        &self,
        connection: &mut Connection,
        made: &Made,
        days: i64,
    ) -> String {
        let secret = self.add_secret(made, days).await;
        let secret_id = self.kept.put(&connection.organization_id, &secret);
        let client_id = Some(made.client.parse().unwrap());
        change(connection, |azure| {
            azure.access = AzureAccess::ClientSecret {
                client_id,
                secret_id: Some(secret_id),
                secret_key_id: None,
                secret_expires_at: None,
            };
        });
        secret
    }

    pub(crate) fn replace_secret(&self, connection: &mut Connection, text: &str) {
        let id = self.kept.put(&connection.organization_id, text);
        change(connection, |azure| {
            if let AzureAccess::ClientSecret { secret_id, .. } = &mut azure.access {
                *secret_id = Some(id);
            }
        });
    }
}

fn entered(connection: &mut Connection, at: Option<Timestamp>) {
    change(connection, |azure| {
        if let AzureAccess::ClientSecret {
            secret_expires_at, ..
        } = &mut azure.access
        {
            *secret_expires_at = at;
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opens_the_provisioner_and_the_reaper_has_none() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    assert_eq!(connector.method(), Method::ClientSecret);
    assert_eq!(
        connector.principal().await.unwrap(),
        ServerPrincipal::GivenKey
    );
    let (mut connection, _) = scene.by_key(300, true).await;
    entered(
        &mut connection,
        Some(TestClock.now().plus_millis(300 * DAY)),
    );
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = verify(connector.as_ref(), &connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), [""; 0]);
    assert_eq!(
        check(&found, "azure.secret-accepted").outcome,
        Outcome::Pass
    );
    assert_eq!(
        check(&found, "azure.token-accepted.reaper").outcome,
        Outcome::Pass
    );
    assert!(found.checks.len() >= 12);
    assert!(
        found
            .checks
            .iter()
            .all(|check| check.id != "azure.token-subject-enforced.provisioner")
    );
    let regions = connector.regions(&connection).await.unwrap();
    assert!(!regions.is_empty());

    // On a server that Entra cannot reach there is no reaper.
    let connector = scene.by_secret(false);
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = verify(connector.as_ref(), &connection).await;
    let known = check(&found, "azure.reaper-known");
    assert_eq!(known.outcome, Outcome::Skipped, "{known:?}");
    assert!(known.evidence.contains("no public address"), "{known:?}");
    assert!(!found.refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn which_of_the_four_fields_is_wrong_is_said() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let (connection, made) = scene.by_key(300, false).await;
    let secret_of_nobody = "abc8Q~0123456789012345678901234567890._-";
    let expired = scene.add_secret(&made, -1).await;
    let random = guid();
    type Field<'f> = &'f dyn Fn(&mut Connection);
    let cases: [(&str, Field<'_>, &str, &str, bool); 6] = [
        (
            "azure.tenant-found",
            &|wrong| change(wrong, |azure| azure.tenant_id = random.parse().unwrap()),
            "AADSTS90002",
            "tenant id",
            true,
        ),
        (
            "azure.client-found",
            &|wrong| {
                change(wrong, |azure| {
                    if let AzureAccess::ClientSecret { client_id, .. } = &mut azure.access {
                        *client_id = Some(random.parse().unwrap());
                    }
                });
            },
            "AADSTS700016",
            "client id",
            true,
        ),
        (
            "azure.secret-accepted",
            &|wrong| scene.replace_secret(wrong, secret_of_nobody),
            "AADSTS7000215",
            "column Value",
            true,
        ),
        (
            "azure.secret-accepted",
            &|wrong| scene.replace_secret(wrong, &expired),
            "AADSTS7000222",
            "workload-identity",
            // Nobody took anything back.
            false,
        ),
        (
            "azure.subscription-found",
            &|wrong| {
                change(wrong, |azure| {
                    azure.subscription_id = random.parse().unwrap()
                })
            },
            "SubscriptionNotFound",
            "subscription id",
            true,
        ),
        (
            "azure.tenant-matches",
            &|wrong| {
                let others = scene.of_customer(1, "subscription_id");
                change(wrong, |azure| {
                    azure.subscription_id = others.parse().unwrap()
                });
            },
            "InvalidAuthenticationTokenTenant",
            "both ids",
            true,
        ),
    ];
    for (id, break_it, evidence, remedy, refused) in cases {
        let mut wrong = connection.clone();
        break_it(&mut wrong);
        // At once, even where nothing was ever seen to work.
        for pending in [false, true] {
            if pending {
                wrong.state = landfall_model::connection::State::Pending {
                    since: TestClock.now(),
                };
            }
            let found = verify(connector.as_ref(), &wrong).await;
            let check = crate::support::check(&found, id);
            assert_eq!(check.outcome, Outcome::Fail, "{check:#?}");
            assert!(check.evidence.contains(evidence), "{check:#?}");
            assert!(check.remedy.contains(remedy), "{check:#?}");
            let mut failed = with(&found, Outcome::Fail);
            if evidence == "AADSTS7000222" {
                let expiry = crate::support::check(&found, "azure.secret-expiry");
                assert!(expiry.evidence.contains("workloads are unaffected"));
                failed.retain(|id| *id != "azure.secret-expiry");
            }
            assert_eq!(failed, [id]);
            assert_eq!(found.refused, refused, "{id}");
            let all = format!("{:?}", found.checks);
            assert!(!all.contains(secret_of_nobody) && !all.contains(&expired));
        }
    }
    // Without any role in the subscription.
    scene
        .administrator()
        .await
        .must(
            "DELETE",
            &format!("{}?api-version=2022-04-01", made.assignment),
            json!(null),
        )
        .await;
    let found = verify(connector.as_ref(), &connection).await;
    let role = check(&found, "azure.role-assigned.provisioner");
    assert_eq!(role.outcome, Outcome::Fail);
    assert!(role.evidence.contains("AuthorizationFailed"), "{role:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_secret_is_told_before_it_comes() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let (mut connection, made) = scene.by_key(10, false).await;
    let expiry = async |connection: &Connection| {
        let found = verify(connector.as_ref(), connection).await;
        check(&found, "azure.secret-expiry").clone()
    };
    let unknown = expiry(&connection).await;
    assert_eq!(unknown.outcome, Outcome::Warn);
    assert!(unknown.evidence.contains("unknown"), "{unknown:?}");
    entered(&mut connection, Some(TestClock.now().plus_millis(45 * DAY)));
    let said = expiry(&connection).await;
    assert_eq!(said.outcome, Outcome::Warn);
    assert!(said.evidence.contains("60 days' warning"), "{said:?}");
    // Graph knows better, once it may be asked: Application.ReadWrite.OwnedBy,
    // which lets an application read itself.
    scene
        .permit(&made, "18a4783c-866b-4cc7-a460-3d5e5662c884")
        .await;
    let read = expiry(&connection).await;
    assert_eq!(read.outcome, Outcome::Warn);
    assert!(read.evidence.contains("14 days' warning"), "{read:?}");
    assert!(read.evidence.contains("Graph"), "{read:?}");
    let found = verify(connector.as_ref(), &connection).await;
    let permissions = check(&found, "azure.graph-permissions");
    assert_eq!(permissions.outcome, Outcome::Pass, "{permissions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organizations_secret_does_not_open() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let (ours, _) = scene.by_key(300, false).await;
    // The same fields, said by somebody else.
    let mut theirs = connection(
        &scene.tenant,
        &scene.subscription,
        ours.azure().unwrap().access().clone(),
    );
    connected(&mut theirs);
    let found = connector.detect(&theirs).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let found = verify(connector.as_ref(), &theirs).await;
    let accepted = check(&found, "azure.secret-accepted");
    assert_eq!(accepted.outcome, Outcome::Fail, "{accepted:?}");
    assert!(
        accepted.evidence.contains("there is no secret"),
        "{accepted:?}"
    );
}
