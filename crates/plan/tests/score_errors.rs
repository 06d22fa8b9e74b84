//! What a person reads when a Score file is wrong: every message with its line
//! and column.

use landfall_model::error::Code;
use landfall_plan::score::{self, Part};
use std::fmt::Write as _;

fn report(text: &str) -> String {
    let error = score::parse(text).expect_err("the file is wrong");
    let mut out = format!("{}: {}\n-> {}\n", error.code, error.detail, error.next_step);
    for violation in &error.violations {
        let place = violation.position.as_ref().unwrap();
        let _ = writeln!(
            out,
            "{}:{} {}: {}",
            place.line, place.column, violation.field, violation.message
        );
    }
    out
}

fn web(container: &str, rest: &str) -> String {
    format!(
        "apiVersion: score.dev/v1b1\nmetadata:\n  name: web\ncontainers:\n  main:\n{container}\n{rest}"
    )
}

#[test]
fn unknown_fields_say_what_was_meant() {
    insta::assert_snapshot!(report(&web(
        "    imgae: nginx\n    variable: {}",
        "servise: {}\nresources:\n  db:\n    typ: postgres\n"
    )));
}

#[test]
fn wrong_types_and_patterns_name_what_is_expected() {
    insta::assert_snapshot!(report(&web(
        "    image: nginx\n    variables:\n      PORT: 8080\n      DEBUG: true\n    resources:\n      limits:\n        memory: lots\n        cpu: 1.5",
        "service:\n  ports:\n    Http: {port: 70000, protocol: tcp}\nresources: []\n"
    )));
}

#[test]
fn missing_fields_are_named() {
    insta::assert_snapshot!(report("metadata: {}\ncontainers: {}\n"));
}

#[test]
fn an_empty_file_and_a_list_are_not_workloads() {
    insta::assert_snapshot!(format!("{}\n{}", report(""), report("- a\n- b\n")));
}

#[test]
fn broken_yaml_has_a_place() {
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        report("apiVersion: score.dev/v1b1\nmetadata:\n  name: [web\ncontainers: {}\n"),
        report("apiVersion: a\napiVersion: b\n"),
        report("a: 1\n---\nb: 2\n"),
    ));
}

#[test]
fn placeholders_that_lead_nowhere_list_what_exists() {
    insta::assert_snapshot!(report(&web(
        "    image: nginx\n    variables:\n      A: \"x ${resources.bd.host} and ${metadata.nam}\"\n      B: ${resource.db.host}\n      C: >-\n        folded\n        text ${resources.db}\n      D: ${metadata.name.first}\n      E: ${unclosed\n      F: ${}",
        "resources:\n  db: {type: postgres}\n"
    )));
}

#[test]
fn a_parameter_cannot_use_an_output() {
    let text = web(
        "    image: nginx",
        "resources:\n  db: {type: postgres}\n  other:\n    type: bucket\n    params:\n      name: ${resources.db.name}\n",
    );
    let error = score::parse(&text).unwrap_err();
    assert_eq!(error.code, Code::ScoreUnsupported);
}

#[test]
fn placeholders_are_resolved_and_escaped() {
    let text = web(
        "    image: nginx\n    variables:\n      A: ${metadata.name}-$$-$${x}-$5-${resources.db.host}!",
        "resources:\n  db: {type: postgres}\n",
    );
    let workload = score::parse(&text).unwrap();
    let template = &workload.containers[0].variables[0].1.value;
    let [
        Part::Text(before),
        Part::Output {
            resource,
            output,
            position,
        },
        Part::Text(after),
    ] = template.parts.as_slice()
    else {
        panic!("{template:?}");
    };
    assert_eq!(before, "web-$-${x}-$5-");
    assert_eq!((resource.as_str(), output.as_str()), ("db", "host"));
    assert_eq!(after, "!");
    let line = text.lines().nth(position.line as usize - 1).unwrap();
    assert!(line[position.column as usize - 1..].starts_with("${resources.db.host}"));
}

#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = level - 1;
        let _ = writeln!(
            text,
            "a{level}: &a{level} [{}]",
            vec![format!("*a{previous}"); 10].join(", ")
        );
    }
    let error = score::parse(&text).unwrap_err();
    assert_eq!(error.code, Code::ScoreInvalid);
}

#[test]
fn deep_nesting_and_huge_files_are_refused() {
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(score::parse(&deep).unwrap_err().code, Code::ScoreInvalid);
    let huge = format!("# {}\n", "x".repeat(score::MAX_BYTES));
    assert_eq!(score::parse(&huge).unwrap_err().code, Code::ScoreInvalid);
}

#[test]
fn anchors_and_merge_keys_work_in_moderation() {
    let text = web(
        "    image: nginx\n    variables: &shared\n      A: one\n  other:\n    image: nginx\n    variables:\n      <<: *shared\n      B: two",
        "",
    );
    let workload = score::parse(&text).unwrap();
    let names: Vec<&str> = workload.containers[1]
        .variables
        .iter()
        .map(|(name, _)| name.value.as_str())
        .collect();
    assert!(names.contains(&"A") && names.contains(&"B"), "{names:?}");
}
