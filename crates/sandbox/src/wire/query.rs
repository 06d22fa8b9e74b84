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
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_numbers_order() {
        let body = (1..=11)
            .map(|i| format!("Tags.member.{i}.Key=k{i}&Tags.member.{i}.Value=v%20{i}"))
            .collect::<Vec<_>>()
            .join("&");
        let params = Params::parse(body.as_bytes());
        let keys: Vec<_> = params
            .members("Tags")
            .iter()
            .map(|tag| {
                (
                    tag.get("Key").unwrap().to_owned(),
                    tag.get("Value").unwrap().to_owned(),
                )
            })
            .collect();
        assert_eq!(keys.len(), 11);
        assert_eq!(keys[1], ("k2".to_owned(), "v 2".to_owned()));
        assert_eq!(keys[10], ("k11".to_owned(), "v 11".to_owned()));
    }

    #[test]
    fn lists_nest() {
        let params = Params::parse(
            b"E.member.1.Values.member.1=a&E.member.1.Values.member.2=b&E.member.x=c",
        );
        let members = params.members("E");
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].values("Values"), ["a", "b"]);
        assert!(params.required("Absent").is_err());
        assert!(Params::parse(b"N=x").integer("N").is_err());
    }
}
