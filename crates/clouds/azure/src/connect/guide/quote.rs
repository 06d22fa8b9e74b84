//! Texts that come from outside, as words of other languages. Every value in a
//! generated script goes through here, whatever was promised about its form.

/// One word for a POSIX shell and bash: `'…'`. A shell has no way to write NUL,
/// which nothing of ours contains; it is left out.
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// One string literal of HCL, in which templates mean nothing.
pub(super) fn hcl(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                quoted.push(character);
                quoted.push(character);
            }
            other if other.is_control() => {
                use std::fmt::Write;
                write!(quoted, "\\u{:04x}", u32::from(other)).expect("writing to a String");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
