//! Projects and what is above them.

use super::{MANAGER, google::Google};
use serde_json::{Value, json};

#[tokio::test]
async fn customers_see_their_own_hierarchy_and_no_other() {
    let google = Google::plain().await;
    let (one, other) = (google.place(1), google.place(2));
    let found = google
        .get(&one.token, MANAGER, "v3/projects:search")
        .await
        .ok();
    assert_eq!(found["projects"].as_array().unwrap().len(), 1);
    assert_eq!(found["projects"][0]["projectId"], one.id.as_str());
    let found = google
        .get(&one.token, MANAGER, "v3/organizations:search")
        .await
        .ok();
    assert_eq!(found["organizations"][0]["name"], one.organization.as_str());
    let path = format!("v1/projects/{}:getAncestry", one.id);
    let chain = google
        .post(&one.token, MANAGER, &path, json!({}))
        .await
        .ok();
    let kinds: Vec<&Value> = chain["ancestor"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ancestor| &ancestor["resourceId"]["type"])
        .collect();
    assert_eq!(kinds, ["project", "folder", "organization"]);
    // What exists and what does not are refused in the same words.
    let real = google
        .get(&one.token, MANAGER, &format!("v3/projects/{}", other.id))
        .await;
    let none = google
        .get(&one.token, MANAGER, "v3/projects/no-such-project")
        .await;
    assert_eq!(real.status, 403);
    assert_eq!(
        real.message().replace(&other.id, "X"),
        none.message().replace("no-such-project", "X")
    );
    let nobody = google
        .get("ya29.wrong", MANAGER, "v3/projects:search")
        .await;
    assert_eq!(
        (nobody.status, nobody.code().as_str()),
        (401, "UNAUTHENTICATED")
    );
}

#[tokio::test]
async fn a_deleted_project_stops_and_can_be_brought_back() {
    let google = Google::plain().await;
    let (place, other) = (google.place(1), google.place(2));
    let path = format!("v3/projects/{}", place.id);
    let call = async |token: &str, method: &str, path: &str| {
        google
            .call(token, method, MANAGER, path, Some(json!({})))
            .await
    };
    let refused = call(&other.token, "DELETE", &path).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    for (method, verb, state) in [
        ("DELETE", "", "DELETE_REQUESTED"),
        ("POST", ":undelete", "ACTIVE"),
    ] {
        let path_of = format!("{path}{verb}");
        let started = call(&place.token, method, &path_of).await.ok();
        assert!(started["name"].as_str().unwrap().starts_with("operations/"));
        let shown = google.get(&place.token, MANAGER, &path).await.ok();
        assert_eq!(shown["state"], state);
        // Once is enough.
        let again = call(&place.token, method, &path_of).await;
        assert_eq!(again.code(), "FAILED_PRECONDITION");
    }
}

#[tokio::test]
async fn what_is_above_is_not_asked_below() {
    let google = Google::plain().await;
    let place = google.place(1);
    let asked = json!(["resourcemanager.folders.setIamPolicy"]);
    for (resource, status) in [
        (format!("projects/{}", place.id), 400),
        (place.organization.clone(), 200),
    ] {
        let path = format!("v3/{resource}:testIamPermissions");
        let body = json!({ "permissions": asked });
        let said = google.post(&place.token, MANAGER, &path, body).await;
        assert_eq!(said.status, status, "{}", said.body);
        if status == 200 {
            assert_eq!(said.ok()["permissions"], asked);
        }
    }
}
