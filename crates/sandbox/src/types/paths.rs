//! Property paths as schemas write them: `Endpoint/Address`, `Rules/*/Prefix`.

use super::Model;
use serde_json::Value;

/// The value at a path without wildcards.
pub fn get<'a>(model: &'a Model, path: &str) -> Option<&'a Value> {
    let mut segments = path.split('/');
    let mut value = model.get(segments.next()?)?;
    for segment in segments {
        value = value.get(segment)?;
    }
    Some(value)
}

/// What stands at a path, and whether the path leads through a list.
pub fn found<'m>(model: &'m Model, path: &str) -> (Vec<&'m Value>, bool) {
    fn walk<'m>(value: &'m Value, rest: &[&str], all: &mut (Vec<&'m Value>, bool)) {
        let Some((first, inner)) = rest.split_first() else {
            all.0.push(value);
            return;
        };
        match (value, *first) {
            (Value::Array(items), name) => {
                all.1 = true;
                // Schemas leave the `*` out now and then.
                let rest = if name == "*" { inner } else { rest };
                items.iter().for_each(|item| walk(item, rest, all));
            }
            (Value::Object(map), "*") => {
                all.1 = true;
                map.values().for_each(|item| walk(item, inner, all));
            }
            (Value::Object(map), name) => {
                if let Some(value) = map.get(name) {
                    walk(value, inner, all);
                }
            }
            _ => {}
        }
    }
    let mut all = (Vec::new(), false);
    let segments: Vec<&str> = path.split('/').collect();
    if let Some((first, rest)) = segments.split_first()
        && let Some(value) = model.get(*first)
    {
        walk(value, rest, &mut all);
    }
    all
}

/// Whether anything stands at a path; `*` matches every element.
pub fn touched(model: &Model, path: &str) -> bool {
    fn walk(value: &Value, rest: &[&str]) -> bool {
        let Some((first, rest)) = rest.split_first() else {
            return true;
        };
        match (value, *first) {
            (Value::Array(items), "*") => items.iter().any(|item| walk(item, rest)),
            // Schemas leave the `*` out now and then.
            (Value::Array(items), _) => items
                .iter()
                .any(|item| item.get(*first).is_some_and(|v| walk(v, rest))),
            (Value::Object(map), "*") => map.values().any(|item| walk(item, rest)),
            (Value::Object(map), name) => map.get(name).is_some_and(|v| walk(v, rest)),
            _ => false,
        }
    }
    let segments: Vec<&str> = path.split('/').collect();
    match segments.split_first() {
        Some((first, rest)) => model.get(*first).is_some_and(|value| walk(value, rest)),
        None => false,
    }
}

/// Removes what stands at a path, everywhere that `*` matches. Objects that
/// become empty by it are removed too.
pub fn remove(model: &mut Model, path: &str) {
    fn walk(value: &mut Value, rest: &[&str]) {
        let Some((first, rest)) = rest.split_first() else {
            return;
        };
        match (value, *first) {
            (Value::Array(items), "*") => items.iter_mut().for_each(|item| walk(item, rest)),
            (Value::Array(items), _) => {
                let all: Vec<&str> = std::iter::once(*first)
                    .chain(rest.iter().copied())
                    .collect();
                items.iter_mut().for_each(|item| walk(item, &all));
            }
            (Value::Object(map), name) => {
                if rest.is_empty() {
                    map.remove(name);
                } else if let Some(inner) = map.get_mut(name) {
                    walk(inner, rest);
                    if inner.as_object().is_some_and(serde_json::Map::is_empty) {
                        map.remove(name);
                    }
                }
            }
            _ => {}
        }
    }
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        [] => {}
        [only] => {
            model.remove(*only);
        }
        [first, rest @ ..] => {
            if let Some(value) = model.get_mut(*first) {
                walk(value, rest);
                if value.as_object().is_some_and(serde_json::Map::is_empty) {
                    model.remove(*first);
                }
            }
        }
    }
}

/// Takes all of `paths` out of a model.
pub fn strip(model: &mut Model, paths: &[String]) {
    for path in paths {
        remove(model, path);
    }
}

/// Sets a top-level property unless it is there.
pub fn set_default(model: &mut Model, name: &str, value: impl Into<Value>) {
    if !model.contains_key(name) {
        model.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(value: Value) -> Model {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn wildcards_reach_into_lists() {
        let mut it = model(json!({"Rules": [{"Prefix": "a", "Id": 1}, {"Id": 2}]}));
        assert!(touched(&it, "Rules/*/Prefix"));
        remove(&mut it, "Rules/*/Prefix");
        assert_eq!(Value::Object(it), json!({"Rules": [{"Id": 1}, {"Id": 2}]}));
    }

    #[test]
    fn an_emptied_object_disappears() {
        let mut it = model(json!({"MasterUserSecret": {"SecretArn": "x"}, "Port": 1}));
        remove(&mut it, "MasterUserSecret/SecretArn");
        assert_eq!(Value::Object(it), json!({"Port": 1}));
    }
}
