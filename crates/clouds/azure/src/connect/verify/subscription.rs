//! The subscription: that it is there, of this tenant, enabled, and that a role
//! counts in it.

use super::{Found, Question, Run};
use crate::{
    client::Session,
    connect::{detect, guide::place},
    door::Door,
};
use landfall_model::{
    check::Check,
    driver::{Failure, FailureKind},
    grant::azure::CONNECTION_MARK,
};
use serde_json::Value;

pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    /// Why no role of the provisioner counts; none where one does.
    pub(super) unseen: Option<Failure>,
    /// It does not, and that is the customer's doing.
    pub(super) refused: bool,
}

const FOUND: &str = "azure.subscription-found";
const TENANT: &str = "azure.tenant-matches";
const ROLE: &str = "azure.role-assigned.provisioner";

fn found_question(run: &Run<'_>) -> Question {
    Question::new(
        FOUND,
        "The subscription exists",
        format!("GET {}", run.subscription()),
    )
}

fn tenant_question(run: &Run<'_>) -> Question {
    Question::new(
        TENANT,
        "The subscription belongs to the tenant",
        format!("tenantId of {}", run.subscription()),
    )
}

fn role_question(run: &Run<'_>) -> Question {
    Question::new(
        ROLE,
        "The provisioner has a role in the subscription",
        format!("GET {} as the provisioner", run.subscription()),
    )
}

fn enabled_question(run: &Run<'_>) -> Question {
    Question::new(
        "azure.subscription-enabled",
        "The subscription is enabled",
        format!("state of {}", run.subscription()),
    )
}

pub(super) fn skip(run: &Run<'_>) -> Vec<Check> {
    skip_for(run, "not asked: nobody could sign in as the provisioner")
}

pub(super) fn skip_for(run: &Run<'_>, why: &str) -> Vec<Check> {
    [
        found_question(run),
        tenant_question(run),
        role_question(run),
        enabled_question(run),
    ]
    .into_iter()
    .map(|question| run.recorder.noted(question, Found::skipped(why)))
    .collect()
}

pub(super) async fn check(run: &Run<'_>, session: &Session<'_>) -> Findings {
    let answer = run
        .recorder
        .patiently(|| detect::subscription(session, run.azure))
        .await;
    match &answer {
        Ok(subscription) => Findings {
            checks: Seen::of(run, subscription).told(run),
            unseen: None,
            refused: false,
        },
        Err(failure) => refused(run, failure),
    }
}

/// The check that tells what a refused call means.
pub(super) fn cause(failure: &Failure) -> &'static str {
    match failure.code.as_str() {
        "SubscriptionNotFound" | "InvalidSubscriptionId" => FOUND,
        "InvalidAuthenticationTokenTenant" => TENANT,
        _ => ROLE,
    }
}

/// What a refused call to the subscription says of it.
pub(super) fn refused(run: &Run<'_>, failure: &Failure) -> Findings {
    Findings {
        checks: Seen::not(run, failure).told(run),
        unseen: Some(failure.clone()),
        refused: matches!(
            failure.kind,
            FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound
        ),
    }
}

/// What one answer says of four things.
struct Seen {
    found: Found,
    tenant: Found,
    role: Found,
    enabled: Found,
}

impl Seen {
    fn told(self, run: &Run<'_>) -> Vec<Check> {
        vec![
            run.recorder.noted(found_question(run), self.found),
            run.recorder.noted(tenant_question(run), self.tenant),
            run.recorder.noted(role_question(run), self.role),
            run.recorder.noted(enabled_question(run), self.enabled),
        ]
    }

    fn of(run: &Run<'_>, subscription: &Value) -> Self {
        let text = |name: &str| subscription[name].as_str().unwrap_or_default();
        let tenant = run.azure.tenant_id();
        Self {
            found: Found::pass(format!("\"{}\"", text("displayName"))),
            tenant: if text("tenantId").eq_ignore_ascii_case(tenant.as_str()) {
                Found::pass(format!("of {tenant}"))
            } else {
                Found::fail(
                    format!("of {}, not of {tenant}", text("tenantId")),
                    "disconnect, and connect again with the right tenant id",
                )
            },
            role: Found::pass("the provisioner may read the subscription"),
            enabled: enabled(text("state")),
        }
    }

    fn not(run: &Run<'_>, failure: &Failure) -> Self {
        let id = run.azure.subscription_id();
        let skipped = |why: &str| Found::skipped(format!("not asked: {why}"));
        match failure.code.as_str() {
            "SubscriptionNotFound" | "InvalidSubscriptionId" => Self {
                found: run.recorder.failed(
                    failure,
                    &format!(
                        "check the subscription id {id}: the portal shows it under Subscriptions"
                    ),
                ),
                tenant: skipped("there is no such subscription"),
                role: skipped("there is no such subscription"),
                enabled: skipped("there is no such subscription"),
            },
            "InvalidAuthenticationTokenTenant" => Self {
                found: Found::pass("it exists, in another tenant"),
                tenant: run.recorder.failed(
                    failure,
                    &format!(
                        "the subscription {id} belongs to another tenant than {}: check both ids, \
                         and register the application in the subscription's tenant",
                        run.azure.tenant_id()
                    ),
                ),
                role: skipped("the subscription is in another tenant"),
                enabled: skipped("the subscription is in another tenant"),
            },
            _ => Self {
                found: skipped("only who has a role in a subscription sees whether it exists"),
                tenant: skipped("the subscription is not visible to us"),
                role: run.recorder.failed(failure, &role_remedy(run)),
                enabled: skipped("the subscription is not visible to us"),
            },
        }
    }
}

fn role_remedy(run: &Run<'_>) -> String {
    let mark = match run.connector.door {
        Door::Application { .. } => format!(
            ", with {CONNECTION_MARK}{} in its description",
            run.azure.external_id
        ),
        _ => String::new(),
    };
    format!(
        "run the script again, or assign the role {} to the application at {}{mark}: \
         {} → Access control (IAM) → Add role assignment; the member is found only by typing its \
         whole name",
        run.azure.display_name("provisioner"),
        run.spec.scope,
        place(run.azure),
    )
}

/// Microsoft Learn: "Azure subscription states".
fn enabled(state: &str) -> Found {
    let remedy = "the account's owner enables it again: Subscriptions → Overview in the portal \
                  says what is due";
    match state {
        "Enabled" => Found::pass("Enabled"),
        "PastDue" | "Warned" => Found::warn(
            format!("{state}: it will be disabled unless something is paid"),
            remedy,
        ),
        other => Found::fail(format!("{other}: nothing in it can be changed"), remedy),
    }
}

fn reaper_question(run: &Run<'_>) -> Question {
    Question::new(
        "azure.role-assigned.reaper",
        "The reaper has a role in the subscription",
        format!("GET {} as the reaper", run.subscription()),
    )
}

pub(super) fn skip_role(run: &Run<'_>, why: &str) -> Check {
    run.recorder
        .noted(reaper_question(run), Found::skipped(why))
}

/// Whether the reaper's role counts.
pub(super) async fn role(run: &Run<'_>, session: &Session<'_>) -> Check {
    run.recorder
        .record(reaper_question(run), async {
            let answer = run
                .recorder
                .patiently(|| detect::subscription(session, run.azure))
                .await;
            match answer {
                Ok(_) => Found::pass("the reaper may read the subscription"),
                Err(failure) => run.recorder.failed(
                    &failure,
                    &format!(
                        "run the script again, or assign the role {} to the reaper's application",
                        run.azure.display_name("reaper")
                    ),
                ),
            }
        })
        .await
}
