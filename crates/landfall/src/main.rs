//! The binary: the only place that chooses implementations.

mod clock;
mod commands;
mod config;
mod connectors;
mod keeping;
#[cfg(debug_assertions)]
mod kill_switch;
mod logging;
mod secret_file;
mod server;
mod shutdown;

use clap::{CommandFactory as _, Parser, Subcommand};
use landfall_cli::{CliError, ClientCommand, Globals};
use std::{path::PathBuf, process::ExitCode};

/// Connects your cloud accounts and lands your applications in them
#[derive(Debug, Parser)]
#[command(name = "landfall", version, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,

    /// The folder of a server on this machine
    #[arg(
        long,
        global = true,
        env = "LANDFALL_DATA",
        value_name = "FOLDER",
        help_heading = landfall_cli::EVERYWHERE
    )]
    data_dir: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: a server, simulated clouds and a guided journey
    Demo(commands::demo::Args),
    /// Run the server
    Server(commands::server::Args),
    /// Run simulated clouds
    Sandbox(commands::sandbox::Args),
    /// Make an organization on the server's own machine, or list them
    #[command(subcommand)]
    Organizations(commands::organizations::Command),
    /// The master keys that seal stored secrets
    #[command(subcommand)]
    Vault(commands::vault::Command),
    /// The OIDC issuer by which clouds are reached without a secret
    #[command(subcommand)]
    Issuer(commands::issuer::Command),
    /// Say what is set up, what is missing and what to do
    Doctor(commands::doctor::Args),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    #[command(flatten)]
    Client(ClientCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> ExitCode {
    let data_dir = config::data_dir(arguments.data_dir);
    let format = arguments.globals.output;
    let result = match arguments.command {
        Command::Client(command) => {
            return match landfall_cli::run(command, &arguments.globals, &data_dir).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    error.report();
                    error.exit_code()
                }
            };
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "landfall", &mut std::io::stdout());
            Ok(())
        }
        Command::Demo(args) => commands::demo::run(args, format).await,
        Command::Server(args) => commands::server::run(args, &data_dir, format).await,
        Command::Organizations(command) => {
            commands::organizations::run(command, &data_dir, format).await
        }
        Command::Vault(command) => commands::vault::run(command, &data_dir, format).await,
        Command::Issuer(command) => commands::issuer::run(command, &data_dir, format).await,
        Command::Sandbox(args) => commands::sandbox::run(args, format).await,
        Command::Doctor(args) => commands::doctor::run(args, &data_dir, format).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<CliError>() {
        error.report();
        return error.exit_code();
    }
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::FAILURE
}
