//! A template as a form.

use super::operations::{Source, fetch, parse};
use crate::wire::AwsError;
use crate::world::World;

/// A template as the console's review form shows it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub description: Option<String>,
    pub capability: Option<&'static str>,
    pub parameters: Vec<FormParameter>,
    /// Logical ids and types.
    pub resources: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FormParameter {
    pub name: String,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
}

/// What a form for this template asks.
pub(crate) fn describe_form(world: &World, source: &Source) -> Result<Form, AwsError> {
    let template = parse(&fetch(world, source)?)?;
    Ok(Form {
        description: template.description.clone(),
        capability: template.capability(),
        parameters: template
            .parameters
            .iter()
            .map(|(name, parameter)| FormParameter {
                name: name.clone(),
                default: parameter.default.clone(),
                description: parameter.description.clone(),
                no_echo: parameter.no_echo,
            })
            .collect(),
        resources: template
            .resources
            .iter()
            .map(|(name, declared)| (name.clone(), declared.type_name.clone()))
            .collect(),
    })
}
