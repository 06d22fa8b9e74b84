//! The customer's side: an owner of the project who makes, breaks and takes
//! back the grant, by the same REST calls that gcloud makes. Shares no code
//! with the connector.

use landfall_model::grant::{GcpGrant, GcpIdentity, GcpTrust};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) project: String,
    pub(crate) number: String,
    pub(crate) token: String,
    pub(crate) organization: String,
    pub(crate) folder: String,
    template: String,
    http: reqwest::Client,
}

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// APIs that whoever sets this up switches on.
const APIS: [&str; 5] = [
    "cloudresourcemanager",
    "iam",
    "iamcredentials",
    "serviceusage",
    "sts",
];

impl Customer {
    pub(crate) fn new(ready: &Value, template: &str, http: reqwest::Client) -> Self {
        let field = |name: &str| ready[name].as_str().expect(name).to_owned();
        Self {
            project: field("id"),
            number: field("number"),
            token: field("access_token"),
            organization: field("organization"),
            folder: field("folder"),
            template: template.to_owned(),
            http,
        }
    }

    pub(crate) async fn call(
        &self,
        token: &str,
        method: &str,
        service: &str,
        path: &str,
        body: Value,
    ) -> Said {
        let url = format!("{}/{path}", self.template.replace("{service}", service));
        let mut request = self
            .http
            .request(method.parse().expect("a method"), url)
            .bearer_auth(token);
        if method != "GET" {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        Said {
            status: answer.status().as_u16(),
            body: answer.json().await.unwrap_or_default(),
        }
    }

    pub(crate) async fn post(&self, service: &str, path: &str, body: Value) -> Said {
        self.call(&self.token, "POST", service, path, body).await
    }

    pub(crate) async fn patch(&self, service: &str, path: &str, body: Value) -> Said {
        self.call(&self.token, "PATCH", service, path, body).await
    }

    pub(crate) async fn delete(&self, service: &str, path: &str) -> Said {
        self.call(&self.token, "DELETE", service, path, json!({}))
            .await
    }

    pub(crate) fn pools(&self) -> String {
        format!(
            "v1/projects/{}/locations/global/workloadIdentityPools",
            self.project
        )
    }

    pub(crate) fn provider(&self, grant: &GcpGrant) -> String {
        let GcpTrust::Federation {
            pool_id,
            provider_id,
            ..
        } = &grant.trust
        else {
            panic!("{:?}", grant.trust);
        };
        format!("{}/{pool_id}/providers/{provider_id}", self.pools())
    }

    pub(crate) fn account(&self, grant: &GcpGrant, identity: GcpIdentity) -> String {
        let email = &grant.account(identity).expect("an account").email;
        format!("v1/projects/{}/serviceAccounts/{email}", self.project)
    }

    pub(crate) fn member(&self, grant: &GcpGrant, identity: GcpIdentity) -> String {
        grant.account(identity).expect("an account").member()
    }

    /// What the setup makes; `jwks` is uploaded where it is given.
    pub(crate) async fn grant(&self, grant: &GcpGrant, jwks: Option<&Value>) {
        for api in APIS {
            let path = format!(
                "v1/projects/{}/services/{api}.googleapis.com:enable",
                self.project
            );
            self.post("serviceusage", &path, json!({})).await.ok();
        }
        // As an owner's own calls are not counted for the project, nothing has
        // to be waited for here.
        self.make_pool(grant, jwks).await;
        let role = grant.trust.role();
        for account in &grant.accounts {
            let path = format!("v1/projects/{}/serviceAccounts", self.project);
            let body = json!({
                "accountId": account.id,
                "serviceAccount": { "description": account.description },
            });
            self.post("iam", &path, body).await.ok();
            let member = grant.trust.member(&self.number.parse().expect("a number"));
            self.bind_account(
                grant,
                account.identity,
                json!([{ "role": role, "members": [member] }]),
            )
            .await;
        }
        for role in &grant.roles {
            let path = format!("v1/{}/roles", grant.place().roles_in());
            let body = json!({ "roleId": role.id, "role": {
                "title": role.title, "description": role.description, "stage": "GA",
                "includedPermissions": role.permissions,
            } });
            self.post("iam", &path, body).await.ok();
        }
        for binding in grant
            .bindings
            .iter()
            .filter(|binding| !binding.by_bootstrap)
        {
            let member = self.member(grant, binding.identity);
            let mut new = json!({ "role": binding.role, "members": [member] });
            if let Some(condition) = &binding.condition {
                new["condition"] = json!(condition);
            }
            self.bind_on(&grant.place().resource(), |all| all.push(new))
                .await;
        }
    }

    pub(crate) async fn make_pool(&self, grant: &GcpGrant, jwks: Option<&Value>) {
        if let GcpTrust::Federation {
            pool_id,
            provider_id,
            issuer_url,
            condition,
            ..
        } = &grant.trust
        {
            let path = format!("{}?workloadIdentityPoolId={pool_id}", self.pools());
            self.post("iam", &path, json!({})).await.ok();
            let mut oidc = json!({ "issuerUri": issuer_url });
            if let Some(jwks) = jwks {
                oidc["jwksJson"] = json!(jwks.to_string());
            }
            let path = format!(
                "{}/{pool_id}/providers?workloadIdentityPoolProviderId={provider_id}",
                self.pools()
            );
            let body = json!({
                "oidc": oidc,
                "attributeMapping": { "google.subject": "assertion.sub" },
                "attributeCondition": condition,
            });
            self.post("iam", &path, body).await.ok();
        }
    }

    /// Replaces the policy of an account of the grant.
    pub(crate) async fn bind_account(
        &self,
        grant: &GcpGrant,
        identity: GcpIdentity,
        bindings: Value,
    ) {
        let path = format!("{}:setIamPolicy", self.account(grant, identity));
        let body = json!({ "policy": { "version": 3, "bindings": bindings } });
        self.post("iam", &path, body).await.ok();
    }

    /// Changes the bindings of the project.
    pub(crate) async fn bind(&self, change: impl FnOnce(&mut Vec<Value>)) {
        self.bind_on(&format!("projects/{}", self.project), change)
            .await;
    }

    pub(crate) async fn bind_on(&self, resource: &str, change: impl FnOnce(&mut Vec<Value>)) {
        const MANAGER: &str = "cloudresourcemanager";
        let asked = json!({ "options": { "requestedPolicyVersion": 3 } });
        let path = format!("v3/{resource}:getIamPolicy");
        let mut policy = self.post(MANAGER, &path, asked).await.ok();
        let mut bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
        change(&mut bindings);
        policy["bindings"] = json!(bindings);
        policy["version"] = json!(3);
        let path = format!("v3/{resource}:setIamPolicy");
        self.post(MANAGER, &path, json!({ "policy": policy }))
            .await
            .ok();
    }

    /// Changes the custom role of an account.
    pub(crate) async fn role(&self, grant: &GcpGrant, identity: GcpIdentity, change: Value) {
        let role = grant.role(identity).expect("a role");
        self.patch("iam", &format!("v1/{}", role.name), change)
            .await
            .ok();
    }
}
