//! The published schema decides what is a Score file: over valid files, over
//! every single mutation of them, and over random combinations of mutations.

use landfall_model::error::Code;
use landfall_plan::score;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, sync::LazyLock};

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

static ORACLE: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = std::fs::read_to_string(data("tests/data/score-v1b1.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
});

static FILES: LazyLock<Vec<(String, Value)>> = LazyLock::new(valid_files);

fn valid_files() -> Vec<(String, Value)> {
    let mut files = Vec::new();
    for folder in ["tests/data/score", "../../examples/shop"] {
        for entry in std::fs::read_dir(data(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((text.clone(), serde_saphyr::from_str(&text).unwrap()));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

/// What our parser says of the schema's question. A placeholder that leads
/// nowhere is a mistake that the schema cannot see.
fn accepts(text: &str) -> bool {
    match score::parse(text) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.violations.is_empty(), "no violation: {error}");
            for violation in &error.violations {
                assert!(violation.position.is_some(), "no position: {violation:?}");
            }
            matches!(error.code, Code::ScorePlaceholder | Code::ScoreUnsupported)
        }
    }
}

/// Pointers to every value of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                pointers(item, &format!("{at}/{}", escape(key)), found);
            }
        }
        _ => {}
    }
}

fn replacements() -> Vec<Value> {
    let long = |count: usize| Value::String("a".repeat(count));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(80.0),
        json!(80.5),
        json!(65535),
        json!(65536),
        json!(1e30),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("AB"),
        json!("a.b"),
        json!("a..b"),
        json!("a-b"),
        json!("-ab"),
        json!("ab-"),
        json!("a_b"),
        json!("a=b"),
        json!("a b"),
        json!("ab\n"),
        json!("é"),
        json!("ab/cd"),
        json!("0644"),
        json!("0999"),
        json!("64"),
        json!("125m"),
        json!("0.5"),
        json!(".5"),
        json!("5."),
        json!("0"),
        json!("00.5"),
        json!("0.5Gi"),
        json!("1.5Gi"),
        json!("1.5gi"),
        json!("012"),
        json!("healthy"),
        json!("UDP"),
        json!("HTTPS"),
        json!("score.dev/v1b1"),
        long(63),
        long(64),
        long(316),
        long(317),
        json!([]),
        json!(["a"]),
        json!([1]),
        json!([{"source": "x"}]),
        json!([{"content": "x", "target": "/a"}]),
        json!([{"source": "x", "readOnly": false}]),
        json!({}),
        json!({"a": "b"}),
        json!({"ab": "b"}),
        json!({"ab": 1}),
        json!({"ab": {"image": "x"}}),
        json!({"ab": {"type": "xy"}}),
        json!({"ab": {"port": 1}}),
        json!({"ab": {"source": "x"}}),
        json!({"ab": {"source": "x", "target": "y"}}),
        json!({"ab": {"content": "x", "binaryContent": "y"}}),
        json!({"ab": {"ready": "started"}}),
        json!({"exec": {"command": []}}),
        json!({"httpGet": {"path": "/", "port": 1}}),
    ]
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(usize, Value),
    Remove(usize),
    AddField(usize, &'static str, Value),
    RenameKey(usize, &'static str),
}

const KEYS: [&str; 14] = [
    "surprise", "image", "target", "a", "ab", "AB", "-ab", "a=b", "", "content", "port", "type",
    "httpGet", "aa.bb/cc",
];

fn mutate(document: &Value, mutation: &Mutation) -> Value {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let mut changed = document.clone();
    let pick = |index: &usize| all[index % all.len()].clone();
    match mutation {
        Mutation::Replace(index, value) => {
            if let Some(target) = changed.pointer_mut(&pick(index)) {
                *target = value.clone();
            }
        }
        Mutation::Remove(index) => {
            let pointer = pick(index);
            let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", ""));
            let key = key.replace("~1", "/").replace("~0", "~");
            match changed.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    members.remove(&key);
                }
                Some(Value::Array(items)) => {
                    if let Ok(index) = key.parse::<usize>() {
                        items.remove(index);
                    }
                }
                _ => {}
            }
        }
        Mutation::AddField(index, key, value) => {
            if let Some(Value::Object(members)) = changed.pointer_mut(&pick(index)) {
                members.insert((*key).to_owned(), value.clone());
            }
        }
        Mutation::RenameKey(index, name) => {
            if let Some(Value::Object(members)) = changed.pointer_mut(&pick(index))
                && let Some(first) = members.keys().next().cloned()
                && let Some(value) = members.remove(&first)
            {
                members.insert((*name).to_owned(), value);
            }
        }
    }
    changed
}

#[test]
fn valid_files_are_accepted() {
    for (text, value) in FILES.iter() {
        assert!(ORACLE.is_valid(value), "{text}");
        score::parse(text).unwrap();
    }
}

#[test]
fn every_single_mutation_is_judged_as_the_schema_does() {
    let (mut accepted, mut refused) = (0, 0);
    let mut seen = BTreeSet::new();
    // Together they have every field; small ones keep this quick.
    let files = FILES
        .iter()
        .filter(|(_, it)| matches!(it["metadata"]["name"].as_str(), Some("part")));
    for (_, document) in files {
        let mut all = Vec::new();
        pointers(document, "", &mut all);
        for (index, pointer) in all.iter().enumerate() {
            let mut mutations = vec![Mutation::Remove(index)];
            for value in replacements() {
                mutations.push(Mutation::Replace(index, value));
            }
            for key in KEYS {
                mutations.push(Mutation::RenameKey(index, key));
                for value in [json!("x"), json!(1), json!({}), json!({"port": 1})] {
                    mutations.push(Mutation::AddField(index, key, value));
                }
            }
            for mutation in mutations {
                let changed = mutate(document, &mutation);
                let compact = changed.to_string();
                // Many mutations do nothing where they do not apply.
                if changed == *document || !seen.insert(compact.clone()) {
                    continue;
                }
                let expected = ORACLE.is_valid(&changed);
                assert_eq!(
                    accepts(&compact),
                    expected,
                    "{mutation:?} at {pointer}: {:?}\n{compact}",
                    score::parse(&compact).err(),
                );
                if expected {
                    accepted += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    // The mutations must really try both sides.
    assert!(accepted > 500 && refused > 2000, "{accepted}, {refused}");
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let value = proptest::sample::select(replacements());
    let key = proptest::sample::select(KEYS.to_vec());
    prop_oneof![
        (any::<usize>(), value.clone()).prop_map(|(at, value)| Mutation::Replace(at, value)),
        any::<usize>().prop_map(Mutation::Remove),
        (any::<usize>(), key.clone(), value)
            .prop_map(|(at, key, value)| Mutation::AddField(at, key, value)),
        (any::<usize>(), key).prop_map(|(at, key)| Mutation::RenameKey(at, key)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn combinations_of_mutations_are_judged_as_the_schema_does(
        which in 0usize..8,
        mutations in proptest::collection::vec(mutation(), 1..5),
    ) {
        let document = FILES[which % FILES.len()].1.clone();
        let changed = mutations.iter().fold(document, |it, mutation| mutate(&it, mutation));
        let text = serde_json::to_string(&changed).unwrap();
        prop_assert_eq!(accepts(&text), ORACLE.is_valid(&changed), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = score::parse(&text);
    }
}
