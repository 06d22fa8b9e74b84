//! What can go wrong on the command line, and the exit code that says it.

use landfall_model::error::{Code, Problem};
use std::process::ExitCode;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server refused, with its reasons.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error("cannot reach the server at {server}")]
    Unreachable {
        server: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the server at {server} answered something that is not Landfall's: {what}")]
    Unexpected { server: String, what: String },
    #[error("there is no API token")]
    NoToken { looked_in: String },
    #[error("cannot read {path}")]
    ReadFile {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Usage(String),
    #[error("{what} '{name}' is not one of: {known}")]
    Unknown {
        what: &'static str,
        name: String,
        known: String,
    },
    /// The work was done as asked, and its result is bad: a failed rollout, a
    /// failed check. The data is already on stdout.
    #[error("{0}")]
    Outcome(String),
    #[error("{0} was not approved")]
    Declined(String),
    #[error("cannot write the result")]
    Write(#[source] std::io::Error),
}

pub type Result<T> = std::result::Result<T, CliError>;

impl CliError {
    /// 1 unexpected · 2 usage (also clap's) · 3 not found · 4 not allowed ·
    /// 5 conflict or stale · 6 done, with a bad result · 7 server unreachable.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Declined(_) | Self::ReadFile { .. } => 2,
            Self::Unknown { .. } => 3,
            Self::NoToken { .. } => 4,
            Self::Outcome(_) => 6,
            Self::Unreachable { .. } => 7,
            Self::Unexpected { .. } | Self::Write(_) => 1,
            Self::Refused(problem) => match problem.status {
                400 | 413 | 422 => 2,
                404 => 3,
                401 | 403 => 4,
                409 => 5,
                _ => 1,
            },
        })
    }

    fn next_step(&self) -> String {
        match self {
            Self::Refused(problem) => problem.next_step.clone(),
            Self::Unreachable { .. } => {
                "start it with `landfall server`, or name another with --server or LANDFALL_SERVER"
                    .into()
            }
            Self::NoToken { looked_in } => {
                format!("set LANDFALL_TOKEN or give --token-file; looked in {looked_in}")
            }
            Self::Unexpected { .. } => "check --server: is it Landfall's address?".into(),
            _ => String::new(),
        }
    }

    fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// For people, on stderr: what happened, why, and what to do.
    pub fn report(&self) {
        match self.code() {
            Some(code) => eprintln!("error[{code}]: {self}"),
            None => eprintln!("error: {self}"),
        }
        if let Self::Refused(problem) = self {
            for violation in &problem.violations {
                match &violation.position {
                    Some(at) => eprintln!(
                        "  line {}, column {}: {}: {}",
                        at.line, at.column, violation.field, violation.message
                    ),
                    None => eprintln!("  {}: {}", violation.field, violation.message),
                }
            }
        }
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            eprintln!("  because: {cause}");
            source = cause.source();
        }
        let next = self.next_step();
        if !next.is_empty() {
            eprintln!("  next: {next}");
        }
        if let Some(code) = self.code() {
            eprintln!("  more: landfall explain {code}");
        }
    }
}
