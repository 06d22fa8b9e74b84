use super::*;
use landfall_model::{
    Timestamp,
    connection::{Aws, AwsAccess, Partition, State, Target},
    grant::{Identity, PolicyDocument, RoleSpec},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Write as _, process::Command};

fn connection() -> Connection {
    let at = Timestamp::from_millis(0);
    Connection {
        id: "con_0190b5c8e0f07c3f8a1d2b3c4d5e6f70".parse().unwrap(),
        organization_id: "org_0190b5c8e0f07c3f8a1d2b3c4d5e6f70".parse().unwrap(),
        name: "test".to_owned(),
        target: Target::Aws(Aws {
            account_id: "123456789012".parse().unwrap(),
            partition: Partition::Aws,
            access: AwsAccess::AssumeRole,
        }),
        external_id: "landfall-ext".to_owned(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["eu-central-1".to_owned()],
        default_region: None,
        with_reaper: false,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: at },
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

/// Quotes and line breaks must not break the commands.
const HOSTILE: &str = "Reads the customer's `roles`\nand $HOME";

fn spec(template: Value, purpose: &str) -> AwsGrant {
    let connection = connection();
    let policy = |name: &str| PolicyDocument {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        document: json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::${aws:PrincipalAccount}/*"}]}),
    };
    AwsGrant {
        version: 4,
        boundary: policy("landfall-boundary-4d5e6f70"),
        roles: vec![RoleSpec {
            identity: Identity::Provisioner,
            name: connection.aws().unwrap().provisioner_role_name(),
            description: "It's the provisioner".to_owned(),
            max_session: 3600,
            trust: json!({"Version": "2012-10-17", "Statement": []}),
            policies: vec![policy("landfall-a-4d5e6f70")],
            tags: BTreeMap::from([("landfall:grant-version".to_owned(), "4".to_owned())]),
        }],
        permissions: Vec::new(),
        template,
    }
}

fn principal() -> ServerPrincipal {
    ServerPrincipal::Aws {
        arn: "arn:aws:iam::111122223333:role/landfall-server".to_owned(),
    }
}

fn guide_of(connection: &Connection, others: &[Connection], grant: AwsGrant) -> GrantGuide {
    write(&Source {
        config: &AwsConfig::default(),
        bucket: None,
        connection: connection.aws().unwrap(),
        others,
        spec: &GrantSpec::Aws(grant),
        principal: &principal(),
    })
    .unwrap()
}

fn guide(template: Value) -> GrantGuide {
    guide_of(&connection(), &[], spec(template, HOSTILE))
}

fn commands(guide: &GrantGuide, way: &str) -> String {
    guide.commands(way).unwrap().to_owned()
}

#[test]
fn the_link_has_the_consoles_form() {
    let connection = connection();
    let spec = spec(
        json!({"Parameters": {
            "ExternalId": {"Type": "String"},
            "PrincipalArn": {"Type": "String", "Default": principal().as_str()},
            "Unknown": {"Type": "String"},
        }}),
        HOSTILE,
    );
    let principal = principal();
    let context = Context {
        connection: connection.aws().unwrap(),
        grant: &spec,
        trusted: Trusted::Principal(principal.as_str()),
        provider_stands: false,
        region: "eu-central-1",
        template_url: None,
    };
    assert_eq!(
        link::quick_create(
            "https://eu-central-1.console.aws.amazon.com",
            &context,
            "https://bucket.s3.eu-central-1.amazonaws.com/landfall/con_1/v4.json"
        ),
        "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1\
         #/stacks/create/review\
         ?templateURL=https%3A%2F%2Fbucket.s3.eu-central-1.amazonaws.com%2Flandfall%2Fcon_1%2Fv4.json\
         &stackName=landfall-4d5e6f70&param_ExternalId=landfall-ext"
    );
}

/// Deleting the stack kept the boundary, so a second one must not make it.
#[test]
fn who_granted_before_is_not_asked_to_make_the_boundary_again() {
    let template = json!({"Parameters": {"ExistingBoundary": {"Type": "String", "Default": "no"}}});
    let (spec, principal) = (spec(template, HOSTILE), principal());
    let parameters = |connection: &Connection| {
        let context = Context {
            connection: connection.aws().unwrap(),
            grant: &spec,
            trusted: Trusted::Principal(principal.as_str()),
            provider_stands: false,
            region: "eu-central-1",
            template_url: None,
        };
        context.parameters()
    };
    let mut connection = connection();
    assert_eq!(parameters(&connection), []);
    connection.grant_version = Some(4);
    assert_eq!(
        parameters(&connection),
        [("ExistingBoundary".to_owned(), "yes".to_owned())]
    );
}

/// An account has one provider per issuer: the second connection must not make
/// it, and a connection by another method never made it.
#[test]
fn the_provider_is_made_once_in_an_account() {
    let keyless = |id: char, granted| {
        let mut one = connection();
        let Target::Aws(aws) = &mut one.target else {
            unreachable!("the connection is to AWS");
        };
        aws.access = AwsAccess::Oidc;
        one.id = format!("con_{}", id.to_string().repeat(32))
            .parse()
            .unwrap();
        one.grant_version = granted;
        one
    };
    let stands = |one: &Connection, others: &[Connection]| {
        provider_stands(&Source {
            config: &AwsConfig::default(),
            bucket: None,
            connection: one.aws().unwrap(),
            others,
            spec: &GrantSpec::Aws(spec(json!({}), "")),
            principal: &principal(),
        })
    };
    let new = keyless('a', None);
    assert!(!stands(&new, &[]));
    assert!(!stands(&new, &[keyless('b', None)]), "not granted yet");
    assert!(stands(&new, &[keyless('b', Some(2))]));
    assert!(stands(&keyless('a', Some(2)), &[]));
    let mut by_principal = connection();
    by_principal.grant_version = Some(2);
    assert!(!stands(&new, &[by_principal]));
    let mut elsewhere = keyless('b', Some(2));
    let Target::Aws(aws) = &mut elsewhere.target else {
        unreachable!("the connection is to AWS");
    };
    aws.account_id = "210987654321".parse().unwrap();
    assert!(!stands(&new, &[elsewhere]));
}

#[test]
fn the_commands_are_as_reviewed() {
    let guide = guide(json!({"Resources": {"X": {"Type": "AWS::IAM::Role"}}}));
    insta::assert_snapshot!(
        "cloudformation_commands",
        commands(&guide, "cloudformation")
    );
    insta::assert_snapshot!("iam_commands", commands(&guide, "iam"));
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("there are no steps");
    };
    insta::assert_snapshot!("console_steps", steps.join("\n"));
}

/// A stand-in for the AWS CLI that remembers its arguments and says that it is
/// in the right account, where nothing exists yet.
const FAKE_AWS: &str = r#"#!/bin/sh
echo "$*" >> "$FAKE_LOG"
case "$1 $2" in
  "sts get-caller-identity") echo "$FAKE_ACCOUNT" ;;
  "iam get-policy"|"iam get-role") exit "${FAKE_MISSING:-254}" ;;
  "cloudformation describe-stacks")
    [ "$FAKE_MISSING" = 0 ] || exit 254
    case "$*" in *StackStatus*) echo UPDATE_COMPLETE ;; esac ;;
  "iam list-attached-role-policies")
    echo "$FAKE_LANDFALL_POLICY/landfall-a-4d5e6f70	$FAKE_LANDFALL_POLICY/landfall-b-4d5e6f70	$FAKE_LANDFALL_POLICY/theirs" ;;
esac
for argument in "$@"; do
  case "$argument" in file://*) cat "${argument#file://}" >> "$FAKE_LOG.files" || exit 3 ;; esac
done
"#;

/// Runs commands with the stand-in; what it was called with, if they succeeded.
fn run(commands: &str, account: &str, missing: &str) -> Result<(String, String), String> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let aws = folder.path().join("aws");
    std::fs::write(&aws, FAKE_AWS).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let log = folder.path().join("log");
    let path = format!(
        "{}:{}",
        folder.path().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("sh")
        .args(["-c", commands])
        .env("PATH", path)
        .env("FAKE_LOG", &log)
        .env("FAKE_ACCOUNT", account)
        .env("FAKE_LANDFALL_POLICY", "arn:aws:iam::123456789012:policy")
        .env("FAKE_MISSING", missing)
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let files = folder.path().join("log.files");
    Ok((
        std::fs::read_to_string(log).unwrap(),
        std::fs::read_to_string(files).unwrap_or_default(),
    ))
}

#[test]
fn the_iam_commands_run_and_pass_documents_untouched() {
    let commands = self::commands(&guide(json!({})), "iam");
    let (calls, files) = run(&commands, "123456789012", "254").unwrap();
    let wanted = [
        "iam create-policy --policy-name landfall-boundary-4d5e6f70",
        "iam create-policy --policy-name landfall-a-4d5e6f70",
        "iam create-role --role-name landfall-provisioner-4d5e6f70 --max-session-duration 3600 \
         --description It's the provisioner",
        "iam attach-role-policy --role-name landfall-provisioner-4d5e6f70 --policy-arn \
         arn:aws:iam::123456789012:policy/landfall-a-4d5e6f70",
    ];
    for call in wanted {
        assert!(calls.contains(call), "{call}\n{calls}");
    }
    assert!(files.contains("${aws:PrincipalAccount}"), "{files}");

    let (calls, _) = run(&commands, "123456789012", "0").unwrap();
    for call in [
        "iam create-policy-version",
        "iam update-assume-role-policy",
        "iam tag-role",
    ] {
        assert!(calls.contains(call), "on what exists: {call}\n{calls}");
    }
    assert!(!calls.contains("iam create-role"), "{calls}");
    let detached: Vec<_> = calls
        .lines()
        .filter_map(|call| call.split_once("iam detach-role-policy "))
        .map(|(_, arguments)| arguments)
        .collect();
    assert_eq!(
        detached,
        ["--role-name landfall-provisioner-4d5e6f70 --policy-arn \
          arn:aws:iam::123456789012:policy/landfall-b-4d5e6f70"],
        "what an earlier version attached, and nothing of the customer's"
    );
}

#[test]
fn commands_stop_in_the_wrong_account() {
    let guide = guide(json!({}));
    for commands in [commands(&guide, "iam"), commands(&guide, "cloudformation")] {
        let said = run(&commands, "999999999999", "254").unwrap_err();
        assert!(said.contains("123456789012"), "{said}");
        assert!(said.contains("999999999999"), "{said}");
    }
}

#[test]
fn the_stack_is_made_or_updated() {
    let commands = self::commands(&guide(json!({"Resources": {}})), "cloudformation");
    let (calls, files) = run(&commands, "123456789012", "254").unwrap();
    assert!(calls.contains("cloudformation create-stack"), "{calls}");
    assert!(calls.contains("--capabilities CAPABILITY_NAMED_IAM"));
    assert!(calls.contains("cloudformation wait stack-create-complete"));
    assert!(calls.contains("ParameterKey=ExistingBoundary,ParameterValue=no"));
    assert!(files.contains("Resources"));
    let (calls, _) = run(&commands, "123456789012", "0").unwrap();
    assert!(calls.contains("cloudformation update-stack"), "{calls}");
    assert!(calls.contains("ParameterKey=ExistingBoundary,ParameterValue=no"));
}

#[test]
fn a_template_that_is_too_large_says_so_instead_of_failing_there() {
    let large = json!({"Description": "x".repeat(60_000)});
    let commands = self::commands(&guide(large), "cloudformation");
    assert!(commands.starts_with("# "), "{commands}");
    assert!(commands.contains("IAM commands"));
}

#[test]
fn the_commands_pass_shellcheck_where_it_is_installed() {
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "shellcheck is not installed"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(std::io::stderr(), "skipped: shellcheck is not installed");
        return;
    }
    let spec = spec(json!({"Resources": {}}), "Reads the granted roles");
    let guide = guide_of(&connection(), &[], spec);
    for commands in [commands(&guide, "iam"), commands(&guide, "cloudformation")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("commands.sh");
        std::fs::write(&file, &commands).unwrap();
        let output = Command::new("shellcheck")
            .args(["--shell=sh"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
