//! What a value refers to, without evaluating it.

use serde_json::{Map, Value};

pub(super) fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    match map.iter().next() {
        Some((name, value)) if map.len() == 1 => Some((name, value)),
        _ => None,
    }
}

pub(super) enum Piece {
    Text(String),
    Name(String),
}

/// Cuts `a-${B}-${!literal}` apart.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        found.push(Piece::Text(before.to_owned()));
        let Some((name, tail)) = after.split_once('}') else {
            found.push(Piece::Text(format!("${{{after}")));
            return found;
        };
        found.push(match name.strip_prefix('!') {
            Some(literal) => Piece::Text(format!("${{{literal}}}")),
            None => Piece::Name(name.trim().to_owned()),
        });
        rest = tail;
    }
    found.push(Piece::Text(rest.to_owned()));
    found
}

/// Names that a value refers to: parameters, pseudo parameters and resources.
pub(super) fn references(value: &Value) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(map) => {
                match single(map) {
                    Some(("Ref", Value::String(name))) => found.push(name.clone()),
                    Some(("Fn::GetAtt", Value::String(text))) => {
                        found.push(text.split('.').next().unwrap_or_default().to_owned());
                    }
                    Some(("Fn::GetAtt", Value::Array(parts))) => {
                        found.extend(parts.first().and_then(Value::as_str).map(str::to_owned));
                    }
                    Some(("Fn::Sub", argument)) => substituted(argument, found),
                    _ => map.values().for_each(|inner| walk(inner, found)),
                };
            }
            _ => {}
        }
    }
    fn substituted(argument: &Value, found: &mut Vec<String>) {
        let (text, own) = match argument {
            Value::Array(parts) => (
                parts.first().and_then(Value::as_str).unwrap_or_default(),
                parts.get(1).and_then(Value::as_object),
            ),
            other => (other.as_str().unwrap_or_default(), None),
        };
        for piece in pieces(text) {
            if let Piece::Name(name) = piece
                && own.is_none_or(|own| !own.contains_key(&name))
            {
                let name = if name.starts_with("AWS::") {
                    name
                } else {
                    name.split('.').next().unwrap_or_default().to_owned()
                };
                found.push(name);
            }
        }
        own.into_iter()
            .flat_map(|own| own.values())
            .for_each(|value| walk(value, found));
    }
    let mut found = Vec::new();
    walk(value, &mut found);
    found
}
