//! What IAM refuses in a document that is otherwise well-formed.

use super::document::{Form, PolicyError, Principals, Set};

/// Identity providers that need no provider in the account (AWS docs: "AWS JSON
/// policy elements: Principal", web identity).
const PUBLIC_PROVIDERS: [&str; 4] = [
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
];

pub(super) fn check_actions(actions: &Set, form: Form) -> Result<(), PolicyError> {
    for action in &actions.patterns {
        if action == "*" && form == Form::Identity {
            continue;
        }
        let Some((vendor, name)) = action.split_once(':') else {
            return Err(PolicyError::new(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        };
        let vendor_ok = !vendor.is_empty()
            && vendor
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !vendor_ok {
            return Err(PolicyError::new(format!("Vendor {vendor} is not valid")));
        }
        let name_ok = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '.' | '-' | '_'));
        if !name_ok {
            return Err(PolicyError::new(format!(
                "Actions/Condition can contain only one colon, and no other special characters: {action}"
            )));
        }
        if form == Form::Trust && !vendor.eq_ignore_ascii_case("sts") {
            return Err(PolicyError::new(
                "AssumeRole policy may only specify STS AssumeRole actions.",
            ));
        }
    }
    Ok(())
}

pub(super) fn check_resources(resources: &Set) -> Result<(), PolicyError> {
    for resource in &resources.patterns {
        if resource == "*" {
            continue;
        }
        if !resource.starts_with("arn:") {
            return Err(PolicyError::new(format!(
                "Resource {resource} must be in ARN format or \"*\"."
            )));
        }
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        if parts.get(1).is_none_or(|p| p.is_empty()) || parts.get(2).is_none_or(|p| p.is_empty()) {
            return Err(PolicyError::new(
                "The policy failed legacy parsing".to_owned(),
            ));
        }
        let partition = parts[1];
        if !partition.contains(['*', '?', '$'])
            && !["aws", "aws-cn", "aws-us-gov"].contains(&partition)
        {
            return Err(PolicyError::new(format!(
                "Partition \"{partition}\" is not valid for resource \"{resource}\"."
            )));
        }
    }
    Ok(())
}

pub(super) fn check_principals(principals: &Principals) -> Result<(), PolicyError> {
    let invalid = |kind: &str, value: &str| {
        Err(PolicyError::new(format!(
            "Invalid principal in policy: \"{kind}\":\"{value}\""
        )))
    };
    let account_id = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    for value in &principals.aws {
        if value == "*" || account_id(value) {
            continue;
        }
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let [_, _, service, "", account, resource] = parts[..] else {
            return invalid("AWS", value);
        };
        let known = match service {
            // A principal is named, never matched: no wildcards but `*` alone.
            "iam" => {
                resource == "root" || resource.starts_with("role/") || resource.starts_with("user/")
            }
            "sts" => resource.starts_with("assumed-role/"),
            _ => false,
        };
        if parts[0] != "arn" || !known || !account_id(account) || resource.contains(['*', '?']) {
            return invalid("AWS", value);
        }
    }
    for value in &principals.services {
        if !value.ends_with(".amazonaws.com") && !value.ends_with(".aws.internal") {
            return invalid("SERVICE", value);
        }
    }
    for value in &principals.federated {
        // Whether the provider exists is not asked: IAM finds out at the call.
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let named = match parts[..] {
            ["arn", _, "iam", "", account, resource] => {
                account_id(account)
                    && (resource.starts_with("oidc-provider/")
                        || resource.starts_with("saml-provider/"))
                    && !resource.contains(['*', '?'])
            }
            _ => PUBLIC_PROVIDERS.contains(&value.as_str()),
        };
        if !named {
            return invalid("Federated", value);
        }
    }
    Ok(())
}
