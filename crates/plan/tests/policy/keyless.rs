//! The grant by `oidc`: the same documents, with another trust.

use super::*;
use landfall_plan::policy::aws::PolicyError;
use serde_json::json;

const HOST: &str = "id.landfall.example/acme";

#[test]
fn both_roles_trust_this_connections_subject_alone() {
    let connection = keyless();
    let grant = aws::grant(&connection, &issuer()).unwrap();
    let subject = format!("landfall:{}:{}", connection.organization_id, connection.id);
    assert!(subject.len() <= 127, "Google takes no longer one");
    assert_eq!(grant.roles.len(), 2);
    for role in &grant.roles {
        assert_eq!(
            role.trust,
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "LandfallIssuer",
                    "Effect": "Allow",
                    "Principal": {
                        "Federated": format!("arn:aws:iam::123456789012:oidc-provider/{HOST}"),
                    },
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {
                        format!("{HOST}:aud"): "sts.amazonaws.com",
                        format!("{HOST}:sub"): subject,
                    }},
                }],
            })
        );
    }
}

#[test]
fn nothing_but_the_trust_differs_from_assume_role() {
    let (signed, keyless) = (granted(), aws::grant(&keyless(), &issuer()).unwrap());
    assert_eq!(keyless.version, signed.version);
    assert_eq!(keyless.boundary, signed.boundary);
    assert_eq!(keyless.permissions, signed.permissions);
    for (keyless, signed) in keyless.roles.iter().zip(&signed.roles) {
        assert_ne!(keyless.trust, signed.trust);
        let same = RoleSpec {
            trust: signed.trust.clone(),
            ..keyless.clone()
        };
        assert_eq!(same, *signed);
    }
}

/// Whoever moves from one method to the other may not fall between them.
#[test]
fn while_it_moves_a_connection_gets_in_by_both_ways_and_by_no_third() {
    let sids = |role: &RoleSpec| -> Vec<String> {
        let statements = role.trust["Statement"].as_array().unwrap();
        let sid = |statement: &serde_json::Value| statement["Sid"].as_str().unwrap().to_owned();
        statements.iter().map(sid).collect()
    };
    for (connection, principal, also) in [
        (connection(), principal(), issuer()),
        (keyless(), issuer(), principal()),
    ] {
        let aws = connection.aws().unwrap();
        let grant = aws::grant_also(aws, &principal, Some(&also)).unwrap();
        for role in &grant.roles {
            let mut both = sids(role);
            both.sort_unstable();
            assert_eq!(both, ["LandfallIssuer", "LandfallServer"]);
        }
        let parameters = grant.template["Parameters"].as_object().unwrap();
        for name in ["ExternalId", "PrincipalArn", "ExistingProvider"] {
            assert!(parameters.contains_key(name), "{name}");
        }
        // The same principal twice is not another method.
        assert!(aws::grant_also(aws, &principal, Some(&principal)).is_err());
    }
}

#[test]
fn the_template_shares_the_accounts_provider_and_keeps_it() {
    let connection = keyless();
    let template = aws::grant(&connection, &issuer()).unwrap().template;
    assert_eq!(
        template["Resources"]["Provider"],
        json!({
            "Type": "AWS::IAM::OIDCProvider",
            "Condition": "MakeProvider",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "Url": format!("https://{HOST}"),
                "ClientIdList": ["sts.amazonaws.com"],
            },
        })
    );
    let parameters = template["Parameters"].as_object().unwrap();
    let names: std::collections::BTreeSet<&str> = parameters.keys().map(String::as_str).collect();
    // Nothing about whom the roles trust can be edited on the way.
    assert_eq!(names, ["ExistingBoundary", "ExistingProvider"].into());
    for name in names {
        assert_eq!(parameters[name]["Default"], "no");
    }
    // Read in the account's language, not in ours: no reference to a provider
    // that the stack may not have made.
    for role in ["ProvisionerRole", "ReaperRole"] {
        let trust = &template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"];
        assert!(!trust.to_string().contains("Ref"), "{trust}");
    }
    assert_eq!(
        template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"],
        json!([{
            "Label": {"default": "If access was granted before"},
            "Parameters": ["ExistingProvider", "ExistingBoundary"],
        }])
    );
    assert_eq!(
        template["Conditions"],
        json!({
            "MakeBoundary": {"Fn::Equals": [{"Ref": "ExistingBoundary"}, "no"]},
            "MakeProvider": {"Fn::Equals": [{"Ref": "ExistingProvider"}, "no"]},
        })
    );
}

#[test]
fn issuers_that_iam_would_refuse_are_refused_before() {
    for url in [
        "http://id.example",
        "https://",
        "https://id.example:8443",
        "https://id.example/",
        "https://id.example?x=y",
        "https://id.example#x",
        "https://user@id.example",
        "https://id.example/${aws:username}",
        "https://id.example/'",
        "https:///path",
        "id.example",
    ] {
        let refused = aws::grant(&keyless(), &ServerPrincipal::Issuer { url: url.into() });
        assert!(matches!(refused, Err(PolicyError::Issuer { .. })), "{url}");
    }
    let long = format!("https://id.example/{}", "x".repeat(255));
    let refused = aws::grant(&keyless(), &ServerPrincipal::Issuer { url: long });
    assert!(matches!(refused, Err(PolicyError::Issuer { .. })));
}

#[test]
fn a_method_trusts_its_own_kind_of_principal() {
    for (connection, principal) in [(keyless(), principal()), (connection(), issuer())] {
        let refused = aws::grant(&connection, &principal);
        assert!(matches!(refused, Err(PolicyError::PrincipalKind { .. })));
    }
}
