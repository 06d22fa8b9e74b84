//! SDK clients, all made in one way.

use crate::config::{AwsConfig, Identity};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, default_provider::credentials::DefaultCredentialsChain,
    identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{ConnectorBuilder, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::{http::SharedHttpClient, identity::ResolveCachedIdentity};
use secrecy::ExposeSecret;
use std::time::Duration;

/// Long enough for a slow region; short enough that a hung endpoint does not
/// hold a worker. Nothing that is asked here takes longer: operations are
/// asynchronous.
const ANSWER: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// Makes clients that share one connection pool.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    http: SharedHttpClient,
    endpoint: Option<String>,
    home: Region,
    server: SharedCredentialsProvider,
}

impl Clients {
    pub(crate) async fn new(config: &AwsConfig) -> Self {
        let home = Region::new(config.home_region().to_owned());
        let server = match &config.identity {
            Identity::Ambient => SharedCredentialsProvider::new(
                DefaultCredentialsChain::builder()
                    .region(home.clone())
                    .build()
                    .await,
            ),
            Identity::Static {
                access_key_id,
                secret_access_key,
                session_token,
            } => SharedCredentialsProvider::new(Credentials::new(
                access_key_id,
                secret_access_key.expose_secret(),
                session_token
                    .as_ref()
                    .map(|token| token.expose_secret().to_owned()),
                None,
                "landfall-configuration",
            )),
        };
        Self {
            http: http_client(config.endpoint_url.as_ref()),
            // The SDK joins paths to it: a trailing slash would double.
            endpoint: config
                .endpoint_url
                .as_ref()
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
            home,
            server,
        }
    }

    pub(crate) fn home(&self) -> &str {
        self.home.as_ref()
    }

    /// The server's own credentials.
    pub(crate) fn server_credentials(&self) -> &SharedCredentialsProvider {
        &self.server
    }

    /// STS in the home region, as this server.
    pub(crate) fn server_sts(&self) -> aws_sdk_sts::Client {
        // The SDK's cache renews the machine's credentials before they end.
        let cache = IdentityCache::lazy().build();
        aws_sdk_sts::Client::new(&self.sdk(self.home.clone(), self.server.clone(), cache))
    }

    /// STS in the home region, as nobody: a token speaks for its bearer.
    pub(crate) fn anonymous_sts(&self) -> aws_sdk_sts::Client {
        let nobody = Credentials::new("none", "none", None, None, "landfall-nobody");
        aws_sdk_sts::Client::new(&self.home_as(SharedCredentialsProvider::new(nobody)))
    }

    /// Configuration for clients in the home region, as somebody else.
    pub(crate) fn home_as(&self, who: SharedCredentialsProvider) -> SdkConfig {
        self.region_as(self.home(), who)
    }

    /// Configuration for clients in `region`, as somebody else.
    pub(crate) fn region_as(&self, region: &str, who: SharedCredentialsProvider) -> SdkConfig {
        // Role sessions are kept, renewed and dropped in one place (see
        // `session`): a second cache would serve revoked ones.
        let cache = IdentityCache::no_cache();
        self.sdk(Region::new(region.to_owned()), who, cache)
    }

    fn sdk(
        &self,
        region: Region,
        who: SharedCredentialsProvider,
        cache: impl ResolveCachedIdentity + 'static,
    ) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            .operation_timeout(ANSWER)
            .build();
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(who)
            .identity_cache(cache)
            .http_client(self.http.clone())
            // The engine retries, with a limiter that must see every throttle;
            // checks retry by themselves.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        builder.build()
    }
}

/// As the SDK's default client, but one for all: each would load the system's
/// certificates again and keep connections of its own.
fn http_client(endpoint: Option<&url::Url>) -> SharedHttpClient {
    // A proxy of the environment cannot reach this machine's loopback.
    let direct = endpoint.is_some_and(is_loopback);
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(if direct {
            ProxyConfig::disabled()
        } else {
            ProxyConfig::from_env()
        }));
        connector.build()
    })
}

pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
