//! Texts as words of other languages. Every value in a generated script or
//! module goes through here, whatever was promised about its form.

/// One word for a POSIX shell: `'…'`. A shell has no way to write NUL, which
/// nothing of ours contains; it is left out.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// One string literal of HCL, in which nothing begins a template.
///
/// A brace that would begin one is written by its number. The usual `$${`
/// means `${` too, but in `$$${` readers disagree about which two are a pair.
pub fn hcl(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '{' if matches!(before, '$' | '%') => quoted.push_str(&numbered(c)),
            c if c.is_control() => quoted.push_str(&numbered(c)),
            c => quoted.push(c),
        }
        before = c;
    }
    quoted.push('"');
    quoted
}

/// What is written so lies below U+10000, where four digits are enough.
fn numbered(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Texts that mean something to a shell or to HCL.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "['\"\\\\$`;&|<>(){}\n\r!#*?~ a-z@%]{0,12}",
            "[$%{]{1,6}",
            "\\PC{0,5}",
            any::<char>().prop_map(String::from),
            Just("\nLANDFALL\n".to_owned()),
            Just("$(echo INJECTED)".to_owned()),
            Just("--flag".to_owned()),
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in hostile()) {
            for program in ["sh", "bash"] {
                let read = Command::new(program)
                    .args(["-c", &format!("printf %s {}", shell(&text))])
                    .output()
                    .unwrap();
                prop_assert!(read.status.success(), "{:?}", read);
                prop_assert_eq!(String::from_utf8(read.stdout).unwrap(), text.replace('\0', ""));
            }
        }

        /// A literal of HCL with neither `${` nor `%{` in it and no escapes but
        /// these means what it means in JSON.
        #[test]
        fn a_literal_of_hcl_is_the_text_and_no_template(text in hostile()) {
            let quoted = hcl(&text);
            prop_assert!(!quoted.contains("${") && !quoted.contains("%{"), "{}", quoted);
            let mut rest = quoted.chars();
            while rest.by_ref().any(|c| c == '\\') {
                let escape = rest.next().unwrap();
                prop_assert!("\"\\nrtu".contains(escape), "{}", quoted);
            }
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }

    #[test]
    fn templates_of_hcl_mean_nothing_however_many_signs_stand_before() {
        for (text, quoted) in [
            ("${a}", r#""$\u007ba}""#),
            ("%%{", r#""%%\u007b""#),
            ("$$${a}", r#""$$$\u007ba}""#),
            ("$", r#""$""#),
            ("{", r#""{""#),
        ] {
            assert_eq!(hcl(text), quoted);
        }
    }
}
