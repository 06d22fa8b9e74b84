//! What the operator configures: `[clouds.aws]`.

use landfall_model::connection::Partition;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// Everything has a default: with none of it set, real AWS is used with the
/// identity that the machine has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsConfig {
    /// One endpoint for all services instead of AWS's own.
    pub endpoint_url: Option<Url>,
    /// The console that quick-create links open; `{region}` is replaced.
    /// Absent: the partition's own.
    pub console_url: Option<String>,
    /// Where quick-create links read templates; without it there is no link.
    pub template_bucket: Option<TemplateBucket>,
    /// Who this server is.
    pub identity: Identity,
    /// The region whose STS is asked; absent: `us-east-1`. A session from any
    /// regional STS endpoint is valid in all regions (AWS docs: "Manage AWS STS
    /// in an AWS Region"), so any region near the server will do.
    pub home_region: Option<String>,
    /// The IAM ARN that customers' roles shall trust, when it cannot be told
    /// from the session: a role with a path, for instance.
    pub principal_arn: Option<String>,
}

/// How this server proves to AWS who it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// The default chain: environment, profile, web identity, ECS, EC2.
    #[default]
    Ambient,
    /// Keys of an IAM user or of a session.
    Static {
        access_key_id: String,
        secret_access_key: SecretString,
        #[serde(default)]
        session_token: Option<SecretString>,
    },
}

/// A bucket of the operator's. CloudFormation reads the template with the
/// customer's identity, so everybody must be allowed `s3:GetObject` below
/// `landfall/`; templates hold no secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateBucket {
    /// `https://<bucket>.s3.<region>.amazonaws.com`, perhaps with a prefix.
    pub url: Url,
    /// The bucket's region; absent: the home region.
    #[serde(default)]
    pub region: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("clouds.aws.{field} is not usable: {reason}")]
    Setting { field: &'static str, reason: String },
    #[error("the HTTP client for the template bucket could not be made")]
    HttpClient(#[source] reqwest::Error),
}

impl AwsConfig {
    pub fn home_region(&self) -> &str {
        self.home_region.as_deref().unwrap_or("us-east-1")
    }

    /// The console of `region`, without a trailing slash.
    pub(crate) fn console(&self, partition: Partition, region: &str) -> String {
        let template = match (&self.console_url, partition) {
            (Some(url), _) => url.as_str(),
            (None, Partition::Aws) => "https://{region}.console.aws.amazon.com",
            (None, Partition::AwsUsGov) => "https://{region}.console.amazonaws-us-gov.com",
            (None, Partition::AwsCn) => "https://{region}.console.amazonaws.cn",
        };
        template
            .replace("{region}", region)
            .trim_end_matches('/')
            .to_owned()
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| {
            Err(ConfigError::Setting {
                field,
                reason: reason.to_owned(),
            })
        };
        let home = self.home_region();
        if home.is_empty()
            || !home
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return refuse("home_region", "a region looks like eu-central-1");
        }
        if let Some(console) = &self.console_url {
            let filled = console.replace("{region}", "us-east-1");
            if Url::parse(&filled).is_err() {
                return refuse(
                    "console_url",
                    "it must be a URL, perhaps with {region} in it",
                );
            }
        }
        if let Some(bucket) = &self.template_bucket
            && (bucket.url.cannot_be_a_base()
                || bucket.url.query().is_some()
                || bucket.url.fragment().is_some())
        {
            return refuse(
                "template_bucket.url",
                "it must be a plain URL without query or fragment",
            );
        }
        if let Some(arn) = &self.principal_arn
            && crate::connect::principal::parse_iam_arn(arn).is_none()
        {
            return refuse(
                "principal_arn",
                "it must be the ARN of an IAM role or user, arn:aws:iam::<account>:role/<name>",
            );
        }
        if let Identity::Static { access_key_id, .. } = &self.identity
            && access_key_id.is_empty()
        {
            return refuse("identity.access_key_id", "it is empty");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_the_partitions_own_unless_configured() {
        let config = AwsConfig::default();
        assert_eq!(
            config.console(Partition::Aws, "eu-central-1"),
            "https://eu-central-1.console.aws.amazon.com"
        );
        assert_eq!(
            config.console(Partition::AwsCn, "cn-north-1"),
            "https://cn-north-1.console.amazonaws.cn"
        );
        let own = AwsConfig {
            console_url: Some("http://127.0.0.1:4566/console/".into()),
            ..AwsConfig::default()
        };
        assert_eq!(
            own.console(Partition::Aws, "eu-central-1"),
            "http://127.0.0.1:4566/console"
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused_at_start() {
        let wrong = [
            AwsConfig {
                home_region: Some("Frankfurt!".into()),
                ..AwsConfig::default()
            },
            AwsConfig {
                console_url: Some("console".into()),
                ..AwsConfig::default()
            },
            AwsConfig {
                principal_arn: Some("arn:aws:sts::1:assumed-role/a/b".into()),
                ..AwsConfig::default()
            },
            AwsConfig {
                template_bucket: Some(TemplateBucket {
                    url: Url::parse("https://b.s3.amazonaws.com/?x=1").unwrap(),
                    region: None,
                }),
                ..AwsConfig::default()
            },
        ];
        for config in wrong {
            assert!(config.validate().is_err(), "{config:?}");
        }
        assert!(AwsConfig::default().validate().is_ok());
    }

    #[test]
    fn a_secret_key_is_not_in_the_debug_output() {
        let config: AwsConfig = serde_json::from_value(serde_json::json!({
            "identity": {"kind": "static", "access_key_id": "AKIA1", "secret_access_key": "canary-7"}
        }))
        .unwrap();
        assert!(!format!("{config:?}").contains("canary-7"));
    }
}
