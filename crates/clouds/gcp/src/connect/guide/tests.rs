//! Whatever stands in a grant, the texts stay texts.

use super::*;
use landfall_model::grant::{GcpAccount, GcpBinding, GcpCondition, GcpRole};
use proptest::prelude::*;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// A grant in which every text is `hostile`.
fn grant(hostile: &str) -> GcpGrant {
    let text = hostile.to_owned();
    GcpGrant {
        version: 1,
        project_id: "my-project-123".parse().unwrap(),
        parent: None,
        trust: GcpTrust::Federation {
            pool_id: text.clone(),
            provider_id: text.clone(),
            issuer_url: text.clone(),
            subject: text.clone(),
            condition: text.clone(),
            role: text.clone(),
        },
        accounts: GcpIdentity::ALL
            .into_iter()
            .map(|identity| GcpAccount {
                identity,
                id: text.clone(),
                email: text.clone(),
                display_name: text.clone(),
                description: text.clone(),
            })
            .collect(),
        roles: GcpIdentity::ALL
            .into_iter()
            .map(|identity| GcpRole {
                identity,
                id: text.clone(),
                name: text.clone(),
                title: text.clone(),
                description: text.clone(),
                permissions: std::iter::once(text.clone()).collect(),
            })
            .collect(),
        bindings: vec![GcpBinding {
            identity: GcpIdentity::Bootstrap,
            role: text.clone(),
            condition: Some(GcpCondition {
                title: text.clone(),
                description: text.clone(),
                expression: text.clone(),
            }),
            by_bootstrap: false,
        }],
        permissions: Vec::new(),
        bootstrap_apis: vec![text.clone()],
        free_apis: Vec::new(),
        billed_apis: Vec::new(),
    }
}

/// What it may be given on, besides the project.
const ABOVE: [Option<&str>; 3] = [
    None,
    Some("organizations/456/folders/123"),
    Some("organizations/456"),
];

fn on(parent: Option<&str>, hostile: &str) -> GcpGrant {
    GcpGrant {
        parent: parent.map(|parent| parent.parse().unwrap()),
        ..grant(hostile)
    }
}

fn script(grant: &GcpGrant, uploads: Option<&Value>) -> String {
    script::for_a_pool(&Context {
        config: &GcpConfig::default(),
        grant,
        uploads,
    })
}

/// The same grant, given to an account in which every text is `hostile`.
fn trusting(mut grant: GcpGrant, hostile: &str) -> GcpGrant {
    grant.trust = GcpTrust::Account {
        email: hostile.to_owned(),
        role: hostile.to_owned(),
    };
    grant
}

/// Those of the other two methods.
fn others(parent: Option<&str>, hostile: &str) -> [String; 2] {
    let grant = trusting(on(parent, hostile), hostile);
    let apis = [hostile.to_owned()];
    [
        script::for_an_account(&Context {
            config: &GcpConfig::default(),
            grant: &grant,
            uploads: None,
        }),
        script::for_a_key(&Key {
            project: Some(hostile),
            account: Some(hostile),
            known: Some(hostile),
            apis: &apis,
        }),
    ]
}

