use super::*;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#;
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn at(now: i64, effective_at: i64) -> Moment {
    Moment {
        wall: WallTime::default(),
        now: crate::clock::Instant(now),
        effective_at: crate::clock::Instant(effective_at),
        nonce: now.unsigned_abs(),
    }
}

fn t(millis: i64) -> SimTime {
    crate::clock::Instant(millis)
}

fn with_role() -> State {
    let mut state = State::new("444455556666");
    state
        .create_role(
            &at(0, 0),
            NewRole {
                name: "r".to_owned(),
                trust: TRUST.to_owned(),
                ..NewRole::default()
            },
        )
        .unwrap();
    state
}

fn code<T>(result: Result<T, AwsError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code.into_owned(),
    }
}

/// An identity policy of exactly `size` characters as IAM counts them.
fn sized(size: usize) -> String {
    let frame = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}]}"#;
    frame.replace(":::", &format!(":::{}", "x".repeat(size - frame.len())))
}

#[test]
fn a_change_counts_after_its_lag_and_not_before() {
    let mut value = Versioned::new("a", t(100));
    assert_eq!(value.effective(t(99)), None);
    assert_eq!(value.effective(t(100)), Some(&"a"));
    value.set("b", &at(200, 300));
    value.set("c", &at(250, 350));
    assert_eq!(value.latest(), &"c");
    assert_eq!(value.effective(t(299)), Some(&"a"));
    assert_eq!(value.effective(t(300)), Some(&"b"));
    assert_eq!(value.effective(t(350)), Some(&"c"));
    value.set("d", &at(400, 400));
    assert_eq!(value.effective(t(400)), Some(&"d"));
    assert!(!value.is_propagating(t(400)));
}

#[test]
fn a_second_change_does_not_hasten_the_first() {
    let mut value = Versioned::new("a", t(0));
    value.set("b", &at(10, 110));
    value.set("c", &at(20, 120));
    assert_eq!(value.effective(t(50)), Some(&"a"));
    assert_eq!(value.effective(t(115)), Some(&"b"));
}

#[test]
fn sizes_are_enforced_without_counting_white_space() {
    let mut state = with_role();
    let at = at(1, 1);
    let policy = |name: &str, document: String| NewPolicy {
        name: name.to_owned(),
        document,
        ..NewPolicy::default()
    };
    assert_eq!(
        code(state.create_policy(&at, policy("fits", sized(6_144)))),
        "ok"
    );
    assert_eq!(
        code(state.create_policy(&at, policy("over", sized(6_145)))),
        "LimitExceeded"
    );
    let spacious = sized(6_144).replace(',', " ,\n  ");
    assert_eq!(
        code(state.create_policy(&at, policy("spacious", spacious))),
        "ok"
    );

    assert_eq!(code(state.put_inline(&at, "r", "one", &sized(5_120))), "ok");
    assert_eq!(code(state.put_inline(&at, "r", "two", &sized(5_120))), "ok");
    assert_eq!(
        code(state.put_inline(&at, "r", "three", ALLOW)),
        "LimitExceeded"
    );
    assert_eq!(state.role("r").unwrap().grants.latest().inline.len(), 2);

    let long_trust = TRUST.replace(
        r#""Action""#,
        &format!(
            r#""Condition":{{"StringEquals":{{"sts:ExternalId":"{}"}}}},"Action""#,
            "x".repeat(2_000)
        ),
    );
    assert_eq!(
        code(state.set_trust(&at, "r", &long_trust)),
        "LimitExceeded"
    );
}

#[test]
fn ten_policies_attach_and_no_more() {
    let mut state = with_role();
    for i in 0..11 {
        let arn = state
            .create_policy(
                &at(i, i),
                NewPolicy {
                    name: format!("p{i}"),
                    document: ALLOW.to_owned(),
                    ..NewPolicy::default()
                },
            )
            .unwrap()
            .arn
            .clone();
        let expected = if i < 10 { "ok" } else { "LimitExceeded" };
        assert_eq!(code(state.attach(&at(i, i), "r", &arn)), expected, "{i}");
    }
    let again = "arn:aws:iam::444455556666:policy/p0";
    state.detach(&at(20, 20), "r", again).unwrap();
    assert_eq!(
        code(state.attach(&at(20, 20), "r", "arn:aws:iam::444455556666:policy/none")),
        "NoSuchEntity"
    );
    assert_eq!(code(state.attach(&at(20, 20), "r", again)), "ok");
    assert_eq!(code(state.attach(&at(20, 20), "r", again)), "ok");
}

