//! The layers that must agree before a request is allowed.

use super::document::Policy;
use super::evaluate::{Request, Verdict, evaluate};
use std::sync::Arc;

/// Everything that bears on one principal (AWS docs: "Policy evaluation logic
/// for requests within a single account"). A layer that is `None` does not
/// limit; a layer that is empty allows nothing.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    pub organization: Option<Vec<Arc<Policy>>>,
    pub identity: Vec<Arc<Policy>>,
    /// Where each of `identity` comes from, as the simulator names it.
    pub identity_sources: Vec<String>,
    pub boundary: Option<Vec<Arc<Policy>>>,
    pub session: Option<Vec<Arc<Policy>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    Organization,
    Identity,
    Boundary,
    Session,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// A statement of this layer denies.
    ExplicitDeny(Layer),
    /// No statement of this layer allows.
    ImplicitDeny(Layer),
}

impl Layer {
    /// As error messages name it.
    pub fn described(self) -> &'static str {
        match self {
            Self::Organization => "service control policy",
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        }
    }

    pub fn with_article(self) -> &'static str {
        match self {
            Self::Organization => "a service control policy",
            Self::Identity => "an identity-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
        }
    }
}

impl Layers {
    /// An explicit Deny in any layer wins; then every layer has to allow.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let verdicts = self.verdicts(request);
        if let Some((layer, _)) = verdicts.iter().find(|(_, verdict)| verdict.is_denied()) {
            return Decision::ExplicitDeny(*layer);
        }
        match verdicts.iter().find(|(_, verdict)| !verdict.is_allowed()) {
            Some((layer, _)) => Decision::ImplicitDeny(*layer),
            None => Decision::Allowed,
        }
    }

    /// What each layer that limits says.
    pub fn verdicts(&self, request: &Request<'_>) -> Vec<(Layer, Verdict)> {
        let says =
            |policies: &Vec<Arc<Policy>>| evaluate(policies.iter().map(Arc::as_ref), request);
        let mut verdicts = Vec::with_capacity(4);
        if let Some(policies) = &self.organization {
            verdicts.push((Layer::Organization, says(policies)));
        }
        verdicts.push((Layer::Identity, says(&self.identity)));
        if let Some(policies) = &self.boundary {
            verdicts.push((Layer::Boundary, says(policies)));
        }
        if let Some(policies) = &self.session {
            verdicts.push((Layer::Session, says(policies)));
        }
        verdicts
    }
}
