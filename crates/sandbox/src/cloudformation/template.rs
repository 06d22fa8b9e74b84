//! What a template says, checked as far as that is possible without values.

use super::parameters::{Parameter, scalar, text};
use super::references::references;
use super::stack::DeletionPolicy;
use super::yaml;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A parsed and checked template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub parameters: BTreeMap<String, Parameter>,
    pub conditions: Map<String, Value>,
    pub mappings: Map<String, Value>,
    pub resources: BTreeMap<String, Declared>,
    pub outputs: BTreeMap<String, Output>,
}

/// A resource as declared.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub type_name: String,
    pub properties: Value,
    pub condition: Option<String>,
    pub deletion: DeletionPolicy,
    pub keeps_replaced: bool,
    /// Resources that must be there first: referred to or depended on.
    pub needs: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Output {
    pub value: Value,
    pub description: Option<String>,
    pub condition: Option<String>,
    pub export: Option<Value>,
}

/// Inline policies of roles: no type of Cloud Control, but a very common one.
pub(super) const INLINE_POLICY: &str = "AWS::IAM::Policy";

/// Types of which creating one changes who may do what (AWS docs:
/// "Acknowledging IAM resources").
const CAPABLE: [&str; 10] = [
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider",
    INLINE_POLICY,
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
];

const NAMES: [&str; 5] = [
    "RoleName",
    "ManagedPolicyName",
    "InstanceProfileName",
    "UserName",
    "GroupName",
];

const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

fn section(document: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(format!("Template format error: {name} must be a map")),
    }
}

