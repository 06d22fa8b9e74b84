//! Organization policies that stand in the way. Reading them takes a role that
//! is rarely given: what we cannot see is said to be unseen, not to be fine.

use super::{Found, Question, Run, Sessions, no_session};
use crate::{door::Door, http::Session};
use landfall_model::{
    check::Check,
    driver::FailureKind,
    grant::{GcpIdentity, GcpTrust},
};
use serde_json::Value;

/// The second of the troubles that customers really have.
pub(super) const SHARING: &str = "\"Cannot grant access to the service account\": the policy \
     Domain restricted sharing (iam.allowedPolicyMemberDomains) lets only members of some \
     customers in, or the wrong Google account or organization is selected in the console. An \
     Organization Policy Administrator adds this organization's customer id to the policy. Who \
     cannot open or edit the policy lacks that role: an organization administrator grants it to \
     themselves at IAM & Admin → their principal → pencil → add role Organization Policy \
     Administrator → save";

/// The same for an account of this server's, which is in no organization of the
/// customer's.
pub(super) const SHARING_OUR_ACCOUNT: &str = "If the setup was refused because members \"do not \
     belong to a permitted customer\", the policy Domain restricted sharing \
     (iam.allowedPolicyMemberDomains) keeps accounts of other organizations out: connect by \
     workload-identity, which binds none, or let an Organization Policy Administrator allow this \
     server's account in the project";

/// In a grant on a folder or an organization, the bootstrap's own role has what
/// this takes; another one bound there would be one too many.
const INVISIBLE_ABOVE: &str = "run the setup again: by its custom role the bootstrap sees these \
     policies; without it, everything else works";

const INVISIBLE: &str = "to let Landfall look, grant the bootstrap account Organization Policy \
     Viewer (roles/orgpolicy.policyViewer) on the organization; without it, everything else works";

/// A constraint, and what it means for this connection.
#[derive(Clone, Copy)]
enum Constraint {
    Keys,
    ManagedKeys,
    Sharing,
    ManagedSharing,
    Issuers,
    Locations,
}

const ALL: [Constraint; 6] = [
    Constraint::Keys,
    Constraint::ManagedKeys,
    Constraint::Sharing,
    Constraint::ManagedSharing,
    Constraint::Issuers,
    Constraint::Locations,
];

impl Constraint {
    const fn name(self) -> &'static str {
        match self {
            Self::Keys => "iam.disableServiceAccountKeyCreation",
            Self::ManagedKeys => "iam.managed.disableServiceAccountKeyCreation",
            Self::Sharing => "iam.allowedPolicyMemberDomains",
            Self::ManagedSharing => "iam.managed.allowedPolicyMembers",
            Self::Issuers => "iam.workloadIdentityPoolProviders",
            Self::Locations => "gcp.resourceLocations",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::ManagedKeys => "managed-keys",
            Self::Sharing => "sharing",
            Self::ManagedSharing => "managed-sharing",
            Self::Issuers => "issuers",
            Self::Locations => "locations",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Keys | Self::ManagedKeys => {
                "No organization policy breaks this method by forbidding keys"
            }
            Self::Sharing | Self::ManagedSharing => {
                "No organization policy keeps members out that Landfall binds"
            }
            Self::Issuers => "No organization policy forbids this server as an issuer",
            Self::Locations => "No organization policy forbids the chosen regions",
        }
    }
}

pub(super) async fn check(run: &Run<'_>, sessions: &Sessions) -> Vec<Check> {
    let session = sessions.bootstrap.as_ref();
    futures::future::join_all(ALL.map(|constraint| one(run, session, constraint))).await
}

