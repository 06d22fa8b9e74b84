use super::quote::{hcl, shell};
use super::*;
use landfall_model::{
    Timestamp,
    connection::{Azure, AzureAccess, Connection, State, Target},
    entropy::SystemEntropy,
    grant::azure::object_id_of,
    id::{ConnectionId, OrganizationId, SecretId},
};
use proptest::prelude::*;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

fn connection(external_id: &str, management_group: Option<String>, secret: bool) -> Connection {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let guid = |digit: char| {
        "00000000-0000-4000-8000-000000000000"
            .replace('0', &digit.to_string())
            .parse()
            .unwrap()
    };
    Connection {
        id: ConnectionId::at(now, &SystemEntropy),
        organization_id: OrganizationId::at(now, &SystemEntropy),
        name: "test".to_owned(),
        target: Target::Azure(Azure {
            tenant_id: guid('1'),
            subscription_id: guid('2'),
            management_group,
            access: if secret {
                AzureAccess::ClientSecret {
                    client_id: guid('3'),
                    secret_id: SecretId::at(now, &SystemEntropy),
                    secret_key_id: None,
                    secret_expires_at: None,
                }
            } else {
                AzureAccess::WorkloadIdentity { client_id: None }
            },
        }),
        external_id: external_id.to_owned(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["westeurope".to_owned()],
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: now },
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

fn guide(connection: &Connection, issuer: Option<&str>) -> GrantGuide {
    let azure = connection.azure().unwrap();
    let spec = GrantSpec::Azure(landfall_plan::policy::azure::grant(azure));
    let method = connection.method();
    write(&AzureConfig::default(), azure, &spec, method, issuer).unwrap()
}

/// Whether bash can read it, and what it says.
fn parses(script: &str) -> Result<(), String> {
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = bash.wait_with_output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What bash makes of a word.
fn read_by_bash(word: &str) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-c", &format!("printf %s {word}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{word}");
    output.stdout
}

/// What breaks out of quoting when it can.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "['\"\\\\$`;&|<>(){}\n\r!#*? a-z@%]{0,30}",
        Just("'; touch /tmp/pwned; '".to_owned()),
        Just("$(touch /tmp/pwned)".to_owned()),
        Just("\nLANDFALL\ntouch /tmp/pwned\n".to_owned()),
        Just("@PROVISIONER@ ${subject} %{ if true }".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_shell_word_is_what_it_was(text in hostile()) {
        let wanted = text.replace('\0', "");
        prop_assert_eq!(read_by_bash(&shell(&text)), wanted.into_bytes());
    }

    #[test]
    fn a_literal_of_hcl_has_no_end_and_no_template_inside(text in hostile()) {
        let quoted = hcl(&text);
        let inside = &quoted[1..quoted.len() - 1];
        prop_assert!(!inside.contains('\n'));
        // Every quote is escaped: cut out what is escaped, and none is left.
        let plain = inside.replace("\\\\", "").replace("\\\"", "");
        prop_assert!(!plain.contains('"'), "{}", quoted);
        let unescaped = inside.replace("$${", "").replace("%%{", "");
        prop_assert!(!unescaped.contains("${") && !unescaped.contains("%{"), "{}", quoted);
    }

    #[test]
    fn the_whole_script_is_one_whatever_stands_in_it(
        external_id in hostile(),
        issuer in hostile(),
        group in proptest::option::of(hostile()),
        secret in any::<bool>(),
    ) {
        let connection = connection(&external_id, group.clone(), secret);
        let guide = guide(&connection, Some(&issuer));
        let script = guide.commands("script").unwrap();
        prop_assert_eq!(parses(script), Ok(()));
        // The values are where they should be, as words.
        let word = format!("\nissuer={}\n", shell(&issuer));
        prop_assert!(script.contains(&word), "the issuer is no word");
        // No text from outside stands anywhere but in words and in JSON.
        let safe = script
            .replace(&shell(&issuer), "")
            .replace(&shell(&group.unwrap_or_default()), "");
        let leaked = safe.contains("touch /tmp/pwned") && !external_id.contains("touch");
        prop_assert!(!leaked, "something escaped its word");
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    for (secret, issuer) in [
        (false, Some("https://id.landfall.example/acme")),
        (true, Some("https://id.landfall.example/acme")),
        (true, None),
    ] {
        let connection = connection("landfall-0123456789abcdef", None, secret);
        let guide = guide(&connection, issuer);
        let script = guide.commands("script").unwrap();
        assert_eq!(parses(script), Ok(()));
        let spawned = Command::new("shellcheck")
            .args(["--shell=bash", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut shellcheck) = spawned else {
            assert!(
                std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
                "shellcheck is not installed"
            );
            return;
        };
        let mut stdin = shellcheck.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        drop(stdin);
        let output = shellcheck.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{script}");
    }
}

#[test]
fn the_guide_says_everything_that_a_person_compares() {
    let connection = connection("landfall-0123456789abcdef", None, false);
    let issuer = "https://id.landfall.example/acme";
    let guide = guide(&connection, Some(issuer));
    assert_eq!(guide.fact("issuer"), Some(issuer));
    assert_eq!(guide.fact("subject"), Some(connection.subject().as_str()));
    assert_eq!(guide.fact("audience"), Some("api://AzureADTokenExchange"));
    let azure = connection.azure().unwrap();
    let reaper = azure.display_name("reaper");
    assert_eq!(guide.fact("reaper"), Some(reaper.as_str()));
    for way in ["script", "opentofu"] {
        let text = guide.commands(way).unwrap();
        for said in [
            issuer,
            &connection.subject(),
            &reaper,
            "Microsoft.App",
            &connection.external_id,
            "ForAnyOfAllValues:GuidNotEquals",
        ] {
            assert!(text.contains(said), "{way}: {said}");
        }
        assert!(!text.contains(
            "Microsoft.Authorization/locks/delete\",\n      \"Microsoft.Authorization/locks/write"
        ));
        assert!(!text.contains("<object id"), "{way}");
    }
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("no steps");
    };
    let steps = steps.join("\n");
    assert!(steps.contains("Explicit subject identifier"), "{steps}");
    assert!(steps.contains(object_id_of(Identity::Reaper)), "{steps}");
    assert!(guide.revoke_steps.iter().any(|step| step.contains(&reaper)));
}

#[test]
fn without_an_issuer_nothing_speaks_of_a_reaper() {
    let connection = connection("landfall-0123456789abcdef", None, true);
    let guide = guide(&connection, None);
    let reaper = connection.azure().unwrap().display_name("reaper");
    for way in ["script", "opentofu"] {
        let text = guide.commands(way).unwrap();
        assert!(!text.contains(&reaper), "{way}");
        assert!(!text.contains("REAPER"), "{way}");
    }
    assert!(guide.commands("script").unwrap().contains("Client secret:"));
    assert_eq!(guide.fact("reaper"), None);
}
