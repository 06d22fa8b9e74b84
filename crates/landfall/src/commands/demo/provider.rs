//! The cloud that the demo uses: a sandbox in this process, or one that was
//! started separately.

use anyhow::{Context as _, anyhow};
use landfall_aws::{AwsConfig, Identity, TemplateBucket};
use serde_json::Value;
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
    operator: Account,
    pub customer: Account,
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
            operator: account(aws, "operator")?,
            customer: account(aws, "customer")?,
            running,
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

    /// Load balancers of simulated accounts have no DNS.
    pub fn deployment_url(&self) -> String {
        format!("{}/services/{{host}}", self.endpoint_url)
    }
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
