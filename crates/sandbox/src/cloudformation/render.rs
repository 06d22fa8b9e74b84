//! Answers as XML.

use super::parameters::Parameter;
use super::stack::{Event, Stack, StackResource};
use super::template::Template;
use crate::wire::Xml;

/// What is shown for a parameter that must not be shown.
const HIDDEN: &str = "****";

/// A parameter's value as answers show it.
pub(crate) fn shown<'v>(template: Option<&Template>, name: &str, value: &'v str) -> &'v str {
    let hidden = template
        .and_then(|template| template.parameters.get(name))
        .is_some_and(|parameter| parameter.no_echo);
    if hidden { HIDDEN } else { value }
}

pub(super) fn stack(xml: &mut Xml, stack: &Stack) {
    let template = Template::parse(&stack.body).ok();
    stack_summary(xml, stack);
    xml.maybe(
        "Description",
        template.as_ref().and_then(|it| it.description.as_ref()),
    )
    .list("Parameters", &stack.parameters, |xml, (name, value)| {
        xml.text("ParameterKey", name)
            .text("ParameterValue", shown(template.as_ref(), name, value));
    })
    .list("Outputs", &stack.outputs, |xml, output| {
        xml.text("OutputKey", &output.key)
            .text("OutputValue", &output.value)
            .maybe("Description", output.description.as_ref())
            .maybe("ExportName", output.export.as_ref());
    })
    .texts("Capabilities", &stack.capabilities)
    .list("Tags", &stack.tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    })
    .list("NotificationARNs", Vec::<String>::new(), |_, _| {})
    .maybe("RoleARN", stack.role_arn.as_ref())
    .text("DisableRollback", "false")
    .text("EnableTerminationProtection", stack.protected.to_string());
}

pub(super) fn stack_summary(xml: &mut Xml, stack: &Stack) {
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .text("CreationTime", stack.created_at.iso8601())
        .maybe("LastUpdatedTime", stack.updated_at.map(|at| at.iso8601()))
        .maybe("DeletionTime", stack.deleted_at.map(|at| at.iso8601()))
        .text("StackStatus", stack.status.as_str())
        .maybe("StackStatusReason", stack.reason.as_ref())
        .node("DriftInformation", |xml| {
            xml.text("StackDriftStatus", "NOT_CHECKED");
        });
}

pub(super) fn event(xml: &mut Xml, stack: &Stack, event: &Event) {
    xml.text("StackId", &stack.id)
        .text("EventId", &event.id)
        .text("StackName", &stack.name)
        .text("LogicalResourceId", &event.logical_id)
        .text("PhysicalResourceId", &event.physical_id)
        .text("ResourceType", &event.type_name)
        .text("Timestamp", event.at.iso8601())
        .text("ResourceStatus", &event.status)
        .maybe("ResourceStatusReason", event.reason.as_ref());
}

pub(super) fn resource(
    xml: &mut Xml,
    stack: &Stack,
    name: &str,
    resource: &StackResource,
    time: &str,
) {
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .text("LogicalResourceId", name)
        .text("PhysicalResourceId", resource.physical_id())
        .text("ResourceType", &resource.type_name)
        .text(time, resource.updated_at.iso8601())
        .text("ResourceStatus", &resource.status)
        .maybe("ResourceStatusReason", resource.reason.as_ref());
}

fn parameters(xml: &mut Xml, template: &Template, more: impl Fn(&mut Xml, &Parameter)) {
    xml.list(
        "Parameters",
        &template.parameters,
        |xml, (name, parameter)| {
            xml.text("ParameterKey", name)
                .maybe("DefaultValue", parameter.default.as_ref())
                .text("NoEcho", parameter.no_echo.to_string())
                .maybe("Description", parameter.description.as_ref());
            more(xml, parameter);
        },
    )
    .maybe("Description", template.description.as_ref());
    let capabilities: Vec<&str> = template.capability().into_iter().collect();
    xml.texts("Capabilities", &capabilities);
    if !capabilities.is_empty() {
        xml.text(
            "CapabilitiesReason",
            format!(
                "The following resource(s) require capabilities: [{}]",
                template.capable_types().join(", ")
            ),
        );
    }
}

/// The result of ValidateTemplate.
pub(super) fn validated(template: &Template) -> Xml {
    let mut xml = Xml::new();
    parameters(&mut xml, template, |_, _| {});
    xml
}

/// The result of GetTemplateSummary.
pub(super) fn summary(template: &Template) -> Xml {
    let mut xml = Xml::new();
    parameters(&mut xml, template, |xml, parameter| {
        xml.text("ParameterType", &parameter.kind)
            .node("ParameterConstraints", |xml| {
                if !parameter.allowed_values.is_empty() {
                    xml.texts("AllowedValues", &parameter.allowed_values);
                }
            });
    });
    let mut types: Vec<&str> = template
        .resources
        .values()
        .map(|declared| declared.type_name.as_str())
        .collect();
    types.sort_unstable();
    types.dedup();
    xml.texts("ResourceTypes", types)
        .text("Version", "2010-09-09")
        .maybe(
            "Metadata",
            template.metadata.as_ref().map(ToString::to_string),
        );
    xml
}
