//! AssumeRole's parameters, checked as STS checks them before it decides.

use crate::wire::{AwsError, Params};
use std::collections::BTreeMap;

/// Plain text of an inline session policy (AWS docs: "AssumeRole", Policy).
const SESSION_POLICY: usize = 2_048;

/// Checked parameters.
pub(super) struct Ask<'p> {
    pub role_arn: &'p str,
    pub session_name: &'p str,
    pub external_id: Option<&'p str>,
    pub duration: u32,
    pub policy: Option<&'p str>,
    pub policy_arns: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

impl<'p> Ask<'p> {
    pub(super) fn read(params: &'p Params) -> Result<Self, AwsError> {
        let session_name = params.required("RoleSessionName")?;
        check_text("roleSessionName", session_name, 2..=64, "_+=,.@-")?;
        let external_id = params.get("ExternalId");
        if let Some(id) = external_id {
            check_text("externalId", id, 2..=1_224, "_+=,.@:/-")?;
        }
        let policy = params.get("Policy");
        if let Some(policy) = policy
            && !(1..=SESSION_POLICY).contains(&policy.chars().count())
        {
            return Err(constraint(
                "policy",
                &format!("Member must have length less than or equal to {SESSION_POLICY}"),
            ));
        }
        let policy_arns: Vec<String> = params
            .members("PolicyArns")
            .iter()
            .filter_map(|member| member.get("arn").map(str::to_owned))
            .collect();
        if policy_arns.len() > 10 {
            return Err(constraint(
                "policyArns",
                "Member must have length less than or equal to 10",
            ));
        }
        let role_arn = params.required("RoleArn")?;
        if !role_arn.starts_with("arn:aws:iam::") || !role_arn.contains(":role/") {
            return Err(AwsError::validation(format!("{role_arn} is invalid")));
        }
        Ok(Self {
            role_arn,
            session_name,
            external_id,
            duration: duration(params)?,
            policy,
            policy_arns,
            tags: tags(params)?,
        })
    }
}

fn duration(params: &Params) -> Result<u32, AwsError> {
    let seconds = params.integer("DurationSeconds")?.unwrap_or(3_600);
    match u32::try_from(seconds) {
        Ok(seconds @ 900..=43_200) => Ok(seconds),
        Ok(900..) => Err(constraint(
            "durationSeconds",
            "Member must have value less than or equal to 43200",
        )),
        _ => Err(constraint(
            "durationSeconds",
            "Member must have value greater than or equal to 900",
        )),
    }
}

fn tags(params: &Params) -> Result<BTreeMap<String, String>, AwsError> {
    let members = params.members("Tags");
    if members.len() > 50 {
        return Err(constraint(
            "tags",
            "Member must have length less than or equal to 50",
        ));
    }
    let mut tags = BTreeMap::new();
    for member in &members {
        let key = member.required("Key")?;
        let value = member.get("Value").unwrap_or_default();
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(AwsError::bad(
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    Ok(tags)
}

fn check_text(
    field: &str,
    value: &str,
    length: std::ops::RangeInclusive<usize>,
    also: &str,
) -> Result<(), AwsError> {
    if !length.contains(&value.chars().count()) {
        return Err(constraint(
            field,
            &format!(
                "Member must have length between {} and {}",
                length.start(),
                length.end()
            ),
        ));
    }
    if value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    {
        return Ok(());
    }
    Err(constraint(
        field,
        &format!(
            "Member must satisfy regular expression pattern: [\\w{}]*",
            &also[1..]
        ),
    ))
}

fn constraint(field: &str, what: &str) -> AwsError {
    AwsError::validation(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: {what}"
    ))
}
