//! Whether the roles may do what they must, and may not what they must not.
//!
//! Asked of IAM's simulator, which knows the role's policies, its boundary and
//! the organization's service control policies, but not resource policies.

use super::{Account, Found, Question, Run, no_session};
use crate::error::{Effect, from_sdk};
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};
use landfall_model::{
    check::Check,
    driver::Failure,
    grant::{Identity, PermissionGroup, PermissionQuestion},
};

/// Actions in one request.
const BATCH: usize = 50;
/// Wrong answers that are named; the rest are counted.
const NAMED: usize = 5;

/// A simulated answer that is not the one wanted.
struct Wrong {
    identity: Identity,
    action: String,
    resource: String,
    /// The action should have been allowed.
    wanted: bool,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Allowed,
    ServiceControlPolicy,
    Boundary,
    ExplicitDeny,
    NotAllowed,
}

impl Wrong {
    fn sentence(&self) -> String {
        let who = self.identity.as_str();
        let what = format!("{} on {}", self.action, self.resource);
        match self.why {
            Why::Allowed => format!("the {who} may {what}, {MUST_NOT}"),
            Why::ServiceControlPolicy => {
                format!(
                    "the {who} may not {what}: a service control policy of the organization denies it"
                )
            }
            Why::Boundary => format!("the {who} may not {what}: its permissions boundary lacks it"),
            Why::ExplicitDeny => format!("the {who} may not {what}: a policy denies it explicitly"),
            Why::NotAllowed => format!("the {who} may not {what}: no policy allows it"),
        }
    }
}

const MUST_NOT: &str = "but must not";

/// Whether a check has found that the provisioner needs nobody else to destroy.
pub(super) fn one_key(check: &Check) -> bool {
    let may = format!("the {} may ", Identity::Provisioner.as_str());
    check.id.starts_with("aws.permissions.")
        && check
            .evidence
            .split("; ")
            .any(|sentence| sentence.contains(&may) && sentence.contains(MUST_NOT))
}

pub(super) async fn check(
    run: &Run<'_>,
    group: &PermissionGroup,
    account: Option<&Account>,
) -> Check {
    let questions: Vec<&PermissionQuestion> = group
        .questions
        .iter()
        .filter(|question| run.connection.with_reaper || question.identity != Identity::Reaper)
        .collect();
    let calls: usize = questions
        .iter()
        .map(|question| question.actions.len())
        .sum();
    let question = Question::new(
        format!("aws.permissions.{}", group.id),
        group.title.clone(),
        format!("iam:SimulatePrincipalPolicy for {calls} calls"),
    );
    run.recorder
        .record(question, async {
            if questions.is_empty() {
                return Found::skipped(
                    "not asked: these permissions are the reaper's, which was left out",
                );
            }
            let Some(account) = account else {
                return no_session();
            };
            let mut wrong = Vec::new();
            for question in &questions {
                match simulate(run, account, question).await {
                    Ok(found) => wrong.extend(found),
                    Err(failure) => return run.recorder.failed(&failure, ""),
                }
            }
            judge(run, calls, &wrong)
        })
        .await
}

fn judge(run: &Run<'_>, calls: usize, wrong: &[Wrong]) -> Found {
    if wrong.is_empty() {
        return Found::pass(format!(
            "IAM's simulator answered all {calls} calls as it must. That is evidence, not proof: \
             it does not see resource policies"
        ));
    }
    let mut sentences: Vec<String> = wrong.iter().take(NAMED).map(Wrong::sentence).collect();
    if wrong.len() > NAMED {
        sentences.push(format!("and {} more", wrong.len() - NAMED));
    }
    let evidence = format!(
        "{} of {calls} calls are answered wrongly by IAM's simulator: {}",
        wrong.len(),
        sentences.join("; ")
    );
    let allowed_too_much = wrong.iter().any(|wrong| !wrong.wanted);
    let scp = wrong
        .iter()
        .any(|wrong| wrong.why == Why::ServiceControlPolicy);
    let remedy = if allowed_too_much {
        "somebody widened the role or took a Deny away: make the grant again from the current \
         template, and detach what it does not contain"
            .to_owned()
    } else if scp {
        format!(
            "ask an administrator of your AWS organization to exempt {} from the service control \
             policy that denies these actions, or to allow them in this account",
            run.role_arn(wrong[0].identity)
        )
    } else {
        "make the grant again from the current template".to_owned()
    };
    // A role that may too much does so now; a role that may too little may
    // just be new.
    if allowed_too_much {
        Found::fail(evidence, remedy)
    } else {
        run.recorder.denied(evidence, remedy)
    }
}

async fn simulate(
    run: &Run<'_>,
    account: &Account,
    question: &PermissionQuestion,
) -> Result<Vec<Wrong>, Failure> {
    let role_arn = run.role_arn(question.identity);
    let mut wrong = Vec::new();
    for actions in question.actions.chunks(BATCH) {
        let mut marker: Option<String> = None;
        loop {
            let page = run
                .recorder
                .patiently(|| async {
                    account
                        .iam
                        .simulate_principal_policy()
                        .policy_source_arn(&role_arn)
                        .set_action_names(Some(actions.to_vec()))
                        .resource_arns(&question.resource)
                        .set_context_entries(Some(context(question)))
                        .set_marker(marker.clone())
                        .send()
                        .await
                        .map_err(|error| {
                            from_sdk(error, "iam:SimulatePrincipalPolicy", Effect::Read)
                        })
                })
                .await?;
            wrong.extend(
                page.evaluation_results
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|result| judged(question, result)),
            );
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
    }
    Ok(wrong)
}

