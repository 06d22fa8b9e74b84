//! Keys and secrets that people hand over: from a file or a pipe, never from
//! the command line, where other users of the machine see them.

use crate::error::{CliError, Result};
use std::io::{IsTerminal as _, Read as _};

/// More than any key file has; the server says what is wrong with a smaller one.
const LIMIT: u64 = 64 * 1024;

/// The whole of a file, or of standard input for `-`. `what` is what a person is
/// asked to paste.
pub fn read(path: &str, what: &str) -> Result<String> {
    let unreadable = |source| CliError::ReadFile {
        path: match path {
            "-" => "standard input".to_owned(),
            path => path.to_owned(),
        },
        source,
    };
    let mut text = String::new();
    if path == "-" {
        if std::io::stdin().is_terminal() {
            eprintln!("Paste {what}, then end with Ctrl-D:");
        }
        std::io::stdin().take(LIMIT).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut text))
    }
    .map_err(unreadable)?;
    Ok(text)
}

/// The same for a secret of one line: an editor or `echo` adds a line break.
pub fn read_line(path: &str, what: &str) -> Result<String> {
    let text = read(path, what)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
