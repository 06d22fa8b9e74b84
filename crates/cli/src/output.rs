//! stdout is data, stderr is for people.

use crate::error::{CliError, Result};
use serde::Serialize;
use std::io::{IsTerminal, Write};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
}

impl Output {
    /// Prints `value`: as one JSON document, or as `human` puts it.
    pub fn print<T: Serialize>(self, value: &T, human: impl FnOnce(&T) -> String) -> Result<()> {
        let text = match self.format {
            Format::Human => human(value),
            Format::Json => crate::views::json::render(value)?,
        };
        let mut stdout = std::io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            // The reader has seen enough (`| head`).
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(CliError::Write),
        }
    }

    /// A line for people about what goes on.
    pub fn note(self, text: &str) {
        eprintln!("{text}");
    }

    pub fn is_interactive(self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// Asks a person to type something, on stderr.
pub fn ask(question: &str) -> Result<String> {
    eprint!("{question}");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|source| CliError::ReadFile {
            path: "standard input".into(),
            source,
        })?;
    Ok(line.trim().to_owned())
}
