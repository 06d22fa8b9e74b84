//! Wildcards and policy variables.

use crate::iam::Context;

/// One piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Many,
}

/// Whether `text` matches `pattern`, in which `*` is any run and `?` any one
/// character.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    run(&pieces(pattern), &text.chars().collect::<Vec<_>>())
}

/// Whether an ARN matches a pattern of ARN form: each of the six parts matches
/// its own part, so that a wildcard in one never reaches into the next. A
/// pattern with fewer parts is completed with `*` (AWS docs: "IAM JSON policy
/// elements: Resource").
pub fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let patterns: Vec<&str> = pattern.splitn(6, ':').collect();
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    if parts.len() < 6 || patterns.first() != Some(&"arn") {
        return wildcard(pattern, arn);
    }
    parts
        .iter()
        .enumerate()
        .all(|(i, part)| patterns.get(i).is_none_or(|p| wildcard(p, part)))
}

fn pieces(pattern: &str) -> Vec<Piece> {
    pattern
        .chars()
        .map(|c| match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            // What `${*}` and `${?}` stood for, see `substitute`.
            LITERAL_STAR => Piece::Literal('*'),
            LITERAL_QUESTION => Piece::Literal('?'),
            c => Piece::Literal(c),
        })
        .collect()
}

/// Greedy matching with one point to return to: linear in practice, and never
/// exponential whatever the pattern (a hostile policy must not hang the server).
fn run(pattern: &[Piece], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Many) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(Piece::One) => {
                p += 1;
                t += 1;
            }
            Some(Piece::Literal(c)) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    p = star + 1;
                    t = from + 1;
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| *piece == Piece::Many)
}

// Private-use characters: no ARN or name that IAM accepts contains them.
const LITERAL_STAR: char = '\u{e000}';
const LITERAL_QUESTION: char = '\u{e001}';

/// Replaces `${key}` by the request's value and `${*}`, `${?}`, `${$}` by the
/// character itself. `None` when a variable has no (single) value and no
/// default: such a pattern matches nothing.
pub(super) fn substitute(pattern: &str, context: &Context) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let end = after.find('}')?;
        let name = after[..end].trim();
        match name {
            "*" => out.push(LITERAL_STAR),
            "?" => out.push(LITERAL_QUESTION),
            "$" => out.push('$'),
            _ => out.push_str(&variable(name, context)?),
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

fn variable(name: &str, context: &Context) -> Option<String> {
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => (
            key.trim(),
            Some(default.trim().trim_matches('\'').to_owned()),
        ),
        None => (name, None),
    };
    match context.get(key) {
        // A value is text, not a pattern: a session named `*` must not match
        // every resource.
        Some([value]) => Some(
            value
                .replace('*', &LITERAL_STAR.to_string())
                .replace('?', &LITERAL_QUESTION.to_string()),
        ),
        _ => default,
    }
}

/// Undoes the marking of literal wildcards, for operators that compare text.
pub(super) fn plain(text: &str) -> String {
    text.replace(LITERAL_STAR, "*")
        .replace(LITERAL_QUESTION, "?")
}
