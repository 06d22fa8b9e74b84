//! Parameters and what their values must look like.

use serde_json::Value;

pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A scalar as CloudFormation sees it: everything is a string.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Parameter {
    pub kind: String,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
    pub allowed_values: Vec<String>,
    pub allowed_pattern: Option<String>,
    pub constraint_description: Option<String>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub min_value: Option<f64>,
    pub max_value: Option<f64>,
}

impl Parameter {
    pub(super) fn parse(name: &str, value: &Value) -> Result<Self, String> {
        let kind = text(value, "Type").ok_or_else(|| {
            format!("Template format error: Every Parameters object must contain a Type member. ({name})")
        })?;
        let number = |field: &str| {
            value
                .get(field)
                .and_then(scalar)
                .and_then(|n| n.parse().ok())
        };
        let length = |field: &str| {
            value
                .get(field)
                .and_then(scalar)
                .and_then(|n| n.parse().ok())
        };
        Ok(Self {
            kind,
            default: value.get("Default").and_then(scalar),
            description: text(value, "Description"),
            no_echo: value.get("NoEcho").and_then(scalar).as_deref() == Some("true"),
            allowed_values: value
                .get("AllowedValues")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(scalar)
                .collect(),
            allowed_pattern: text(value, "AllowedPattern"),
            constraint_description: text(value, "ConstraintDescription"),
            min_length: length("MinLength"),
            max_length: length("MaxLength"),
            min_value: number("MinValue"),
            max_value: number("MaxValue"),
        })
    }

    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let explain = |rule: String| {
            let why = self.constraint_description.clone().unwrap_or(rule);
            Err(format!("Parameter '{name}' {why}"))
        };
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|it| it == value) {
            return explain(format!(
                "must be one of AllowedValues: [{}]",
                self.allowed_values.join(", ")
            ));
        }
        if let Some(pattern) = &self.allowed_pattern {
            // The whole value must match.
            let whole = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
                format!("Parameter '{name}' has an AllowedPattern that is no pattern")
            })?;
            if !whole.is_match(value) {
                return explain(format!("must match pattern {pattern}"));
            }
        }
        let length = value.chars().count() as u64;
        if self.min_length.is_some_and(|min| length < min)
            || self.max_length.is_some_and(|max| length > max)
        {
            return explain("has the wrong length".to_owned());
        }
        if self.kind == "Number" {
            let Ok(number) = value.parse::<f64>() else {
                return explain("must be a number".to_owned());
            };
            if self.min_value.is_some_and(|min| number < min)
                || self.max_value.is_some_and(|max| number > max)
            {
                return explain("is out of range".to_owned());
            }
        }
        Ok(())
    }
}
