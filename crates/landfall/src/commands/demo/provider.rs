//! The cloud that the demo uses: a sandbox in this process, or one that was
//! started separately.

use super::customer::gcp::Owner;
use crate::secret_file;
use anyhow::{Context as _, anyhow, ensure};
use landfall_aws::{AwsConfig, Identity, TemplateBucket};
use landfall_azure::{APPLICATION_SUBJECT, Application, AzureConfig};
use landfall_gcp::{GcpConfig, OperatorConfig};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// An account with administrator keys.
#[derive(Clone)]
pub struct Account {
    pub account_id: String,
    access_key_id: String,
    secret_access_key: String,
}

pub struct Provider {
    running: Option<landfall_sandbox::Running>,
    endpoint_url: String,
    console_url: String,
    template_bucket_url: Option<String>,
    gcp_endpoints: String,
    gcp_console: String,
    azure: AzureConfig,
    operator: Account,
    pub customer: Account,
    /// What the sandbox printed: what its customers own.
    pub ready: Value,
}

impl Provider {
    pub async fn start(file: Option<&Path>, speed: f64) -> anyhow::Result<Self> {
        let (running, ready) = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let ready = serde_json::from_str(&text)
                    .with_context(|| format!("{} is not JSON", path.display()))?;
                (None, ready)
            }
            None => {
                let running = landfall_sandbox::start(landfall_sandbox::Config {
                    speed,
                    iam_lag: Duration::from_secs(8),
                    ..landfall_sandbox::Config::default()
                })
                .await?;
                let ready = running.ready.clone();
                (Some(running), ready)
            }
        };
        let aws = &ready["aws"];
        let text = |key: &str| {
            aws[key]
                .as_str()
                .map(|text| text.trim_end_matches('/').to_owned())
                .ok_or_else(|| anyhow!("the sandbox's JSON has no aws.{key}"))
        };
        Ok(Self {
            endpoint_url: text("endpoint_url")?,
            console_url: text("console_url")?,
            template_bucket_url: text("template_bucket_url").ok(),
            gcp_endpoints: said(&ready, "gcp", "endpoint_template")?,
            gcp_console: said(&ready, "gcp", "console_url")?,
            azure: azure(&ready)?,
            operator: account(aws, "operator")?,
            customer: account(aws, "customer")?,
            running,
            ready,
        })
    }

    pub async fn shutdown(self) {
        if let Some(running) = self.running {
            running.shutdown().await;
        }
    }

    pub fn aws_config(&self) -> anyhow::Result<AwsConfig> {
        let template_bucket = self
            .template_bucket_url
            .as_deref()
            .map(|url| {
                Ok::<_, anyhow::Error>(TemplateBucket {
                    url: url.parse()?,
                    region: None,
                })
            })
            .transpose()?;
        Ok(AwsConfig {
            endpoint_url: Some(self.endpoint_url.parse()?),
            console_url: Some(self.console_url.clone()),
            template_bucket,
            identity: Identity::Static {
                access_key_id: self.operator.access_key_id.clone(),
                secret_access_key: self.operator.secret_access_key.clone().into(),
                session_token: None,
            },
            ..AwsConfig::default()
        })
    }

    /// The simulated Google Cloud: a demo asks nothing outside of this machine.
    /// In `folder` is kept with what this server enters its operator's project.
    pub async fn gcp_config(&self, folder: &Path) -> anyhow::Result<GcpConfig> {
        let operator = Owner::operator(&self.ready)?;
        let account = operator.server_account()?;
        let key = operator.download_key(account).await?;
        let file = folder.join("google-operator.json");
        secret_file::write(&file, key.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(GcpConfig {
            endpoint_template: self.gcp_endpoints.clone(),
            console_url: self.gcp_console.clone(),
            operator: Some(OperatorConfig::with_key(operator.project.parse()?, file)),
            ..GcpConfig::default()
        })
    }

    /// The simulated Azure.
    pub fn azure_config(&self) -> AzureConfig {
        self.azure.clone()
    }

    /// What DNS and a certificate do for a real server: `url` leads to `server`.
    pub async fn publish_issuer(&self, url: &str, server: &str) -> anyhow::Result<()> {
        self.tell("issuers", json!({ "url": url, "served_at": server }))
            .await
    }

    /// What an operator does once in the Azure portal: the application trusts
    /// the issuer `url`, and Microsoft's page leads back to `server`.
    pub async fn publish_application(&self, url: &str, server: &str) -> anyhow::Result<()> {
        let Some(application) = &self.azure.application else {
            return Ok(());
        };
        let client_id = application.client_id.as_str();
        let trusted = json!({
            "client_id": client_id,
            "issuer": url,
            "subject": APPLICATION_SUBJECT,
            "audience": self.azure.token_exchange_audience,
        });
        self.tell("azure/federated-credentials", trusted).await?;
        let back = format!("{server}/connect/azure/callback");
        let back = json!({ "client_id": client_id, "redirect_uris": [back] });
        self.tell("azure/redirect-uris", back).await
    }

    async fn tell(&self, what: &str, body: Value) -> anyhow::Result<()> {
        let answer = reqwest::Client::new()
            .post(format!("{}/_sandbox/{what}", self.endpoint_url))
            .timeout(Duration::from_secs(30))
            .json(&body)
            .send()
            .await
            .context("the sandbox does not answer")?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "the sandbox answers {status} when it is told of {what}"
        );
        Ok(())
    }

    /// Load balancers of simulated accounts have no DNS.
    pub fn deployment_url(&self) -> String {
        format!("{}/services/{{host}}", self.endpoint_url)
    }
}

/// A field of one cloud in what the sandbox printed.
fn said(ready: &Value, cloud: &str, field: &str) -> anyhow::Result<String> {
    ready[cloud][field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("the sandbox's JSON has no {cloud}.{field}"))
}

fn azure(ready: &Value) -> anyhow::Result<AzureConfig> {
    let url = |field: &str| -> anyhow::Result<url::Url> {
        said(ready, "azure", field)?
            .parse()
            .with_context(|| format!("azure.{field} in the sandbox's JSON"))
    };
    Ok(AzureConfig {
        authority: url("authority")?,
        resource_manager: url("resource_manager")?,
        graph: url("graph")?,
        portal_url: url("portal_url")?,
        ca_certificate: Some(said(ready, "azure", "ca_certificate")?.into()),
        application: Some(application(ready)?),
        ..AzureConfig::default()
    })
}

/// The operator's application, without any secret: it trusts this server's
/// issuer.
fn application(ready: &Value) -> anyhow::Result<Application> {
    let tenants = ready["azure"]["tenants"].as_array();
    let client_id = tenants
        .into_iter()
        .flatten()
        .find(|tenant| tenant["role"] == "operator")
        .and_then(|tenant| tenant["client_id"].as_str())
        .context("the sandbox's JSON has no operator's application")?;
    Ok(Application {
        client_id: client_id.parse()?,
        name: "Landfall".to_owned(),
        client_secret_file: None,
    })
}

fn account(aws: &Value, role: &str) -> anyhow::Result<Account> {
    let accounts = aws["accounts"].as_array().map_or(&[][..], Vec::as_slice);
    let account = accounts
        .iter()
        .find(|account| account["role"] == role)
        .ok_or_else(|| anyhow!("the sandbox's JSON has no {role} account"))?;
    let text = |key: &str| {
        account[key]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("the sandbox's {role} account has no {key}"))
    };
    Ok(Account {
        account_id: text("id")?,
        access_key_id: text("access_key_id")?,
        secret_access_key: text("secret_access_key")?,
    })
}
