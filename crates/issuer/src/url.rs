/// AWS docs: CreateOpenIDConnectProvider, `Url`.
const LONGEST: usize = 255;

/// The URL that an issuer may have in all three clouds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUrl(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{url}' cannot be an issuer's URL: {reason}")]
pub struct InvalidUrl {
    pub url: String,
    pub reason: &'static str,
}

impl IssuerUrl {
    /// `https://host/path`, without port, query, fragment or trailing slash.
    ///
    /// AWS refuses ports and queries ("Create an OpenID Connect identity
    /// provider in IAM"); all compare the `iss` claim with it byte for byte, so
    /// there must be one way to write it.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = |reason| InvalidUrl {
            url: text.chars().take(200).collect(),
            reason,
        };
        let text = text.trim_end_matches('/');
        let url = url::Url::parse(text).map_err(|_| invalid("it is no URL"))?;
        if url.scheme() != "https" {
            return Err(invalid("the clouds fetch its keys by https only"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it holds a user name"));
        }
        if url.port().is_some() || text.contains("://") && authority(text).contains(':') {
            return Err(invalid("AWS allows no port in it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment"));
        }
        if url.as_str().trim_end_matches('/') != text {
            return Err(invalid(
                "it is not written canonically (lower case host, no dots in the path)",
            ));
        }
        if text.len() > LONGEST {
            return Err(invalid("AWS allows 255 characters in it"));
        }
        // It becomes part of a provider's ARN and of condition keys, where ':'
        // separates, and of commands that people copy.
        let rest = text.strip_prefix("https://").unwrap_or_default();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._~/-".contains(&b);
        if rest.is_empty() || !rest.bytes().all(plain) {
            return Err(invalid(
                "only letters, digits and ._~- may be in it, with '/' between",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(length: usize) -> String {
        format!("{:x<length$}", "https://landfall.example.com/")
    }

    #[test]
    fn one_way_to_write_it() {
        for (text, read) in [
            (
                "https://landfall.example.com",
                "https://landfall.example.com",
            ),
            (
                "https://landfall.example.com/",
                "https://landfall.example.com",
            ),
            (
                "https://bucket.s3.eu-central-1.amazonaws.com/landfall/",
                "https://bucket.s3.eu-central-1.amazonaws.com/landfall",
            ),
        ] {
            assert_eq!(IssuerUrl::parse(text).unwrap().as_str(), read);
        }
        for text in [
            "",
            "landfall.example.com",
            "http://landfall.example.com",
            "http://127.0.0.1:7070",
            "https://landfall.example.com:443",
            "https://landfall.example.com:8443/x",
            "https://user@landfall.example.com",
            "https://landfall.example.com/?a=b",
            "https://landfall.example.com/#top",
            "https://Landfall.example.com",
            "https://landfall.example.com/a/../b",
            "https://landfall.example.com/@tenant",
            "https://landfall.example.com/a%20b",
            "https://landfall.example.com/a:b",
            "https://landfall.example.com/$a",
            "https://[::1]",
            &of_length(256),
        ] {
            assert!(IssuerUrl::parse(text).is_err(), "{text}");
        }
        assert!(IssuerUrl::parse(&of_length(255)).is_ok());
        assert!(IssuerUrl::parse("https://id.example.com/A-b_c.d~e/1").is_ok());
    }
}
