//! `landfall vault`: the master keys and what they seal. Works on the database
//! itself, whether a server runs or not, and whether one would start or not:
//! this is how one finds out and repairs.

use crate::{commands::organizations::Where, config::Config, keeping, logging};
use indicatif::{ProgressBar, ProgressStyle};
use landfall_cli::{CliError, Format, Output};
use landfall_vault::{Missing, Rotated, Shown, VersionUse, rotate, show};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the versions of the master key and how much each of them seals
    Show(Where),
    /// Add a version of the master key and seal every stored secret anew under
    /// it, while servers run. An interrupted rotation is ended first
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// How many secrets are written at a time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,
    #[command(flatten)]
    pub of: Where,
}

pub async fn run(command: Command, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    logging::start("warn");
    match command {
        Command::Show(args) => shown(&args, data_dir, format).await,
        Command::Rotate(args) => rotated(&args, data_dir, format).await,
    }
}

async fn shown(args: &Where, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    let config = Config::load(args.config.as_deref(), data_dir)?;
    let store = keeping::store(&config, data_dir).await?;
    let vault = keeping::unchecked_vault(&config, data_dir, Missing::Refuse)?;
    let shown = show(&*store, vault.keys()).await?;
    Output { format }.print(&shown, human)?;
    Ok(())
}

fn human(shown: &Shown) -> String {
    let mut text = format!("Master keys: {}", shown.keys);
    if shown.versions.is_empty() {
        text.push_str("\nNone yet: the first secret that is stored makes one.");
    }
    for one in &shown.versions {
        let VersionUse {
            version,
            secrets,
            signing_keys,
            ..
        } = one;
        let note = match (one.current, one.available) {
            (true, _) => "  (seals now)",
            (false, true) => "",
            (false, false) => "  (missing: what it sealed cannot be read)",
        };
        text.push_str(&format!(
            "\nversion {version}: {secrets} secrets, {signing_keys} signing keys{note}"
        ));
    }
    text
}

async fn rotated(args: &Rotate, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    let config = Config::load(args.of.config.as_deref(), data_dir)?;
    let store = keeping::store(&config, data_dir).await?;
    let missing = Missing::Make(store.clone());
    let vault = keeping::unchecked_vault(&config, data_dir, missing)?;
    // On stderr, and only where a person looks at it.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} sealed anew") {
        bar.set_style(style);
    }
    let rotated = rotate(&*store, &vault, args.batch, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })
    .await;
    bar.finish_and_clear();
    let rotated = rotated?;
    Output { format }.print(&rotated, said)?;
    if rotated.unreadable.is_empty() {
        return Ok(());
    }
    let count = rotated.unreadable.len();
    Err(CliError::Outcome(format!("{count} secrets do not open and stay as they are")).into())
}

fn said(rotated: &Rotated) -> String {
    let Rotated {
        version, resealed, ..
    } = rotated;
    let mut text = if rotated.resumed {
        format!(
            "Ended the rotation to version {version} that was interrupted: sealed {resealed} \
             secrets anew. Repeat it for a new version."
        )
    } else {
        format!(
            "Everything is under version {version} of the master key now ({resealed} sealed \
             anew). Back the key up; keep the old one for backups of the database."
        )
    };
    for record in &rotated.unreadable {
        text.push_str(&format!("\ndoes not open: {record}"));
    }
    text
}