/// What `sh` prints for a text; an error where it cannot read it.
fn sh(program: &str, flags: &[&str], text: &str) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Texts that mean something to a shell.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("$(echo INJECTED)".to_owned()),
        Just("`echo INJECTED`".to_owned()),
        Just("\n".to_owned()),
        Just("\nLANDFALL\n".to_owned()),
        Just("; echo INJECTED;".to_owned()),
        Just("${HOME}".to_owned()),
        Just("%{".to_owned()),
        Just("#".to_owned()),
        Just("--flag".to_owned()),
        "[ -~]{0,6}",
        "\\PC{0,3}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_a_grant_leaves_a_script_that_parses(text in hostile()) {
        let keys = serde_json::json!({ "keys": [text] });
        for parent in ABOVE {
            let grant = on(parent, &text);
            for uploads in [None, Some(&keys)] {
                let script = script(&grant, uploads);
                prop_assert_eq!(sh("bash", &["-n"], &script), Ok(Vec::new()));
            }
            for script in others(parent, &text) {
                prop_assert_eq!(sh("bash", &["-n"], &script), Ok(Vec::new()));
            }
        }
    }

    /// Run for real, with a gcloud that only takes what it is given: nothing but
    /// the script's own words is printed.
    #[test]
    fn any_text_in_a_grant_is_never_run(text in hostile()) {
        let stand_in = "gcloud() { case $* in *get-ancestors*) \
                        printf 'folder,123\\norganization,456\\n' ;; esac; }\nsleep() { :; }\n";
        let scripts = ABOVE.into_iter().flat_map(|parent| {
            let [account, key] = others(parent, &text);
            [script(&on(parent, &text), None), account, key]
        });
        for script in scripts {
            let printed = sh("sh", &[], &format!("{stand_in}{script}"));
            let printed = String::from_utf8_lossy(&printed.unwrap()).into_owned();
            // Where a text is shown, it is shown as it is.
            let injected = printed
                .replace(&text.replace('\0', ""), "")
                .lines()
                .any(|line| line.trim() == "INJECTED");
            prop_assert!(!injected, "{printed}");
            prop_assert!(printed.contains("Done."), "{printed}");
        }
    }
}

#[test]
fn the_module_is_formatted_as_the_tools_want_it() {
    let pool = grant("a-text");
    let account = trusting(pool.clone(), "a-text");
    let keys = serde_json::json!({ "keys": [] });
    let of = |grant, uploads| {
        opentofu::module(&Context {
            config: &GcpConfig::default(),
            grant,
            uploads,
        })
    };
    let by_key = |project| {
        opentofu::for_a_key(&Key {
            project,
            account: None,
            known: None,
            apis: &pool.bootstrap_apis,
        })
    };
    for module in [
        of(&pool, None),
        of(&pool, Some(&keys)),
        of(&account, None),
        of(&on(ABOVE[1], "a-text"), None),
        of(&on(ABOVE[2], "a-text"), None),
        by_key(None),
        by_key(Some("my-project-123")),
    ] {
        for tool in ["tofu", "terraform"] {
            // Asking for its version would go to the network.
            let there = std::env::var_os("PATH").is_some_and(|path| {
                std::env::split_paths(&path).any(|folder| folder.join(tool).exists())
            });
            if !there {
                continue;
            }
            // Parses it too; needs no provider and no network.
            let formatted = sh(tool, &["fmt", "-"], &module);
            assert_eq!(
                formatted.map(|text| String::from_utf8_lossy(&text).into_owned()),
                Ok(module.clone()),
                "{tool}"
            );
        }
    }
}

#[test]
fn above_a_project_the_place_is_looked_at_and_the_roles_come_first() {
    for (parent, below) in [
        (None, None),
        (ABOVE[1], Some("below folders/123 and organizations/456")),
        (ABOVE[2], Some("below organizations/456.")),
    ] {
        let pool = on(parent, "a-text");
        let account = trusting(pool.clone(), "a-text");
        for grant in [&pool, &account] {
            let context = Context {
                config: &GcpConfig::default(),
                grant,
                uploads: None,
            };
            let steps = match grant.trust {
                GcpTrust::Federation { .. } => console::for_a_pool(&context),
                GcpTrust::Account { .. } => console::for_an_account(&context),
            };
            let looked = steps.iter().position(|step| step.contains("is below"));
            assert_eq!(looked, below.map(|_| 1), "{steps:#?}");
            assert!(
                below.is_none_or(|below| steps[1].contains(below)),
                "{steps:#?}"
            );
            let module = opentofu::module(&context);
            for identity in GcpIdentity::ALL {
                let after = format!(
                    "[google_project_service.this, google_organization_iam_custom_role.{}]",
                    identity.as_str()
                );
                assert_eq!(module.contains(&after), parent.is_some(), "{module}");
            }
        }
    }
}
