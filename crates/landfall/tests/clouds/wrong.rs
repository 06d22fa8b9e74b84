//! Wrong inputs, each with the answer that it gets: what is wrong, where, and
//! what to do.

use crate::{
    check, connected, customers,
    harness::{
        api::{Api, ApiError, text},
        scene::{Scene, status},
    },
    new,
};
use serde_json::{Value, json};

const GUID: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// What is changed in a request that would be good (`null`: left out), and the
/// answer: status, code, the field that is named, a part of the next step.
type Row = (Value, u16, &'static str, &'static str, &'static str);

const ACCOUNT: &str = "connection-account-malformed";
const METHOD: &str = "connection-method-unavailable";
const REGION: &str = "connection-region-unknown";

fn of_a_project() -> Vec<Row> {
    let picker = "project picker";
    let printed = "the last line that the setup printed";
    let project = |text: &str| json!({ "project_id": text });
    let number = |text: &str| json!({ "project_number": text });
    let parent = |text: &str| json!({ "parent": text });
    let ancestors = "get-ancestors";
    vec![
        (parent("folders/123"), 422, ACCOUNT, "parent", ancestors),
        (parent("456"), 422, ACCOUNT, "parent", ancestors),
        (parent(""), 422, ACCOUNT, "parent", ancestors),
        (
            json!({ "method": "service-account-key", "parent": "organizations/456" }),
            400,
            "request-malformed",
            "parent",
            "workload-identity",
        ),
        (
            parent("organizations/example.com"),
            422,
            ACCOUNT,
            "parent",
            ancestors,
        ),
        (
            parent("organizations/456/folders/$(touch /tmp/x)"),
            422,
            ACCOUNT,
            "parent",
            ancestors,
        ),
        (
            json!({ "management_group": "landing-zones" }),
            400,
            "request-malformed",
            "management_group",
            "set 'cloud' to 'azure'",
        ),
        (
            json!({ "breadth": "broad" }),
            400,
            "request-malformed",
            "breadth",
            "set 'cloud' to 'azure'",
        ),
        (
            json!({ "project_id": null }),
            422,
            ACCOUNT,
            "project_id",
            picker,
        ),
        (project(""), 422, ACCOUNT, "project_id", picker),
        (project("My Project"), 422, ACCOUNT, "project_id", picker),
        (project("415104041262"), 422, ACCOUNT, "project_id", picker),
        (project("short"), 422, ACCOUNT, "project_id", picker),
        (project("my-project-"), 422, ACCOUNT, "project_id", picker),
        (
            project("$(touch /tmp/x)"),
            422,
            ACCOUNT,
            "project_id",
            picker,
        ),
        (project("my-project\nx"), 422, ACCOUNT, "project_id", picker),
        (
            number("my-project"),
            422,
            ACCOUNT,
            "project_number",
            printed,
        ),
        (
            number("0123456789"),
            422,
            ACCOUNT,
            "project_number",
            printed,
        ),
        (number("1234"), 422, ACCOUNT, "project_number", printed),
        (
            json!({ "account_id": "123456789012" }),
            400,
            "request-malformed",
            "account_id",
            "set 'cloud' to 'aws'",
        ),
        (
            json!({ "tenant_id": GUID }),
            400,
            "request-malformed",
            "tenant_id",
            "set 'cloud' to 'azure'",
        ),
        (
            json!({ "method": "oidc" }),
            422,
            METHOD,
            "method",
            "'workload-identity'",
        ),
        (
            json!({ "regions": ["eu-central-1a"] }),
            422,
            REGION,
            "regions",
            "region",
        ),
        (
            json!({ "regions": ["westeurope"] }),
            422,
            REGION,
            "regions",
            "region",
        ),
    ]
}

fn of_a_subscription() -> Vec<Row> {
    let overview = "Microsoft Entra ID → Overview";
    let subscriptions = "Subscriptions in the Azure portal";
    let printed = "that the setup printed";
    let tenant = |text: &str| json!({ "tenant_id": text });
    let subscription = |text: &str| json!({ "subscription_id": text });
    let client = |text: &str| json!({ "client_id": text });
    let group = |text: &str| json!({ "management_group": text });
    let the_id = "Management groups in the Azure portal";
    vec![
        (group(""), 422, ACCOUNT, "management_group", the_id),
        (
            group("Landing Zones"),
            422,
            ACCOUNT,
            "management_group",
            the_id,
        ),
        (
            group("'; touch /tmp/x; '"),
            422,
            ACCOUNT,
            "management_group",
            the_id,
        ),
        (
            json!({ "breadth": "wide" }),
            400,
            "request-malformed",
            "breadth",
            "use 'narrow'",
        ),
        (
            json!({ "parent": "organizations/456" }),
            400,
            "request-malformed",
            "parent",
            "set 'cloud' to 'gcp'",
        ),
        (
            json!({ "tenant_id": null }),
            422,
            ACCOUNT,
            "tenant_id",
            overview,
        ),
        (
            tenant("contoso.onmicrosoft.com"),
            422,
            ACCOUNT,
            "tenant_id",
            overview,
        ),
        (
            tenant("00000000-0000-0000-0000-000000000000"),
            422,
            ACCOUNT,
            "tenant_id",
            overview,
        ),
        (
            tenant(&format!("{{{GUID}}}")),
            422,
            ACCOUNT,
            "tenant_id",
            overview,
        ),
        (
            json!({ "subscription_id": null }),
            422,
            ACCOUNT,
            "subscription_id",
            subscriptions,
        ),
        (
            subscription("Pay-As-You-Go"),
            422,
            ACCOUNT,
            "subscription_id",
            subscriptions,
        ),
        (
            subscription(&format!("/subscriptions/{GUID}")),
            422,
            ACCOUNT,
            "subscription_id",
            subscriptions,
        ),
        (client("landfall"), 422, ACCOUNT, "client_id", printed),
        (client(&GUID[1..]), 422, ACCOUNT, "client_id", printed),
        (
            json!({ "project_id": "my-project-123" }),
            400,
            "request-malformed",
            "project_id",
            "set 'cloud' to 'gcp'",
        ),
        (
            json!({ "partition": "aws" }),
            400,
            "request-malformed",
            "partition",
            "set 'cloud' to 'aws'",
        ),
        (
            json!({ "method": "assume-role" }),
            422,
            METHOD,
            "method",
            "'workload-identity'",
        ),
        (
            json!({ "regions": ["west europe"] }),
            422,
            REGION,
            "regions",
            "region",
        ),
        (
            json!({ "regions": ["europe-west1"] }),
            422,
            REGION,
            "regions",
            "region",
        ),
    ]
}

/// Of either cloud. An empty field: the body itself cannot be read.
fn of_any() -> Vec<Row> {
    let many: Vec<String> = (0..65).map(|number| format!("region{number}")).collect();
    vec![
        (
            json!({ "cloud": "gcloud" }),
            422,
            METHOD,
            "cloud",
            "'aws', 'gcp' or 'azure'",
        ),
        (
            json!({ "method": "password" }),
            422,
            METHOD,
            "method",
            "use '",
        ),
        (
            json!({ "name": "" }),
            422,
            "name-invalid",
            "name",
            "another name",
        ),
        (
            json!({ "name": "a\u{202e}b" }),
            422,
            "name-invalid",
            "name",
            "another name",
        ),
        (
            json!({ "external_id": "lf-chosen-by-me" }),
            422,
            "connection-external-id-refused",
            "external_id",
            "leave the field out",
        ),
        (json!({ "regions": many }), 422, REGION, "regions", "region"),
        (json!({ "name": null }), 400, "request-malformed", "", ""),
        (
            json!({ "with_reaper": "no" }),
            400,
            "request-malformed",
            "",
            "",
        ),
        (
            json!({ "pool_id": "theirs" }),
            400,
            "request-malformed",
            "",
            "",
        ),
    ]
}

fn changed(good: &Value, change: &Value) -> Value {
    let mut body = good.clone();
    for (field, value) in change.as_object().unwrap() {
        match value {
            Value::Null => body.as_object_mut().unwrap().remove(field).map(drop),
            value => body
                .as_object_mut()
                .unwrap()
                .insert(field.clone(), value.clone())
                .map(drop),
        };
    }
    body
}

/// Asserts what an answer says, and that a decided refusal is in the audit log.
async fn refused(api: &Api, action: &str, answer: Result<Value, ApiError>, row: &Row) {
    let (change, status, code, field, next_step) = row;
    let Err(ApiError::Refused {
        status: said, body, ..
    }) = &answer
    else {
        panic!("{change}: {answer:?}");
    };
    assert_eq!(said, status, "{change}: {body}");
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], *code, "{change}: {problem}");
    let step = text(&problem, "next_step").unwrap();
    assert!(
        !step.is_empty() && step.contains(next_step),
        "{change}: {problem}"
    );
    if !matches!(*code, "connection-duplicate" | "name-taken") && *field != "-" {
        assert_eq!(problem["violations"][0]["field"], *field, "{problem}");
    }
    if !field.is_empty() {
        let rows = api.items("/audit?limit=1").await.unwrap();
        assert_eq!(rows[0]["action"], action, "{change}: {rows:?}");
        assert_eq!(rows[0]["outcome"], *code, "{change}: {rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_new_connection() {
    let scene = Scene::new().await;
    for (cloud, customer) in customers(&scene, 0) {
        let own = match cloud {
            "gcp" => of_a_project(),
            _ => of_a_subscription(),
        };
        let good = new(cloud, customer.as_ref()).await;
        for row in own.into_iter().chain(of_any()) {
            let answer = scene.api.post("/connections", changed(&good, &row.0)).await;
            refused(&scene.api, "connection.create", answer, &row).await;
        }
        // None of that is in the way of the good one.
        scene.api.post("/connections", good.clone()).await.unwrap();
        for (change, code, next_step) in [
            (
                json!({ "name": "again" }),
                "connection-duplicate",
                "disconnect it first",
            ),
            (
                // Another scope under the same name.
                match cloud {
                    "gcp" => json!({ "project_id": "another-project" }),
                    _ => json!({ "subscription_id": GUID }),
                },
                "name-taken",
                "choose another name",
            ),
        ] {
            let row = (change, 409, code, "-", next_step);
            let answer = scene.api.post("/connections", changed(&good, &row.0)).await;
            refused(&scene.api, "connection.create", answer, &row).await;
        }
    }
    let all = scene.api.items("/connections").await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_connection_that_works() {
    let scene = Scene::new().await;
    for (cloud, customer) in customers(&scene, 0) {
        let made = connected(&scene, cloud, customer.as_ref()).await;
        let state = "connection-state";
        let (foreign, unknown): (Row, Row) = match cloud {
            "gcp" => (
                (
                    json!({ "client_id": GUID }),
                    409,
                    state,
                    "client_id",
                    "leave the field out",
                ),
                (
                    json!({ "regions": ["mars-north1"] }),
                    422,
                    REGION,
                    "regions",
                    "region",
                ),
            ),
            _ => (
                (
                    json!({ "project_number": "415104041262" }),
                    409,
                    state,
                    "project_number",
                    "leave the field out",
                ),
                (
                    json!({ "regions": ["marsnorth"] }),
                    422,
                    REGION,
                    "regions",
                    "region",
                ),
            ),
        };
        let malformed = match cloud {
            "gcp" => (
                json!({ "project_number": "x" }),
                422,
                ACCOUNT,
                "project_number",
                "printed",
            ),
            _ => (
                json!({ "client_id": "x" }),
                422,
                ACCOUNT,
                "client_id",
                "printed",
            ),
        };
        let nameless = (
            json!({ "name": " " }),
            422,
            "name-invalid",
            "name",
            "another name",
        );
        for row in [foreign, unknown, malformed, nameless] {
            let answer = scene.api.patch(&made.path(), row.0.clone()).await;
            refused(&scene.api, "connection.change", answer, &row).await;
        }
        let migration = format!("{}/migration", made.path());
        for row in [
            (
                json!({ "method": "workload-identity" }),
                409,
                state,
                "-",
                "choose another method",
            ),
            (
                json!({ "method": "oidc" }),
                422,
                METHOD,
                "method",
                "workload-identity",
            ),
        ] {
            let answer = scene.api.post(&migration, row.0.clone()).await;
            refused(&scene.api, "connection.change", answer, &row).await;
        }
        let now = scene.api.get(&made.path()).await.unwrap();
        assert_eq!(status(&now), "connected");
    }
}

/// What was entered fits its form and is somebody else's, or nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn of_what_the_setup_printed() {
    let scene = Scene::new().await;
    let others = scene.cloud.ready["gcp"]["projects"][2]["number"].clone();
    for (cloud, customer) in customers(&scene, 0) {
        let made = connected(&scene, cloud, customer.as_ref()).await;
        let (wrong, id, remedy) = match cloud {
            "gcp" => (
                json!({ "project_number": others }),
                "gcp.token-accepted",
                "run the setup in the project",
            ),
            _ => (
                json!({ "client_id": GUID }),
                "azure.client-found",
                "client id",
            ),
        };
        scene.api.patch(&made.path(), wrong).await.unwrap();
        // Looked at by itself, since something was said.
        scene
            .connection(&made.id, |one| status(one) == "revoked")
            .await;
        let checks = scene.checks(&made.id).await;
        let found = check(&checks, id);
        assert_eq!(found["outcome"], "fail", "{found}");
        assert!(text(found, "remedy").unwrap().contains(remedy), "{found}");

        scene
            .api
            .patch(&made.path(), made.entered.clone())
            .await
            .unwrap();
        scene
            .connection(&made.id, |one| status(one) == "connected")
            .await;
    }
}
