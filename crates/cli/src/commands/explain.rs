use crate::{
    error::{CliError, Result},
    output::Output,
};
use landfall_model::error::{Code, explanation};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code in brackets: `error[plan-stale]`
    pub code: Option<String>,
}

pub fn run(output: Output, args: &Args) -> Result<()> {
    let Some(text) = &args.code else {
        let all: Vec<_> = Code::ALL
            .iter()
            .map(|code| serde_json::json!({ "code": code, "title": code.title() }))
            .collect();
        return output.print(&all, |_| {
            let rows = Code::ALL
                .iter()
                .map(|code| vec![code.to_string(), code.title().to_owned()])
                .collect();
            crate::views::human::table(&["code", "meaning"], rows, "")
        });
    };
    let code: Code = text.parse().map_err(|()| CliError::Unknown {
        what: "error code",
        name: text.clone(),
        known: "run `landfall explain` for the list".into(),
    })?;
    let page = explanation(code);
    let shown = serde_json::json!({ "code": code, "title": code.title(), "explanation": page });
    output.print(&shown, |_| format!("{code}: {}\n\n{page}", code.title()))
}
