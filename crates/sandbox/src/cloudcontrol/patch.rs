//! Patch documents (RFC 6902), with Cloud Control's own refusals.

use super::failure::validation;
use crate::types::{Model, TypeInfo, found};
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
        if let PatchOperation::Move(moved) = operation {
            let from = moved.from.to_string();
            let property = property_path(&from);
            if info.read_only.iter().any(|known| covers(known, &property)) {
                read_only.push(from);
            }
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
    refuse_read_only(&read_only)?;
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
    let Value::Object(after) = document else {
        return Err(validation(
            "Invalid patch update: the model is no object any more",
        ));
    };
    // An operation on a parent, or on the whole model, reaches them as well.
    let reached: Vec<String> = info
        .read_only
        .iter()
        .filter(|path| altered(before, &after, path))
        .map(|path| format!("/{path}"))
        .collect();
    refuse_read_only(&reached)?;
    Ok(after)
}

fn refuse_read_only(paths: &[String]) -> Result<(), AwsError> {
    if paths.is_empty() {
        return Ok(());
    }
    Err(validation(format!(
        "Invalid patch update: readOnlyProperties [{}] cannot be updated",
        paths.join(", ")
    )))
}

/// Whether a read-only path holds something else than before. Elements of a
/// list may go with what is read-only in them; none may bring it along.
fn altered(before: &Model, after: &Model, path: &str) -> bool {
    let (mut was, through_list) = found(before, path);
    let (is, now_through_list) = found(after, path);
    if !(through_list || now_through_list) {
        return was != is;
    }
    is.into_iter().any(|value| {
        let known = was.iter().position(|it| *it == value);
        known.map(|index| was.swap_remove(index)).is_none()
    })
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

    #[test]
    fn what_is_read_only_is_not_reached_by_way_of_its_parent() {
        let database = json!({"DBInstanceIdentifier": "d", "DbiResourceId": "db-1",
            "MasterUserSecret": {"SecretArn": "arn:1", "KmsKeyId": "k"}});
        let mut whole = database.clone();
        whole["DbiResourceId"] = "db-2".into();
        let mut without = database.clone();
        without.as_object_mut().unwrap().remove("DbiResourceId");
        for (patch, path) in [
            (
                json!({"op": "replace", "path": "", "value": whole}),
                "/DbiResourceId",
            ),
            (
                json!({"op": "replace", "path": "", "value": without}),
                "/DbiResourceId",
            ),
            (
                json!({"op": "replace", "path": "/MasterUserSecret",
                    "value": {"SecretArn": "arn:2", "KmsKeyId": "k"}}),
                "/MasterUserSecret/SecretArn",
            ),
            (
                json!({"op": "move", "from": "/DbiResourceId", "path": "/DBName"}),
                "/DbiResourceId",
            ),
            (
                json!({"op": "move", "from": "/MasterUserSecret", "path": "/DBName"}),
                "/MasterUserSecret/SecretArn",
            ),
        ] {
            let refused = outcome("AWS::RDS::DBInstance", database.clone(), json!([patch]));
            let expected = format!("readOnlyProperties [{path}] cannot be updated");
            let said = refused.unwrap_err();
            assert!(said.contains(&expected), "{patch}: {said}");
        }
        let mut same = database.clone();
        same["MasterUserSecret"]["KmsKeyId"] = "other".into();
        let patch = json!([{"op": "replace", "path": "", "value": same}]);
        assert_eq!(
            outcome("AWS::RDS::DBInstance", database, patch),
            Ok(same.clone())
        );
    }

    #[test]
    fn an_element_may_go_with_what_is_read_only_in_it() {
        let (type_name, path) = crate::types::names()
            .flat_map(|name| {
                let info = lookup(name).unwrap();
                info.read_only.iter().map(move |path| (name, path))
            })
            .find(|(_, path)| path.split('/').nth(1) == Some("*") && path.matches('/').count() == 2)
            .expect("a list with something read-only in its elements");
        let (list, field) = path.split_once("/*/").unwrap();
        let before = json!({ list: [{ field: "a" }, { field: "b" }] });
        let patch = |patch: Value| outcome(type_name, before.clone(), json!([patch]));
        let element = format!("/{list}/0");
        assert_eq!(
            patch(json!({"op": "remove", "path": element})),
            Ok(json!({ list: [{ field: "b" }] }))
        );
        let forged = json!({"op": "replace", "path": element, "value": { field: "c" }});
        assert!(patch(forged).unwrap_err().contains(path));
    }
}