impl Template {
    /// Parses a body; the error is the message of the ValidationError.
    pub(super) fn parse(body: &str) -> Result<Self, String> {
        let Value::Object(document) = yaml::parse(body)? else {
            return Err("Template format error: unsupported structure.".to_owned());
        };
        for name in document.keys() {
            if !SECTIONS.contains(&name.as_str()) {
                return Err(format!("Invalid template property or properties [{name}]"));
            }
        }
        if document.contains_key("Transform") {
            return Err("Transforms are not simulated.".to_owned());
        }
        let parameters = section(&document, "Parameters")?
            .into_iter()
            .map(|(name, value)| Parameter::parse(&name, &value).map(|it| (name, it)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let resources = section(&document, "Resources")?
            .into_iter()
            .map(|(name, value)| Declared::parse(&name, &value).map(|it| (name, it)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        if resources.is_empty() {
            return Err(
                "Template format error: At least one Resources member must be defined.".to_owned(),
            );
        }
        let outputs = section(&document, "Outputs")?
            .into_iter()
            .map(|(name, value)| {
                let inner = value.get("Value").cloned().ok_or_else(|| {
                    format!("Template format error: Output {name} is malformed. Value is missing")
                })?;
                let output = Output {
                    value: inner,
                    description: text(&value, "Description"),
                    condition: text(&value, "Condition"),
                    export: value.pointer("/Export/Name").cloned(),
                };
                Ok((name, output))
            })
            .collect::<Result<BTreeMap<_, _>, String>>()?;
        let template = Self {
            description: document.get("Description").and_then(scalar),
            metadata: document.get("Metadata").cloned(),
            parameters,
            conditions: section(&document, "Conditions")?,
            mappings: section(&document, "Mappings")?,
            resources,
            outputs,
        };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), String> {
        let known = |name: &str| {
            name.starts_with("AWS::")
                || self.parameters.contains_key(name)
                || self.resources.contains_key(name)
        };
        for (block, names) in [
            (
                "Resources",
                self.resources
                    .values()
                    .flat_map(|declared| declared.needs.iter().cloned())
                    .collect::<BTreeSet<_>>(),
            ),
            (
                "Outputs",
                self.outputs
                    .values()
                    .flat_map(|output| references(&output.value))
                    .collect(),
            ),
        ] {
            let unknown: Vec<String> = names.into_iter().filter(|name| !known(name)).collect();
            if !unknown.is_empty() {
                return Err(unresolved(&unknown, block));
            }
        }
        // Conditions are decided before there is any resource.
        let named: Vec<String> = self
            .conditions
            .values()
            .flat_map(references)
            .filter(|name| !name.starts_with("AWS::") && !self.parameters.contains_key(name))
            .collect();
        if !named.is_empty() {
            return Err(format!(
                "Template format error: Unresolved dependencies [{}]. Cannot reference resources \
                 in the Conditions block of the template",
                named.join(", ")
            ));
        }
        for (name, output) in &self.outputs {
            if let Some(condition) = &output.condition
                && !self.conditions.contains_key(condition)
            {
                return Err(format!(
                    "Template format error: Unresolved condition dependency {condition} in the \
                     Outputs block of the template ({name})"
                ));
            }
        }
        for (name, declared) in &self.resources {
            if declared.type_name != INLINE_POLICY
                && crate::types::lookup(&declared.type_name).is_none()
            {
                return Err(format!(
                    "Template format error: Unrecognized resource types: [{}]",
                    declared.type_name
                ));
            }
            if let Some(condition) = &declared.condition
                && !self.conditions.contains_key(condition)
            {
                return Err(format!(
                    "Template format error: Unresolved condition dependency {condition} in the \
                     Resources block of the template ({name})"
                ));
            }
        }
        self.order().map(drop)
    }

    /// Logical ids, each after what it needs.
    pub(super) fn order(&self) -> Result<Vec<String>, String> {
        let mut ordered: Vec<String> = Vec::new();
        let mut waiting: BTreeMap<&String, BTreeSet<&String>> = self
            .resources
            .iter()
            .map(|(name, declared)| {
                let needs = declared
                    .needs
                    .iter()
                    .filter(|need| self.resources.contains_key(*need))
                    .collect();
                (name, needs)
            })
            .collect();
        while !waiting.is_empty() {
            let ready: Vec<&String> = waiting
                .iter()
                .filter(|(_, needs)| needs.iter().all(|need| ordered.contains(need)))
                .map(|(name, _)| *name)
                .collect();
            if ready.is_empty() {
                let circle: Vec<&str> = waiting.keys().map(|name| name.as_str()).collect();
                return Err(format!(
                    "Circular dependency between resources: [{}]",
                    circle.join(", ")
                ));
            }
            for name in ready {
                waiting.remove(name);
                ordered.push(name.clone());
            }
        }
        Ok(ordered)
    }

    /// Parameters that stand for lists.
    pub(super) fn lists(&self) -> Vec<String> {
        self.parameters
            .iter()
            .filter(|(_, it)| it.kind == "CommaDelimitedList" || it.kind.starts_with("List<"))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The capability that the template needs, if any.
    pub(super) fn capability(&self) -> Option<&'static str> {
        let capable: Vec<&Declared> = self
            .resources
            .values()
            .filter(|declared| CAPABLE.contains(&declared.type_name.as_str()))
            .collect();
        if capable.is_empty() {
            return None;
        }
        let named = capable.iter().any(|declared| {
            NAMES
                .iter()
                .any(|name| declared.properties.get(*name).is_some())
        });
        Some(if named {
            "CAPABILITY_NAMED_IAM"
        } else {
            "CAPABILITY_IAM"
        })
    }

    /// The resource types that make a capability necessary.
    pub(super) fn capable_types(&self) -> Vec<String> {
        let types: BTreeSet<String> = self
            .resources
            .values()
            .map(|declared| declared.type_name.clone())
            .filter(|name| CAPABLE.contains(&name.as_str()))
            .collect();
        types.into_iter().collect()
    }

    /// Values of all parameters: given, else default. `given` may name only
    /// parameters that exist.
    pub(super) fn values(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, String> {
        let unknown: Vec<&str> = given
            .keys()
            .filter(|name| !self.parameters.contains_key(*name))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            return Err(format!(
                "Parameters: [{}] do not exist in the template",
                unknown.join(", ")
            ));
        }
        let missing: Vec<&str> = self
            .parameters
            .iter()
            .filter(|(name, parameter)| !given.contains_key(*name) && parameter.default.is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "Parameters: [{}] must have values",
                missing.join(", ")
            ));
        }
        self.parameters
            .iter()
            .map(|(name, parameter)| {
                let value = given
                    .get(name)
                    .or(parameter.default.as_ref())
                    .cloned()
                    .unwrap_or_default();
                parameter.check(name, &value)?;
                Ok((name.clone(), value))
            })
            .collect()
    }
}

/// What is named and not there.
pub(super) fn unresolved(names: &[String], block: &str) -> String {
    format!(
        "Template format error: Unresolved resource dependencies [{}] in the {block} block of the \
         template",
        names.join(", ")
    )
}

/// An attribute that is a word: functions need a transform there.
fn attribute<'v>(name: &str, value: &'v Value, key: &str) -> Result<Option<&'v str>, String> {
    match value.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!(
            "Template format error: Every {key} member must be a string. ({name})"
        )),
    }
}

