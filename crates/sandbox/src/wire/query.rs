//! Parameters of the query protocol: a form whose keys spell out nesting,
//! `Tags.member.1.Key=…`.

use super::AwsError;
use std::collections::BTreeMap;

/// A form, or the part of one under a common prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value, or the error AWS gives for a missing parameter.
    pub fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.get(name).ok_or_else(|| {
            let field = lower_first(name);
            AwsError::validation(format!(
                "1 validation error detected: Value at '{field}' failed to satisfy constraint: \
                 Member must not be null"
            ))
        })
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, AwsError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    AwsError::bad(
                        "MalformedInput",
                        format!("{name} must be an integer, not {text}"),
                    )
                })
            })
            .transpose()
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name).map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The structures of list `name`: `name.member.N.*`, in order of N. An
    /// element that is a plain value has it under the empty key.
    pub fn members(&self, name: &str) -> Vec<Params> {
        let prefix = format!("{name}.member.");
        let mut found: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
        for (key, value) in &self.0 {
            let Some(rest) = key.strip_prefix(&prefix) else {
                continue;
            };
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(index) = index.parse() {
                found
                    .entry(index)
                    .or_default()
                    .insert(field.to_owned(), value.clone());
            }
        }
        found.into_values().map(Params).collect()
    }

    /// The values of list `name`: `name.member.N`.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.members(name)
            .into_iter()
            .filter_map(|member| member.0.get("").cloned())
            .collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}
