//! The review form of a quick-create link.

use super::html::e;
use super::session::{Fields, Session};
use crate::cloudformation::{Form, FormParameter};
use std::fmt::Write;

const PREFIX: &str = "param_";

/// The part of the page below the heading. `refused` is what was wrong with
/// the last attempt.
pub(super) fn review(
    session: &Session,
    fields: &Fields,
    form: &Form,
    refused: Option<&str>,
) -> String {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let mut html = String::new();
    if let Some(refused) = refused {
        push(
            &mut html,
            format_args!(
                "<div class=\"card error\" id=\"error\" role=\"alert\">{}</div>",
                e(refused)
            ),
        );
    }
    push(
        &mut html,
        format_args!(
            "<form method=\"post\" action=\"/console/cloudformation/stacks\">\
             <input type=\"hidden\" name=\"csrf\" value=\"{}\">\
             <input type=\"hidden\" name=\"account\" value=\"{}\">\
             <input type=\"hidden\" name=\"region\" value=\"{}\">\
             <input type=\"hidden\" name=\"templateURL\" value=\"{}\">",
            e(&session.token),
            e(&session.account),
            e(&session.region),
            e(field("templateURL"))
        ),
    );
    push(
        &mut html,
        format_args!(
            "<div class=\"card\"><h2>Template</h2><p class=\"hint\"><code id=\"template-url\">{}</code>\
             </p><p>{}</p>",
            e(field("templateURL")),
            e(form.description.as_deref().unwrap_or("No description."))
        ),
    );
    html.push_str("<div class=\"scroll\"><table id=\"template-resources\"><tr><th>Logical id</th><th>Type</th></tr>");
    for (name, kind) in &form.resources {
        push(
            &mut html,
            format_args!("<tr><td>{}</td><td>{}</td></tr>", e(name), e(kind)),
        );
    }
    html.push_str("</table></div></div>");
    push(
        &mut html,
        format_args!(
            "<div class=\"card\"><h2>Stack name</h2><label for=\"stack-name\">Name</label>\
             <input type=\"text\" id=\"stack-name\" name=\"stackName\" value=\"{}\" required \
             maxlength=\"128\"></div>",
            e(field("stackName"))
        ),
    );
    html.push_str("<div class=\"card\" id=\"parameters\"><h2>Parameters</h2>");
    if form.parameters.is_empty() {
        html.push_str("<p class=\"hint\">The template has none.</p>");
    }
    for parameter in &form.parameters {
        input(
            &mut html,
            parameter,
            field(&format!("{PREFIX}{}", parameter.name)),
        );
    }
    html.push_str("</div>");
    if let Some(capability) = form.capability {
        push(
            &mut html,
            format_args!(
                "<div class=\"card\"><h2>Capabilities</h2><p class=\"hint\">This template contains \
                 identity resources that give permissions. Check that you want to create each of \
                 them.</p><label class=\"check\"><input type=\"checkbox\" id=\"ack-capabilities\" \
                 name=\"capability\" value=\"{}\" required><span>I acknowledge that CloudFormation \
                 might create IAM resources with custom names ({}).</span></label></div>",
                e(capability),
                e(capability)
            ),
        );
    }
    html.push_str("<button id=\"create-stack\" type=\"submit\">Create stack</button></form>");
    html
}

fn input(html: &mut String, parameter: &FormParameter, given: &str) {
    // The real console ignores values of hidden parameters in links.
    let value = if parameter.no_echo || given.is_empty() {
        parameter.default.as_deref().unwrap_or("")
    } else {
        given
    };
    let kind = if parameter.no_echo {
        "password"
    } else {
        "text"
    };
    push(
        html,
        format_args!(
            "<label for=\"param-{name}\">{name}</label><input type=\"{kind}\" id=\"param-{name}\" \
             name=\"{PREFIX}{name}\" value=\"{}\" autocomplete=\"off\">",
            e(value),
            name = e(&parameter.name),
        ),
    );
    if let Some(description) = &parameter.description {
        push(
            html,
            format_args!("<p class=\"hint\">{}</p>", e(description)),
        );
    }
}

/// Parameters of a form or link.
pub(super) fn parameters(fields: &Fields) -> Fields {
    fields
        .iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix(PREFIX)?;
            Some((name.to_owned(), value.clone()))
        })
        .collect()
}

pub(super) fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = html.write_fmt(text);
}
