//! Policy documents in one form, so that equal meanings compare equal.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Reads a document as IAM returns it: JSON, percent-encoded (AWS docs: IAM API
/// reference, `GetPolicyVersion`). A raw one begins with its brace.
pub(super) fn parse(text: &str) -> Option<Value> {
    let decoded;
    let text = if text.trim_start().starts_with('{') {
        text
    } else {
        decoded = percent_decode_str(text).decode_utf8().ok()?;
        &decoded
    };
    serde_json::from_str(text).ok().map(normal)
}

/// One value and a list of one are the same, lists are sets, and condition
/// values are text (AWS docs: "Grammar of the IAM JSON policy language").
pub(super) fn normal(document: Value) -> Value {
    let Value::Object(mut members) = document else {
        return document;
    };
    if let Some(statement) = members.remove("Statement") {
        let statements = match statement {
            Value::Array(statements) => statements,
            one => vec![one],
        };
        members.insert(
            "Statement".to_owned(),
            statements.into_iter().map(statement_normal).collect(),
        );
    }
    Value::Object(members)
}

fn statement_normal(statement: Value) -> Value {
    let Value::Object(members) = statement else {
        return statement;
    };
    let members = members
        .into_iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "Sid" | "Effect" => value,
                "Principal" | "NotPrincipal" | "Condition" => nested(value),
                _ => set(value),
            };
            (name, value)
        })
        .collect();
    Value::Object(members)
}

/// Objects of sets, two levels deep at most: `{operator: {key: values}}`.
fn nested(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, nested(value)))
                .collect(),
        ),
        leaf => set(leaf),
    }
}

fn set(value: Value) -> Value {
    let mut items: Vec<String> = match value {
        Value::Array(items) => items.into_iter().map(text).collect(),
        one => vec![text(one)],
    };
    items.sort();
    items.dedup();
    items.into_iter().map(Value::String).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
