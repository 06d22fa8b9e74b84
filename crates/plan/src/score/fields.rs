//! Reading the fields of a YAML tree, one complaint per mistake.

use super::{
    near::hint,
    problems::Problems,
    text,
    yaml::{Kind, Located, Tree},
};
use landfall_model::error::Position;

pub(super) type Members = [(Located<String>, Tree)];

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

pub(super) fn mapping<'a>(
    tree: &'a Tree,
    path: &str,
    problems: &mut Problems,
) -> Option<&'a Members> {
    if let Kind::Map(members) = &tree.kind {
        return Some(members);
    }
    let message = format!("this must be a mapping, but it is {}", tree.noun());
    problems.add(path, message, &tree.position);
    None
}

pub(super) fn list<'a>(tree: &'a Tree, path: &str, problems: &mut Problems) -> Option<&'a [Tree]> {
    if let Kind::List(items) = &tree.kind {
        return Some(items);
    }
    let message = format!("this must be a list, but it is {}", tree.noun());
    problems.add(path, message, &tree.position);
    None
}

pub(super) fn string<'a>(tree: &'a Tree, path: &str, problems: &mut Problems) -> Option<&'a str> {
    if let Kind::Text(text) = &tree.kind {
        return Some(text);
    }
    let advice = match tree.kind {
        Kind::Number(_) | Kind::Bool(_) | Kind::Null => "; put it in quotes",
        _ => "",
    };
    let message = format!("this must be text, but it is {}{advice}", tree.noun());
    problems.add(path, message, &tree.position);
    None
}

/// Text that `fits`; `must` completes "this …".
pub(super) fn text_of<'a>(
    tree: &'a Tree,
    path: &str,
    fits: fn(&str) -> bool,
    must: &str,
    problems: &mut Problems,
) -> Option<&'a str> {
    let text = string(tree, path, problems)?;
    if fits(text) {
        return Some(text);
    }
    problems.add(path, format!("'{}' {must}", excerpt(text)), &tree.position);
    None
}

pub(super) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

pub(super) fn not_empty(text: &str) -> bool {
    !text.is_empty()
}

pub(super) fn choice<T: Copy>(
    tree: &Tree,
    path: &str,
    choices: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let text = string(tree, path, problems)?;
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let hint = hint(text, choices.iter().map(|(word, _)| *word));
    let message = format!("'{}' is not a choice here{hint}", excerpt(text));
    problems.add(path, message, &tree.position);
    None
}

pub(super) fn port_number(tree: &Tree, path: &str, problems: &mut Problems) -> Option<u16> {
    let Kind::Number(number) = &tree.kind else {
        let message = format!("a port is a number, but this is {}", tree.noun());
        problems.add(path, message, &tree.position);
        return None;
    };
    // JSON Schema counts 80.0 as an integer.
    let whole = number.as_u64().or_else(|| {
        number
            .as_f64()
            .filter(|it| it.fract() == 0.0 && (0.0..=65535.0).contains(it))
            .and_then(|it| format!("{it:.0}").parse().ok())
    });
    let port = whole
        .and_then(|it| u16::try_from(it).ok())
        .filter(|it| *it > 0);
    if port.is_none() {
        problems.add(
            path,
            format!("a port is a whole number from 1 to 65535, not {number}"),
            &tree.position,
        );
    }
    port
}

/// The members of a mapping whose fields are all known, one by one.
pub(super) struct Fields<'a> {
    members: &'a Members,
    path: String,
    position: &'a Position,
}

impl<'a> Fields<'a> {
    pub fn strict(
        tree: &'a Tree,
        path: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let fields = Self::open(tree, path, problems)?;
        for (key, _) in fields.members {
            if !known.contains(&key.value.as_str()) {
                problems.add(
                    join(path, &key.value),
                    format!(
                        "there is no field '{}' here{}",
                        excerpt(&key.value),
                        hint(&key.value, known.iter().copied())
                    ),
                    &key.position,
                );
            }
        }
        Some(fields)
    }

    /// Other fields are allowed.
    pub fn open(tree: &'a Tree, path: &str, problems: &mut Problems) -> Option<Self> {
        Some(Self {
            members: mapping(tree, path, problems)?,
            path: path.to_owned(),
            position: &tree.position,
        })
    }

    pub fn get(&self, name: &str) -> Option<(&'a Tree, String)> {
        let (_, tree) = self.members.iter().find(|(key, _)| key.value == name)?;
        Some((tree, join(&self.path, name)))
    }

    pub fn require(&self, name: &str, problems: &mut Problems) -> Option<(&'a Tree, String)> {
        let found = self.get(name);
        if found.is_none() {
            let message = format!("the field '{name}' is missing");
            problems.add(join(&self.path, name), message, self.position);
        }
        found
    }
}

/// A mapping with names of one kind as keys.
pub(super) fn named<'a>(
    tree: &'a Tree,
    path: &str,
    problems: &mut Problems,
) -> Vec<(&'a Located<String>, &'a Tree, String)> {
    let mut found = Vec::new();
    for (key, value) in mapping(tree, path, problems).unwrap_or_default() {
        let path = join(path, &key.value);
        if !text::is_label(&key.value) {
            problems.add(
                &path,
                format!("'{}' {LABEL}", excerpt(&key.value)),
                &key.position,
            );
        }
        found.push((key, value, path));
    }
    found
}

pub(super) const LABEL: &str = "is not a name: 2 to 63 of a-z, 0-9 and '-', without '-' at an end";
