//! What differs at a management group, and with the broad role.

use super::*;

const ISSUER: Option<&str> = Some("https://id.landfall.example/acme");

struct Texts {
    script: String,
    tofu: String,
    steps: String,
    revoke: String,
    guide: GrantGuide,
}

fn texts(by: By, group: Option<&str>, breadth: Breadth) -> Texts {
    let group = group.map(|group| group.parse().unwrap());
    let mut connection = connection("landfall-0123456789abcdef", group, by);
    widen(&mut connection, breadth);
    let guide = guide(&connection, ISSUER);
    let text = |way: &str| guide.commands(way).unwrap().to_owned();
    let Some(How::Steps { steps }) = guide.way("console") else {
        panic!("no steps");
    };
    Texts {
        script: text("script"),
        tofu: text("opentofu"),
        steps: steps.join("\n"),
        revoke: guide.revoke_steps.join("\n"),
        guide,
    }
}

#[test]
fn every_way_makes_the_grant_at_the_group() {
    let scope = "/providers/Microsoft.Management/managementGroups/Landing-Zones_(eu)";
    for by in BY {
        let at = texts(by, Some("Landing-Zones_(eu)"), Breadth::Narrow);
        assert_eq!(at.guide.fact("scope"), Some(scope));
        assert!(at.script.ends_with(" 'Landing-Zones_(eu)'\n"));
        assert!(at.script.contains("on the management group: Owner"));
        assert!(!at.script.contains("into one Azure subscription"));
        assert!(at.tofu.contains("into an Azure management group"));
        let scopes = at.tofu.matches(&format!(" = \"{scope}\"")).count();
        // A definition and an assignment of each identity, and nothing else.
        assert_eq!(scopes, 4, "{}", at.tofu);
        let assignable = format!("assignable_scopes = [\"{scope}\"]");
        assert_eq!(at.tofu.matches(&assignable).count(), 2);
        assert!(
            at.tofu
                .contains("\"granted\" {\n  name = \"Landing-Zones_(eu)\"\n"),
            "{}",
            at.tofu
        );
        // Looked at before anything is made.
        let looked = at.script.find("/managementGroups/$group?").unwrap();
        assert!(looked < at.script.find("provider register").unwrap());
        assert!(!at.tofu.contains("\"/subscriptions/"), "{}", at.tofu);
        for said in [
            "Management groups → Landing-Zones_(eu) → Access control (IAM) → Add → Add custom role",
            "Management groups → Landing-Zones_(eu) → Access control (IAM) → Add role assignment",
            "must be below the group with the id Landing-Zones_(eu)",
            "If you do not see it there, make nothing",
            &format!("Assignable scope: {scope} alone"),
        ] {
            assert!(at.steps.contains(said), "{said}: {}", at.steps);
        }
        assert!(
            at.revoke
                .contains("Management groups → Landing-Zones_(eu) → Access control (IAM)"),
            "{}",
            at.revoke
        );
        let without = texts(by, None, Breadth::Narrow);
        for text in [without.script, without.tofu, without.steps, without.revoke] {
            assert!(!text.contains("Management groups"), "{by:?}");
            assert!(
                !text.contains("is not below the management group"),
                "{by:?}"
            );
        }
    }
}

#[test]
fn every_way_makes_the_broad_role_without_a_condition() {
    for by in BY {
        let broad = texts(by, None, Breadth::Broad);
        assert!(
            broad
                .guide
                .fact("breadth")
                .unwrap()
                .contains("two keys: no")
        );
        let excluded = [
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Compute/galleries/share/action",
        ];
        for text in [&broad.script, &broad.tofu, &broad.steps] {
            for action in excluded {
                assert_eq!(text.matches(action).count(), 1, "{by:?}: {action}");
            }
            // The reaper's condition alone.
            assert!(text.contains("roleAssignments/delete'"), "{by:?}");
            assert!(!text.contains("roleAssignments/write'"), "{by:?}");
        }
        assert!(broad.script.contains("\n  condition=''\n  assign "));
        let (provisioner, reaper) = broad
            .tofu
            .split_once("resource \"azuread_application\" \"reaper\"")
            .unwrap();
        assert!(provisioner.contains("actions = [\n      \"*\",\n    ]\n    not_actions = ["));
        assert!(!provisioner.contains("condition") && reaper.contains("condition_version"));
        assert!(!reaper.contains("not_actions"));
        assert!(
            broad
                .steps
                .contains("paste into \"actions\": [\"*\"], and into \"notActions\": ["),
            "{}",
            broad.steps
        );
        let alone = broad.steps.matches("Conditions: none").count();
        assert_eq!(alone, 1, "{}", broad.steps);
        assert!(!broad.steps.contains("changes, and deletes nothing"));

        let narrow = texts(by, None, Breadth::Narrow);
        assert_eq!(narrow.guide.fact("breadth"), None);
        assert!(!narrow.tofu.contains("not_actions"));
        assert!(!narrow.script.contains("limit=("));
        assert!(!narrow.steps.contains("notActions"));
    }
}