fn judged(question: &PermissionQuestion, result: &EvaluationResult) -> Option<Wrong> {
    let allowed = result.eval_decision == PolicyEvaluationDecisionType::Allowed;
    if allowed == question.expect_allowed {
        return None;
    }
    let by_organization = result
        .organizations_decision_detail
        .as_ref()
        .is_some_and(|detail| !detail.allowed_by_organizations);
    let by_boundary = result
        .permissions_boundary_decision_detail
        .as_ref()
        .is_some_and(|detail| !detail.allowed_by_permissions_boundary);
    let why = if allowed {
        Why::Allowed
    } else if by_organization {
        Why::ServiceControlPolicy
    } else if by_boundary {
        Why::Boundary
    } else if result.eval_decision == PolicyEvaluationDecisionType::ExplicitDeny {
        Why::ExplicitDeny
    } else {
        Why::NotAllowed
    };
    Some(Wrong {
        identity: question.identity,
        action: result.eval_action_name.clone(),
        resource: question.resource.clone(),
        wanted: question.expect_allowed,
        why,
    })
}

fn context(question: &PermissionQuestion) -> Vec<ContextEntry> {
    question
        .context
        .iter()
        .map(|(key, values)| {
            ContextEntry::builder()
                .context_key_name(key)
                .set_context_key_values(Some(values.clone()))
                .context_key_type(type_of(key, values.len()))
                .build()
        })
        .collect()
}

/// The type that AWS documents for a key, not the one that its value looks
/// like: a tag is text even when it says `true` (AWS docs: "AWS global condition
/// context keys").
fn type_of(key: &str, values: usize) -> ContextKeyTypeEnum {
    let is = |known: &[&str]| known.iter().any(|name| name.eq_ignore_ascii_case(key));
    if is(&[
        "aws:SecureTransport",
        "aws:MultiFactorAuthPresent",
        "aws:ViaAWSService",
        "aws:PrincipalIsAWSService",
    ]) {
        ContextKeyTypeEnum::Boolean
    } else if values != 1 || is(&["aws:TagKeys"]) {
        ContextKeyTypeEnum::StringList
    } else {
        ContextKeyTypeEnum::String
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::OrganizationsDecisionDetail;
    use std::collections::BTreeMap;

    fn question(expect_allowed: bool) -> PermissionQuestion {
        PermissionQuestion {
            identity: Identity::Provisioner,
            actions: vec!["ec2:CreateVpc".to_owned()],
            resource: "*".to_owned(),
            context: BTreeMap::from([
                (
                    "aws:RequestTag/landfall:managed".to_owned(),
                    vec!["true".to_owned()],
                ),
                (
                    "aws:TagKeys".to_owned(),
                    vec!["landfall:managed".to_owned()],
                ),
                ("aws:SecureTransport".to_owned(), vec!["true".to_owned()]),
            ]),
            expect_allowed,
        }
    }

    fn answer(
        decision: PolicyEvaluationDecisionType,
        organization_allows: Option<bool>,
    ) -> EvaluationResult {
        EvaluationResult::builder()
            .eval_action_name("ec2:CreateVpc")
            .eval_decision(decision)
            .set_organizations_decision_detail(organization_allows.map(|allowed| {
                OrganizationsDecisionDetail::builder()
                    .allowed_by_organizations(allowed)
                    .build()
            }))
            .build()
            .expect("action and decision are set")
    }

    #[test]
    fn context_keys_have_their_documented_types() {
        let types: Vec<_> = context(&question(true))
            .into_iter()
            .map(|entry| entry.context_key_type.expect("a type"))
            .collect();
        assert_eq!(
            types,
            [
                ContextKeyTypeEnum::String,
                ContextKeyTypeEnum::Boolean,
                ContextKeyTypeEnum::StringList,
            ]
        );
    }

    #[test]
    fn an_answer_is_wrong_when_it_is_not_the_expected_one() {
        use PolicyEvaluationDecisionType as D;
        assert!(judged(&question(true), &answer(D::Allowed, Some(true))).is_none());
        assert!(judged(&question(false), &answer(D::ImplicitDeny, None)).is_none());
        assert!(judged(&question(false), &answer(D::ExplicitDeny, None)).is_none());
        let table = [
            (false, D::Allowed, None, Why::Allowed),
            (true, D::ImplicitDeny, Some(true), Why::NotAllowed),
            (true, D::ExplicitDeny, Some(true), Why::ExplicitDeny),
            (
                true,
                D::ExplicitDeny,
                Some(false),
                Why::ServiceControlPolicy,
            ),
            (
                true,
                D::ImplicitDeny,
                Some(false),
                Why::ServiceControlPolicy,
            ),
        ];
        for (expected, decision, organization, why) in table {
            let wrong = judged(&question(expected), &answer(decision, organization));
            assert!(wrong.is_some_and(|wrong| wrong.why == why));
        }
    }
}
