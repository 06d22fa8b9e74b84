//! Checks a model against its type's shape, in the words of AWS's validator.

use super::{Model, TypeInfo};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How deep shapes nest at most: they can refer to themselves.
const MAX_DEPTH: usize = 24;

/// Everything wrong with a desired state, one sentence each, as
/// `#/Port: expected type: Integer, found: String`.
pub fn violations(info: &TypeInfo, model: &Model) -> Vec<String> {
    let mut check = Check {
        definitions: &info.definitions,
        found: Vec::new(),
    };
    for name in &info.required {
        if !model.contains_key(name) {
            check
                .found
                .push(format!("#: required key [{name}] not found"));
        }
    }
    check.value(&info.shape, &Value::Object(model.clone()), "#", 0);
    check.found
}

struct Check<'a> {
    definitions: &'a BTreeMap<String, Value>,
    found: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, shape: &Value, value: &Value, at: &str, depth: usize) {
        if depth > MAX_DEPTH {
            self.found.push(format!("{at}: nested too deeply"));
            return;
        }
        if let Some(target) = shape.get("$ref").and_then(Value::as_str) {
            let name = target.rsplit('/').next().unwrap_or(target);
            if let Some(shape) = self.definitions.get(name) {
                self.value(shape, value, at, depth + 1);
            }
            return;
        }
        if !type_matches(shape, value) {
            self.found.push(format!(
                "{at}: expected type: {}, found: {}",
                expected(shape),
                found(value)
            ));
            return;
        }
        self.alternatives(shape, value, at, depth);
        self.scalar(shape, value, at);
        match value {
            Value::Object(map) => self.object(shape, map, at, depth),
            Value::Array(items) => self.array(shape, items, at, depth),
            _ => {}
        }
    }

    fn alternatives(&mut self, shape: &Value, value: &Value, at: &str, depth: usize) {
        for keyword in ["oneOf", "anyOf"] {
            let Some(options) = shape.get(keyword).and_then(Value::as_array) else {
                continue;
            };
            let matching = options
                .iter()
                .filter(|option| {
                    let mut inner = Check {
                        definitions: self.definitions,
                        found: Vec::new(),
                    };
                    inner.value(option, value, at, depth + 1);
                    inner.found.is_empty()
                })
                .count();
            let enough = if keyword == "oneOf" {
                matching == 1
            } else {
                matching > 0
            };
            if !enough {
                self.found.push(format!(
                    "{at}: #: {matching} subschemas matched instead of one"
                ));
            }
        }
    }

    fn scalar(&mut self, shape: &Value, value: &Value, at: &str) {
        let mut fail = |keyword: &str| {
            self.found.push(format!(
                "{at}: failed validation constraint for keyword [{keyword}]"
            ));
        };
        if let Some(options) = shape.get("enum").and_then(Value::as_array)
            && !options.contains(value)
        {
            fail("enum");
        }
        if let Some(options) = shape.get("enumCaseInsensitive").and_then(Value::as_array)
            && let Some(text) = value.as_str()
            && !options
                .iter()
                .filter_map(Value::as_str)
                .any(|option| option.eq_ignore_ascii_case(text))
        {
            fail("enum");
        }
        if let Some(number) = value.as_f64() {
            if shape
                .get("minimum")
                .and_then(Value::as_f64)
                .is_some_and(|min| number < min)
            {
                fail("minimum");
            }
            if shape
                .get("maximum")
                .and_then(Value::as_f64)
                .is_some_and(|max| number > max)
            {
                fail("maximum");
            }
        }
        let Some(text) = value.as_str() else { return };
        if let Some(pattern) = shape.get("pattern").and_then(Value::as_str)
            && let Some(regex) = compiled(pattern)
            && !regex.is_match(text)
        {
            fail("pattern");
        }
        let length = text.chars().count() as u64;
        if let Some(max) = shape.get("maxLength").and_then(Value::as_u64)
            && length > max
        {
            self.found
                .push(format!("{at}: expected maxLength: {max}, actual: {length}"));
        }
        if let Some(min) = shape.get("minLength").and_then(Value::as_u64)
            && length < min
        {
            self.found
                .push(format!("{at}: expected minLength: {min}, actual: {length}"));
        }
    }

    fn object(&mut self, shape: &Value, map: &Model, at: &str, depth: usize) {
        let properties = shape.get("properties").and_then(Value::as_object);
        let patterns = shape.get("patternProperties").and_then(Value::as_object);
        let closed = shape.get("additionalProperties") == Some(&Value::Bool(false));
        for (name, value) in map {
            let inner = format!("{at}/{name}");
            if let Some(shape) = properties.and_then(|all| all.get(name)) {
                self.value(shape, value, &inner, depth + 1);
                continue;
            }
            let by_pattern = patterns.and_then(|all| {
                all.iter()
                    .find(|(pattern, _)| compiled(pattern).is_none_or(|r| r.is_match(name)))
            });
            match by_pattern {
                Some((_, shape)) => self.value(shape, value, &inner, depth + 1),
                None if closed => self
                    .found
                    .push(format!("{at}: extraneous key [{name}] is not permitted")),
                None => {}
            }
        }
        self.keys(shape, map, at);
    }

    fn keys(&mut self, shape: &Value, map: &Model, at: &str) {
        let names = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        for name in shape.get("required").map(&names).unwrap_or_default() {
            if !map.contains_key(&name) {
                self.found
                    .push(format!("{at}: required key [{name}] not found"));
            }
        }
        for (keyword, most) in [("requiredXor", 1), ("requiredOr", usize::MAX)] {
            let Some(options) = shape.get(keyword).map(&names) else {
                continue;
            };
            let given = options.iter().filter(|n| map.contains_key(*n)).count();
            if given == 0 || given > most {
                self.found.push(format!(
                    "{at}: {} of [{}] must be specified",
                    if most == 1 {
                        "exactly one"
                    } else {
                        "at least one"
                    },
                    options.join(", ")
                ));
            }
        }
        for (keyword, wanted) in [("dependentRequired", true), ("dependentExcluded", false)] {
            for (name, others) in shape
                .get(keyword)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                if !map.contains_key(name) {
                    continue;
                }
                for other in names(others) {
                    if map.contains_key(&other) != wanted {
                        let verb = if wanted { "requires" } else { "excludes" };
                        self.found
                            .push(format!("{at}: key [{name}] {verb} key [{other}]"));
                    }
                }
            }
        }
    }

    fn array(&mut self, shape: &Value, items: &[Value], at: &str, depth: usize) {
        let count = items.len() as u64;
        if let Some(min) = shape.get("minItems").and_then(Value::as_u64)
            && count < min
        {
            self.found.push(format!(
                "{at}: expected minimum item count: {min}, found: {count}"
            ));
        }
        if let Some(max) = shape.get("maxItems").and_then(Value::as_u64)
            && count > max
        {
            self.found.push(format!(
                "{at}: expected maximum item count: {max}, found: {count}"
            ));
        }
        if shape.get("uniqueItems") == Some(&Value::Bool(true))
            && items
                .iter()
                .enumerate()
                .any(|(i, item)| items[..i].contains(item))
        {
            self.found.push(format!("{at}: array items are not unique"));
        }
        if let Some(inner) = shape.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.value(inner, item, &format!("{at}/{index}"), depth + 1);
            }
        }
    }
}

