//! The calls of a project's owner to Google's APIs and its console.

use super::super::{browser::Browser, customer, text};
use anyhow::{Context as _, bail, ensure};
use landfall_model::{
    connection::ProjectNumber,
    grant::{GcpGrant, GcpTrust},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const MANAGER: &str = "cloudresourcemanager";
/// How often a policy is read again because somebody else wrote it.
const RACES: u32 = 10;

/// The owner of one project.
#[derive(Clone)]
pub struct Owner {
    pub project: String,
    pub number: String,
    token: String,
    /// The account that the operator made for the server.
    server_account: Option<String>,
    /// Where the services are, `{service}` being `iam` and the like.
    template: String,
    console: String,
    http: reqwest::Client,
}

impl Owner {
    /// The customer at this place in what the sandbox printed.
    pub fn of(ready: &Value, place: usize) -> anyhow::Result<Self> {
        let project = customer(&ready["gcp"]["projects"], place, "project")?;
        Self::owning(ready, project)
    }

    /// Who operates the server.
    pub fn operator(ready: &Value) -> anyhow::Result<Self> {
        let projects = ready["gcp"]["projects"].as_array();
        let project = projects
            .into_iter()
            .flatten()
            .find(|project| project["role"] == "operator")
            .context("the sandbox's JSON has no operator's project")?;
        Self::owning(ready, project)
    }

    fn owning(ready: &Value, project: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            server_account: text(project, "service_account").ok(),
            project: text(project, "id")?,
            number: text(project, "number")?,
            token: text(project, "access_token")?,
            template: text(&ready["gcp"], "endpoint_template")?,
            console: text(&ready["gcp"], "console_url")?,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()?,
        })
    }

    /// The account that an operator made for the server.
    pub fn server_account(&self) -> anyhow::Result<&str> {
        let account = self.server_account.as_deref();
        account.with_context(|| format!("{} has no account for a server", self.project))
    }

    /// The status and the body of an answer, whatever it is.
    async fn ask(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}/{path}", self.template.replace("{service}", service));
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{service} does not answer"))?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    async fn call(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let (status, body) = self.ask(method.clone(), service, path, body).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {body}");
        Ok(body)
    }

    /// Makes something that may be there already: the setup can be repeated.
    async fn make(&self, service: &str, path: &str, body: &Value) -> anyhow::Result<()> {
        let (status, said) = self.ask(Method::POST, service, path, Some(body)).await?;
        ensure!(
            status.is_success() || status == StatusCode::CONFLICT,
            "making {path}: {status} {said}"
        );
        Ok(())
    }

    fn pools(&self) -> String {
        format!(
            "v1/projects/{}/locations/global/workloadIdentityPools",
            self.project
        )
    }

    pub async fn delete_pool(&self, pool: &str) -> anyhow::Result<()> {
        let path = format!("{}/{pool}", self.pools());
        self.call(Method::DELETE, "iam", &path, None).await?;
        Ok(())
    }

    async fn enable(&self, api: &str) -> anyhow::Result<()> {
        let path = format!("v1/projects/{}/services/{api}:enable", self.project);
        self.make("serviceusage", &path, &json!({})).await
    }

    /// A service account that may arrange who may what in the project, and
    /// nothing else.
    pub async fn make_administrator(&self, id: &str) -> anyhow::Result<String> {
        for api in [MANAGER, "serviceusage"] {
            self.enable(&format!("{api}.googleapis.com")).await?;
        }
        let path = format!("v1/projects/{}/serviceAccounts", self.project);
        self.make("iam", &path, &json!({ "accountId": id })).await?;
        let email = format!("{id}@{}.iam.gserviceaccount.com", self.project);
        let binding = json!({
            "role": "roles/resourcemanager.projectIamAdmin",
            "members": [format!("serviceAccount:{email}")],
        });
        let project = format!("v3/projects/{}", self.project);
        self.bind(MANAGER, &project, binding).await?;
        Ok(email)
    }

    /// The file of a new key, as the console's page hands it over.
    pub async fn download_key(&self, email: &str) -> anyhow::Result<String> {
        let browser = Browser::new()?;
        let page = format!("{}?project={}", self.console, self.project);
        let form = browser
            .open(&page)
            .await?
            .form("/console/gcp/keys/create", &[("id", email)])?;
        Ok(browser.send(&form).await?.page.html)
    }

    pub async fn delete_key(&self, email: &str, key_id: &str) -> anyhow::Result<()> {
        let path = format!(
            "v1/projects/{}/serviceAccounts/{email}/keys/{key_id}",
            self.project
        );
        self.call(Method::DELETE, "iam", &path, None).await?;
        Ok(())
    }

    pub async fn delete_account(&self, email: &str) -> anyhow::Result<()> {
        let path = format!("v1/projects/{}/serviceAccounts/{email}", self.project);
        self.call(Method::DELETE, "iam", &path, None).await?;
        Ok(())
    }

    /// Everything that the setup makes, by whichever trust.
    pub async fn grant(&self, grant: &GcpGrant) -> anyhow::Result<()> {
        for api in &grant.bootstrap_apis {
            self.enable(api).await?;
        }
        self.make_pool(&grant.trust).await?;
        let number: ProjectNumber = self.number.parse()?;
        let trusted = grant.trust.member(&number);
        for account in &grant.accounts {
            let path = format!("v1/projects/{}/serviceAccounts", self.project);
            let body = json!({
                "accountId": account.id,
                "serviceAccount": {
                    "displayName": account.display_name,
                    "description": account.description,
                },
            });
            self.make("iam", &path, &body).await?;
            let resource = format!("v1/{}/{}", path.trim_start_matches("v1/"), account.email);
            let binding = json!({ "role": grant.trust.role(), "members": [trusted] });
            self.bind("iam", &resource, binding).await?;
        }
        for role in &grant.roles {
            let path = format!("v1/{}/roles", grant.place().roles_in());
            let body = json!({ "roleId": role.id, "role": {
                "title": role.title, "description": role.description, "stage": "GA",
                "includedPermissions": role.permissions,
            } });
            self.make("iam", &path, &body).await?;
        }
        let place = format!("v3/{}", grant.place().resource());
        for binding in grant.bindings.iter().filter(|one| !one.by_bootstrap) {
            let account = grant
                .account(binding.identity)
                .context("a role for an account that the grant does not have")?;
            let mut new = json!({ "role": binding.role, "members": [account.member()] });
            if let Some(condition) = &binding.condition {
                new["condition"] = json!(condition);
            }
            self.bind(MANAGER, &place, new).await?;
        }
        Ok(())
    }

    async fn make_pool(&self, trust: &GcpTrust) -> anyhow::Result<()> {
        let GcpTrust::Federation {
            pool_id,
            provider_id,
            issuer_url,
            condition,
            ..
        } = trust
        else {
            return Ok(());
        };
        let path = format!("{}?workloadIdentityPoolId={pool_id}", self.pools());
        self.make("iam", &path, &json!({})).await?;
        let path = format!(
            "{}/{pool_id}/providers?workloadIdentityPoolProviderId={provider_id}",
            self.pools()
        );
        let body = json!({
            "oidc": { "issuerUri": issuer_url },
            "attributeMapping": { "google.subject": "assertion.sub" },
            "attributeCondition": condition,
        });
        self.make("iam", &path, &body).await
    }

    /// Adds a binding to the policy of `resource`. Policies are read, changed
    /// and written, and Landfall may be writing the project's, too.
    async fn bind(&self, service: &str, resource: &str, binding: Value) -> anyhow::Result<()> {
        let asked = json!({ "options": { "requestedPolicyVersion": 3 } });
        for _ in 0..RACES {
            let path = format!("{resource}:getIamPolicy");
            let mut policy = self
                .call(Method::POST, service, &path, Some(&asked))
                .await?;
            let mut bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
            if bindings.contains(&binding) {
                return Ok(());
            }
            bindings.push(binding.clone());
            policy["bindings"] = json!(bindings);
            policy["version"] = json!(3);
            let path = format!("{resource}:setIamPolicy");
            let body = json!({ "policy": policy });
            let (status, said) = self.ask(Method::POST, service, &path, Some(&body)).await?;
            match status {
                _ if status.is_success() => return Ok(()),
                StatusCode::CONFLICT => tokio::time::sleep(Duration::from_millis(50)).await,
                _ => bail!("the policy of {resource}: {status} {said}"),
            }
        }
        bail!("somebody else wrote the policy of {resource} {RACES} times")
    }
}
