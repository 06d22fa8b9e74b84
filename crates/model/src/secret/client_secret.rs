//! The form of a client secret, before anything is asked of Entra.

/// Why a text is no client secret. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientSecret {
    #[error("it is empty")]
    Empty,
    #[error(
        "that is the secret's id, not its value: the portal shows the value once, in the column \
         Value, when the secret is made"
    )]
    Id,
    #[error("it has a space or a line break in it; copy the value alone")]
    Space,
    #[error("it has characters that no client secret has; copy the value alone")]
    Characters,
    #[error("it is too short; Entra's have about 40 characters")]
    Short,
    #[error("it is too long; Entra's have about 40 characters")]
    Long,
}

/// Looks at the form alone. Entra promises no form, so only what cannot be one
/// is refused.
pub fn check_client_secret(text: &str) -> Result<(), InvalidClientSecret> {
    if text.is_empty() {
        return Err(InvalidClientSecret::Empty);
    }
    if text.parse::<crate::connection::Guid>().is_ok() {
        return Err(InvalidClientSecret::Id);
    }
    if text.chars().any(char::is_whitespace) {
        return Err(InvalidClientSecret::Space);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidClientSecret::Characters);
    }
    match text.len() {
        ..16 => Err(InvalidClientSecret::Short),
        16..=256 => Ok(()),
        _ => Err(InvalidClientSecret::Long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_by_mistake_is_named() {
        for (text, wrong) in [
            ("", InvalidClientSecret::Empty),
            (
                "72f988bf-86f1-41af-91ab-2d7cd011db47",
                InvalidClientSecret::Id,
            ),
            (
                "abc8Q~ 0123456789012345678901234567890",
                InvalidClientSecret::Space,
            ),
            (
                "abc8Q~0123456789012345678901234567890\n",
                InvalidClientSecret::Space,
            ),
            (
                "abc8Q~01234567890123456789012345678·90",
                InvalidClientSecret::Characters,
            ),
            ("abc8Q~", InvalidClientSecret::Short),
        ] {
            assert_eq!(check_client_secret(text), Err(wrong), "{text:?}");
            assert!(text.len() < 6 || !wrong.to_string().contains(text));
        }
        assert_eq!(
            check_client_secret(&"a".repeat(300)),
            Err(InvalidClientSecret::Long)
        );
        assert_eq!(
            check_client_secret("abc8Q~0123456789012345678901234567890._-"),
            Ok(())
        );
    }
}
