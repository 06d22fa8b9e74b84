//! The operator's template bucket: one `PutObject`, signed by hand. An SDK for
//! one call would cost more to build than everything else here together.

use crate::{
    client::{Clients, is_loopback},
    config::{ConfigError, TemplateBucket},
    error::{Effect, from_service},
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use landfall_model::{
    Clock,
    connection::AwsConnection,
    driver::{Failure, FailureKind},
    grant::AwsGrant,
};
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use url::Url;

pub(crate) struct Bucket {
    base: Url,
    region: String,
    http: reqwest::Client,
    server: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
}

impl Bucket {
    pub(crate) fn new(
        config: &TemplateBucket,
        clients: &Clients,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30));
        if is_loopback(&config.url) {
            http = http.no_proxy();
        }
        Ok(Self {
            base: config.url.clone(),
            region: config
                .region
                .clone()
                .unwrap_or_else(|| clients.home().to_owned()),
            http: http.build().map_err(ConfigError::HttpClient)?,
            server: clients.server_credentials().clone(),
            clock,
        })
    }

    /// Where a connection's template of one version is read. A new version has
    /// a new address: a link that somebody kept still makes what it said.
    pub(crate) fn template_url(&self, connection: AwsConnection<'_>, version: u32) -> String {
        format!(
            "{}/landfall/{}/v{version}.json",
            self.base.as_str().trim_end_matches('/'),
            connection.id
        )
    }

    pub(crate) async fn put(
        &self,
        connection: AwsConnection<'_>,
        spec: &AwsGrant,
    ) -> Result<(), Failure> {
        let url = self.template_url(connection, spec.version);
        let body = spec.template.to_string().into_bytes();
        let mut request = self.http.put(&url);
        for (name, value) in self.signature(&url, &body).await? {
            request = request.header(name, value);
        }
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            // The URL is in our own message, and a proxy's is nobody's business.
            .map_err(|error| unreachable_bucket(&url, &error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        let code = element(&text, "Code").unwrap_or("Refused");
        let said = element(&text, "Message").unwrap_or_default();
        Err(from_service(
            code,
            &format!("the template bucket refused {url} with {status}: {said}"),
            status.as_u16(),
            "s3:PutObject",
            Effect::Read,
        ))
    }

    async fn signature(&self, url: &str, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
        let not_sent = |error: &dyn std::error::Error| {
            Failure::new(
                FailureKind::Unauthorized,
                "NotSigned",
                format!("the template could not be signed as this server: {error}"),
            )
        };
        let identity = self
            .server
            .provide_credentials()
            .await
            .map_err(|error| not_sent(&error))?
            .into();
        // S3 wants the payload's digest as a header, and paths as they are.
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let millis = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(UNIX_EPOCH + Duration::from_millis(millis))
            .settings(settings)
            .build()
            .map_err(|error| not_sent(&error))?
            .into();
        let request = SignableRequest::new(
            "PUT",
            url,
            [("content-type", "application/json")].into_iter(),
            SignableBody::Bytes(body),
        )
        .map_err(|error| not_sent(&error))?;
        let (instructions, _) = sign(request, &parameters)
            .map_err(|error| not_sent(&error))?
            .into_parts();
        Ok(instructions
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

fn unreachable_bucket(url: &str, error: &reqwest::Error) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "NoAnswer",
        format!("the template bucket did not answer for {url}: {error}"),
    )
}

/// The text of an element of S3's small error documents.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
