//! Score files (`score.dev/v1b1`), read strictly: what the schema refuses is an
//! error with its line and column, and so is a placeholder that leads nowhere.

mod container;
mod decode;
mod fields;
mod near;
mod placeholder;
pub(crate) mod problems;
mod text;
mod yaml;

pub use near::{hint, listed, nearest};
pub use placeholder::{Part, Template};
pub use yaml::Located;

use landfall_model::{
    Error,
    error::{Code, Position},
};
use problems::Problems;
use serde_json::{Map, Value};

/// No Score file is longer: what is, was not written by a person.
pub const MAX_BYTES: usize = 256 * 1024;

/// One workload. Mappings keep the order in which they were written: the first
/// container and the first port mean something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub metadata: Metadata,
    pub containers: Vec<Container>,
    pub service: Service,
    pub resources: Vec<Resource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub name: Located<String>,
    /// All of `metadata`, for placeholders.
    pub all: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub ports: Vec<Port>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: Located<String>,
    /// What others connect to.
    pub port: u16,
    /// What the container listens on.
    pub target: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub name: Located<String>,
    pub image: Located<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub variables: Vec<(Located<String>, Located<Template>)>,
    /// Targets of files to mount.
    pub files: Vec<Located<String>>,
    /// Targets of volumes to mount.
    pub volumes: Vec<Located<String>>,
    pub before: Vec<(Located<String>, Ready)>,
    pub limits: Amounts,
    pub requests: Amounts,
    pub liveness: Option<Located<Probe>>,
    pub readiness: Option<Located<Probe>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    Started,
    Healthy,
    Complete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Thousandths of a CPU.
    pub milli_cpu: Option<u64>,
    pub memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    pub http: Option<HttpProbe>,
    pub exec: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    pub path: String,
    pub port: u16,
    pub https: bool,
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub name: Located<String>,
    pub kind: Located<String>,
    pub class: Option<Located<String>>,
    pub id: Option<Located<String>>,
    pub params: Vec<(Located<String>, Located<Value>)>,
}

impl Workload {
    pub fn name(&self) -> &str {
        &self.metadata.name.value
    }

    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.name.value == name)
    }
}

/// Reads a Score file.
///
/// # Errors
/// `score-invalid` where the schema refuses it, `score-placeholder` for a
/// placeholder that leads nowhere in the file, `score-unsupported` for one where
/// none can be. Every violation has its position.
pub fn parse(text: &str) -> Result<Workload, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::new(
            Code::ScoreInvalid,
            format!(
                "the Score file is {} KiB long; at most {} KiB are read",
                text.len() / 1024,
                MAX_BYTES / 1024
            ),
            "keep large contents out of the Score file, for example in the image",
        ));
    }
    let tree = yaml::read(text).map_err(|malformed| {
        let place = malformed.position.as_ref().map_or_else(String::new, at);
        Error::new(
            Code::ScoreInvalid,
            format!("{place}the Score file is not YAML: {}", malformed.message),
            "correct the file and try again; indentation is made of spaces",
        )
        .with_violation("", malformed.message, malformed.position)
        .with_source(malformed.source)
    })?;
    let mut problems = Problems::default();
    let draft = decode::workload(&tree, &mut problems);
    problems.finish(Code::ScoreInvalid)?;
    // Without problems there is a draft; the other arm cannot be reached.
    let Some(draft) = draft else {
        return Err(Error::new(
            Code::ScoreInvalid,
            "the Score file is not valid",
            "correct it and try again",
        ));
    };
    placeholder::link(draft, text)
}

fn at(position: &Position) -> String {
    format!("line {}, column {}: ", position.line, position.column)
}
