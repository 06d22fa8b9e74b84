use crate::{
    Context,
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::environment::Environment;
use serde_json::{Value, json};

/// What Score leaves out. What is not given stays as it is.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// A container's image: `workload.container=registry/image:tag`
    #[arg(long = "image", value_name = "WORKLOAD.CONTAINER=IMAGE")]
    pub images: Vec<String>,
    #[arg(long)]
    pub replicas: Option<u32>,
    /// Fargate CPU units: 256, 512, 1024, 2048 or 4096
    #[arg(long)]
    pub cpu: Option<u32>,
    /// Memory in MiB
    #[arg(long)]
    pub memory: Option<u32>,
    /// `db.t4g.small`
    #[arg(long)]
    pub database_class: Option<String>,
    /// Storage in GiB
    #[arg(long)]
    pub database_storage: Option<u32>,
    #[arg(long)]
    pub database_multi_az: Option<bool>,
    /// Days that backups are kept, 1 to 35
    #[arg(long)]
    pub backup_retention: Option<u32>,
}

impl Settings {
    /// `current` with what was given put over it.
    pub fn to_json(&self, mut current: Value) -> Result<Value> {
        for image in &self.images {
            let (container, image) = image.split_once('=').ok_or_else(|| {
                CliError::Usage(format!("'{image}' is not WORKLOAD.CONTAINER=IMAGE"))
            })?;
            current["images"][container] = image.into();
        }
        let given = [
            ("replicas", self.replicas.map(Value::from)),
            ("cpu", self.cpu.map(Value::from)),
            ("memory", self.memory.map(Value::from)),
            (
                "database_class",
                self.database_class.clone().map(Value::from),
            ),
            ("database_storage", self.database_storage.map(Value::from)),
            ("database_multi_az", self.database_multi_az.map(Value::from)),
            ("backup_retention", self.backup_retention.map(Value::from)),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                current[key] = value;
            }
        }
        Ok(current)
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment: its name or id
    pub name: String,
    #[arg(long, value_parser = ["automatic", "manual"])]
    pub approval: Option<String>,
    #[command(flatten)]
    pub settings: Settings,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let environment = resolve::environment(&cx.client, &args.name).await?;
    let current = serde_json::to_value(&environment.settings).unwrap_or_default();
    let mut body = json!({ "settings": args.settings.to_json(current)? });
    if let Some(approval) = args.approval {
        body["approval"] = approval.into();
    }
    let updated: Environment = cx
        .client
        .patch(&format!("/environments/{}", environment.id), &body)
        .await?;
    cx.output.print(&updated, |one| {
        human::environments(std::slice::from_ref(one))
    })
}
