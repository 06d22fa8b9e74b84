use crate::{
    Context,
    error::{CliError, Result},
    output::ask,
    views::human,
};
use landfall_model::{id::RetainedId, retained::Retained};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The retained resource's id
    pub id: RetainedId,
    /// Its name, typed here instead of at the question
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one: Retained = cx.client.get(&format!("/retained/{}", args.id)).await?;
    let typed = match args.confirm {
        Some(typed) => typed,
        None if cx.output.is_interactive() => {
            eprintln!("{}\n", human::retained(std::slice::from_ref(&one)));
            ask("Type its name to stop listing it: ")?
        }
        None => {
            return Err(CliError::Usage(
                "nobody is at the terminal: give --confirm with the resource's name".into(),
            ));
        }
    };
    let one: Retained = cx
        .client
        .post(
            &format!("/retained/{}/forget", args.id),
            &json!({ "typed_name": typed }),
        )
        .await?;
    cx.output.note("Forgotten. It stays in the account");
    cx.output
        .print(&one, |one| human::retained(std::slice::from_ref(one)))
}