async fn one(run: &Run<'_>, session: Option<&Session>, constraint: Constraint) -> Check {
    let name = constraint.name();
    let question = Question::new(
        format!("gcp.organization-policy.{}", constraint.id()),
        constraint.title(),
        format!("orgpolicy policies.getEffectivePolicy of {name}"),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let path = format!(
                "v2/projects/{}/policies/{name}:getEffectivePolicy",
                run.connection.project_id()
            );
            match run
                .recorder
                .patiently(|| session.get("orgpolicy", &path))
                .await
            {
                Ok(policy) => judge(run, constraint, &policy),
                Err(failure)
                    if matches!(failure.kind, FailureKind::Denied | FailureKind::NotFound) =>
                {
                    let remedy = match run.grant.parent {
                        Some(_) => INVISIBLE_ABOVE,
                        None => INVISIBLE,
                    };
                    Found::warn(format!("not visible to us: {failure}"), remedy)
                }
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

fn judge(run: &Run<'_>, constraint: Constraint, policy: &Value) -> Found {
    let rules: Vec<&Value> = policy["spec"]["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    if rules.is_empty() {
        return Found::pass("not set");
    }
    let enforced = rules.iter().any(|rule| rule["enforce"] == true);
    let by_key = matches!(run.connector.door, Door::Key(_));
    match constraint {
        Constraint::Keys | Constraint::ManagedKeys => match (enforced, by_key) {
            (false, _) => Found::pass("not enforced"),
            (true, false) => Found::pass("enforced; this connection needs no key"),
            (true, true) => Found::warn(
                "enforced: this key goes on working, and no new one can be made",
                "migrate this connection to workload-identity, which needs no key",
            ),
        },
        Constraint::Sharing | Constraint::ManagedSharing
            if matches!(run.connector.door, Door::Account(_))
                && (enforced || matches!(constraint, Constraint::Sharing)) =>
        {
            Found::warn(
                "set: the binding of this server's account that exists goes on working, and \
                 perhaps cannot be made again",
                SHARING_OUR_ACCOUNT,
            )
        }
        // All members that are bound are in the customer's own project, so what
        // is refused would have been refused in the setup.
        Constraint::Sharing => Found::pass(format!(
            "set ({}); all members of this grant are of your own organization",
            listed(&rules, "allowedValues").join(", ")
        )),
        Constraint::ManagedSharing if !enforced => Found::pass("not enforced"),
        Constraint::ManagedSharing => {
            Found::pass("enforced; all members of this grant are of your own organization")
        }
        Constraint::Issuers => issuers(run, &rules),
        Constraint::Locations => locations(run, &rules),
    }
}

fn listed<'a>(rules: &[&'a Value], field: &str) -> Vec<&'a str> {
    rules
        .iter()
        .filter_map(|rule| rule["values"][field].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn all(rules: &[&Value], field: &str) -> bool {
    rules.iter().any(|rule| rule[field] == true)
}

fn issuers(run: &Run<'_>, rules: &[&Value]) -> Found {
    let GcpTrust::Federation { issuer_url, .. } = &run.grant.trust else {
        return Found::pass("set; this connection needs no issuer");
    };
    let is = |value: &&str| value.strip_prefix("is:").unwrap_or(value) == issuer_url;
    let allowed = listed(rules, "allowedValues");
    let forbidden = all(rules, "denyAll")
        || listed(rules, "deniedValues").iter().any(is)
        || (!allowed.is_empty() && !allowed.iter().any(is));
    if forbidden && !all(rules, "allowAll") {
        Found::warn(
            format!("{issuer_url} is not among the issuers that may be used"),
            format!(
                "the provider that exists goes on working, and cannot be made again: an \
                 Organization Policy Administrator adds {issuer_url} to \
                 iam.workloadIdentityPoolProviders"
            ),
        )
    } else {
        Found::pass(format!("{issuer_url} is allowed"))
    }
}

fn locations(run: &Run<'_>, rules: &[&Value]) -> Found {
    let allowed = listed(rules, "allowedValues");
    let denied = listed(rules, "deniedValues");
    if all(rules, "allowAll") {
        return Found::pass("all locations are allowed");
    }
    // `in:eu-locations` and the like are groups that only Google can resolve.
    let group = |value: &&&str| value.starts_with("in:");
    let names = |values: &[&str], region: &str| {
        values.iter().any(|value| {
            let value = value.strip_prefix("is:").unwrap_or(value);
            value == region
                || value
                    .strip_prefix("in:")
                    .and_then(|v| v.strip_suffix("-locations"))
                    == Some(region)
        })
    };
    let regions = &run.connection.regions;
    let forbidden: Vec<&str> = regions
        .iter()
        .map(String::as_str)
        .filter(|region| {
            all(rules, "denyAll")
                || names(&denied, region)
                || (!allowed.is_empty()
                    && !names(&allowed, region)
                    && !allowed.iter().any(|value| group(&value)))
        })
        .collect();
    let said = format!(
        "allowed: {}; denied: {}",
        or_none(&allowed),
        or_none(&denied)
    );
    if !forbidden.is_empty() {
        Found::fail(
            format!("forbidden: {} ({said})", forbidden.join(", ")),
            "choose other regions, or ask an Organization Policy Administrator to allow these in \
             gcp.resourceLocations",
        )
    } else if allowed.iter().chain(&denied).any(|value| group(&value))
        && regions.iter().any(|region| !names(&allowed, region))
    {
        Found::warn(
            format!("the policy names groups of locations, which only Google resolves ({said})"),
            "see in the console (IAM & Admin → Organization Policies → Resource Location \
             Restriction) whether the chosen regions are in them",
        )
    } else {
        Found::pass(said)
    }
}

fn or_none(values: &[&str]) -> String {
    if values.is_empty() {
        "nothing".to_owned()
    } else {
        values.join(", ")
    }
}
