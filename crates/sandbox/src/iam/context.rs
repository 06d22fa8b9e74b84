//! Condition keys of one request.

use std::collections::BTreeMap;

/// Condition keys and their values: `aws:RequestTag/env`, `iam:PassedToService`.
/// Keys compare without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
        self
    }

    /// Sets a key to many values (`aws:TagKeys`).
    pub fn set_all<V: Into<String>>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        self.0.insert(
            key.to_ascii_lowercase(),
            values.into_iter().map(Into::into).collect(),
        );
        self
    }

    /// Sets a key unless the request said it already.
    pub fn default_to(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.0
            .entry(key.to_ascii_lowercase())
            .or_insert_with(|| vec![value.into()]);
        self
    }

    /// `aws:RequestTag/*` and `aws:TagKeys` of tags that a request carries.
    pub fn request_tags<'a>(
        &mut self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> &mut Self {
        let mut keys = Vec::new();
        for (key, value) in tags {
            self.set(&format!("aws:RequestTag/{key}"), value);
            keys.push(key.to_owned());
        }
        if !keys.is_empty() {
            self.set_all("aws:TagKeys", keys);
        }
        self
    }

    /// `aws:ResourceTag/*` of the resource that a request concerns.
    pub fn resource_tags<'a>(
        &mut self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> &mut Self {
        for (key, value) in tags {
            self.set(&format!("aws:ResourceTag/{key}"), value);
        }
        self
    }

    /// Takes every key of another context over.
    pub fn overlay(&mut self, other: &Context) -> &mut Self {
        self.0
            .extend(other.0.iter().map(|(k, v)| (k.clone(), v.clone())));
        self
    }

    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }
}
