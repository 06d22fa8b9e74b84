//! Condition operators.

use super::document::PolicyError;
use super::pattern::{arn_like, plain, substitute, wildcard};
use crate::iam::Context;
use std::net::IpAddr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One operator, one key, the values of which one must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub operator: Operator,
    pub key: String,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    quantifier: Quantifier,
    base: Base,
    negated: bool,
    if_exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    None,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    String,
    StringIgnoreCase,
    StringLike,
    ArnLike,
    Bool,
    Null,
    Numeric(Order),
    Date(Order),
    IpAddress,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Equals => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Operator {
    /// Parses `ForAllValues:StringLikeIfExists`. Names compare exactly, as IAM
    /// compares them.
    pub fn parse(name: &str) -> Result<Self, PolicyError> {
        let (quantifier, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::ForAllValues, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAnyValue, rest),
            Some(_) => return Err(unknown(name)),
            None => (Quantifier::None, name),
        };
        let (rest, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |rest| (rest, true));
        let (base, negated) = match rest {
            "StringEquals" => (Base::String, false),
            "StringNotEquals" => (Base::String, true),
            "StringEqualsIgnoreCase" => (Base::StringIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Base::StringIgnoreCase, true),
            "StringLike" => (Base::StringLike, false),
            "StringNotLike" => (Base::StringLike, true),
            // AWS docs: ArnEquals and ArnLike behave identically.
            "ArnEquals" | "ArnLike" => (Base::ArnLike, false),
            "ArnNotEquals" | "ArnNotLike" => (Base::ArnLike, true),
            "Bool" => (Base::Bool, false),
            "Null" => (Base::Null, false),
            "IpAddress" => (Base::IpAddress, false),
            "NotIpAddress" => (Base::IpAddress, true),
            "BinaryEquals" => (Base::Binary, false),
            _ => ordered(rest).ok_or_else(|| unknown(name))?,
        };
        if base == Base::Null && if_exists {
            return Err(unknown(name));
        }
        Ok(Self {
            quantifier,
            base,
            negated,
            if_exists,
        })
    }
}

fn ordered(name: &str) -> Option<(Base, bool)> {
    let (make, order): (fn(Order) -> Base, &str) = if let Some(order) = name.strip_prefix("Numeric")
    {
        (Base::Numeric, order)
    } else {
        (Base::Date, name.strip_prefix("Date")?)
    };
    let (order, negated) = match order {
        "Equals" => (Order::Equals, false),
        "NotEquals" => (Order::Equals, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    };
    Some((make(order), negated))
}

fn unknown(name: &str) -> PolicyError {
    PolicyError::new(format!("Invalid Condition type : {name}"))
}

impl Condition {
    /// Whether the condition holds in a context. `variables` says whether the
    /// policy's version knows `${…}`.
    pub fn holds(&self, context: &Context, variables: bool) -> bool {
        let values = context.get(&self.key);
        let operator = self.operator;
        if operator.base == Base::Null {
            let wants_absent = self.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
            return values.is_none_or(<[_]>::is_empty) == wants_absent;
        }
        let wanted: Vec<String> = self
            .values
            .iter()
            .filter_map(|value| {
                if variables {
                    substitute(value, context)
                } else {
                    Some(value.clone())
                }
            })
            .collect();
        // One value satisfies the operator: any of the wanted ones, or for a
        // negated operator none of them.
        let satisfied = |value: &String| {
            let any = wanted.iter().any(|w| compare(operator.base, value, w));
            any != operator.negated
        };
        match (values, operator.quantifier) {
            (None | Some([]), Quantifier::ForAllValues) => true,
            (None | Some([]), Quantifier::ForAnyValue) => operator.if_exists,
            (None | Some([]), Quantifier::None) => operator.if_exists || operator.negated,
            (Some(values), Quantifier::ForAllValues) => values.iter().all(satisfied),
            (Some(values), Quantifier::ForAnyValue) => values.iter().any(satisfied),
            // A key with many values under an operator for one: no value may
            // contradict a negation, one is enough otherwise.
            (Some(values), Quantifier::None) if operator.negated => values.iter().all(satisfied),
            (Some(values), Quantifier::None) => values.iter().any(satisfied),
        }
    }
}

fn compare(base: Base, value: &str, wanted: &str) -> bool {
    match base {
        Base::String | Base::Binary => value == plain(wanted),
        Base::StringIgnoreCase => value.to_lowercase() == plain(wanted).to_lowercase(),
        Base::StringLike => wildcard(wanted, value),
        Base::ArnLike => arn_like(wanted, value),
        Base::Bool => value.eq_ignore_ascii_case(&plain(wanted)),
        Base::Numeric(order) => {
            let numbers = (value.trim().parse::<f64>(), wanted.trim().parse::<f64>());
            matches!(numbers, (Ok(value), Ok(wanted)) if order.holds(value, wanted))
        }
        Base::Date(order) => {
            matches!((date(value), date(wanted)), (Some(v), Some(w)) if order.holds(v, w))
        }
        Base::IpAddress => in_network(value, wanted).unwrap_or(false),
        Base::Null => false,
    }
}

/// Epoch seconds, from a date in ISO 8601 or a number.
fn date(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let full = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    OffsetDateTime::parse(&full, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp)
}

fn in_network(address: &str, network: &str) -> Option<bool> {
    let address: IpAddr = address.parse().ok()?;
    let (base, bits) = network.split_once('/').unwrap_or((network, ""));
    let base: IpAddr = base.parse().ok()?;
    let (address, base, width) = match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return Some(false),
    };
    let bits: u32 = if bits.is_empty() {
        width
    } else {
        bits.parse().ok()?
    };
    let host_bits = width.checked_sub(bits)?;
    if host_bits >= 128 {
        return Some(true);
    }
    Some(address >> host_bits == base >> host_bits)
}
