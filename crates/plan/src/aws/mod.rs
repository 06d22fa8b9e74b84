//! What is known of AWS resource types, as data.

pub mod rules;

use landfall_model::Error;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// Property classes of one resource type. Pointers may hold `*` for every
/// element of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeFacts {
    /// Cannot be changed in place.
    pub create_only: Vec<String>,
    /// Never returned by a read.
    pub write_only: Vec<String>,
    /// Returned by a read, never sent.
    pub outputs: Vec<String>,
    /// The property that holds the tags, if the type has any.
    pub tags: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    types: BTreeMap<String, TypeFacts>,
}

static TABLE: LazyLock<Result<BTreeMap<String, TypeFacts>, serde_json::Error>> =
    LazyLock::new(|| {
        serde_json::from_str::<Table>(include_str!("types.json")).map(|table| table.types)
    });

/// # Errors
/// Internal: a blueprint uses a type that is not in the table.
pub fn facts(type_name: &str) -> Result<&'static TypeFacts, Error> {
    let table = TABLE
        .as_ref()
        .map_err(|error| Error::internal("reading the table of AWS types", error.to_string()))?;
    table.get(type_name).ok_or_else(|| {
        Error::internal(
            "reading the table of AWS types",
            format!("{type_name} is not in it: add it to derive_types.py"),
        )
    })
}

/// Every type that a blueprint may use.
pub fn types() -> impl Iterator<Item = &'static str> {
    TABLE
        .as_ref()
        .into_iter()
        .flat_map(|table| table.keys().map(String::as_str))
}