fn unrecognized(key: &str, given: &str, name: &str) -> String {
    format!("Template format error: Unrecognized {key} {given} for resource {name}")
}

impl Declared {
    fn parse(name: &str, value: &Value) -> Result<Self, String> {
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!(
                "Template format error: Resource name {name} is non alphanumeric."
            ));
        }
        let Some(type_name) = text(value, "Type") else {
            return Err(format!(
                "Template format error: [/Resources/{name}] Every Resources object must contain a \
                 Type member."
            ));
        };
        let properties = match value.get("Properties") {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(Value::Object(map)) => Value::Object(map.clone()),
            Some(_) => {
                return Err(format!(
                    "Template format error: [/Resources/{name}/Properties] must be a map"
                ));
            }
        };
        let mut needs: BTreeSet<String> = references(&properties).into_iter().collect();
        match value.get("DependsOn") {
            Some(Value::String(one)) => {
                needs.insert(one.clone());
            }
            Some(Value::Array(many)) => {
                needs.extend(many.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
        if needs.contains(name) {
            return Err(format!("Circular dependency between resources: [{name}]"));
        }
        Ok(Self {
            type_name,
            properties,
            condition: text(value, "Condition"),
            deletion: match attribute(name, value, "DeletionPolicy")? {
                None | Some("Delete" | "Snapshot") => DeletionPolicy::Delete,
                Some("Retain") => DeletionPolicy::Retain,
                Some("RetainExceptOnCreate") => DeletionPolicy::RetainExceptOnCreate,
                Some(other) => return Err(unrecognized("DeletionPolicy", other, name)),
            },
            keeps_replaced: match attribute(name, value, "UpdateReplacePolicy")? {
                None | Some("Delete" | "Snapshot") => false,
                Some("Retain") => true,
                Some(other) => return Err(unrecognized("UpdateReplacePolicy", other, name)),
            },
            needs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters:
  ExternalId: {Type: String, MinLength: 2, AllowedPattern: '[A-Za-z0-9-]+'}
  Size: {Type: Number, Default: 3, MaxValue: 9}
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties: {PolicyDocument: {}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub 'x-${ExternalId}'
      AssumeRolePolicyDocument: {}
      ManagedPolicyArns: [!Ref Policy]
";

    #[test]
    fn a_role_comes_after_its_policy() {
        let template = Template::parse(TEMPLATE).unwrap();
        assert_eq!(template.order().unwrap(), ["Policy", "Role"]);
        assert_eq!(template.capability(), Some("CAPABILITY_NAMED_IAM"));
    }

    #[test]
    fn parameters_are_checked() {
        let template = Template::parse(TEMPLATE).unwrap();
        let given = |pairs: &[(&str, &str)]| {
            template.values(
                &pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            )
        };
        assert_eq!(
            given(&[("ExternalId", "lf-1")]).unwrap()["Size"],
            "3".to_owned()
        );
        for (pairs, message) in [
            (&[][..], "Parameters: [ExternalId] must have values"),
            (&[("ExternalId", "a b")][..], "must match pattern"),
            (&[("ExternalId", "a")][..], "has the wrong length"),
            (
                &[("ExternalId", "ab"), ("Size", "10")][..],
                "is out of range",
            ),
            (&[("ExternalId", "ab"), ("Other", "1")][..], "do not exist"),
        ] {
            let error = given(pairs).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn broken_templates_say_what_is_wrong() {
        for (body, message) in [
            ("Resources: {}", "At least one Resources member"),
            (
                "Resources: {A: {Properties: {}}}",
                "must contain a Type member",
            ),
            (
                "Resources: {A: {Type: 'AWS::X::Y'}}",
                "Unrecognized resource types",
            ),
            (
                "Resources: {A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref B}}}",
                "Unresolved resource dependencies [B]",
            ),
            (
                "Resources: {A: {Type: 'AWS::SQS::Queue', DependsOn: B}, B: {Type: 'AWS::SQS::Queue', DependsOn: A}}",
                "Circular dependency",
            ),
            ("Nonsense: {}\nResources: {}", "Invalid template property"),
        ] {
            let error = Template::parse(body).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
