//! Cloud Control never returns write-only properties. Some targets that speak
//! its protocol do; what a read returns is stored and shown, so the secrets
//! among them are dropped here.

use serde_json::Value;

/// The write-only properties that hold a secret, of all types in use (AWS docs:
/// `writeOnlyProperties` of the resource type schemas).
const SECRET: [&str; 5] = [
    "AuthToken",
    "ClientSecret",
    "MasterUserPassword",
    "SecretString",
    "TdeCredentialPassword",
];

pub(super) fn secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !SECRET.contains(&name.as_str()));
            members.values_mut().for_each(secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn secrets_are_dropped_at_any_depth_and_nothing_else() {
        let mut value = json!({
            "MasterUserPassword": "canary-1",
            "MasterUserSecret": {"SecretArn": "arn"},
            "DefaultActions": [{"AuthenticateOidcConfig": {"ClientId": "a", "ClientSecret": "canary-2"}}],
        });
        super::secrets(&mut value);
        assert_eq!(
            value,
            json!({
                "MasterUserSecret": {"SecretArn": "arn"},
                "DefaultActions": [{"AuthenticateOidcConfig": {"ClientId": "a"}}],
            })
        );
    }
}
