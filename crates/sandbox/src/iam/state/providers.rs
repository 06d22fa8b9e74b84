//! OpenID Connect providers: issuers whose tokens an account believes.

use super::limits::{check_tags, limit};
use super::{Moment, State, Versioned, no_entity};
use crate::clock::WallTime;
use crate::wire::AwsError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// AWS docs: "IAM and AWS STS quotas".
const PROVIDERS: usize = 100;
const CLIENT_IDS: usize = 100;
const THUMBPRINTS: usize = 5;
const URL: usize = 255;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OidcProvider {
    pub arn: String,
    /// With `https://`, as it was given.
    pub url: String,
    /// The audiences whose tokens are accepted.
    pub client_ids: Versioned<Vec<String>>,
    pub thumbprints: Vec<String>,
    pub created: WallTime,
    pub tags: BTreeMap<String, String>,
}

impl OidcProvider {
    /// The URL without its scheme: what ARNs and condition keys carry.
    pub fn host_and_path(&self) -> &str {
        host_and_path(&self.url)
    }
}

pub(crate) fn host_and_path(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url)
}

/// A provider to create.
#[derive(Debug, Clone, Default)]
pub struct NewOidcProvider {
    pub url: String,
    pub client_ids: Vec<String>,
    pub thumbprints: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

impl State {
    /// A provider by its ARN.
    pub fn oidc_provider(&self, arn: &str) -> Result<&OidcProvider, AwsError> {
        self.oidc_providers
            .get(arn)
            .ok_or_else(|| no_entity(format!("OpenIDConnect Provider not found for arn {arn}")))
    }

    /// All providers, by ARN.
    pub fn oidc_providers(&self) -> impl Iterator<Item = &OidcProvider> {
        self.oidc_providers.values()
    }

    pub fn oidc_provider_arn(&self, url: &str) -> String {
        format!(
            "arn:aws:iam::{}:oidc-provider/{}",
            self.account_id,
            host_and_path(url)
        )
    }

    pub fn create_oidc_provider(
        &mut self,
        at: &Moment,
        new: NewOidcProvider,
    ) -> Result<&OidcProvider, AwsError> {
        check_url(&new.url)?;
        check_thumbprints(&new.thumbprints)?;
        check_tags(&new.tags)?;
        let client_ids = checked_client_ids(new.client_ids)?;
        let arn = self.oidc_provider_arn(&new.url);
        if self.oidc_providers.contains_key(&arn) {
            return Err(AwsError::new(
                409,
                "EntityAlreadyExists",
                format!("Provider with url {} already exists.", new.url),
            ));
        }
        if self.oidc_providers.len() >= PROVIDERS {
            return Err(limit(format!(
                "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {PROVIDERS}"
            )));
        }
        let provider = OidcProvider {
            arn: arn.clone(),
            url: new.url,
            client_ids: Versioned::new(client_ids, at.effective_at),
            thumbprints: new.thumbprints,
            created: at.wall,
            tags: new.tags,
        };
        Ok(self.oidc_providers.entry(arn).or_insert(provider))
    }

    /// Replaces the client ids.
    pub fn set_client_ids(
        &mut self,
        at: &Moment,
        arn: &str,
        client_ids: Vec<String>,
    ) -> Result<(), AwsError> {
        let client_ids = checked_client_ids(client_ids)?;
        let provider = self.oidc_provider_mut(arn)?;
        if *provider.client_ids.latest() != client_ids {
            provider.client_ids.set(client_ids, at);
        }
        Ok(())
    }

    /// Replaces the thumbprints; at least one must be left.
    pub fn set_thumbprints(&mut self, arn: &str, thumbprints: Vec<String>) -> Result<(), AwsError> {
        check_thumbprints(&thumbprints)?;
        self.oidc_provider_mut(arn)?.thumbprints = thumbprints;
        Ok(())
    }

    pub fn tag_oidc_provider(
        &mut self,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let provider = self.oidc_provider_mut(arn)?;
        let mut all = provider.tags.clone();
        all.extend(tags);
        check_tags(&all)?;
        provider.tags = all;
        Ok(())
    }

    pub fn untag_oidc_provider(&mut self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        self.oidc_provider_mut(arn)?
            .tags
            .retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// Removes a provider. Roles that trust it stay as they are, and nobody can
    /// assume them through it any more.
    pub fn remove_oidc_provider(&mut self, arn: &str) -> Option<OidcProvider> {
        self.oidc_providers.remove(arn)
    }

    fn oidc_provider_mut(&mut self, arn: &str) -> Result<&mut OidcProvider, AwsError> {
        self.oidc_provider(arn)?;
        self.oidc_providers
            .get_mut(arn)
            .ok_or_else(|| no_entity(format!("OpenIDConnect Provider not found for arn {arn}")))
    }
}

/// https, a host, no port and no query (AWS docs: "CreateOpenIDConnectProvider").
fn check_url(url: &str) -> Result<(), AwsError> {
    let invalid = |why: &str| {
        Err(AwsError::bad(
            "InvalidInput",
            format!("Invalid Open ID Connect Url: {why}"),
        ))
    };
    let Some(rest) = url.strip_prefix("https://") else {
        return invalid("it must begin with https://");
    };
    if url.chars().count() > URL {
        return Err(AwsError::validation(format!(
            "1 validation error detected: Value at 'url' failed to satisfy constraint: Member \
             must have length less than or equal to {URL}"
        )));
    }
    if rest.contains(['?', '#', '@']) || rest.chars().any(char::is_whitespace) {
        return invalid("it must not contain a query, a fragment or a user");
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains(':') {
        return invalid("it must contain a host and no port");
    }
    Ok(())
}

fn checked_client_ids(given: Vec<String>) -> Result<Vec<String>, AwsError> {
    let mut ids: Vec<String> = Vec::new();
    for id in given {
        if id.is_empty() || id.chars().count() > 255 {
            return Err(AwsError::validation(
                "1 validation error detected: Value at 'clientIDList' failed to satisfy \
                 constraint: Member must satisfy constraint: [Member must have length between 1 \
                 and 255]",
            ));
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > CLIENT_IDS {
        return Err(limit(format!(
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS}"
        )));
    }
    Ok(ids)
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), AwsError> {
    if thumbprints.len() > THUMBPRINTS {
        return Err(AwsError::bad(
            "InvalidInput",
            "Thumbprint list must contain fewer than 5 entries.",
        ));
    }
    let shaped = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if thumbprints.iter().all(shaped) {
        return Ok(());
    }
    Err(AwsError::validation(
        "1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: \
         Member must satisfy constraint: [Member must have length 40]",
    ))
}