#[test]
fn versions_are_kept_to_five_and_never_reuse_a_number() {
    let mut state = State::new("444455556666");
    let arn = state
        .create_policy(
            &at(0, 0),
            NewPolicy {
                name: "p".to_owned(),
                document: ALLOW.to_owned(),
                ..NewPolicy::default()
            },
        )
        .unwrap()
        .arn
        .clone();
    for expected in 2..=5 {
        let number = state.create_policy_version(&at(1, 1), &arn, ALLOW, true);
        assert_eq!(number, Ok(expected));
    }
    assert_eq!(
        code(state.create_policy_version(&at(1, 1), &arn, ALLOW, true)),
        "LimitExceeded"
    );
    assert_eq!(code(state.delete_policy_version(&arn, 5)), "DeleteConflict");
    assert_eq!(code(state.delete_policy_version(&arn, 4)), "ok");
    assert_eq!(
        state.create_policy_version(&at(1, 1), &arn, ALLOW, false),
        Ok(6)
    );
    assert_eq!(state.replace_policy_document(&at(1, 1), &arn, ALLOW), Ok(7));
    assert_eq!(code(state.delete_policy(&arn)), "DeleteConflict");
    assert_eq!(code(state.remove_policy(&arn)), "ok");
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let mut state = with_role();
    let at = at(1, 1);
    let arn = state
        .create_policy(
            &at,
            NewPolicy {
                name: "p".to_owned(),
                document: ALLOW.to_owned(),
                ..NewPolicy::default()
            },
        )
        .unwrap()
        .arn
        .clone();
    state.attach(&at, "r", &arn).unwrap();
    assert_eq!(code(state.delete_role("r")), "DeleteConflict");
    assert_eq!(code(state.delete_policy(&arn)), "DeleteConflict");
    state.detach(&at, "r", &arn).unwrap();
    state.set_boundary(&at, "r", Some(&arn)).unwrap();
    assert_eq!(code(state.delete_policy(&arn)), "DeleteConflict");
    state.put_inline(&at, "r", "i", ALLOW).unwrap();
    assert_eq!(code(state.delete_role("r")), "DeleteConflict");
    state.delete_inline(&at, "r", "i").unwrap();
    assert_eq!(code(state.delete_role("r")), "ok");
    assert_eq!(code(state.delete_policy(&arn)), "ok");
    assert_eq!(code(state.delete_role("r")), "NoSuchEntity");
}

#[test]
fn names_paths_tags_and_durations_are_checked() {
    let mut state = with_role();
    let role = |name: &str| NewRole {
        name: name.to_owned(),
        trust: TRUST.to_owned(),
        ..NewRole::default()
    };
    let at = at(1, 1);
    assert_eq!(
        code(state.create_role(&at, role("R"))),
        "EntityAlreadyExists"
    );
    assert_eq!(code(state.create_role(&at, role("a b"))), "ValidationError");
    assert_eq!(
        code(state.create_role(&at, role(&"x".repeat(65)))),
        "ValidationError"
    );
    let with_path = NewRole {
        path: "nope".to_owned(),
        ..role("p")
    };
    assert_eq!(code(state.create_role(&at, with_path)), "ValidationError");
    let short = NewRole {
        max_session_duration: Some(3_599),
        ..role("d")
    };
    assert_eq!(code(state.create_role(&at, short)), "ValidationError");
    let reserved = BTreeMap::from([("aws:x".to_owned(), String::new())]);
    assert_eq!(code(state.tag_role("r", reserved)), "InvalidInput");
    let many = (0..51).map(|i| (i.to_string(), String::new())).collect();
    assert_eq!(code(state.tag_role("r", many)), "LimitExceeded");
    assert_eq!(
        code(state.set_trust(&at, "r", ALLOW)),
        "MalformedPolicyDocument"
    );
    assert_eq!(
        code(state.put_inline(&at, "r", "x", TRUST)),
        "MalformedPolicyDocument"
    );
}
