use crate::{Context, error::Result, resolve, views::human};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    let answer: Value = cx
        .client
        .post(
            &format!("/connections/{}/disconnect", connection.id),
            &json!({}),
        )
        .await?;
    cx.output.print(&answer, |answer| {
        let remaining = answer["remaining"].as_array().map_or(&[][..], Vec::as_slice);
        let rows = remaining
            .iter()
            .map(|one| {
                ["title", "type_name", "identifier", "region"]
                    .map(|key| one[key].as_str().unwrap_or("-").to_owned())
                    .to_vec()
            })
            .collect();
        format!(
            "Disconnected {}. Landfall no longer has a way in; delete {} to take the grant away.\n\n{}",
            connection.name,
            connection.grant_in_words(),
            human::table(
                &["resource", "type", "identifier", "region"],
                rows,
                "Nothing that Landfall made is left in the account.",
            )
        )
    })
}
