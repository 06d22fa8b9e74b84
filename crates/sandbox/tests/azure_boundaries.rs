//! What a principal of Azure with a little must not reach by tricks.

mod microsoft;

use landfall_sandbox::Config;
use microsoft::{ARM, Azure};
use serde_json::{Value, json};

#[tokio::test]
async fn a_role_is_changed_by_whoever_may_write_it_everywhere_it_applies() {
    let azure = Azure::new(Config::default()).await;
    let owner = azure.first_token(1, ARM).await;
    let (one, two) = (azure.group("one").await, azure.group("two").await);
    let path = format!(
        "{one}/providers/Microsoft.Authorization/roleDefinitions/11111111-1111-4111-8111-111111111111?api-version=2022-04-01"
    );
    let role = |scopes: &[&String], action: &str| {
        json!({ "properties": {
            "roleName": "shared", "description": "", "type": "CustomRole",
            "assignableScopes": scopes,
            "permissions": [{ "actions": [action] }],
        } })
    };
    let both = role(&[&one, &two], "*/read");
    assert_eq!(azure.call("PUT", &owner, &path, both).await.0, 201);
    let (principal, token) = azure.principal().await;
    azure
        .assign(&one, &principal, "User Access Administrator")
        .await;
    for scopes in [&[&one][..], &[&one, &two]] {
        let (status, answer) = azure.call("PUT", &token, &path, role(scopes, "*")).await;
        assert_eq!(status, 403, "{answer}");
        assert_eq!(answer["error"]["code"], "AuthorizationFailed");
    }
    azure
        .assign(&two, &principal, "User Access Administrator")
        .await;
    let less = role(&[&one], "*");
    assert_eq!(azure.call("PUT", &token, &path, less).await.0, 201);
}

#[tokio::test]
async fn an_escaped_slash_does_not_move_a_resource_elsewhere() {
    let azure = Azure::new(Config::default()).await;
    let owner = azure.first_token(1, ARM).await;
    let group = azure.group("one").await;
    let subscription = azure.text("/tenants/1/subscription_id");
    let register = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Storage/register?api-version=2021-04-01"
    );
    azure.call("POST", &owner, &register, json!({})).await;
    let (principal, token) = azure.principal().await;
    azure.assign(&group, &principal, "Contributor").await;
    let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/a");
    let body = json!({ "location": "westeurope", "properties": { "level": "CanNotDelete" } });
    let put = async |id: &str| {
        let path = format!("{id}?api-version=2023-05-01");
        azure.call("PUT", &token, &path, body.clone()).await.0
    };
    assert!(put(&account).await < 300);
    // A contributor may not set locks, by no spelling.
    for hidden in [
        "/providers/Microsoft.Authorization/locks/l",
        "%2Fproviders%2FMicrosoft.Authorization%2Flocks%2Fl",
        "%2fproviders/Microsoft.Authorization/locks/l",
    ] {
        let status = put(&format!("{account}{hidden}")).await;
        assert!((400..500).contains(&status), "{hidden}: {status}");
    }
    let locks = format!("{group}/providers/Microsoft.Authorization/locks?api-version=2020-05-01");
    let (_, seen) = azure.call("GET", &owner, &locks, Value::Null).await;
    assert_eq!(seen["value"], json!([]));
}
