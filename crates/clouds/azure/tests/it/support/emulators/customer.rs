//! What the customer's administrator does there, and who is asked what they may.

use super::{AUDIENCE, Emulators, SUBSCRIPTION, TENANT};
use crate::support::{customer::guid, scene::URL};
use landfall_model::{
    connection::{Connection, Guid},
    grant::{AzureRole, Identity, azure::object_id_of},
    issuer::Issuer as _,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The client ids, which are the object ids of the service principals there.
pub(crate) type Clients = BTreeMap<Identity, String>;

impl Emulators {
    pub(crate) async fn must(&self, method: &str, url: &str, token: &str, body: &Value) -> Value {
        let request = self.http.request(method.parse().unwrap(), url);
        let answer = request.bearer_auth(token).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The application that is there from the start, which nobody asks for a
    /// role.
    async fn token(&self, scope: &str) -> String {
        let proof = [("client_secret", "daemon-app-secret")];
        let daemon = "00d88624-f0d7-46f6-a641-6232c2608928";
        self.token_of(daemon, &proof, scope).await
    }

    async fn token_of(&self, client: &str, proof: &[(&str, &str)], scope: &str) -> String {
        let mut form = proof.to_vec();
        let scope = format!("{scope}/.default");
        form.extend([("grant_type", "client_credentials"), ("client_id", client)]);
        form.push(("scope", &scope));
        let url = format!("{}{TENANT}/oauth2/v2.0/token", self.config.authority);
        let answer = self.http.post(url).form(&form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A path of Resource Manager's.
    async fn manage(&self, method: &str, path: &str, body: Value) -> Value {
        let token = self.token("https://management.azure.com").await;
        let url = format!("https://management.azure.com{path}?api-version=2022-04-01");
        self.must(method, &url, &token, &body).await
    }

    /// An application with a federated credential, as the script makes it.
    pub(crate) async fn application(&self, name: &str, subject: &str) -> String {
        // One that is made through Graph could not have a token.
        let body = json!({"displayName": name, "isConfidential": true});
        let url = Emulators::admin("apps");
        let made = self.must("POST", &url, "", &body).await;
        let client = made["id"].as_str().unwrap().to_owned();
        let token = self.token("https://graph.microsoft.com").await;
        let url = format!(
            "https://graph.microsoft.com/v1.0/applications/{client}/federatedIdentityCredentials"
        );
        let body = json!({
            "name": "landfall", "issuer": URL, "subject": subject, "audiences": [AUDIENCE],
        });
        self.must("POST", &url, &token, &body).await;
        client
    }

    /// The provisioner reads in Graph whom it trusts; then it is taken away.
    pub(crate) async fn forget(&self, connection: &Connection, clients: &Clients) {
        let client = &clients[&Identity::Provisioner];
        let subject = connection.subject();
        let assertion = self.issuer.assertion(&subject, AUDIENCE).await.unwrap();
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let proof = [
            ("client_assertion_type", kind),
            ("client_assertion", assertion.token()),
        ];
        let graph = "https://graph.microsoft.com";
        let token = self.token_of(client, &proof, graph).await;
        let url = format!("{graph}/v1.0/applications/{client}/federatedIdentityCredentials");
        let read = self.must("GET", &url, &token, &Value::Null).await;
        let trusted = read["value"].as_array().unwrap();
        assert_eq!(trusted.len(), 1, "{read}");
        assert_eq!(trusted[0]["issuer"], URL);
        assert_eq!(trusted[0]["subject"], subject);
        assert_eq!(trusted[0]["audiences"], json!([AUDIENCE]));
        let url = format!("{url}/{}", trusted[0]["id"].as_str().unwrap());
        self.must("DELETE", &url, &token, &Value::Null).await;
    }

    /// A custom role and its assignment.
    pub(crate) async fn role(
        &self,
        role: Value,
        principal: &str,
        assignment: &str,
        condition: &str,
    ) {
        let scope = format!("/subscriptions/{SUBSCRIPTION}");
        let of = format!("{scope}/providers/Microsoft.Authorization");
        let id = format!("{of}/roleDefinitions/{}", guid());
        let mut properties = role;
        properties["assignableScopes"] = json!([scope]);
        self.manage("PUT", &id, json!({ "properties": properties }))
            .await;
        let properties = json!({
            "roleDefinitionId": id,
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "description": assignment,
            "condition": condition,
            "conditionVersion": "2.0",
        });
        let path = format!("{of}/roleAssignments/{}", guid());
        self.manage("PUT", &path, json!({ "properties": properties }))
            .await;
    }

    /// Whether somebody may do a data action in the subscription.
    pub(crate) async fn allows(&self, principal: &str, action: &str, attributes: Value) -> bool {
        let url = "https://management.azure.com/_family/authorization/evaluate";
        let body = json!({
            "scope": format!("/subscriptions/{SUBSCRIPTION}"),
            "principalIds": [principal], "action": action, "attributes": attributes,
        });
        let answer = self.must("POST", url, "", &body).await;
        answer["allowed"].as_bool().unwrap()
    }
}

/// arm-emulator wants ids in quotes, where Azure's documentation has none.
fn quoted(condition: &str) -> String {
    condition
        .split_inclusive([' ', '{', '}', ','])
        .map(|part| {
            let id = part.trim_end_matches([' ', '{', '}', ',']);
            match id.parse::<Guid>() {
                Ok(_) => part.replace(id, &format!("'{id}'")),
                Err(_) => part.to_owned(),
            }
        })
        .collect()
}

/// The condition of a role's assignment, filled in as the script does.
pub(crate) fn condition_of(role: &AzureRole, clients: &Clients) -> String {
    let condition = role.condition.clone().unwrap();
    let filled = clients.iter().fold(condition, |text, (identity, client)| {
        text.replace(object_id_of(*identity), client)
    });
    quoted(&filled)
}
