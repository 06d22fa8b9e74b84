//! Connecting by `admin-consent`: one application of the operator's for all
//! customers.

mod deputy;
mod operator;

use crate::support::{
    TestClock, change, check, connected, connection,
    customer::{AUTHORIZATION, Grant, guid},
    scene::{Scene, URL, spec, verify},
    with,
};
use landfall_azure::{APPLICATION_SUBJECT, Application, AzureConfig};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{AzureAccess, Connection, Method, State, Target},
    connector::{Availability, Connector, Detection},
    driver::FailureKind,
    grant::{Identity, ServerPrincipal, azure::object_id_of},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) const CALLBACK: &str = "https://landfall.example/connect/azure/callback";

/// A new connection, as it is made before the application is prepared.
pub(crate) fn unprepared(scene: &Scene) -> Connection {
    connection(
        &scene.tenant,
        &scene.subscription,
        AzureAccess::AdminConsent {
            client_id: None,
            asked: None,
            approved_at: None,
        },
    )
}

pub(crate) async fn prepared(scene: &Scene, connector: &dyn Connector) -> Connection {
    let mut connection = unprepared(scene);
    connection.target = connector.prepare(&connection).await.unwrap();
    connection
}

/// An administrator approves the application.
pub(crate) async fn approved(scene: &Scene, connector: &dyn Connector, connection: &Connection) {
    let page = connector.consent_page(connection, CALLBACK, "s").unwrap();
    approve(scene, &page, "admin").await;
}

/// Opens the page and chooses who to be there; where it leads.
async fn approve(scene: &Scene, page: &str, who: &str) -> url::Url {
    let client = scene.operator("client_id");
    let uris = json!({"client_id": client, "redirect_uris": [CALLBACK]});
    scene.admin("azure/redirect-uris", &uris).await;
    let inventory = scene.inventory().await;
    let tenants = inventory["tenants"].as_array().unwrap();
    let tenant = tenants
        .iter()
        .find(|one| one["id"] == scene.tenant)
        .unwrap();
    let users = tenant["users"].as_array().unwrap();
    let user = users
        .iter()
        .find(|user| user["principal_name"].as_str().unwrap().starts_with(who))
        .unwrap();
    let http = scene.https();
    let shown = http.get(page).send().await.unwrap();
    assert!(shown.status().is_success());
    assert!(shown.text().await.unwrap().contains("Landfall"));
    // The page's form sends back what it was opened with.
    let opened = url::Url::parse(page).unwrap();
    let mut form: Vec<(String, String)> = opened.query_pairs().into_owned().collect();
    form.push(("user".to_owned(), user["id"].as_str().unwrap().to_owned()));
    let mut action = opened;
    action.set_query(None);
    let answer = http.post(action).form(&form).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    url::Url::parse(location).unwrap()
}

pub(crate) struct Approved {
    pub(crate) scene: Scene,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) connection: Connection,
    pub(crate) grant: Grant,
}

