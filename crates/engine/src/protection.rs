//! The clouds' own deletion protection, by type: data, so that a new type is a
//! line.

use landfall_model::driver::PatchOperation;
use serde_json::{Value, json};

/// A property that protects, its protecting value and the one that does not.
/// (AWS docs: the resource type reference of each.)
struct Switch {
    type_name: &'static str,
    property: &'static str,
    on: On,
}

#[derive(Clone, Copy)]
enum On {
    True,
    /// `ACTIVE`, switched off as `INACTIVE`.
    Active,
    /// An entry of a list of `Key` and `Value`, `"true"`.
    Attribute(&'static str),
}

const SWITCHES: &[Switch] = &[
    switch("AWS::Cognito::UserPool", "DeletionProtection", On::Active),
    switch("AWS::DocDB::DBCluster", "DeletionProtection", On::True),
    switch(
        "AWS::DynamoDB::Table",
        "DeletionProtectionEnabled",
        On::True,
    ),
    switch("AWS::EKS::Cluster", "DeletionProtection", On::True),
    switch(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "LoadBalancerAttributes",
        On::Attribute("deletion_protection.enabled"),
    ),
    switch("AWS::Logs::LogGroup", "DeletionProtectionEnabled", On::True),
    switch("AWS::Neptune::DBCluster", "DeletionProtection", On::True),
    switch("AWS::RDS::DBCluster", "DeletionProtection", On::True),
    switch("AWS::RDS::DBInstance", "DeletionProtection", On::True),
];

const fn switch(type_name: &'static str, property: &'static str, on: On) -> Switch {
    Switch {
        type_name,
        property,
        on,
    }
}

/// What switches the protection of `observed` off; nothing when it is off, or
/// when the type has none.
pub(crate) fn switch_off(type_name: &str, observed: &Value) -> Vec<PatchOperation> {
    SWITCHES
        .iter()
        .filter(|switch| switch.type_name == type_name)
        .filter_map(|switch| {
            let path = format!("/{}", switch.property);
            let current = observed.get(switch.property)?;
            let (path, value) = match switch.on {
                On::True => is_true(current).then_some((path, json!(false))),
                On::Active => (current == "ACTIVE").then_some((path, json!("INACTIVE"))),
                On::Attribute(key) => {
                    let index = current.as_array()?.iter().position(|item| {
                        item.get("Key").and_then(Value::as_str) == Some(key)
                            && item.get("Value").is_some_and(is_true)
                    });
                    index.map(|index| (format!("{path}/{index}/Value"), json!("false")))
                }
            }?;
            Some(PatchOperation::Replace { path, value })
        })
        .collect()
}

fn is_true(value: &Value) -> bool {
    value == &json!(true) || value == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(type_name: &str, observed: Value) -> Vec<(String, Value)> {
        switch_off(type_name, &observed)
            .into_iter()
            .map(|operation| match operation {
                PatchOperation::Replace { path, value } => (path, value),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn protection_that_is_on_is_switched_off() {
        assert_eq!(
            off("AWS::RDS::DBInstance", json!({"DeletionProtection": true})),
            [("/DeletionProtection".to_owned(), json!(false))]
        );
        let attributes = json!({"LoadBalancerAttributes": [
            {"Key": "idle_timeout.timeout_seconds", "Value": "60"},
            {"Key": "deletion_protection.enabled", "Value": "true"},
        ]});
        assert_eq!(
            off("AWS::ElasticLoadBalancingV2::LoadBalancer", attributes),
            [("/LoadBalancerAttributes/1/Value".to_owned(), json!("false"))]
        );
    }

    #[test]
    fn protection_that_is_off_or_unknown_needs_nothing() {
        assert!(off("AWS::RDS::DBInstance", json!({"DeletionProtection": false})).is_empty());
        assert!(off("AWS::RDS::DBInstance", json!({})).is_empty());
        assert!(off("AWS::S3::Bucket", json!({"DeletionProtection": true})).is_empty());
    }
}
