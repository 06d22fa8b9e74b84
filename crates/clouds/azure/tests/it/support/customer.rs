//! What the customer's administrator does, in the words of the REST APIs: what
//! the script does too, faster.

use super::scene::{Scene, URL, spec};
use landfall_model::{
    Entropy,
    connection::{AzureAccess, Connection},
    entropy::SystemEntropy,
    grant::{
        AzureRole, Identity,
        azure::{CLIENT_MARK, object_id_of},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One identity as it was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The application's object id, in Graph.
    pub(crate) application: String,
    pub(crate) client: String,
    /// The service principal's object id.
    pub(crate) principal: String,
    /// The path of the role's definition and of its assignment.
    pub(crate) definition: String,
    pub(crate) assignment: String,
}

pub(crate) type Grant = BTreeMap<Identity, Made>;

/// Somebody with a token for one of the services.
pub(crate) struct Caller<'s> {
    http: reqwest::Client,
    base: String,
    token: String,
    _scene: &'s Scene,
}

pub(crate) fn guid() -> String {
    let entropy: &dyn Entropy = &SystemEntropy;
    let hex: String = entropy
        .array::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-4{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}

impl Caller<'_> {
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        if method != "GET" {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// A call that must succeed.
    pub(crate) async fn must(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }
}

pub(crate) const AUTHORIZATION: &str = "api-version=2022-04-01";

impl Scene {
    pub(crate) fn https(&self) -> reqwest::Client {
        let pem = std::fs::read(self.config.ca_certificate.as_ref().unwrap()).unwrap();
        reqwest::Client::builder()
            // Where a page leads is looked at, not followed.
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap()
    }

    async fn caller(&self, form: &[(&str, &str)]) -> Result<Caller<'_>, Value> {
        let http = self.https();
        let base = self
            .config
            .authority
            .as_str()
            .trim_end_matches('/')
            .to_owned();
        let scope = format!("{base}/.default");
        let mut form = form.to_vec();
        form.extend([("grant_type", "client_credentials"), ("scope", &scope)]);
        let answer = http
            .post(format!("{base}/{}/oauth2/v2.0/token", self.tenant))
            .form(&form)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str().map(str::to_owned);
        Ok(Caller {
            token: token.ok_or(answer)?,
            http,
            base,
            _scene: self,
        })
    }

    /// The customer's administrator.
    pub(crate) async fn administrator(&self) -> Caller<'_> {
        let (client, secret) = (
            self.of_customer(0, "client_id"),
            self.of_customer(0, "client_secret"),
        );
        self.as_client(&client, &secret).await
    }

    /// An application in the customer's tenant, by a secret.
    pub(crate) async fn as_client(&self, client: &str, secret: &str) -> Caller<'_> {
        self.caller(&[("client_id", client), ("client_secret", secret)])
            .await
            .unwrap()
    }

    /// One of the two identities, by this connection's assertion.
    pub(crate) async fn as_identity(&self, connection: &Connection, made: &Made) -> Caller<'_> {
        use landfall_model::issuer::Issuer as _;
        let assertion = self
            .issuer
            .assertion(&connection.subject(), "api://AzureADTokenExchange")
            .await
            .unwrap();
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        self.caller(&[
            ("client_id", &made.client),
            ("client_assertion_type", kind),
            ("client_assertion", assertion.token()),
        ])
        .await
        .unwrap()
    }

    /// Makes the whole grant, and enters the client id.
    pub(crate) async fn grant(&self, connection: &mut Connection) -> Grant {
        let admin = self.administrator().await;
        let spec = spec(connection);
        let spec = spec.azure().unwrap();
        let mut grant = Grant::new();
        let approved = matches!(
            connection.azure().unwrap().access(),
            AzureAccess::AdminConsent { .. }
        );
        for role in &spec.roles {
            let made = if approved && role.identity == Identity::Provisioner {
                self.make_role(&admin, &spec.scope, role).await
            } else {
                self.make(&admin, connection, &spec.scope, role).await
            };
            grant.insert(role.identity, made);
        }
        for role in &spec.roles {
            self.assign(&admin, role, &grant).await;
        }
        let client = grant[&Identity::Provisioner].client.parse().unwrap();
        super::change(connection, |azure| {
            if let AzureAccess::WorkloadIdentity { client_id } = &mut azure.access {
                *client_id = Some(client);
            }
        });
        grant
    }

    /// A role for the operator's application, which is there already.
    pub(crate) async fn make_role(
        &self,
        admin: &Caller<'_>,
        scope: &str,
        role: &AzureRole,
    ) -> Made {
        let client = self.operator("client_id");
        let principal = format!("/v1.0/servicePrincipals(appId='{client}')");
        let principal = admin.must("GET", &principal, Value::Null).await;
        Made {
            application: String::new(),
            client,
            principal: principal["id"].as_str().unwrap().to_owned(),
            definition: self.define(admin, scope, role).await,
            assignment: format!(
                "{scope}/providers/Microsoft.Authorization/roleAssignments/{}",
                guid()
            ),
        }
    }

    async fn define(&self, admin: &Caller<'_>, scope: &str, role: &AzureRole) -> String {
        let definition = format!(
            "{scope}/providers/Microsoft.Authorization/roleDefinitions/{}",
            guid()
        );
        admin
            .must(
                "PUT",
                &format!("{definition}?{AUTHORIZATION}"),
                json!({"properties": {
                    "roleName": role.name,
                    "description": role.description,
                    "assignableScopes": [scope],
                    "permissions": [{"actions": role.actions, "notActions": role.not_actions}],
                }}),
            )
            .await;
        definition
    }

    async fn make(
        &self,
        admin: &Caller<'_>,
        connection: &Connection,
        scope: &str,
        role: &AzureRole,
    ) -> Made {
        let definition = self.define(admin, scope, role).await;
        let application = admin
            .must(
                "POST",
                "/v1.0/applications",
                json!({"displayName": role.name}),
            )
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let client = text(&application["appId"]);
        let principal = admin
            .must("POST", "/v1.0/servicePrincipals", json!({"appId": client}))
            .await;
        let made = Made {
            application: text(&application["id"]),
            client,
            principal: text(&principal["id"]),
            definition,
            assignment: format!(
                "{scope}/providers/Microsoft.Authorization/roleAssignments/{}",
                text(&principal["id"])
            ),
        };
        self.trust(&made, "landfall", URL, &connection.subject())
            .await;
        made
    }

    /// Adds a federated credential.
    pub(crate) async fn trust(&self, made: &Made, name: &str, issuer: &str, subject: &str) {
        let path = format!(
            "/v1.0/applications/{}/federatedIdentityCredentials",
            made.application
        );
        let credential = json!({
            "name": name, "issuer": issuer, "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        });
        self.administrator()
            .await
            .must("POST", &path, credential)
            .await;
    }

    pub(crate) async fn assign(&self, admin: &Caller<'_>, role: &AzureRole, grant: &Grant) {
        let made = &grant[&role.identity];
        let condition = role.condition.clone().map(|condition| {
            grant.iter().fold(condition, |text, (identity, made)| {
                text.replace(object_id_of(*identity), &made.principal)
            })
        });
        admin
            .must(
                "PUT",
                &format!("{}?{AUTHORIZATION}", made.assignment),
                json!({"properties": {
                    "roleDefinitionId": made.definition,
                    "principalId": made.principal,
                    "principalType": "ServicePrincipal",
                    "description": format!("{} {CLIENT_MARK}{}", role.assignment, made.client),
                    "condition": condition,
                    "conditionVersion": condition.is_some().then_some("2.0"),
                }}),
            )
            .await;
    }

    /// Gives a permission of Graph, with consent.
    pub(crate) async fn permit(&self, made: &Made, app_role: &str) {
        let admin = self.administrator().await;
        let graph = "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')";
        let graph = admin.must("GET", graph, Value::Null).await;
        admin
            .must(
                "POST",
                &format!(
                    "/v1.0/servicePrincipals/{}/appRoleAssignments",
                    made.principal
                ),
                json!({
                    "principalId": made.principal,
                    "resourceId": graph["id"],
                    "appRoleId": app_role,
                }),
            )
            .await;
    }

    /// Makes an application an owner of itself.
    pub(crate) async fn own_itself(&self, made: &Made) {
        let body = json!({"@odata.id": format!("/v1.0/directoryObjects/{}", made.principal)});
        let path = format!("/v1.0/applications/{}/owners/$ref", made.application);
        self.administrator().await.must("POST", &path, body).await;
    }

    /// What the script grants, so that an application renews its own secret.
    pub(crate) async fn let_rotate(&self, made: &Made) {
        // Application.ReadWrite.OwnedBy
        self.permit(made, "18a4783c-866b-4cc7-a460-3d5e5662c884")
            .await;
        self.own_itself(made).await;
    }

    /// Changes the custom role of an identity.
    pub(crate) async fn edit(&self, made: &Made, change: impl FnOnce(&mut Value)) {
        let admin = self.administrator().await;
        let path = format!("{}?{AUTHORIZATION}", made.definition);
        let mut role = admin.must("GET", &path, Value::Null).await;
        change(&mut role["properties"]);
        admin.must("PUT", &path, role).await;
    }

    /// Assigns a built-in role to an identity, at once.
    pub(crate) async fn also(&self, made: &Made, role: &str) {
        let scope = format!("/subscriptions/{}", self.subscription);
        let body = json!({"scope": scope, "principal_id": made.principal, "role": role});
        self.admin("azure/role-assignments", &body).await;
    }
}
