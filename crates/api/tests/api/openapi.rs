//! The OpenAPI document in the repository is the one that is served.

use std::{env, fs, path::Path};

#[test]
fn the_snapshot_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = landfall_api::openapi_document();
    if env::var_os("LANDFALL_UPDATE_OPENAPI").is_some() {
        fs::write(&path, document).unwrap();
        return;
    }
    let snapshot = fs::read_to_string(&path).unwrap_or_default();
    let first_difference = snapshot
        .lines()
        .zip(document.lines())
        .position(|(snapshot, document)| snapshot != document)
        .map_or_else(
            || "the lengths differ".to_owned(),
            |line| format!("line {} differs", line + 1),
        );
    assert!(
        snapshot == document,
        "crates/api/openapi.json is not what is served ({first_difference}).\n\
         If the change is wanted, update it and review the difference:\n\
         LANDFALL_UPDATE_OPENAPI=1 cargo test -p landfall-api --test api openapi && git diff crates/api/openapi.json"
    );
}

#[test]
fn the_document_is_openapi_3_1_and_every_reference_leads_somewhere() {
    let document: serde_json::Value =
        serde_json::from_str(&landfall_api::openapi_document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

#[test]
fn every_operation_has_a_unique_id_a_summary_and_a_problem() {
    let document: serde_json::Value =
        serde_json::from_str(&landfall_api::openapi_document()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{what}: the id {id} is taken");
            assert!(operation["summary"].is_string(), "{what} has no summary");
            assert!(
                operation["responses"]["default"]["content"]["application/problem+json"]
                    .is_object(),
                "{what} promises no problem+json"
            );
        }
    }
}

fn collect_references(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(|text| text.as_str()) {
                found.push(reference.to_owned());
            }
            members
                .values()
                .for_each(|member| collect_references(member, found));
        }
        serde_json::Value::Array(items) => {
            items
                .iter()
                .for_each(|item| collect_references(item, found));
        }
        _ => {}
    }
}
