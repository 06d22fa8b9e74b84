//! The methods of the APIs: which request is which.

use super::call::{Answer, Call};
use super::{iam, resources, tokens};
use std::collections::BTreeMap;

/// Who may ask at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Authenticated,
    /// Token endpoints: what they are given is the credential.
    Anyone,
}

pub(super) struct Route {
    pub service: &'static str,
    pub method: &'static str,
    /// Segments in braces are parameters.
    pub path: &'static str,
    /// As the discovery document calls the method.
    pub id: &'static str,
    pub who: Who,
    pub handle: fn(&mut Call<'_, '_>) -> Answer,
}

/// Method, path, id and handler, as in [`Route`], of a service's methods.
pub(super) type Methods = &'static [(
    &'static str,
    &'static str,
    &'static str,
    fn(&mut Call<'_, '_>) -> Answer,
)];

/// All methods of a service.
fn tables() -> [(&'static str, Who, Methods); 9] {
    [
        ("oauth2", Who::Anyone, tokens::OAUTH2),
        ("sts", Who::Anyone, tokens::STS),
        ("iamcredentials", Who::Authenticated, tokens::CREDENTIALS),
        ("iam", Who::Authenticated, iam::METHODS),
        (
            "cloudresourcemanager",
            Who::Authenticated,
            resources::MANAGER,
        ),
        ("serviceusage", Who::Authenticated, resources::USAGE),
        ("cloudbilling", Who::Authenticated, resources::BILLING),
        ("orgpolicy", Who::Authenticated, resources::ORG_POLICY),
        ("cloudquotas", Who::Authenticated, resources::QUOTAS),
    ]
}

pub(super) fn all() -> &'static [Route] {
    static ALL: std::sync::OnceLock<Vec<Route>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        tables()
            .into_iter()
            .flat_map(|(service, who, table)| {
                table.iter().map(move |&(method, path, id, handle)| Route {
                    service,
                    method,
                    path,
                    id,
                    who,
                    handle,
                })
            })
            .collect()
    })
}

/// The method behind a request, with what its path names.
pub(super) fn find(
    service: &str,
    method: &str,
    path: &str,
) -> Option<(&'static Route, BTreeMap<&'static str, String>)> {
    all()
        .iter()
        .filter(|route| route.service == service && route.method == method)
        .find_map(|route| Some((route, params(route.path, path)?)))
}

fn params(pattern: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut found = BTreeMap::new();
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let is = segments.next()?;
        let is = percent_encoding::percent_decode_str(is)
            .decode_utf8()
            .ok()?;
        let Some(rest) = wanted.strip_prefix('{') else {
            if wanted == is {
                continue;
            }
            return None;
        };
        let (name, verb) = rest.split_once('}')?;
        let value = is.strip_suffix(verb)?;
        if value.is_empty() || value.contains([':', '/']) {
            return None;
        }
        found.insert(name, value.to_owned());
    }
    segments.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_escapes_are_told_apart_from_names() {
        let found = |path: &str| {
            find("iam", "POST", path)
                .map(|(route, params)| (route.id, params.get("account").cloned()))
        };
        let account = "v1/projects/p/serviceAccounts/a%40p.iam.gserviceaccount.com";
        let (id, named) = found(&format!("{account}:setIamPolicy")).unwrap();
        assert_eq!(id, "iam.projects.serviceAccounts.setIamPolicy");
        assert_eq!(named.as_deref(), Some("a@p.iam.gserviceaccount.com"));
        assert!(found(account).is_none());
        assert!(found(&format!("{account}:nothing")).is_none());
        assert!(found("v1/projects//serviceAccounts").is_none());
        assert!(found("v1/projects/p%2Fq/serviceAccounts").is_none());
    }
}
