use super::evaluate::evaluate;
use super::pattern::{arn_like, wildcard};
use super::*;
use crate::iam::Context;
use proptest::prelude::*;
use std::sync::Arc;

fn identity(text: &str) -> Policy {
    Policy::parse(text, Form::Identity).unwrap()
}

fn statement(body: &str) -> Policy {
    identity(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{body}}}}}"#
    ))
}

fn allows(policy: &Policy, action: &str, resource: &str, context: &Context) -> bool {
    evaluate(
        [policy],
        &Request {
            action,
            resource,
            context,
        },
    )
    .is_allowed()
}

fn context(pairs: &[(&str, &str)]) -> Context {
    let mut context = Context::new();
    for (key, value) in pairs {
        context.set(key, *value);
    }
    context
}

#[test]
fn wildcards_match_runs_and_single_characters() {
    for (pattern, text, expected) in [
        ("s3:Get*", "s3:GetObject", true),
        ("s3:Get*", "s3:PutObject", false),
        ("*", "", true),
        ("a*b*c", "a1b2b3c", true),
        ("a*b*c", "a1b2b3", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("**", "x", true),
        ("a*", "ba", false),
    ] {
        assert_eq!(wildcard(pattern, text), expected, "{pattern} on {text}");
    }
}

#[test]
fn hostile_patterns_are_cheap() {
    let pattern = "*a".repeat(60);
    assert!(!wildcard(&pattern, &format!("{}b", "a".repeat(2_000))));
}

#[test]
fn arn_wildcards_stay_in_their_part() {
    for (pattern, arn, expected) in [
        (
            "arn:aws:iam::*:role/landfall-*",
            "arn:aws:iam::1:role/landfall-x",
            true,
        ),
        (
            "arn:aws:iam::1:role/landfall-*",
            "arn:aws:iam::12:role/landfall-x",
            false,
        ),
        ("arn:aws:s3:::*", "arn:aws:s3:::bucket/key", true),
        ("arn:aws:*:db", "arn:aws:rds:eu-west-1:1:db", false),
        (
            "arn:aws:rds:*:*:db:landfall-*",
            "arn:aws:rds:eu-west-1:1:db:landfall-main",
            true,
        ),
        ("arn:aws:s3", "arn:aws:s3:::bucket", true),
        ("arn:aws:s3:::bucket", "*", false),
    ] {
        assert_eq!(arn_like(pattern, arn), expected, "{pattern} on {arn}");
    }
}

#[test]
fn actions_compare_without_case_and_not_action_inverts() {
    let none = Context::new();
    let policy = statement(r#""Action":"IAM:get*","Resource":"*""#);
    assert!(allows(&policy, "iam:GetRole", "*", &none));
    assert!(!allows(&policy, "iam:PutRolePolicy", "*", &none));

    let policy = statement(r#""NotAction":["iam:*","s3:Delete*"],"Resource":"*""#);
    assert!(allows(&policy, "s3:GetObject", "*", &none));
    assert!(!allows(&policy, "s3:DeleteObject", "*", &none));
    assert!(!allows(&policy, "iam:GetRole", "*", &none));
}

#[test]
fn not_resource_inverts() {
    let none = Context::new();
    let policy = statement(r#""Action":"iam:*","NotResource":"arn:aws:iam::1:role/landfall-*""#);
    assert!(allows(
        &policy,
        "iam:GetRole",
        "arn:aws:iam::1:role/other",
        &none
    ));
    assert!(!allows(
        &policy,
        "iam:GetRole",
        "arn:aws:iam::1:role/landfall-reaper",
        &none
    ));
}

#[test]
fn variables_are_filled_in_and_never_act_as_patterns() {
    let policy = statement(
        r#""Action":"iam:GetRole","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/${aws:username}""#,
    );
    let arn = "arn:aws:iam::1:role/ann";
    let known = context(&[("aws:PrincipalAccount", "1"), ("aws:username", "ann")]);
    assert!(allows(&policy, "iam:GetRole", arn, &known));
    let hostile = context(&[("aws:PrincipalAccount", "1"), ("aws:username", "*")]);
    assert!(!allows(&policy, "iam:GetRole", arn, &hostile));
    assert!(!allows(&policy, "iam:GetRole", arn, &Context::new()));

    let old = identity(
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:role/${aws:username}"}]}"#,
    );
    assert!(!allows(&old, "iam:GetRole", arn, &known));

    let default = statement(
        r#""Action":"*","Resource":"arn:aws:iam::1:role/${aws:PrincipalTag/team, 'none'}""#,
    );
    assert!(allows(
        &default,
        "iam:GetRole",
        "arn:aws:iam::1:role/none",
        &known
    ));
    let star = statement(r#""Action":"*","Resource":"arn:aws:s3:::a${*}b""#);
    assert!(allows(&star, "s3:GetObject", "arn:aws:s3:::a*b", &known));
    assert!(!allows(&star, "s3:GetObject", "arn:aws:s3:::axb", &known));
}

#[test]
fn condition_operators() {
    let present = context(&[
        ("sts:ExternalId", "lf-1"),
        ("aws:PrincipalArn", "arn:aws:iam::1:role/app"),
        ("aws:MultiFactorAuthPresent", "true"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:CurrentTime", "2026-11-21T08:00:00Z"),
        ("s3:max-keys", "10"),
    ]);
    let cases = [
        (r#"{"StringEquals":{"sts:ExternalId":"lf-1"}}"#, true),
        (r#"{"StringEquals":{"sts:ExternalId":["x","lf-1"]}}"#, true),
        (r#"{"StringEquals":{"STS:externalid":"lf-1"}}"#, true),
        (r#"{"StringEquals":{"sts:ExternalId":"LF-1"}}"#, false),
        (r#"{"StringEquals":{"sts:ExternalId":"lf-*"}}"#, false),
        (
            r#"{"StringEqualsIgnoreCase":{"sts:ExternalId":"LF-1"}}"#,
            true,
        ),
        (r#"{"StringNotEquals":{"sts:ExternalId":"lf-2"}}"#, true),
        (
            r#"{"StringNotEquals":{"sts:ExternalId":["lf-2","lf-1"]}}"#,
            false,
        ),
        (r#"{"StringNotEquals":{"absent:Key":"x"}}"#, true),
        (r#"{"StringLike":{"sts:ExternalId":"lf-*"}}"#, true),
        (r#"{"StringNotLike":{"sts:ExternalId":"lf-*"}}"#, false),
        (r#"{"StringEquals":{"absent:Key":"x"}}"#, false),
        (r#"{"StringEqualsIfExists":{"absent:Key":"x"}}"#, true),
        (r#"{"StringEqualsIfExists":{"sts:ExternalId":"x"}}"#, false),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a*"}}"#,
            true,
        ),
        (
            r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::1:role/*"}}"#,
            true,
        ),
        (
            r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/app"}}"#,
            false,
        ),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":true}}"#, true),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, false),
        (r#"{"Null":{"sts:ExternalId":"true"}}"#, false),
        (r#"{"Null":{"absent:Key":"true"}}"#, true),
        (r#"{"Null":{"sts:ExternalId":false}}"#, true),
        (r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#, true),
        (r#"{"NumericGreaterThan":{"s3:max-keys":10}}"#, false),
        (r#"{"NumericNotEquals":{"s3:max-keys":"10"}}"#, false),
        (
            r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-11-20T00:00:00Z"}}"#,
            true,
        ),
        (
            r#"{"DateLessThan":{"aws:CurrentTime":"2026-11-20"}}"#,
            false,
        ),
        (r#"{"IpAddress":{"aws:SourceIp":"10.1.0.0/16"}}"#, true),
        (
            r#"{"NotIpAddress":{"aws:SourceIp":["10.1.0.0/16"]}}"#,
            false,
        ),
        (r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, true),
        (
            r#"{"StringEquals":{"sts:ExternalId":"lf-1"},"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#,
            false,
        ),
        (
            r#"{"StringEquals":{"sts:ExternalId":"lf-1","absent:Key":"x"}}"#,
            false,
        ),
    ];
    for (condition, expected) in cases {
        let policy = statement(&format!(
            r#""Action":"*","Resource":"*","Condition":{condition}"#
        ));
        assert_eq!(
            allows(&policy, "s3:GetObject", "*", &present),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn set_operators_quantify_over_the_requests_values() {
    let mut tags = Context::new();
    tags.set_all("aws:TagKeys", ["a", "b"]);
    let cases = [
        (
            r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}"#,
            true,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}"#,
            false,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["a"]}}"#,
            true,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["c"]}}"#,
            false,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a"]}}"#,
            true,
        ),
        (
            r#"{"ForAllValues:StringNotEquals":{"aws:TagKeys":["a"]}}"#,
            false,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"absent:Key":["a"]}}"#,
            true,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"absent:Key":["a"]}}"#,
            false,
        ),
        (r#"{"ForAnyValue:StringLike":{"aws:TagKeys":["b*"]}}"#, true),
    ];
    for (condition, expected) in cases {
        let policy = statement(&format!(
            r#""Action":"*","Resource":"*","Condition":{condition}"#
        ));
        assert_eq!(
            allows(&policy, "s3:GetObject", "*", &tags),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn malformed_documents_are_refused() {
    let wrap = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    for statement in [
        r#"{"Effect":"Allow","Action":"s3:*"}"#,
        r#"{"Effect":"Allow","Resource":"*"}"#,
        r#"{"Effect":"Permit","Action":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","NotAction":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Resources":"*"}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringIs":{"a:b":"c"}}}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"ab":"c"}}}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Sid":"not ok"}"#,
        r#"{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"s3:*","Resource":"*"}"#,
        "",
    ] {
        assert!(
            Policy::parse(&wrap(statement), Form::Identity).is_err(),
            "{statement}"
        );
    }
    for document in ["", "[]", "{}", r#"{"Version":"2020-01-01","Statement":[]}"#] {
        assert!(
            Policy::parse(document, Form::Identity).is_err(),
            "{document}"
        );
    }
    for statement in [
        r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#,
        r#"{"Effect":"Allow","Action":"s3:GetObject","Principal":"*"}"#,
        r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::1:role/x"}}"#,
        r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}}"#,
        r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"example.com"}}"#,
        r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Resource":"*"}"#,
    ] {
        assert!(
            Policy::parse(&wrap(statement), Form::Trust).is_err(),
            "{statement}"
        );
    }
}

#[test]
fn principals_are_named_directly_or_through_their_account() {
    let trust = |principal: &str| {
        Policy::parse(
            &format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}}}"#
            ),
            Form::Trust,
        )
        .unwrap()
        .statements[0]
            .principals
            .clone()
            .unwrap()
    };
    let role = "arn:aws:iam::111122223333:role/server";
    let session = "arn:aws:sts::111122223333:assumed-role/server/one";
    let named = |principal: &str| trust(principal).names("111122223333", role, session);
    assert_eq!(named(r#"{"AWS":"111122223333"}"#), Named::Account);
    assert_eq!(
        named(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#),
        Named::Account
    );
    assert_eq!(named(r#""*""#), Named::Account);
    assert_eq!(named(&format!(r#"{{"AWS":["{role}"]}}"#)), Named::Itself);
    assert_eq!(named(&format!(r#"{{"AWS":"{session}"}}"#)), Named::Itself);
    assert_eq!(
        named(r#"{"AWS":"arn:aws:iam::111122223333:role/other"}"#),
        Named::No
    );
    assert_eq!(named(r#"{"AWS":"444455556666"}"#), Named::No);
    assert_eq!(named(r#"{"Service":"ecs-tasks.amazonaws.com"}"#), Named::No);
}

#[test]
fn each_layer_limits_and_the_message_can_name_it() {
    let all = || Some(vec![Arc::new(statement(r#""Action":"*","Resource":"*""#))]);
    let none = || {
        Some(vec![Arc::new(statement(
            r#""Action":"ec2:*","Resource":"*""#,
        ))])
    };
    let deny = || {
        Some(vec![
            Arc::new(statement(r#""Action":"*","Resource":"*""#)),
            Arc::new(identity(
                r#"{"Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#,
            )),
        ])
    };
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "*",
        context: &context,
    };
    let layers = |organization, identity: Option<Vec<_>>, boundary, session| Layers {
        organization,
        identity: identity.unwrap_or_default(),
        identity_sources: Vec::new(),
        boundary,
        session,
    };
    for (layers, expected) in [
        (layers(None, all(), None, None), Decision::Allowed),
        (layers(all(), all(), all(), all()), Decision::Allowed),
        (
            layers(none(), all(), all(), all()),
            Decision::ImplicitDeny(Layer::Organization),
        ),
        (
            layers(all(), none(), all(), all()),
            Decision::ImplicitDeny(Layer::Identity),
        ),
        (
            layers(all(), all(), none(), all()),
            Decision::ImplicitDeny(Layer::Boundary),
        ),
        (
            layers(all(), all(), all(), none()),
            Decision::ImplicitDeny(Layer::Session),
        ),
        (
            layers(all(), all(), all(), Some(Vec::new())),
            Decision::ImplicitDeny(Layer::Session),
        ),
        (
            layers(none(), all(), all(), deny()),
            Decision::ExplicitDeny(Layer::Session),
        ),
        (
            layers(deny(), all(), all(), all()),
            Decision::ExplicitDeny(Layer::Organization),
        ),
    ] {
        assert_eq!(layers.decide(&request), expected);
    }
}

// Small alphabets, so that patterns and requests meet often.
fn any_statement(effect: &'static str) -> impl Strategy<Value = String> {
    let action = prop::sample::select(vec!["*", "s3:*", "s3:Get*", "iam:*", "iam:GetRole"]);
    let resource = prop::sample::select(vec![
        "*",
        "arn:aws:s3:::a",
        "arn:aws:s3:::*",
        "arn:aws:iam::1:role/x",
    ]);
    let condition = prop::sample::select(vec![
        "",
        r#","Condition":{"StringEquals":{"aws:ResourceTag/k":"v"}}"#,
        r#","Condition":{"StringNotLike":{"aws:ResourceTag/k":"v*"}}"#,
        r#","Condition":{"Null":{"aws:ResourceTag/k":"true"}}"#,
    ]);
    (action, resource, condition, any::<bool>(), any::<bool>()).prop_map(
        move |(action, resource, condition, not_action, not_resource)| {
            let action_key = if not_action { "NotAction" } else { "Action" };
            let resource_key = if not_resource { "NotResource" } else { "Resource" };
            format!(
                r#"{{"Effect":"{effect}","{action_key}":"{action}","{resource_key}":"{resource}"{condition}}}"#
            )
        },
    )
}

fn any_policy() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop_oneof![3 => any_statement("Allow"), 1 => any_statement("Deny")],
        1..5,
    )
}

fn any_request() -> impl Strategy<Value = (&'static str, &'static str, Context)> {
    (
        prop::sample::select(vec!["s3:GetObject", "s3:PutObject", "iam:GetRole"]),
        prop::sample::select(vec![
            "arn:aws:s3:::a",
            "arn:aws:s3:::b",
            "arn:aws:iam::1:role/x",
        ]),
        prop::option::of(prop::sample::select(vec!["v", "v2", "w"])),
    )
        .prop_map(|(action, resource, tag)| {
            let mut context = Context::new();
            if let Some(tag) = tag {
                context.set("aws:ResourceTag/k", tag);
            }
            (action, resource, context)
        })
}

fn policy_of(statements: &[String]) -> Arc<Policy> {
    Arc::new(identity(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    )))
}

proptest! {
    #[test]
    fn a_deny_always_wins(
        statements in any_policy(),
        deny in any_statement("Deny"),
        (action, resource, context) in any_request(),
    ) {
        let request = Request { action, resource, context: &context };
        let lone = policy_of(std::slice::from_ref(&deny));
        if evaluate([lone.as_ref()], &request).is_denied() {
            let policy = policy_of(&statements);
            prop_assert!(evaluate([policy.as_ref(), lone.as_ref()], &request).is_denied());
            let mut together = statements;
            together.push(deny);
            prop_assert!(evaluate([policy_of(&together).as_ref()], &request).is_denied());
        }
    }

    #[test]
    fn another_allow_never_takes_permission_away(
        statements in any_policy(),
        allow in any_statement("Allow"),
        (action, resource, context) in any_request(),
    ) {
        let request = Request { action, resource, context: &context };
        let before = evaluate([policy_of(&statements).as_ref()], &request);
        let mut more = statements;
        more.push(allow);
        let after = evaluate([policy_of(&more).as_ref()], &request);
        prop_assert!(!before.is_allowed() || after.is_allowed());
        prop_assert_eq!(before.is_denied(), after.is_denied());
    }

    #[test]
    fn no_further_layer_ever_widens(
        identity in any_policy(),
        limit in any_policy(),
        (action, resource, context) in any_request(),
    ) {
        let request = Request { action, resource, context: &context };
        let bare = Layers { identity: vec![policy_of(&identity)], ..Layers::default() };
        let limit = Some(vec![policy_of(&limit)]);
        for limited in [
            Layers { session: limit.clone(), ..bare.clone() },
            Layers { boundary: limit.clone(), ..bare.clone() },
            Layers { organization: limit.clone(), ..bare.clone() },
        ] {
            if limited.decide(&request) == Decision::Allowed {
                prop_assert_eq!(bare.decide(&request), Decision::Allowed);
            }
        }
    }

    #[test]
    fn wildcards_agree_with_a_regular_expression(
        pattern in "[ab*?]{0,8}",
        text in "[ab]{0,8}",
    ) {
        let expression = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
        let expected = regex::Regex::new(&expression).unwrap().is_match(&text);
        prop_assert_eq!(wildcard(&pattern, &text), expected);
    }

    #[test]
    fn parsing_never_panics(text in r#"[\{\}\[\]":,a-zA-Z\*\$ ]{0,80}"#) {
        let _ = Policy::parse(&text, Form::Identity);
        let _ = Policy::parse(&text, Form::Trust);
    }
}
