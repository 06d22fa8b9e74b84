use crate::error::{CliError, Result};
use serde::Serialize;

/// One indented JSON document: the noun as the API serves it.
pub fn render<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| CliError::Write(error.into()))
}
