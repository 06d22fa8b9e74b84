//! The calls of an administrator to Entra, Graph and Resource Manager.

use super::super::{Asked, browser::Browser, customer, text};
use anyhow::{Context as _, ensure};
use landfall_model::{
    Entropy,
    entropy::SystemEntropy,
    grant::{
        AzureGrant, AzureRole, Identity,
        azure::{CLIENT_MARK, object_id_of},
    },
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const AUTHORIZATION: &str = "api-version=2022-04-01";
/// Microsoft Graph's application id, the same in every tenant.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
/// `Application.ReadWrite.OwnedBy`.
const OWNED_BY: &str = "18a4783c-866b-4cc7-a460-3d5e5662c884";

/// The administrator of one tenant.
#[derive(Clone)]
pub struct Administrator {
    pub tenant: String,
    pub subscription: String,
    client_id: String,
    client_secret: String,
    authority: String,
    resource_manager: String,
    graph: String,
    certificate: reqwest::Certificate,
    http: reqwest::Client,
}

/// An application as it was registered.
#[derive(Clone)]
pub struct Application {
    /// Its object id, by which Graph knows it.
    pub id: String,
    pub client_id: String,
    /// The object id of its service principal, to which roles are assigned.
    pub principal: String,
}

impl Administrator {
    /// The customer at this place in what the sandbox printed.
    pub fn of(ready: &Value, place: usize) -> anyhow::Result<Self> {
        let azure = &ready["azure"];
        let tenant = customer(&azure["tenants"], place, "tenant")?;
        let base = |field: &str| {
            let url = text(azure, field)?;
            Ok::<_, anyhow::Error>(url.trim_end_matches('/').to_owned())
        };
        let authority = text(azure, "ca_certificate")?;
        let pem = std::fs::read(&authority).with_context(|| format!("cannot read {authority}"))?;
        let certificate = reqwest::Certificate::from_pem(&pem)?;
        Ok(Self {
            tenant: text(tenant, "id")?,
            subscription: text(tenant, "subscription_id")?,
            client_id: text(tenant, "client_id")?,
            client_secret: text(tenant, "client_secret")?,
            authority: base("authority")?,
            resource_manager: base("resource_manager")?,
            graph: base("graph")?,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .tls_certs_only([certificate.clone()])
                .build()?,
            certificate,
        })
    }

    /// What is entered of the tenant and the subscription.
    pub fn names(&self) -> Value {
        json!({ "tenant_id": self.tenant, "subscription_id": self.subscription })
    }

    /// A browser for Microsoft's pages.
    pub fn browser(&self) -> anyhow::Result<Browser> {
        Browser::trusting(self.certificate.clone())
    }

    async fn token(&self, service: &str) -> anyhow::Result<String> {
        let scope = format!("{service}/.default");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("scope", &scope),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", self.authority, self.tenant);
        let answer = self.http.post(url).form(&form).send().await?;
        let answer: Value = answer.json().await?;
        text(&answer, "access_token").with_context(|| format!("Entra answers {answer}"))
    }

    pub async fn sign_in(&self) -> anyhow::Result<SignedIn<'_>> {
        let (resource_manager, graph) =
            tokio::try_join!(self.token(&self.resource_manager), self.token(&self.graph))?;
        Ok(SignedIn {
            of: self,
            resource_manager,
            graph,
        })
    }
}

/// With a token for each service.
pub struct SignedIn<'a> {
    of: &'a Administrator,
    resource_manager: String,
    graph: String,
}

