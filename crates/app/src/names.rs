//! What things may be called. Names of applications, environments and
//! workloads become parts of names in the cloud.

use landfall_model::{Code, Error, error::Result};

/// `[a-z][a-z0-9-]*`, at most `longest`, not ending in a dash.
pub(crate) fn label(field: &str, name: &str, longest: usize) -> Result<()> {
    let valid = name.len() <= longest
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if valid {
        return Ok(());
    }
    let rule = format!(
        "a name has lower-case letters, digits and dashes, begins with a letter, \
         does not end with a dash, and has at most {longest} characters"
    );
    Err(invalid(field, name, rule))
}

/// A name for people: one line, 1 to 60 characters, no control characters and
/// no white space around it.
pub(crate) fn display(field: &str, name: &str) -> Result<()> {
    let length = name.chars().count();
    let valid = (1..=60).contains(&length)
        && name.trim() == name
        && !name
            .chars()
            .any(|one| one.is_control() || is_invisible(one));
    if valid {
        return Ok(());
    }
    let rule = "a name has 1 to 60 visible characters and no space around it".to_owned();
    Err(invalid(field, name, rule))
}

/// Characters that make two different names look the same, or turn the text
/// around them.
fn is_invisible(one: char) -> bool {
    matches!(one,
        '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn invalid(field: &str, name: &str, rule: String) -> Error {
    let shown: String = name
        .chars()
        .filter(|one| !one.is_control())
        .take(60)
        .collect();
    Error::new(
        Code::NameInvalid,
        format!("'{shown}' cannot be a name"),
        "choose another name",
    )
    .with_violation(field, rule, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for good in ["a", "shop", "shop-2", "a1"] {
            assert!(label("name", good, 19).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "a-",
            "A",
            "a_b",
            "ä",
            "a b",
            &"a".repeat(20),
        ] {
            assert!(label("name", bad, 19).is_err(), "{bad}");
        }
    }

    #[test]
    fn display_names() {
        assert!(display("name", "Zoë's account (prod)").is_ok());
        for bad in [
            "",
            " a",
            "a ",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            &"ä".repeat(61),
        ] {
            assert!(display("name", bad).is_err(), "{bad:?}");
        }
    }
}
