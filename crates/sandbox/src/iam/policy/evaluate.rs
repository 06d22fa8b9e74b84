//! What policies decide about one request.

use super::document::{Effect, Policy, Principals, Set, Statement};
use super::pattern::{arn_like, plain, substitute, wildcard};
use crate::iam::Context;

/// One action on one resource by somebody described in the context.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub action: &'a str,
    /// An ARN, or `*` for an action without a resource.
    pub resource: &'a str,
    pub context: &'a Context,
}

/// What a set of policies says, with the statements that said it: index of the
/// policy, index of the statement in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Denied(Vec<(usize, usize)>),
    Allowed(Vec<(usize, usize)>),
    /// No statement speaks of the request: denied by default.
    Silent,
}

impl Verdict {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }

    /// The statements that decided.
    pub fn matched(&self) -> &[(usize, usize)] {
        match self {
            Self::Denied(matched) | Self::Allowed(matched) => matched,
            Self::Silent => &[],
        }
    }
}

/// Weighs policies that stand side by side: one Deny anywhere wins over every
/// Allow.
pub fn evaluate<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    request: &Request<'_>,
) -> Verdict {
    let mut allows = Vec::new();
    let mut denies = Vec::new();
    for (p, policy) in policies.into_iter().enumerate() {
        for (s, statement) in policy.statements.iter().enumerate() {
            if statement.applies(request, policy.variables) {
                match statement.effect {
                    Effect::Allow => allows.push((p, s)),
                    Effect::Deny => denies.push((p, s)),
                }
            }
        }
    }
    if !denies.is_empty() {
        Verdict::Denied(denies)
    } else if !allows.is_empty() {
        Verdict::Allowed(allows)
    } else {
        Verdict::Silent
    }
}

impl Statement {
    /// Whether action, resource and every condition match.
    pub fn applies(&self, request: &Request<'_>, variables: bool) -> bool {
        self.concerns(request, variables)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(request.context, variables))
    }

    /// Whether action and resource match, whatever the conditions say.
    pub fn concerns(&self, request: &Request<'_>, variables: bool) -> bool {
        self.actions.contains(|pattern| {
            wildcard(
                &pattern.to_ascii_lowercase(),
                &request.action.to_ascii_lowercase(),
            )
        }) && self.resources.as_ref().is_none_or(|resources| {
            resources.contains(|pattern| {
                if variables {
                    substitute(pattern, request.context)
                        .is_some_and(|pattern| arn_like(&pattern, request.resource))
                } else {
                    arn_like(pattern, request.resource)
                }
            })
        })
    }
}

impl Set {
    fn contains(&self, matches: impl FnMut(&String) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.negated
    }
}

/// How a trust policy's statement names a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    No,
    /// By its account or by `*`: the account's own policies still decide.
    Account,
    /// By the ARN of the user, role or session itself.
    Itself,
}

impl Principals {
    /// Whether an AWS service is meant.
    pub fn names_service(&self, service: &str) -> bool {
        let everyone = self.aws.iter().any(|entry| entry == "*");
        (everyone || self.services.iter().any(|entry| entry == service)) != self.negated
    }

    /// Whether a principal is meant: its account, the ARN of its user or role,
    /// and its ARN in this session.
    pub fn names(&self, account: &str, principal_arn: &str, session_arn: &str) -> Named {
        let found = self
            .aws
            .iter()
            .map(|entry| {
                let entry = plain(entry);
                if entry == principal_arn || entry == session_arn {
                    Named::Itself
                } else if entry == "*"
                    || entry == account
                    || entry == format!("arn:aws:iam::{account}:root")
                {
                    Named::Account
                } else {
                    Named::No
                }
            })
            .max()
            .unwrap_or(Named::No);
        match (self.negated, found) {
            (false, found) => found,
            (true, Named::No) => Named::Account,
            (true, _) => Named::No,
        }
    }
}
