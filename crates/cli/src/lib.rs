//! The command line: a client of the API. It knows no use case, no cloud and
//! no database.

mod client;
mod commands;
mod error;
mod output;
mod progress;
mod resolve;
mod secret;
mod views;

pub use client::Client;
pub use commands::ClientCommand;
pub use error::CliError;
pub use output::{Format, Output};

use clap::Args;
use error::Result;
use secrecy::SecretString;
use std::path::PathBuf;

/// The heading of the options that every command has.
pub const EVERYWHERE: &str = "Options of every command";

/// Where the server is and how to speak to it.
#[derive(Args, Clone, Debug)]
pub struct Globals {
    /// The server's address
    #[arg(
        long,
        global = true,
        env = "LANDFALL_SERVER",
        default_value = "http://127.0.0.1:7070",
        value_name = "URL",
        help_heading = EVERYWHERE
    )]
    pub server: String,

    /// A file that holds an API token (default: the data folder's admin-token)
    #[arg(
        long,
        global = true,
        env = "LANDFALL_TOKEN_FILE",
        value_name = "FILE",
        help_heading = EVERYWHERE
    )]
    pub token_file: Option<PathBuf>,

    /// An API token; better given in the environment than typed
    #[arg(
        long,
        global = true,
        env = "LANDFALL_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    pub token: Option<String>,

    /// How to print results
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t = Format::Human,
        help_heading = EVERYWHERE
    )]
    pub output: Format,
}

/// What every command gets.
pub struct Context {
    pub client: Client,
    pub output: Output,
}

impl Context {
    /// `data_dir` is where a server on this machine keeps its admin token.
    pub fn new(globals: &Globals, data_dir: &std::path::Path) -> Result<Self> {
        Ok(Self {
            client: Client::new(&globals.server, token(globals, data_dir)?)?,
            output: Output {
                format: globals.output,
            },
        })
    }
}

fn token(globals: &Globals, data_dir: &std::path::Path) -> Result<SecretString> {
    if let Some(token) = &globals.token {
        return Ok(token.trim().to_owned().into());
    }
    let path = globals
        .token_file
        .clone()
        .unwrap_or_else(|| data_dir.join("admin-token"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned().into()),
        Err(source)
            if source.kind() == std::io::ErrorKind::NotFound && globals.token_file.is_none() =>
        {
            Err(CliError::NoToken {
                looked_in: path.display().to_string(),
            })
        }
        Err(source) => Err(CliError::ReadFile {
            path: path.display().to_string(),
            source,
        }),
    }
}

/// Runs one command to its end.
pub async fn run(
    command: ClientCommand,
    globals: &Globals,
    data_dir: &std::path::Path,
) -> Result<()> {
    // Explaining needs neither a server nor a token.
    if let ClientCommand::Explain(args) = command {
        return commands::explain::run(
            Output {
                format: globals.output,
            },
            &args,
        );
    }
    let context = Context::new(globals, data_dir)?;
    command.run(&context).await
}
