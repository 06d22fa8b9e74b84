//! The patterns of the Score schema, as predicates. The schema itself is the
//! oracle of the tests.

/// An RFC 1123 label of at least two characters: `[a-z0-9][a-z0-9-]{0,61}[a-z0-9]`.
pub(super) fn is_label(text: &str) -> bool {
    framed(
        text,
        2..=63,
        |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
        |b| b == b'-',
    )
}

/// A resource's type or class.
pub(super) fn is_type(text: &str) -> bool {
    framed(text, 2..=63, |b| b.is_ascii_alphanumeric(), |b| b == b'-')
}

/// A resource's id: labels separated by dots.
pub(super) fn is_id(text: &str) -> bool {
    let label = |part: &str| {
        framed(
            part,
            1..=63,
            |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
            |b| b == b'-',
        )
    };
    (2..=63).contains(&text.len()) && text.split('.').all(label)
}

/// An annotation's key: a name, perhaps after a host name and a slash.
pub(super) fn is_annotation(text: &str) -> bool {
    let name = |part: &str| {
        framed(
            part,
            2..=63,
            |b| b.is_ascii_alphanumeric(),
            |b| matches!(b, b'.' | b'_' | b'-'),
        )
    };
    text.len() <= 316
        && match text.split_once('/') {
            Some((host, rest)) => host.split('.').all(is_label) && name(rest),
            None => name(text),
        }
}

/// `125M`, `1.5Gi`.
pub(super) fn is_memory(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = split_number(number);
    let number_fits = digits(whole)
        && if whole.starts_with('0') {
            whole == "0" && fraction.is_some_and(digits)
        } else {
            fraction.is_none_or(digits)
        };
    number_fits
        && matches!(
            unit,
            "" | "K" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei"
        )
}

/// `2`, `0.25`, `125m`.
pub(super) fn is_cpu(text: &str) -> bool {
    match text.strip_suffix('m') {
        Some(milli) => digits(milli),
        None => {
            let (whole, fraction) = split_number(text);
            digits(whole) && fraction.is_none_or(digits)
        }
    }
}

/// `644`, `0644`.
pub(super) fn is_mode(text: &str) -> bool {
    let octal = |part: &str| part.len() == 3 && part.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal(text) || text.strip_prefix('0').is_some_and(octal)
}

pub(super) fn is_header(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

pub(super) fn is_variable(text: &str) -> bool {
    !text.is_empty() && !text.contains('=')
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn split_number(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    }
}

/// Of a length in `lengths`, with `outer` characters at both ends and `outer`
/// or `inner` between.
fn framed(
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
    outer: fn(u8) -> bool,
    inner: fn(u8) -> bool,
) -> bool {
    let bytes = text.as_bytes();
    lengths.contains(&bytes.len())
        && bytes.first().copied().is_some_and(outer)
        && bytes.last().copied().is_some_and(outer)
        && bytes.iter().all(|b| outer(*b) || inner(*b))
}

/// CPU in thousandths, rounded up. Only for what [`is_cpu`] accepts.
pub(super) fn milli_cpu(text: &str) -> u64 {
    match text.strip_suffix('m') {
        Some(milli) => milli.parse().unwrap_or(u64::MAX),
        None => scaled(text, 1000.0),
    }
}

/// Bytes, rounded up. Only for what [`is_memory`] accepts.
pub(super) fn bytes(text: &str) -> u64 {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let base: f64 = if unit.ends_with('i') { 1024.0 } else { 1000.0 };
    let power = unit
        .chars()
        .next()
        .and_then(|c| "KMGTPE".find(c))
        .map_or(0, |index| i32::try_from(index + 1).unwrap_or(0));
    scaled(number, base.powi(power))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer `as` saturates, and the pattern has no sign"
)]
fn scaled(number: &str, factor: f64) -> u64 {
    number
        .parse::<f64>()
        .map_or(u64::MAX, |it| (it * factor).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_their_units() {
        assert_eq!(bytes("125M"), 125_000_000);
        assert_eq!(bytes("1.5Gi"), 1_610_612_736);
        assert_eq!(bytes("512"), 512);
        assert_eq!(milli_cpu("0.25"), 250);
        assert_eq!(milli_cpu("125m"), 125);
        assert_eq!(milli_cpu("2"), 2000);
    }
}
