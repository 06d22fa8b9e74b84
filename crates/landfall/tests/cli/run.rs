use crate::harness::process::landfall;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use tokio::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Human,
    Json,
}

pub struct Ran {
    /// The command line, for messages.
    line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub async fn of(mut command: Command, line: String) -> Self {
        let output = command.output().await.unwrap();
        Self {
            line,
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.line, self.said());
        self
    }

    /// One JSON document, and nothing else on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.line, self.said()))
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.said();
        assert!(said.contains(text), "{}: no '{text}' in\n{said}", self.line);
        self
    }

    fn said(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// The command line of one person.
pub struct Cli {
    pub server: String,
    pub token_file: PathBuf,
    pub folder: PathBuf,
    called: Mutex<BTreeSet<(String, Form)>>,
}

impl Cli {
    pub fn new(server: &str, token_file: PathBuf, folder: PathBuf) -> Self {
        Self {
            server: server.to_owned(),
            token_file,
            folder,
            called: Mutex::default(),
        }
    }

    pub fn called(&self) -> BTreeSet<(String, Form)> {
        let called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        called.clone()
    }

    fn remember(&self, form: Form, command: &str) {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        called.insert((command.to_owned(), form));
    }

    /// `command` is its path, like `apps create`.
    pub async fn run(&self, form: Form, command: &str, args: &[&str]) -> Ran {
        self.remember(form, command);
        let mut process = landfall();
        process
            .current_dir(&self.folder)
            .args(["--server", &self.server, "--token-file"])
            .arg(&self.token_file)
            .args(command.split(' '))
            .args(args);
        if form == Form::Json {
            process.args(["--output", "json"]);
        }
        Ran::of(process, format!("{command} {}", args.join(" "))).await
    }

    /// Succeeds and prints one JSON document.
    pub async fn json(&self, command: &str, args: &[&str]) -> Value {
        self.run(Form::Json, command, args).await.exits(0).json()
    }

    /// Succeeds and prints something for people, which is no JSON.
    pub async fn human(&self, command: &str, args: &[&str]) -> String {
        let ran = self.run(Form::Human, command, args).await.exits(0);
        assert!(!ran.stdout.trim().is_empty(), "{command} says nothing");
        assert!(
            serde_json::from_str::<Value>(&ran.stdout).is_err(),
            "{command} says JSON to people: {}",
            ran.stdout
        );
        ran.stdout
    }

    /// Reads the same in both forms.
    pub async fn both(&self, command: &str, args: &[&str]) -> (Value, String) {
        (
            self.json(command, args).await,
            self.human(command, args).await,
        )
    }
}
