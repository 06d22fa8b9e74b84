//! The part of the Common Expression Language that IAM conditions, attribute
//! mappings and attribute conditions are written in here: literals, lists,
//! paths, `==`, `!=`, `<`, `>`, `&&`, `||`, `!`, `in`, `+`, timestamps, and a
//! few methods.
//!
//! What lies outside of it is refused when it is written down, so that no
//! condition is ever stored and silently not understood.

use serde_json::{Value, json};

/// Nesting beyond this is a mistake, and must not exhaust the stack.
const DEPTH: u32 = 40;

/// Chains (`a + b + …`) nest too, one level for each link, and whoever
/// evaluates or drops the tree descends it.
const TOKENS: usize = 512;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Literal(Value),
    List(Vec<Expr>),
    /// `assertion.sub`, `assertion['sub']`
    Path(Vec<String>),
    Not(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    /// Receiver (none for a bare function), name, arguments.
    Method(Box<Expr>, String, Vec<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    /// Of timestamps only.
    Before,
    /// Of timestamps only.
    After,
    In,
    Plus,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Sign(&'static str),
}

/// Why an expression is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unsupported(pub String);

fn unsupported<T>(message: impl Into<String>) -> Result<T, Unsupported> {
    Err(Unsupported(message.into()))
}

fn tokens(text: &str) -> Result<Vec<Token>, Unsupported> {
    const SIGNS: [&str; 16] = [
        "==", "!=", "&&", "||", "!", "<", ">", "(", ")", "[", "]", ",", ".", "+", "{", "}",
    ];
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' || first == '"' {
            let mut value = String::new();
            let mut inner = rest[1..].char_indices();
            let end = loop {
                match inner.next() {
                    None => return unsupported("a string does not end"),
                    Some((at, c)) if c == first => break at,
                    Some((_, '\\')) => match inner.next() {
                        Some((_, c @ ('\\' | '\'' | '"'))) => value.push(c),
                        _ => return unsupported("an escape that is not supported here"),
                    },
                    Some((_, c)) => value.push(c),
                }
            };
            found.push(Token::Text(value));
            rest = &rest[end + 2..];
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            return unsupported(format!("unexpected '{first}'"));
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Expr, Unsupported> {
    let tokens = tokens(text)?;
    if tokens.len() > TOKENS {
        return unsupported("the expression is too long");
    }
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        depth: 0,
    };
    let expr = parser.binary(0)?;
    if parser.at < tokens.len() {
        return unsupported("something follows the expression");
    }
    Ok(expr)
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(is)) if *is == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Unsupported> {
        if self.take(sign) {
            Ok(())
        } else {
            unsupported(format!("'{sign}' is missing"))
        }
    }

    fn operator(&mut self, level: u8) -> Option<Op> {
        let op = match (level, self.peek()?) {
            (0, Token::Sign("||")) => Op::Or,
            (1, Token::Sign("&&")) => Op::And,
            (2, Token::Sign("==")) => Op::Equal,
            (2, Token::Sign("!=")) => Op::NotEqual,
            (2, Token::Sign("<")) => Op::Before,
            (2, Token::Sign(">")) => Op::After,
            (2, Token::Word(word)) if word == "in" => Op::In,
            (3, Token::Sign("+")) => Op::Plus,
            _ => return None,
        };
        self.at += 1;
        Some(op)
    }

    fn binary(&mut self, level: u8) -> Result<Expr, Unsupported> {
        if level > 3 {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(op) = self.operator(level) {
            let right = self.binary(level + 1)?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Unsupported> {
        self.depth += 1;
        if self.depth > DEPTH {
            return unsupported("the expression is nested too deeply");
        }
        let expr = if self.take("!") {
            Expr::Not(Box::new(self.unary()?))
        } else {
            self.postfix()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn arguments(&mut self, close: &str) -> Result<Vec<Expr>, Unsupported> {
        let mut all = Vec::new();
        while !self.take(close) {
            if !all.is_empty() {
                self.expect(",")?;
            }
            all.push(self.binary(0)?);
        }
        Ok(all)
    }

    fn word(&mut self) -> Result<String, Unsupported> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => unsupported("a name is missing"),
        }
    }

    fn primary(&mut self) -> Result<Expr, Unsupported> {
        if self.take("(") {
            let inner = self.binary(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            return Ok(Expr::List(self.arguments("]")?));
        }
        if let Some(Token::Text(text)) = self.peek() {
            let literal = Expr::Literal(json!(text));
            self.at += 1;
            return Ok(literal);
        }
        let word = self.word()?;
        Ok(match word.as_str() {
            "true" => Expr::Literal(json!(true)),
            "false" => Expr::Literal(json!(false)),
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                match number.parse::<i64>() {
                    Ok(number) => Expr::Literal(json!(number)),
                    Err(_) => return unsupported("a number that is none"),
                }
            }
            "timestamp" if self.take("(") => {
                let Some(Token::Text(text)) = self.peek() else {
                    return unsupported("a timestamp is a text");
                };
                let instant = instant(text)?;
                self.at += 1;
                self.expect(")")?;
                Expr::Literal(instant)
            }
            _ => Expr::Path(vec![word]),
        })
    }

    fn postfix(&mut self) -> Result<Expr, Unsupported> {
        let mut expr = self.primary()?;
        loop {
            if self.take(".") {
                let name = self.word()?;
                if self.take("(") {
                    const METHODS: [&str; 6] = [
                        "startsWith",
                        "endsWith",
                        "contains",
                        "hasOnly",
                        "getAttribute",
                        "size",
                    ];
                    if !METHODS.contains(&name.as_str()) {
                        return unsupported(format!("the method {name} is not supported here"));
                    }
                    let arguments = self.arguments(")")?;
                    expr = Expr::Method(Box::new(expr), name, arguments);
                } else if let Expr::Path(path) = &mut expr {
                    path.push(name);
                } else {
                    return unsupported("a field of something that has none");
                }
            } else if self.take("[") {
                let (Expr::Path(path), Some(Token::Text(name))) = (&mut expr, self.peek()) else {
                    return unsupported("only fields may be looked up");
                };
                path.push(name.clone());
                self.at += 1;
                self.expect("]")?;
            } else {
                return Ok(expr);
            }
        }
    }
}

/// A timestamp as a value: its seconds, apart from numbers and texts.
pub(super) fn seconds(unix: i64) -> Value {
    json!({ "seconds": unix })
}

fn instant(text: &str) -> Result<Value, Unsupported> {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    OffsetDateTime::parse(text, &Rfc3339)
        .map(|at| seconds(at.unix_timestamp()))
        .or_else(|_| unsupported(format!("'{text}' is no timestamp")))
}

impl Expr {
    /// Evaluates over the values of paths. `None`, as for a claim that is
    /// missing, makes the whole expression an error, as in CEL.
    pub fn value(&self, of: &dyn Fn(&[String]) -> Option<Value>) -> Option<Value> {
        Some(match self {
            Self::Literal(value) => value.clone(),
            Self::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.value(of))
                    .collect::<Option<_>>()?,
            ),
            Self::Path(path) => of(path)?,
            Self::Not(inner) => json!(!inner.value(of)?.as_bool()?),
            Self::Binary(op, left, right) => binary(*op, left, right, of)?,
            Self::Method(receiver, name, arguments) => {
                let arguments: Vec<Value> = arguments
                    .iter()
                    .map(|argument| argument.value(of))
                    .collect::<Option<_>>()?;
                if name == "getAttribute" {
                    let Self::Path(path) = receiver.as_ref() else {
                        return None;
                    };
                    let mut path = path.clone();
                    path.push(arguments.first()?.as_str()?.to_owned());
                    return of(&path).or_else(|| arguments.get(1).cloned());
                }
                method(&receiver.value(of)?, name, &arguments)?
            }
        })
    }

    pub fn holds(&self, of: &dyn Fn(&[String]) -> Option<Value>) -> bool {
        self.value(of) == Some(json!(true))
    }
}

fn binary(
    op: Op,
    left: &Expr,
    right: &Expr,
    of: &dyn Fn(&[String]) -> Option<Value>,
) -> Option<Value> {
    let left = left.value(of);
    Some(match op {
        // Commutative in CEL: an error on one side does not matter when the
        // other side decides.
        Op::Or | Op::And => {
            let decisive = op == Op::Or;
            let right = right.value(of);
            let sides = [
                left.and_then(|v| v.as_bool()),
                right.and_then(|v| v.as_bool()),
            ];
            if sides.contains(&Some(decisive)) {
                json!(decisive)
            } else if sides.contains(&None) {
                return None;
            } else {
                json!(!decisive)
            }
        }
        Op::Equal => json!(left? == right.value(of)?),
        Op::NotEqual => json!(left? != right.value(of)?),
        Op::Before | Op::After => {
            let left = left?["seconds"].as_i64()?;
            let right = right.value(of)?["seconds"].as_i64()?;
            json!(if op == Op::Before {
                left < right
            } else {
                left > right
            })
        }
        Op::In => json!(right.value(of)?.as_array()?.contains(&left?)),
        Op::Plus => json!(format!("{}{}", left?.as_str()?, right.value(of)?.as_str()?)),
    })
}

fn method(receiver: &Value, name: &str, arguments: &[Value]) -> Option<Value> {
    if name == "size" {
        return Some(json!(match receiver {
            Value::Array(items) => items.len(),
            Value::String(text) => text.chars().count(),
            _ => return None,
        }));
    }
    let argument = arguments.first()?;
    Some(json!(match name {
        "hasOnly" => {
            let allowed = argument.as_array()?;
            receiver
                .as_array()?
                .iter()
                .all(|item| allowed.contains(item))
        }
        "startsWith" => receiver.as_str()?.starts_with(argument.as_str()?),
        "endsWith" => receiver.as_str()?.ends_with(argument.as_str()?),
        "contains" => receiver.as_str()?.contains(argument.as_str()?),
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let of = |path: &[String]| match path.join(".").as_str() {
            "assertion.sub" => Some(json!("a:b")),
            "assertion.aud" => Some(json!("x")),
            "api.iam.googleapis.com/modifiedGrantsByRole" => Some(json!(["roles/one"])),
            "request.time" => Some(seconds(1_000_000_000)),
            _ => None,
        };
        parse(text).unwrap().holds(&of)
    }

    #[test]
    fn conditions_decide_and_missing_values_do_not_let_in() {
        assert!(holds("assertion.sub == 'a:b'"));
        assert!(holds(
            "assertion['sub'] == \"a:b\" && assertion.aud in ['x', 'y']"
        ));
        assert!(!holds("assertion.sub == 'other'"));
        assert!(!holds("assertion.nothing == 'a'"));
        assert!(!holds("assertion.nothing != 'a'"));
        assert!(holds("assertion.nothing == 'a' || assertion.aud == 'x'"));
        assert!(holds(
            "!(assertion.sub == 'c') && assertion.sub.startsWith('a:')"
        ));
        assert!(holds("'p:' + assertion.aud == 'p:x'"));
        let only = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly";
        assert!(holds(&format!("{only}(['roles/one', 'roles/two'])")));
        assert!(!holds(&format!("{only}(['roles/two'])")));
        // 2001-09-09T01:46:40Z
        assert!(holds("request.time < timestamp('2001-09-09T01:46:41Z')"));
        assert!(!holds("request.time < timestamp('2001-09-09T01:46:40Z')"));
        assert!(holds("request.time > timestamp('2001-09-09T01:46:39.5Z')"));
        // Neither of the two is a timestamp.
        assert!(!holds("assertion.sub < assertion.aud"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "a ==",
            "'a",
            "a.matches('x')",
            "a ? b : c",
            "a b",
            "[1",
            "1x",
            "request.time < timestamp('tomorrow')",
            "request.time < timestamp(a)",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(10_000)).is_err());
        assert!(parse(&"!".repeat(10_000)).is_err());
    }

    #[test]
    fn a_long_chain_is_refused_and_a_reasonable_one_is_not() {
        assert!(parse(&("'a'".to_owned() + &"+'a'".repeat(100_000))).is_err());
        assert!(parse(&("a".to_owned() + &".contains('a')".repeat(100_000))).is_err());
        let subjects = "assertion.sub == 'x' || ".repeat(80);
        assert!(holds(&format!("{subjects}assertion.sub == 'a:b'")));
    }
}
