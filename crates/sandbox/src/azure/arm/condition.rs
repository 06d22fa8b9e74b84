//! Conditions of role assignments, of the forms that limit who may be given
//! which role.
//!
//! Microsoft Learn: "Azure role assignment condition format and syntax".

use std::collections::BTreeMap;

/// What a condition is asked about: the action, and the attributes by
/// `request:roledefinitionid` or `resource:principalid`, in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub action: String,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    Action(String),
    Attribute {
        name: String,
        negated: bool,
        values: Vec<String>,
    },
}

/// Where a condition stops making sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the condition is not understood at '{0}'")]
pub(super) struct SyntaxError(String);

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser { rest: text };
        let expression = parser.or(0)?;
        parser.space();
        if parser.rest.is_empty() {
            Ok(expression)
        } else {
            Err(parser.error())
        }
    }

    pub(super) fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::And(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Not(part) => !part.holds(facts),
            Self::Action(pattern) => super::rbac::matches(pattern, &facts.action),
            // An attribute that is absent satisfies nothing, not even `not`.
            Self::Attribute {
                name,
                negated,
                values,
            } => facts.attributes.get(name).is_some_and(|is| {
                values.iter().any(|value| value.eq_ignore_ascii_case(is)) != *negated
            }),
        }
    }
}

/// Deeper nesting is refused: the parser is recursive.
const DEEPEST: usize = 64;

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn error(&self) -> SyntaxError {
        SyntaxError(self.rest.chars().take(40).collect())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a word or sign when it comes next, whatever its case.
    fn take(&mut self, token: &str) -> bool {
        self.space();
        let next = self.rest.get(..token.len());
        let found = next.is_some_and(|next| next.eq_ignore_ascii_case(token));
        if found {
            self.rest = &self.rest[token.len()..];
        }
        found
    }

    fn or(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut parts = vec![self.and(depth)?];
        while self.take("OR") || self.take("||") {
            parts.push(self.and(depth)?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut parts = vec![self.unary(depth)?];
        while self.take("AND") || self.take("&&") {
            parts.push(self.unary(depth)?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn unary(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        if depth > DEEPEST {
            return Err(self.error());
        }
        if self.take("!") || self.take("NOT") {
            return Ok(Expression::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("(") {
            let inside = self.or(depth + 1)?;
            return if self.take(")") {
                Ok(inside)
            } else {
                Err(self.error())
            };
        }
        if self.take("ActionMatches") {
            let pattern = self.set()?.pop().ok_or_else(|| self.error())?;
            return Ok(Expression::Action(pattern));
        }
        self.attribute()
    }

    /// `@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]
    /// ForAnyOfAnyValues:GuidEquals {…}`.
    fn attribute(&mut self) -> Result<Expression, SyntaxError> {
        let source = if self.take("@Request[") {
            "request"
        } else if self.take("@Resource[") {
            "resource"
        } else {
            return Err(self.error());
        };
        if !self.take("Microsoft.Authorization/roleAssignments:") {
            return Err(self.error());
        }
        let (name, rest) = self.rest.split_once(']').ok_or_else(|| self.error())?;
        let name = name.to_lowercase();
        if !["roledefinitionid", "principalid", "principaltype"].contains(&name.as_str()) {
            return Err(self.error());
        }
        self.rest = rest;
        let negated = if self.take("ForAnyOfAnyValues:GuidEquals")
            || self.take("ForAnyOfAnyValues:StringEqualsIgnoreCase")
            || self.take("ForAnyOfAnyValues:StringEquals")
            || self.take("StringEqualsIgnoreCase")
            || self.take("StringEquals")
            || self.take("GuidEquals")
        {
            false
        } else if self.take("ForAnyOfAllValues:GuidNotEquals")
            || self.take("ForAnyOfAllValues:StringNotEqualsIgnoreCase")
            || self.take("StringNotEqualsIgnoreCase")
            || self.take("StringNotEquals")
            || self.take("GuidNotEquals")
        {
            true
        } else {
            return Err(self.error());
        };
        Ok(Expression::Attribute {
            name: format!("{source}:{name}"),
            negated,
            values: self.set()?,
        })
    }

    /// `{a, 'b'}`, or one quoted value.
    fn set(&mut self) -> Result<Vec<String>, SyntaxError> {
        self.space();
        let (inside, rest) = if let Some(rest) = self.rest.strip_prefix('{') {
            rest.split_once('}').ok_or_else(|| self.error())?
        } else if let Some(rest) = self.rest.strip_prefix('\'') {
            rest.split_once('\'').ok_or_else(|| self.error())?
        } else {
            return Err(self.error());
        };
        let values: Vec<String> = inside
            .split(',')
            .map(|value| value.trim().trim_matches('\'').to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        if values.is_empty() {
            return Err(self.error());
        }
        self.rest = rest;
        Ok(values)
    }
}

fn one_or(mut parts: Vec<Expression>, make: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            make(parts)
        }
        None => make(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: &str = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
        (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
        ForAnyOfAnyValues:GuidEquals {aaaa, bbbb})) AND \
        ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR \
        (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
        ForAnyOfAnyValues:GuidEquals {aaaa}))";

    fn facts(action: &str, attribute: &str, value: &str) -> Facts {
        Facts {
            action: action.to_owned(),
            attributes: [(attribute.to_owned(), value.to_owned())].into(),
        }
    }

    #[test]
    fn only_named_roles_are_given_and_taken() {
        let limit = Expression::parse(LIMIT).unwrap();
        let write = "Microsoft.Authorization/roleAssignments/write";
        let delete = "Microsoft.Authorization/roleAssignments/delete";
        assert!(limit.holds(&facts(write, "request:roledefinitionid", "BBBB")));
        assert!(!limit.holds(&facts(write, "request:roledefinitionid", "cccc")));
        assert!(!limit.holds(&facts(delete, "resource:roledefinitionid", "bbbb")));
        assert!(limit.holds(&facts(delete, "resource:roledefinitionid", "aaaa")));
        assert!(limit.holds(&Facts {
            action: "Microsoft.Storage/storageAccounts/write".to_owned(),
            ..Facts::default()
        }));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in [
            "",
            "(",
            "ActionMatches{}",
            "@Environment[x] DateTimeLessThan '1'",
            "ActionMatches{'a'} or",
            &"(".repeat(10_000),
            "ActionMatches{'a'} x",
        ] {
            assert!(Expression::parse(wrong).is_err(), "{wrong}");
        }
    }
}
