//! The quick-create link (AWS docs: "Create quick-create links for stacks").

use super::Context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

pub(super) fn quick_create(console: &str, context: &Context<'_>, template_url: &str) -> String {
    let region = encoded(context.region);
    let mut url = format!(
        "{console}/cloudformation/home?region={region}#/stacks/create/review?templateURL={}&stackName={}",
        encoded(template_url),
        encoded(&context.connection.stack_name()),
    );
    for (name, value) in context.parameters() {
        url.push_str(&format!("&param_{}={}", encoded(&name), encoded(&value)));
    }
    url
}
