use crate::{
    Context,
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::application::Application;
use std::{io::Read, path::PathBuf};

fn read(path: &std::path::Path) -> Result<String> {
    let result = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    result.map_err(|source| CliError::ReadFile {
        path: path.display().to_string(),
        source,
    })
}

/// The `name:` under `metadata:`. Only a guess for the path: the server parses
/// the file and refuses it when the two differ.
fn name_in(text: &str) -> Option<String> {
    let metadata = text
        .lines()
        .skip_while(|line| line.trim_end() != "metadata:")
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.trim().is_empty());
    metadata
        .filter_map(|line| line.trim().strip_prefix("name:"))
        .map(|name| name.trim().trim_matches(['"', '\'']).to_owned())
        .next()
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name or id
    pub name: String,
    /// The Score file; `-` for standard input
    pub file: PathBuf,
    /// The workload's name (default: the file's metadata.name)
    #[arg(long)]
    pub workload: Option<String>,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let application = resolve::application(&cx.client, &args.name).await?;
    let text = read(&args.file)?;
    let workload = match args.workload {
        Some(workload) => workload,
        None => name_in(&text).ok_or_else(|| {
            CliError::Usage("the file has no metadata.name: give --workload".into())
        })?,
    };
    let updated: Application = cx
        .client
        .put_text(
            &format!("/applications/{}/workloads/{workload}", application.id),
            text,
        )
        .await?;
    cx.output.print(&updated, |one| {
        human::applications(std::slice::from_ref(one))
    })
}
