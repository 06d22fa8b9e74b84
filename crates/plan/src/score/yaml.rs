//! YAML as a tree in which every value knows where it stands.

use landfall_model::error::Position;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{Location, Spanned};

/// A value with the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub position: Position,
}

impl<T> Located<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: change(self.value),
            position: self.position,
        }
    }
}

/// One node of the document.
pub(super) struct Tree {
    pub kind: Kind,
    pub position: Position,
    /// Byte range of the node in the text, when it is known.
    pub bytes: Option<(usize, usize)>,
}

pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(Located<String>, Tree)>),
}

impl Tree {
    /// What it is, in a word.
    pub fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing (null)",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(it) => Value::Bool(*it),
            Kind::Number(it) => Value::Number(it.clone()),
            Kind::Text(it) => Value::String(it.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.value.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// A document that cannot be read as YAML.
pub(super) struct Malformed {
    pub message: String,
    pub position: Option<Position>,
    pub source: serde_saphyr::Error,
}

/// Reads one YAML 1.2 document. Aliases and merge keys work, within limits that
/// no Score file needs and every alias bomb breaks.
pub(super) fn read(text: &str) -> Result<Tree, Box<Malformed>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_nodes: 20_000,
            max_events: 60_000,
            max_aliases: 200,
            max_anchors: 200,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 1 << 20,
            max_total_scalar_bytes: 1 << 20,
            max_merge_keys: 200,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 100,
        },
        // `yes` and `1_000` are text in YAML 1.2, and so they are in Score.
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options)
        .map(Tree::from)
        .map_err(|error| {
            Box::new(Malformed {
                message: sentence(&error),
                position: error.location().as_ref().and_then(position),
                source: error,
            })
        })
}

/// The library's message in our words: its own speak to programmers, and end
/// with the position, which is told separately.
fn sentence(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key '{key}' is given twice")
        }
        Error::MultipleDocuments { .. } => {
            "the file holds several documents ('---'); give each its own file".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it is nested too deeply, too large, or multiplies itself through aliases".to_owned()
        }
        other => {
            let text = other.to_string();
            let first = text.lines().next().unwrap_or_default();
            let end = first.find(" at line ").unwrap_or(first.len());
            first[..end].trim().trim_end_matches(',').to_owned()
        }
    }
}

fn position(location: &Location) -> Option<Position> {
    let line = u32::try_from(location.line()).ok()?;
    let column = u32::try_from(location.column()).ok()?;
    (line > 0).then_some(Position { line, column })
}

impl From<Spanned<Raw>> for Tree {
    fn from(raw: Spanned<Raw>) -> Self {
        // For an alias this is the anchored text, where the mistake is.
        let location = raw.defined;
        let span = location.span();
        let bytes = span.byte_offset().zip(span.byte_len());
        Self {
            position: position(&location).unwrap_or(Position { line: 1, column: 1 }),
            bytes: bytes.and_then(|(start, len)| {
                let start = usize::try_from(start).ok()?;
                Some((start, start.checked_add(usize::try_from(len).ok()?)?))
            }),
            kind: match raw.value {
                Raw::Null => Kind::Null,
                Raw::Bool(it) => Kind::Bool(it),
                Raw::Number(it) => Kind::Number(it),
                Raw::Text(it) => Kind::Text(it),
                Raw::List(items) => Kind::List(items.into_iter().map(Self::from).collect()),
                Raw::Map(members) => Kind::Map(
                    members
                        .into_iter()
                        .map(|(key, value)| {
                            let place = position(&key.referenced)
                                .unwrap_or(Position { line: 1, column: 1 });
                            let key = Located {
                                value: key.value,
                                position: place,
                            };
                            (key, Self::from(value))
                        })
                        .collect(),
                ),
            },
        }
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Raw, E> {
        Ok(Raw::Number(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Raw, E> {
        Ok(Raw::Number(it.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, it: f64) -> Result<Raw, E> {
        Number::from_f64(it)
            .map(Raw::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, it: &str) -> Result<Raw, E> {
        Ok(Raw::Text(it.to_owned()))
    }

    fn visit_string<E>(self, it: String) -> Result<Raw, E> {
        Ok(Raw::Text(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Raw::Map(members))
    }
}