/// Approved, granted and connected.
pub(crate) async fn granted() -> Approved {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    let mut connection = prepared(&scene, connector.as_ref()).await;
    approved(&scene, connector.as_ref(), &connection).await;
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    Approved {
        scene,
        connector,
        connection,
        grant,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_microsofts_page_to_a_connection_that_passes_every_check() {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    assert_eq!(connector.method(), Method::AdminConsent);
    assert_eq!(connector.availability().await, Availability::Available);
    let client = scene.operator("client_id");
    assert_eq!(
        connector.principal().await.unwrap(),
        ServerPrincipal::EntraApplication {
            client_id: client.parse().unwrap()
        }
    );
    let mut connection = prepared(&scene, connector.as_ref()).await;
    assert_eq!(
        connector.prepare(&connection).await.unwrap(),
        connection.target
    );
    assert_eq!(
        connection.azure().unwrap().client_id().unwrap().as_str(),
        client
    );

    // Not approved yet.
    let Detection::Refused { evidence } = connector.detect(&connection).await else {
        panic!("nobody approved it");
    };
    assert!(evidence.contains("AADSTS7000229"), "{evidence}");

    let state = "s&t=a/t+e ü\"#";
    let page = connector
        .consent_page(&connection, CALLBACK, state)
        .unwrap();
    let url = url::Url::parse(&page).unwrap();
    assert_eq!(url.path(), format!("/{}/v2.0/adminconsent", scene.tenant));
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let of = |name: &str| {
        let mut found = query.iter().filter(|(is, _)| is == name);
        let (_, value) = found.next().unwrap();
        assert!(found.next().is_none(), "{name} is there twice");
        value.clone()
    };
    assert_eq!(of("state"), state);
    assert_eq!(of("redirect_uri"), CALLBACK);
    assert_eq!(of("client_id"), client);
    assert!(of("scope").ends_with("/.default"));

    // Whoever is no administrator is refused, and Microsoft says
    // `admin_consent=True` all the same.
    let back = approve(&scene, &page, "reader").await;
    let query = back.query().unwrap();
    assert!(query.contains("admin_consent=True") && query.contains("error="));
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let back = approve(&scene, &page, "admin").await;
    let pairs: Vec<_> = back.query_pairs().into_owned().collect();
    assert!(pairs.contains(&("state".to_owned(), state.to_owned())));
    assert!(!back.query().unwrap().contains("error="));

    // Approved, without any role.
    let Detection::Refused { evidence } = connector.detect(&connection).await else {
        panic!("it has no role");
    };
    assert!(evidence.contains("AuthorizationFailed"), "{evidence}");
    scene.grant(&mut connection).await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    connected(&mut connection);
    let found = verify(connector.as_ref(), &connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), [""; 0]);
    let ids: BTreeSet<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), found.checks.len(), "an id is used twice");
    assert!(ids.len() >= 12, "{ids:?}");
    for id in [
        "azure.application",
        "azure.tenant-found",
        "azure.consent-given",
        "azure.application-accepted",
        "azure.ownership-proven",
        "azure.subscription-found",
        "azure.tenant-matches",
        "azure.role-assigned.provisioner",
        "azure.subscription-enabled",
        "azure.reaper-known",
        "azure.token-accepted.reaper",
        "azure.token-subject-enforced.reaper",
        "azure.tenant-agrees",
        "azure.graph-permissions",
        "azure.two-keys",
        "azure.grant-as-specified",
    ] {
        assert_eq!(check(&found, id).outcome, Outcome::Pass, "{id}");
    }
    let named = check(&found, "azure.tenant-agrees");
    let domain = scene.of_customer(0, "domain");
    assert!(
        named.evidence.contains(&format!("Connected to {domain}")),
        "{named:?}"
    );
    let keys = check(&found, "azure.two-keys");
    assert!(keys.evidence.contains("two keys: yes"), "{keys:?}");
    assert!(!connector.regions(&connection).await.unwrap().is_empty());
    assert!(!found.can_rotate && found.secret.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_that_was_taken_back_or_has_not_settled_is_told_apart() {
    let Approved {
        scene,
        connector,
        mut connection,
        grant,
    } = granted().await;
    let admin = scene.administrator().await;
    let principal = format!(
        "/v1.0/servicePrincipals/{}",
        grant[&Identity::Provisioner].principal
    );
    admin
        .must("PATCH", &principal, json!({"accountEnabled": false}))
        .await;
    let found = verify(connector.as_ref(), &connection).await;
    let given = check(&found, "azure.consent-given");
    assert_eq!(given.outcome, Outcome::Fail);
    assert!(given.evidence.contains("AADSTS7000112"), "{given:?}");
    assert!(given.remedy.contains("switched off"), "{given:?}");
    assert!(found.refused);
    admin.must("DELETE", &principal, Value::Null).await;
    let found = verify(connector.as_ref(), &connection).await;
    let given = check(&found, "azure.consent-given");
    assert_eq!(given.outcome, Outcome::Fail);
    assert!(
        given.remedy.contains("Approve on Microsoft's page"),
        "{given:?}"
    );
    assert!(found.refused);
    assert_eq!(
        check(&found, "azure.ownership-proven").outcome,
        Outcome::Skipped
    );

    // Approved anew, and not known everywhere: that counts only after a while.
    let lag = json!({"consent_lag_seconds": 120});
    scene.admin("azure/settings", &lag).await;
    approved(&scene, connector.as_ref(), &connection).await;
    let now = TestClock.now();
    for (for_millis, outcome) in [(60_000, Outcome::Propagating), (-1, Outcome::Fail)] {
        connection.state = State::Propagating {
            since: now,
            deadline: now.plus_millis(for_millis),
        };
        let found = verify(connector.as_ref(), &connection).await;
        let given = check(&found, "azure.consent-given");
        assert_eq!(given.outcome, outcome, "{given:?}");
    }
    scene.admin("clock", &json!({"advance_seconds": 121})).await;
    // A new service principal: the assignment of the old one is nobody's.
    let found = verify(connector.as_ref(), &connection).await;
    let given = check(&found, "azure.consent-given");
    assert_eq!(given.outcome, Outcome::Pass, "{given:?}");
    let role = check(&found, "azure.role-assigned.provisioner");
    assert_eq!(role.outcome, Outcome::Fail, "{role:?}");
    assert!(found.refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_tenant_or_subscription_is_named() {
    let Approved {
        scene,
        connector,
        connection,
        ..
    } = granted().await;
    let random = guid();
    let others = scene.of_customer(1, "subscription_id");
    type Break<'b> = &'b dyn Fn(&mut landfall_model::connection::Azure);
    let cases: [(&str, &str, &str, Break<'_>); 3] = [
        ("azure.tenant-found", "AADSTS90002", "tenant id", &|azure| {
            azure.tenant_id = random.parse().unwrap();
        }),
        (
            "azure.subscription-found",
            "SubscriptionNotFound",
            "subscription id",
            &|azure| azure.subscription_id = random.parse().unwrap(),
        ),
        (
            "azure.tenant-matches",
            "InvalidAuthenticationTokenTenant",
            "another tenant",
            &|azure| azure.subscription_id = others.parse().unwrap(),
        ),
    ];
    for (id, evidence, remedy, break_it) in cases {
        let mut wrong = connection.clone();
        change(&mut wrong, break_it);
        let found = verify(connector.as_ref(), &wrong).await;
        let check = check(&found, id);
        assert_eq!(check.outcome, Outcome::Fail, "{check:#?}");
        assert!(check.evidence.contains(evidence), "{check:#?}");
        assert!(check.remedy.contains(remedy), "{check:#?}");
        assert_eq!(with(&found, Outcome::Fail), [id]);
        assert!(found.refused, "{id}");
    }
}
