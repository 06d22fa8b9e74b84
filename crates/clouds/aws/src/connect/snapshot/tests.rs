use super::{document::parse, *};
use landfall_model::grant::{AwsGrant, PolicyDocument, RoleSpec};
use serde_json::json;

fn policy(name: &str, action: &str) -> PolicyDocument {
    PolicyDocument {
        name: name.to_owned(),
        purpose: "test".to_owned(),
        document: json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "*"}]}),
    }
}

fn spec() -> AwsGrant {
    AwsGrant {
        version: 2,
        boundary: policy("landfall-boundary-1", "s3:GetObject"),
        roles: vec![RoleSpec {
            identity: Identity::Provisioner,
            name: "landfall-provisioner-1".to_owned(),
            description: String::new(),
            max_session: 3600,
            trust: json!({"Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:user/a"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}}),
            policies: vec![policy("landfall-a-1", "ec2:CreateVpc")],
            tags: BTreeMap::from([
                (VERSION_TAG.to_owned(), "2".to_owned()),
                ("team".to_owned(), "ours".to_owned()),
            ]),
        }],
        permissions: Vec::new(),
        template: json!({}),
    }
}

/// As IAM would return what `spec` makes: encoded, lists where it had values.
fn as_granted() -> Snapshot {
    let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow\
        %22%2C%22Principal%22%3A%7B%22AWS%22%3A%22arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fa%22%7D%2C%22Action\
        %22%3A%5B%22sts%3AAssumeRole%22%5D%2C%22Condition%22%3A%7B%22StringEquals%22%3A%7B%22sts\
        %3AExternalId%22%3A%5B%22x%22%5D%7D%7D%7D%5D%7D";
    let attached = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:CreateVpc"],"Resource":["*"]}]}"#;
    let boundary = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    Snapshot {
        roles: BTreeMap::from([(
            Identity::Provisioner,
            Role {
                name: "landfall-provisioner-1".to_owned(),
                trust: parse(trust).unwrap(),
                max_session: 3600,
                boundary: None,
                tags: BTreeMap::from([(VERSION_TAG.to_owned(), "2".to_owned())]),
                attached: BTreeMap::from([(
                    "arn:aws:iam::1:policy/landfall-a-1".to_owned(),
                    parse(attached),
                )]),
                inline: BTreeMap::new(),
            },
        )]),
        boundary: parse(boundary),
    }
}

fn role(snapshot: &mut Snapshot) -> &mut Role {
    snapshot.roles.get_mut(&Identity::Provisioner).unwrap()
}

#[test]
fn one_value_and_a_list_of_one_are_equal() {
    assert_eq!(differences(&spec(), &as_granted()), Vec::<String>::new());
    assert_eq!(as_granted().version(Identity::Provisioner), Some(2));
}

#[test]
fn every_edit_is_a_difference_and_another_digest() {
    type Edit = fn(&mut Snapshot);
    let edits: [(&str, Edit); 9] = [
        ("trust policy", |s| {
            role(s).trust["Statement"][0]["Condition"] = json!({});
        }),
        ("maximum session", |s| role(s).max_session = 43_200),
        ("permissions boundary", |s| {
            role(s).boundary = Some("arn:aws:iam::1:policy/b".to_owned());
        }),
        ("tag landfall:grant-version", |s| role(s).tags.clear()),
        ("another tag", |s| {
            role(s).tags.insert("landfall:x".to_owned(), String::new());
        }),
        ("was edited", |s| {
            for document in role(s).attached.values_mut() {
                *document = parse(r#"{"Statement":[]}"#);
            }
        }),
        ("lacks the policy", |s| role(s).attached.clear()),
        ("also has the policy arn:aws:iam::aws:policy/X", |s| {
            role(s)
                .attached
                .insert("arn:aws:iam::aws:policy/X".to_owned(), None);
        }),
        ("inline policy", |s| {
            role(s).inline.insert("mine".to_owned(), json!({}));
        }),
    ];
    let before = as_granted().digest();
    for (word, edit) in edits {
        let mut edited = as_granted();
        edit(&mut edited);
        let found = differences(&spec(), &edited);
        assert!(
            found.iter().any(|difference| difference.contains(word)),
            "{word}: {found:?}"
        );
        assert_ne!(edited.digest(), before, "{word}");
    }
    let mut without = as_granted();
    without.boundary = None;
    assert!(!differences(&spec(), &without).is_empty());
}

#[test]
fn what_is_not_a_document_is_not_read() {
    assert_eq!(parse(""), None);
    assert_eq!(parse("%ff%fe"), None);
    assert_eq!(parse("{not json"), None);
}
