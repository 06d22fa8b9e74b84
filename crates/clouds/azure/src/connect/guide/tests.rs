mod scope;

use super::*;

use landfall_model::{
    Timestamp,
    connection::{Azure, AzureAccess, Breadth, Connection, Guid, ManagementGroup, State, Target},
    entropy::SystemEntropy,
    grant::azure::object_id_of,
    id::{ConnectionId, OrganizationId, SecretId},
    quote::shell,
};
use proptest::prelude::*;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// By which method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connect) enum By {
    Token,
    Secret,
    Consent,
}

const BY: [By; 3] = [By::Token, By::Secret, By::Consent];

fn guid(digit: char) -> Guid {
    "00000000-0000-4000-8000-000000000000"
        .replace('0', &digit.to_string())
        .parse()
        .unwrap()
}

pub(in crate::connect) fn connection(
    external_id: &str,
    management_group: Option<ManagementGroup>,
    by: By,
) -> Connection {
    let now = Timestamp::from_millis(1_800_000_000_000);
    Connection {
        id: ConnectionId::at(now, &SystemEntropy),
        organization_id: OrganizationId::at(now, &SystemEntropy),
        name: "test".to_owned(),
        target: Target::Azure(Azure {
            tenant_id: guid('1'),
            subscription_id: guid('2'),
            management_group,
            breadth: Breadth::Narrow,
            access: match by {
                By::Secret => AzureAccess::ClientSecret {
                    client_id: Some(guid('3')),
                    secret_id: Some(SecretId::at(now, &SystemEntropy)),
                    secret_key_id: None,
                    secret_expires_at: None,
                },
                By::Token => AzureAccess::WorkloadIdentity { client_id: None },
                By::Consent => AzureAccess::AdminConsent {
                    client_id: Some(guid('4')),
                    asked: None,
                    approved_at: None,
                },
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

const BREADTHS: [Breadth; 2] = [Breadth::Narrow, Breadth::Broad];

fn widen(connection: &mut Connection, breadth: Breadth) {
    let Target::Azure(azure) = &mut connection.target else {
        panic!("the connection is to Azure");
    };
    azure.breadth = breadth;
}

fn guide(connection: &Connection, issuer: Option<&str>) -> GrantGuide {
    let azure = connection.azure().unwrap();
    let spec = GrantSpec::Azure(landfall_plan::policy::azure::grant(azure));
    let method = connection.method();
    let config = AzureConfig {
        application: Some(Application {
            client_id: guid('4'),
            name: "Landfall".to_owned(),
            client_secret_file: None,
        }),
        ..AzureConfig::default()
    };
    write(&config, azure, &spec, method, issuer).unwrap()
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
    fn the_whole_script_is_one_whatever_stands_in_it(
        external_id in hostile(),
        issuer in hostile(),
        group in proptest::option::of("[a-zA-Z0-9][a-zA-Z0-9_().-]{0,88}[a-zA-Z0-9]"),
        by in proptest::sample::select(BY.as_slice()),
        breadth in proptest::sample::select(BREADTHS.as_slice()),
    ) {
        let mut connection = connection(&external_id, group.as_deref().map(|group| group.parse().unwrap()), by);
        widen(&mut connection, breadth);
        let guide = guide(&connection, Some(&issuer));
        let script = guide.commands("script").unwrap();
        prop_assert_eq!(parses(script), Ok(()));
        // The values are where they should be, as words.
        let word = format!("\nissuer={}\n", shell(&issuer));
        prop_assert!(script.contains(&word), "the issuer is no word");
        let word = format!(" {}\n", shell(&group.unwrap_or_default()));
        prop_assert!(script.contains(&word), "the management group is no word");
        // No text from outside stands anywhere but in words and in JSON.
        let safe = script.replace(&shell(&issuer), "");
        let leaked = safe.contains("touch /tmp/pwned") && !external_id.contains("touch");
        prop_assert!(!leaked, "something escaped its word");
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let issuer = Some("https://id.landfall.example/acme");
    for (by, issuer, breadth) in [
        (By::Token, issuer),
        (By::Secret, issuer),
        (By::Secret, None),
        (By::Consent, issuer),
        (By::Consent, None),
    ]
    .into_iter()
    .flat_map(|(by, issuer)| BREADTHS.map(|breadth| (by, issuer, breadth)))
    {
        let group = (by == By::Token).then(|| "landing-zones".parse().unwrap());
        let mut connection = connection("landfall-0123456789abcdef", group, by);
        widen(&mut connection, breadth);
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
    let connection = connection("landfall-0123456789abcdef", None, By::Token);
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
    for by in [By::Secret, By::Consent] {
        let connection = connection("landfall-0123456789abcdef", None, by);
        let guide = guide(&connection, None);
        let reaper = connection.azure().unwrap().display_name("reaper");
        for way in ["script", "opentofu"] {
            let text = guide.commands(way).unwrap();
            assert!(!text.contains(&reaper), "{way}");
            assert!(!text.contains("REAPER"), "{way}");
        }
        let script = guide.commands("script").unwrap();
        assert_eq!(script.contains("Client secret:"), by == By::Secret);
        assert_eq!(guide.fact("reaper"), None);
    }
}

#[test]
fn each_method_asks_for_what_it_needs_and_no_more() {
    let issuer = Some("https://id.landfall.example/acme");
    let texts = |by: By| {
        let connection = connection("landfall-0123456789abcdef", None, by);
        let guide = guide(&connection, issuer);
        let text = |way: &str| guide.commands(way).unwrap().to_owned();
        let Some(How::Steps { steps }) = guide.way("console") else {
            panic!("no steps");
        };
        (text("script"), text("opentofu"), steps.join("\n"), guide)
    };
    // To renew its own secret, and that can be left out.
    let (script, tofu, steps, _) = texts(By::Secret);
    for said in [&script, &tofu] {
        assert!(said.contains("18a4783c-866b-4cc7-a460-3d5e5662c884"));
    }
    assert!(script.contains("LANDFALL_ROTATION"));
    assert!(tofu.contains("variable \"rotation\""));
    assert!(steps.contains("Application.ReadWrite.OwnedBy"), "{steps}");
    for by in [By::Token, By::Consent] {
        let (script, tofu, steps, _) = texts(by);
        for said in [script, tofu, steps] {
            assert!(
                !said.contains("18a4783c") && !said.contains("OwnedBy"),
                "{by:?}"
            );
        }
    }
    // Nothing is registered for what the operator has.
    let (script, tofu, steps, guide) = texts(By::Consent);
    let client = guid('4');
    assert_eq!(guide.fact("client-id"), Some(client.as_str()));
    assert_eq!(guide.fact("application"), Some("Landfall"));
    assert!(script.contains(&format!("approved '{client}'")));
    assert!(tofu.contains("data \"azuread_service_principal\" \"provisioner\""));
    assert!(!tofu.contains("resource \"azuread_application\" \"provisioner\""));
    assert!(steps.contains("the member Landfall"), "{steps}");
    assert!(steps.contains("Owner is accepted"), "{steps}");
    let Some(How::Steps { steps }) = guide.way("consent") else {
        panic!("no way to approve");
    };
    let steps = steps.join("\n");
    assert!(steps.contains("Approve on Microsoft's page"), "{steps}");
    // It leads nowhere by itself: what is opened is bound to a session.
    assert_eq!(guide.link(), None);
    assert!(!steps.contains("http"), "{steps}");
    let revoke = guide.revoke_steps.join("\n");
    assert!(revoke.contains("Enterprise applications"), "{revoke}");
}