fn type_matches(shape: &Value, value: &Value) -> bool {
    let one = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => true,
    };
    match shape.get("type") {
        Some(Value::String(name)) => one(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(one),
        _ => true,
    }
}

fn expected(shape: &Value) -> String {
    let java = |name: &str| match name {
        "object" => "JSONObject",
        "array" => "JSONArray",
        "string" => "String",
        "boolean" => "Boolean",
        "integer" => "Integer",
        "number" => "Number",
        _ => "null",
    };
    match shape.get("type") {
        Some(Value::String(name)) => java(name).to_owned(),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(java)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "JSONObject",
        Value::Array(_) => "JSONArray",
        Value::String(_) => "String",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Number",
        Value::Number(_) => "Integer",
        Value::Null => "null",
    }
}

/// A pattern of the table, compiled once. None for one that this engine cannot
/// express; a test makes sure that the table has none.
fn compiled(pattern: &str) -> Option<Arc<Regex>> {
    static CACHE: OnceLock<Mutex<HashMap<String, Option<Arc<Regex>>>>> = OnceLock::new();
    let mut cache = CACHE
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    cache
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).ok().map(Arc::new))
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{lookup, names};
    use serde_json::json;

    fn wrong(type_name: &str, model: Value) -> Vec<String> {
        violations(lookup(type_name).unwrap(), model.as_object().unwrap())
    }

    #[test]
    fn unknown_properties_are_named_as_aws_names_them() {
        assert_eq!(
            wrong("AWS::EC2::InternetGateway", json!({"Colour": "red"})),
            ["#: extraneous key [Colour] is not permitted"]
        );
        assert_eq!(
            wrong("AWS::SQS::Queue", json!({"DelaySeconds": "2"})),
            ["#/DelaySeconds: expected type: Integer, found: String"]
        );
    }

    #[test]
    fn nested_definitions_are_followed() {
        let found = wrong(
            "AWS::EC2::InternetGateway",
            json!({"Tags": [{"Key": "a", "Value": "b", "Extra": 1}]}),
        );
        assert_eq!(found, ["#/Tags/0: extraneous key [Extra] is not permitted"]);
    }

    #[test]
    fn every_pattern_of_the_table_compiles() {
        fn walk(value: &Value, name: &str, bad: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(pattern)) = map.get("pattern")
                        && compiled(pattern).is_none()
                    {
                        bad.push(format!("{name}: {pattern}"));
                    }
                    map.values().for_each(|inner| walk(inner, name, bad));
                }
                Value::Array(items) => items.iter().for_each(|inner| walk(inner, name, bad)),
                _ => {}
            }
        }
        let mut bad = Vec::new();
        for name in names() {
            let info = lookup(name).unwrap();
            walk(&info.shape, name, &mut bad);
            info.definitions
                .values()
                .for_each(|shape| walk(shape, name, &mut bad));
        }
        assert_eq!(bad, Vec::<String>::new());
    }
}
