//! Every value that comes from outside gets into a generated text through one
//! of these.

/// `'…'` for a POSIX shell, safe for any text. NUL cannot be in an argument.
pub(super) fn shell(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c != '\0').collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `"…"` in the HashiCorp configuration language, in which `${` and `%{` begin
/// templates.
pub(super) fn hcl(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                quoted.push(c);
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
