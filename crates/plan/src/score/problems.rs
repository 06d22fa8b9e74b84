//! Collecting what is wrong, so that a person corrects a file once.

use super::at;
use landfall_model::{
    Error,
    error::{Code, Position, Violation},
};

/// More than this help nobody.
const MOST: usize = 50;

#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Violation>,
}

impl Problems {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        position: &Position,
    ) {
        self.found.push(Violation {
            field: field.into(),
            message: message.into(),
            position: Some(position.clone()),
        });
    }

    /// An error with all of them, in the order of the file.
    pub(crate) fn finish(mut self, code: Code) -> Result<(), Error> {
        self.found.sort_by_key(|it| {
            let place = it.position.as_ref();
            place.map(|place| (place.line, place.column))
        });
        let Some(first) = self.found.first() else {
            return Ok(());
        };
        let place = first.position.as_ref().map_or_else(String::new, at);
        let field = if first.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", first.field)
        };
        let more = match self.found.len() {
            1 => String::new(),
            2 => " (and one more problem)".to_owned(),
            many => format!(" (and {} more problems)", many - 1),
        };
        let detail = format!("{place}{field}{}{more}", first.message);
        let next_step = first
            .message
            .split_once("did you mean ")
            .and_then(|(_, rest)| rest.split_once('?'))
            .map_or_else(
                || {
                    match code {
                        Code::ScoreUnsupported => {
                            "take it out of the Score file, or replace it by what is supported"
                        }
                        Code::ScorePlaceholder => {
                            "refer to something that exists, or write $$ for a plain dollar sign"
                        }
                        _ => "correct the Score file and try again",
                    }
                    .to_owned()
                },
                |(meant, _)| format!("write {meant} if that is what you mean"),
            );
        self.found.truncate(MOST);
        let mut error = Error::new(code, detail, next_step);
        error.violations = self.found;
        Err(error)
    }
}
