//! From a YAML tree to a workload, as the Score v1b1 schema says. Values with
//! placeholders stay text here.

use super::{
    Port, Protocol, Resource, Service,
    container::{DraftContainer, container},
    fields::{Fields, LABEL, choice, excerpt, join, mapping, named, port_number, string, text_of},
    problems::Problems,
    text,
    yaml::{Kind, Located, Tree},
};
use landfall_model::error::Position;
use serde_json::{Map, Value};

/// A text that may hold placeholders, before they are linked.
pub(super) struct Unlinked<'a> {
    pub path: String,
    pub text: &'a str,
    pub position: Position,
    /// Byte range in the source, when known.
    pub bytes: Option<(usize, usize)>,
}

pub(super) struct DraftResource<'a> {
    pub resource: Resource,
    /// Parameters that are text.
    pub texts: Vec<Unlinked<'a>>,
}

pub(super) struct Draft<'a> {
    pub name: Located<String>,
    pub metadata: Map<String, Value>,
    pub containers: Vec<DraftContainer<'a>>,
    pub service: Service,
    pub resources: Vec<DraftResource<'a>>,
}

pub(super) fn workload<'a>(tree: &'a Tree, problems: &mut Problems) -> Option<Draft<'a>> {
    let known = [
        "apiVersion",
        "metadata",
        "containers",
        "service",
        "resources",
    ];
    let fields = Fields::strict(tree, "", &known, problems)?;
    if let Some((tree, path)) = fields.require("apiVersion", problems) {
        let must = "is not the version that is read here: score.dev/v1b1";
        text_of(tree, &path, |it| it == "score.dev/v1b1", must, problems);
    }
    let metadata = fields
        .require("metadata", problems)
        .and_then(|(tree, path)| metadata(tree, &path, problems));
    let mut containers = Vec::new();
    if let Some((tree, path)) = fields.require("containers", problems) {
        if matches!(&tree.kind, Kind::Map(members) if members.is_empty()) {
            problems.add(
                &path,
                "a workload has at least one container",
                &tree.position,
            );
        }
        for (name, tree, path) in named(tree, &path, problems) {
            containers.extend(container(name, tree, &path, problems));
        }
    }
    let service = fields
        .get("service")
        .map(|(tree, path)| service(tree, &path, problems))
        .unwrap_or_default();
    let mut resources = Vec::new();
    if let Some((tree, path)) = fields.get("resources") {
        for (name, tree, path) in named(tree, &path, problems) {
            resources.extend(resource(name, tree, &path, problems));
        }
    }
    let (name, metadata) = metadata?;
    Some(Draft {
        name,
        metadata,
        containers,
        service,
        resources,
    })
}

fn metadata(
    tree: &Tree,
    path: &str,
    problems: &mut Problems,
) -> Option<(Located<String>, Map<String, Value>)> {
    let fields = Fields::open(tree, path, problems)?;
    annotations(&fields, problems);
    let (name, path) = fields.require("name", problems)?;
    let text = text_of(name, &path, text::is_label, LABEL, problems)?;
    let name = Located {
        value: text.to_owned(),
        position: name.position.clone(),
    };
    match tree.to_json() {
        Value::Object(all) => Some((name, all)),
        _ => None,
    }
}

fn annotations(fields: &Fields<'_>, problems: &mut Problems) {
    let Some((tree, path)) = fields.get("annotations") else {
        return;
    };
    for (key, value) in mapping(tree, &path, problems).unwrap_or_default() {
        let path = join(&path, &key.value);
        if !text::is_annotation(&key.value) {
            let message = format!("'{}' is not an annotation's name", excerpt(&key.value));
            problems.add(&path, message, &key.position);
        }
        string(value, &path, problems);
    }
}

fn service(tree: &Tree, path: &str, problems: &mut Problems) -> Service {
    let mut ports = Vec::new();
    let fields = Fields::strict(tree, path, &["ports"], problems);
    if let Some((tree, path)) = fields.and_then(|fields| fields.get("ports")) {
        for (name, tree, path) in named(tree, &path, problems) {
            ports.extend(port(name, tree, &path, problems));
        }
    }
    Service { ports }
}

fn port(name: &Located<String>, tree: &Tree, path: &str, problems: &mut Problems) -> Option<Port> {
    let fields = Fields::strict(tree, path, &["port", "protocol", "targetPort"], problems)?;
    let port = fields
        .require("port", problems)
        .and_then(|(tree, path)| port_number(tree, &path, problems));
    let target = fields
        .get("targetPort")
        .map(|(tree, path)| port_number(tree, &path, problems));
    let choices = [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp)];
    let protocol = fields
        .get("protocol")
        .map(|(tree, path)| choice(tree, &path, &choices, problems));
    Some(Port {
        name: name.clone(),
        port: port?,
        target: target.unwrap_or(port)?,
        protocol: protocol.unwrap_or(Some(Protocol::Tcp))?,
    })
}

fn resource<'a>(
    name: &Located<String>,
    tree: &'a Tree,
    path: &str,
    problems: &mut Problems,
) -> Option<DraftResource<'a>> {
    let known = ["type", "class", "id", "metadata", "params"];
    let fields = Fields::strict(tree, path, &known, problems)?;
    let located = |found: Option<(&Tree, Option<&str>)>| {
        found.and_then(|(tree, text)| {
            Some(Located {
                value: text?.to_owned(),
                position: tree.position.clone(),
            })
        })
    };
    let word = "must be 2 to 63 letters, digits and '-', without '-' at an end";
    let kind = fields
        .require("type", problems)
        .map(|(tree, path)| (tree, text_of(tree, &path, text::is_type, word, problems)));
    let class = fields
        .get("class")
        .map(|(tree, path)| (tree, text_of(tree, &path, text::is_type, word, problems)));
    let must = "must be 2 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit around each '.'";
    let id = fields
        .get("id")
        .map(|(tree, path)| (tree, text_of(tree, &path, text::is_id, must, problems)));
    if let Some((tree, path)) = fields.get("metadata")
        && let Some(fields) = Fields::open(tree, &path, problems)
    {
        annotations(&fields, problems);
    }
    let mut params = Vec::new();
    let mut texts = Vec::new();
    if let Some((tree, path)) = fields.get("params") {
        for (key, tree) in mapping(tree, &path, problems).unwrap_or_default() {
            unlinked(tree, &join(&path, &key.value), &mut texts);
            let value = Located {
                value: tree.to_json(),
                position: tree.position.clone(),
            };
            params.push((key.clone(), value));
        }
    }
    Some(DraftResource {
        resource: Resource {
            name: name.clone(),
            kind: located(kind)?,
            class: located(class),
            id: located(id),
            params,
        },
        texts,
    })
}

/// All texts at any depth.
pub(super) fn unlinked<'a>(tree: &'a Tree, path: &str, found: &mut Vec<Unlinked<'a>>) {
    match &tree.kind {
        Kind::Text(text) => found.push(Unlinked {
            path: path.to_owned(),
            text,
            position: tree.position.clone(),
            bytes: tree.bytes,
        }),
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                unlinked(item, &format!("{path}[{index}]"), found);
            }
        }
        Kind::Map(members) => {
            for (key, item) in members {
                unlinked(item, &join(path, &key.value), found);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}