impl SignedIn<'_> {
    async fn call(
        &self,
        method: Method,
        url: String,
        token: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self
            .of
            .http
            .request(method.clone(), &url)
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "{method} {url}: {status} {said}");
        Ok(serde_json::from_str(&said).unwrap_or_default())
    }

    async fn graph(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/v1.0/{path}", self.of.graph);
        self.call(method, url, &self.graph, body).await
    }

    /// Puts something under the authorization of `scope`; returns its id.
    async fn put(
        &self,
        scope: &str,
        kind: &str,
        name: &str,
        properties: Value,
    ) -> anyhow::Result<String> {
        let id = format!("{scope}/providers/Microsoft.Authorization/{kind}/{name}");
        let url = format!("{}{id}?{AUTHORIZATION}", self.of.resource_manager);
        let body = json!({ "properties": properties });
        self.call(Method::PUT, url, &self.resource_manager, Some(body))
            .await?;
        Ok(id)
    }

    /// An application with its service principal.
    pub async fn register(&self, name: &str) -> anyhow::Result<Application> {
        let body = json!({ "displayName": name });
        let made = self.graph(Method::POST, "applications", Some(body)).await?;
        let client_id = text(&made, "appId")?;
        let body = json!({ "appId": client_id });
        let principal = self
            .graph(Method::POST, "servicePrincipals", Some(body))
            .await?;
        Ok(Application {
            id: text(&made, "id")?,
            client_id,
            principal: text(&principal, "id")?,
        })
    }

    /// Lets assertions of this connection in as the application.
    pub async fn trust(&self, application: &Application, asked: &Asked) -> anyhow::Result<()> {
        let credential = json!({
            "name": "landfall",
            "issuer": asked.fact("issuer")?,
            "subject": asked.fact("subject")?,
            "audiences": [asked.fact("audience")?],
        });
        let path = format!(
            "applications/{}/federatedIdentityCredentials",
            application.id
        );
        self.graph(Method::POST, &path, Some(credential)).await?;
        Ok(())
    }

    /// Makes the custom roles of the grant and assigns them.
    pub async fn assign(
        &self,
        grant: &AzureGrant,
        to: &BTreeMap<Identity, Application>,
    ) -> anyhow::Result<()> {
        for role in &grant.roles {
            let application = to
                .get(&role.identity)
                .context("a role for nobody of the grant")?;
            self.assign_one(&grant.scope, role, application, to).await?;
        }
        Ok(())
    }

    async fn assign_one(
        &self,
        scope: &str,
        role: &AzureRole,
        application: &Application,
        all: &BTreeMap<Identity, Application>,
    ) -> anyhow::Result<()> {
        let definition = json!({
            "roleName": role.name,
            "description": role.description,
            "assignableScopes": [scope],
            "permissions": [{ "actions": role.actions, "notActions": role.not_actions }],
        });
        let definition = self
            .put(scope, "roleDefinitions", &guid(), definition)
            .await?;
        // The object ids are known now.
        let condition = role.condition.as_ref().map(|condition| {
            all.iter().fold(condition.clone(), |text, (identity, one)| {
                text.replace(object_id_of(*identity), &one.principal)
            })
        });
        let mut assignment = json!({
            "roleDefinitionId": definition,
            "principalId": application.principal,
            "principalType": "ServicePrincipal",
            "description": format!("{} {CLIENT_MARK}{}", role.assignment, application.client_id),
        });
        if let Some(condition) = condition {
            assignment["condition"] = json!(condition);
            assignment["conditionVersion"] = json!("2.0");
        }
        self.put(scope, "roleAssignments", &guid(), assignment)
            .await?;
        Ok(())
    }

    /// A new password of an application, for a year.
    pub async fn add_password(&self, application: &Application) -> anyhow::Result<String> {
        let path = format!("applications/{}/addPassword", application.id);
        let body = json!({ "passwordCredential": { "displayName": "for Landfall" } });
        let made = self.graph(Method::POST, &path, Some(body)).await?;
        text(&made, "secretText")
    }

    /// Lets an application renew its own passwords: the permission counts for
    /// what it owns, so it has to own itself.
    pub async fn let_rotate(&self, application: &Application) -> anyhow::Result<()> {
        let graph = self.principal(GRAPH).await?;
        let body = json!({
            "principalId": application.principal,
            "resourceId": graph,
            "appRoleId": OWNED_BY,
        });
        let path = format!(
            "servicePrincipals/{}/appRoleAssignments",
            application.principal
        );
        self.graph(Method::POST, &path, Some(body)).await?;
        let itself = format!(
            "{}/v1.0/directoryObjects/{}",
            self.of.graph, application.principal
        );
        let path = format!("applications/{}/owners/$ref", application.id);
        let body = json!({ "@odata.id": itself });
        self.graph(Method::POST, &path, Some(body)).await?;
        Ok(())
    }

    /// The object id of an application's service principal in this tenant.
    async fn principal(&self, client_id: &str) -> anyhow::Result<String> {
        let path = format!("servicePrincipals(appId='{client_id}')");
        text(&self.graph(Method::GET, &path, None).await?, "id")
    }

    /// Somebody else's application that was approved here.
    pub async fn approved(&self, client_id: &str) -> anyhow::Result<Application> {
        Ok(Application {
            id: String::new(),
            client_id: client_id.to_owned(),
            principal: self.principal(client_id).await?,
        })
    }

    /// Takes the approval of somebody else's application back.
    pub async fn dismiss(&self, client_id: &str) -> anyhow::Result<()> {
        let principal = self.principal(client_id).await?;
        let path = format!("servicePrincipals/{principal}");
        self.graph(Method::DELETE, &path, None).await?;
        Ok(())
    }

    /// Deletes the applications of this name.
    pub async fn unregister(&self, name: &str) -> anyhow::Result<()> {
        let found = self
            .graph(
                Method::GET,
                &format!("applications?$filter=displayName eq '{name}'"),
                None,
            )
            .await?;
        let found = found["value"].as_array().cloned().unwrap_or_default();
        ensure!(!found.is_empty(), "there is no application {name}");
        for application in found {
            let path = format!("applications/{}", text(&application, "id")?);
            self.graph(Method::DELETE, &path, None).await?;
        }
        Ok(())
    }
}

/// A new name for a role or an assignment.
fn guid() -> String {
    let entropy: &dyn Entropy = &SystemEntropy;
    let hex = format!("{:032x}", u128::from_be_bytes(entropy.array()));
    // The digits that say "random" stand where UUIDs have them.
    format!(
        "{}-{}-4{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}
