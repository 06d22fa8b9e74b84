use super::{Wishes, begin};
use crate::{
    Context,
    error::{CliError, Result},
    secret,
    views::human,
};
use landfall_model::{connection::Cloud, grant::Way};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's id: neither its name nor its number. A key file says it,
    /// too
    #[arg(long, required_unless_present = "key_file")]
    pub project: Option<String>,
    /// workload-identity: a pool in the project trusts tokens that this server
    /// signs, and no key exists anywhere. impersonation: accounts of the project
    /// trust a service account of this server. service-account-key: you hand
    /// over a key
    #[arg(
        long,
        default_value = "workload-identity",
        default_value_if("key_file", clap::builder::ArgPredicate::IsPresent, "service-account-key"),
        value_parser = ["workload-identity", "impersonation", "service-account-key"]
    )]
    pub method: String,
    /// workload-identity: the project's number, which the setup prints; it can
    /// be said later
    #[arg(long)]
    pub project_number: Option<String>,
    /// What to grant besides the project, which is below it:
    /// organizations/456 or organizations/456/folders/123
    #[arg(long, value_name = "PARENT", conflicts_with = "key_file")]
    pub parent: Option<String>,
    /// service-account-key: the JSON key file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<String>,
    #[command(flatten)]
    pub wishes: Wishes,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    if args.method == "service-account-key" && args.key_file.is_none() {
        return say_how_to_make_a_key(cx).await;
    }
    let mut body = json!({ "cloud": "gcp", "method": args.method });
    let mut project = args.project;
    if let Some(path) = &args.key_file {
        let key = secret::read(path, "the key file")?;
        project = project.or_else(|| project_of(&key));
        body["service_account_key"] = key.into();
    }
    let Some(project) = project else {
        return Err(CliError::Usage(
            "the key file names no project: is it the JSON file that Google Cloud gave?".to_owned(),
        ));
    };
    let name = format!("gcp-{project}");
    body["project_id"] = project.into();
    if let Some(parent) = args.parent {
        body["parent"] = parent.into();
    }
    let mut told_later = None;
    match args.project_number {
        Some(number) => body["project_number"] = number.into(),
        None if args.method == "workload-identity" => {
            told_later = Some((
                "project's number",
                "landfall connections update NAME --project-number NUMBER",
            ));
        }
        None => {}
    }
    begin(cx, args.wishes, name, body, told_later).await
}

/// There is nothing to begin with yet.
async fn say_how_to_make_a_key(cx: &Context) -> Result<()> {
    let methods: Vec<OfferedMethod> = cx.client.list("/methods").await?;
    let ways: Vec<Way> = methods
        .into_iter()
        .filter(|one| one.cloud == Cloud::Gcp && one.method == "service-account-key")
        .flat_map(|one| one.beforehand)
        .collect();
    cx.output.print(&ways, |ways| human::ways(ways))?;
    Err(CliError::Usage(
        "make a key as shown, then: landfall connect gcp --key-file FILE".to_owned(),
    ))
}

/// What is needed of an offered method.
#[derive(Deserialize)]
struct OfferedMethod {
    cloud: Cloud,
    method: String,
    #[serde(default)]
    beforehand: Vec<Way>,
}

/// For the connection's name; the server reads the file itself.
fn project_of(key: &str) -> Option<String> {
    let file: Value = serde_json::from_str(key).ok()?;
    Some(file["project_id"].as_str()?.to_owned())
}
