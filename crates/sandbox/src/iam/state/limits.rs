//! IAM's sizes and shapes (AWS docs: "IAM and AWS STS quotas").

use crate::iam::policy::{Form, Policy, PolicyError};
use crate::wire::AwsError;
use std::collections::BTreeMap;

const MANAGED_POLICY: usize = 6_144;
const INLINE_TOTAL: usize = 10_240;
const TRUST_POLICY: usize = 2_048;
pub(super) const ATTACHED: usize = 10;
pub(super) const VERSIONS: usize = 5;
const TAGS: usize = 50;

/// Characters of a document as IAM counts them: white space is free.
pub(super) fn counted(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

pub(super) fn limit(message: String) -> AwsError {
    AwsError::new(409, "LimitExceeded", message)
}

pub(super) fn malformed(error: PolicyError) -> AwsError {
    AwsError::bad("MalformedPolicyDocument", error.message)
}

pub(super) fn check_managed(document: &str) -> Result<(), AwsError> {
    if counted(document) > MANAGED_POLICY {
        return Err(limit(format!(
            "Cannot exceed quota for PolicySize: {MANAGED_POLICY}"
        )));
    }
    Policy::parse(document, Form::Identity)
        .map(drop)
        .map_err(malformed)
}

pub(super) fn check_inline(
    role: &str,
    policies: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    for (name, document) in policies {
        check_name("policyName", name, 128)?;
        Policy::parse(document, Form::Identity).map_err(malformed)?;
    }
    let total: usize = policies.values().map(|document| counted(document)).sum();
    if total > INLINE_TOTAL {
        return Err(limit(format!(
            "Maximum policy size of {INLINE_TOTAL} bytes exceeded for role {role}"
        )));
    }
    Ok(())
}

pub(super) fn check_trust(document: &str) -> Result<(), AwsError> {
    if counted(document) > TRUST_POLICY {
        return Err(limit(format!(
            "Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY}"
        )));
    }
    Policy::parse(document, Form::Trust)
        .map(drop)
        .map_err(malformed)
}

pub(super) fn check_attached(count: usize) -> Result<(), AwsError> {
    if count > ATTACHED {
        return Err(limit(format!(
            "Cannot exceed quota for PoliciesPerRole: {ATTACHED}"
        )));
    }
    Ok(())
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > TAGS {
        return Err(limit(format!(
            "Cannot exceed quota for TagsPerResource: {TAGS}"
        )));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(AwsError::validation(format!(
                "1 validation error detected: tag '{key}' failed to satisfy constraint: Member \
                 must have length between 1 and 128, its value at most 256"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(AwsError::bad(
                "InvalidInput",
                format!("Tag keys beginning with aws: are reserved: {key}"),
            ));
        }
    }
    Ok(())
}

/// A role's or policy's name.
pub(super) fn check_name(field: &str, name: &str, max: usize) -> Result<(), AwsError> {
    if name.is_empty() || name.chars().count() > max {
        return Err(AwsError::validation(format!(
            "1 validation error detected: Value '{name}' at '{field}' failed to satisfy \
             constraint: Member must have length less than or equal to {max}"
        )));
    }
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    {
        return Err(AwsError::validation(format!(
            "The specified value for {field} is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_-"
        )));
    }
    Ok(())
}

/// A path, `/` for none.
pub(super) fn check_path(path: &str) -> Result<String, AwsError> {
    if path.is_empty() {
        return Ok("/".to_owned());
    }
    let shaped = path.starts_with('/') && path.ends_with('/') && path.len() <= 512;
    if !shaped || !path.chars().all(|c| ('!'..='\u{7f}').contains(&c)) {
        return Err(AwsError::validation(
            "The specified value for path is invalid. It must begin and end with / and contain \
             only alphanumeric characters and/or / characters.",
        ));
    }
    Ok(path.to_owned())
}

pub(super) fn check_session_duration(seconds: u32) -> Result<u32, AwsError> {
    if (3_600..=43_200).contains(&seconds) {
        return Ok(seconds);
    }
    let (comparison, bound) = if seconds < 3_600 {
        ("greater", 3_600)
    } else {
        ("less", 43_200)
    };
    Err(AwsError::validation(format!(
        "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy \
         constraint: Member must have value {comparison} than or equal to {bound}"
    )))
}
