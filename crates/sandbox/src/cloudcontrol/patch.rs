//! Patch documents (RFC 6902), with Cloud Control's own refusals.

use super::failure::validation;
use crate::types::{Model, TypeInfo};
use crate::wire::AwsError;
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// Reads a patch document: a JSON array of operations, as a string.
pub(super) fn parse(document: &str) -> Result<Patch, AwsError> {
    serde_json::from_str(document)
        .map_err(|error| validation(format!("Invalid patch document: {error}")))
}

/// Applies a patch to what a read shows.
pub(super) fn apply(info: &TypeInfo, before: &Model, patch: &Patch) -> Result<Model, AwsError> {
    let mut read_only = Vec::new();
    let mut write_only = Vec::new();
    for operation in &patch.0 {
        if matches!(operation, PatchOperation::Test(_)) {
            continue;
        }
        let path = operation.path().to_string();
        let property = property_path(&path);
        if info.read_only.iter().any(|known| covers(known, &property)) {
            read_only.push(path);
        } else if info.write_only.iter().any(|known| covers(known, &property))
            && !matches!(operation, PatchOperation::Add(_))
        {
            write_only.push(path);
        }
    }
    if !read_only.is_empty() {
        return Err(validation(format!(
            "Invalid patch update: readOnlyProperties [{}] cannot be updated",
            read_only.join(", ")
        )));
    }
    if !write_only.is_empty() {
        return Err(validation(format!(
            "Invalid patch update: writeOnlyProperties [{}] can only be updated using 'add' \
             operation",
            write_only.join(", ")
        )));
    }
    let mut document = Value::Object(before.clone());
    json_patch::patch(&mut document, patch)
        .map_err(|error| validation(format!("Invalid patch update: {error}")))?;
    match document {
        Value::Object(after) => Ok(after),
        _ => Err(validation(
            "Invalid patch update: the model is no object any more",
        )),
    }
}

/// `/Tags/0/Key` as a schema writes it: `Tags/*/Key`.
fn property_path(pointer: &str) -> String {
    pointer
        .trim_start_matches('/')
        .split('/')
        .map(|segment| {
            if segment == "-" || segment.chars().all(|c| c.is_ascii_digit()) {
                "*"
            } else {
                segment
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Whether a path is the known one or lies inside it.
fn covers(known: &str, path: &str) -> bool {
    path == known
        || path
            .strip_prefix(known)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::lookup;
    use serde_json::json;

    fn outcome(type_name: &str, before: Value, patch: Value) -> Result<Value, String> {
        let patch = parse(&patch.to_string()).unwrap();
        apply(
            lookup(type_name).unwrap(),
            before.as_object().unwrap(),
            &patch,
        )
        .map(Value::Object)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        assert_eq!(
            outcome(
                "AWS::Logs::LogGroup",
                json!({"LogGroupName": "a", "RetentionInDays": 7}),
                json!([{"op": "replace", "path": "/RetentionInDays", "value": 14}])
            ),
            Ok(json!({"LogGroupName": "a", "RetentionInDays": 14}))
        );
    }

    #[test]
    fn what_cannot_be_read_can_only_be_added() {
        let refused = outcome(
            "AWS::RDS::DBInstance",
            json!({"DBInstanceIdentifier": "d"}),
            json!([{"op": "replace", "path": "/MasterUserPassword", "value": "x"}]),
        );
        assert_eq!(
            refused,
            Err(
                "ValidationException: Invalid patch update: writeOnlyProperties \
                 [/MasterUserPassword] can only be updated using 'add' operation"
                    .to_owned()
            )
        );
        let refused = outcome(
            "AWS::EC2::VPC",
            json!({"VpcId": "vpc-1"}),
            json!([{"op": "add", "path": "/VpcId", "value": "vpc-2"}]),
        );
        assert!(refused.unwrap_err().contains("readOnlyProperties [/VpcId]"));
    }

    #[test]
    fn an_absent_path_is_refused() {
        let refused = outcome(
            "AWS::EC2::VPC",
            json!({}),
            json!([{"op": "remove", "path": "/Tags"}]),
        );
        assert!(refused.unwrap_err().contains("Invalid patch update"));
    }
}
