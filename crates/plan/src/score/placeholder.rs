//! `${metadata.…}` and `${resources.<name>.<output>}` in texts.

use super::{
    Container, Metadata, Workload,
    decode::{Draft, Unlinked},
    near::{hint, listed},
    problems::Problems,
    yaml::Located,
};
use landfall_model::{
    Error,
    error::{Code, Position},
};
use serde_json::{Map, Value};

/// A text with what it refers to. Metadata is already filled in, and `$$` is a
/// plain dollar sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Where it stands in the file: `containers.web.variables.HOST`.
    pub path: String,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// An output of a resource that the same file declares.
    Output {
        resource: String,
        output: String,
        position: Position,
    },
}

/// What a placeholder may refer to.
struct Scope<'a> {
    metadata: &'a Map<String, Value>,
    resources: Vec<String>,
    source: &'a str,
}

pub(super) fn link(draft: Draft<'_>, source: &str) -> Result<Workload, Error> {
    let scope = Scope {
        metadata: &draft.metadata,
        resources: draft
            .resources
            .iter()
            .map(|it| it.resource.name.value.clone())
            .collect(),
        source,
    };
    let mut problems = Problems::default();
    let mut unsupported = Problems::default();
    let mut resources = Vec::new();
    for draft in draft.resources {
        let mut resource = draft.resource;
        for text in &draft.texts {
            let template = scope.template(text, &mut problems);
            for part in &template.parts {
                if let Part::Output { position, .. } = part {
                    let message = "a parameter cannot use the output of another resource";
                    unsupported.add(&text.path, message, position);
                }
            }
            let Some(plain) = template.plain() else {
                continue;
            };
            let name = text.path.rsplit('.').next().unwrap_or_default();
            for (key, value) in &mut resource.params {
                if key.value == name && value.value.is_string() {
                    value.value = Value::String(plain.clone());
                }
            }
        }
        resources.push(resource);
    }
    let mut containers = Vec::new();
    for draft in draft.containers {
        for text in &draft.others {
            scope.template(text, &mut problems);
        }
        let variables = draft
            .variables
            .into_iter()
            .map(|(name, text)| {
                let template = Located {
                    value: scope.template(&text, &mut problems),
                    position: text.position,
                };
                (name, template)
            })
            .collect();
        containers.push(Container {
            name: draft.name,
            image: draft.image,
            command: draft.command,
            args: draft.args,
            variables,
            files: draft.files,
            volumes: draft.volumes,
            before: draft.before,
            limits: draft.limits,
            requests: draft.requests,
            liveness: draft.liveness,
            readiness: draft.readiness,
        });
    }
    problems.finish(Code::ScorePlaceholder)?;
    unsupported.finish(Code::ScoreUnsupported)?;
    Ok(Workload {
        metadata: Metadata {
            name: draft.name,
            all: draft.metadata,
        },
        containers,
        service: draft.service,
        resources,
    })
}

impl Template {
    /// The text, when it refers to no resource.
    pub fn plain(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Output { .. } => None,
            })
            .collect()
    }
}

impl Scope<'_> {
    fn template(&self, text: &Unlinked<'_>, problems: &mut Problems) -> Template {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut rest = text.text;
        let mut seen = 0;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let Some(inner) = rest.strip_prefix('{') else {
                literal.push('$');
                continue;
            };
            let position = self.position(text, seen);
            seen += 1;
            let Some((name, after)) = inner.split_once('}') else {
                let message =
                    "a placeholder is not closed by '}'; write $$ for a plain dollar sign";
                problems.add(&text.path, message, &position);
                break;
            };
            rest = after;
            match self.look_up(name) {
                Ok(Found::Text(found)) => literal.push_str(&found),
                Ok(Found::Output { resource, output }) => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Output {
                        resource,
                        output,
                        position,
                    });
                }
                Err(message) => problems.add(&text.path, message, &position),
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal));
        }
        Template {
            path: text.path.clone(),
            parts,
        }
    }

    /// Where the placeholder number `index` of a text stands: found in the
    /// source, because quoting and folding shift what the text itself counts.
    fn position(&self, text: &Unlinked<'_>, index: usize) -> Position {
        let find = || {
            let (start, end) = text.bytes?;
            let written = self.source.get(start..end)?;
            let mut offset = 0;
            let mut left = index;
            loop {
                let at = offset + written.get(offset..)?.find('$')?;
                let tail = &written[at + 1..];
                if tail.starts_with('$') {
                    offset = at + 2;
                } else if tail.starts_with('{') {
                    if left == 0 {
                        return Some(start + at);
                    }
                    left -= 1;
                    offset = at + 2;
                } else {
                    offset = at + 1;
                }
            }
        };
        let Some(before) = find().and_then(|at| self.source.get(..at)) else {
            return text.position.clone();
        };
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(last.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }

    fn look_up(&self, name: &str) -> Result<Found, String> {
        let path = split(name);
        let mut words = path.iter().map(String::as_str);
        match (words.next(), words.next()) {
            (Some("metadata"), Some(_)) => self.metadata(name, &path[1..]),
            (Some("resources"), Some(resource)) => {
                if !self.resources.iter().any(|it| it == resource) {
                    let hint = hint(resource, self.resources.iter().map(String::as_str));
                    return Err(if self.resources.is_empty() {
                        format!("${{{name}}} refers to a resource, but the file declares none")
                    } else {
                        format!("${{{name}}}: there is no resource '{resource}'{hint}")
                    });
                }
                let output = path.get(2..).unwrap_or_default().join(".");
                if output.is_empty() {
                    return Err(format!(
                        "${{{name}}} must say which output, as in ${{{name}.host}}"
                    ));
                }
                Ok(Found::Output {
                    resource: resource.to_owned(),
                    output,
                })
            }
            (first, _) => {
                let hint = first
                    .filter(|word| !word.is_empty())
                    .map(|word| hint(word, ["metadata", "resources"]))
                    .unwrap_or_default();
                Err(format!(
                    "${{{name}}} leads nowhere: a placeholder is ${{metadata.…}} or ${{resources.…}}{hint}"
                ))
            }
        }
    }

    fn metadata(&self, name: &str, path: &[String]) -> Result<Found, String> {
        let mut at: Option<&Value> = None;
        for word in path {
            let members = match at {
                None => self.metadata,
                Some(Value::Object(members)) => members,
                Some(_) => return Err(format!("${{{name}}}: there is nothing below '{word}'")),
            };
            at = Some(members.get(word).ok_or_else(|| {
                let hint = hint(word, members.keys().map(String::as_str));
                format!("${{{name}}}: the metadata has no '{word}'{hint}")
            })?);
        }
        match at {
            Some(Value::String(text)) => Ok(Found::Text(text.clone())),
            Some(Value::Number(number)) => Ok(Found::Text(number.to_string())),
            Some(Value::Bool(it)) => Ok(Found::Text(it.to_string())),
            Some(Value::Object(members)) => {
                let keys: Vec<&String> = members.keys().collect();
                Err(format!(
                    "${{{name}}} is a mapping; name one of {}",
                    listed(&keys)
                ))
            }
            _ => Err(format!("${{{name}}} is not a text")),
        }
    }
}

enum Found {
    Text(String),
    Output { resource: String, output: String },
}

/// Splits at dots; `\.` is a dot inside a word.
fn split(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek() == Some(&'.') => {
                characters.next();
                push(&mut words, '.');
            }
            '.' => words.push(String::new()),
            other => push(&mut words, other),
        }
    }
    words
}

fn push(words: &mut [String], c: char) {
    if let Some(last) = words.last_mut() {
        last.push(c);
    }
}
