//! Fits statements into managed policies.

use super::{
    PolicyError,
    statement::{Actions, Section, Statement, document},
};
use landfall_model::grant::{Identity, PolicyDocument};
use std::collections::BTreeSet;

/// Characters of a managed policy, white space not counted, and policies
/// attached to a role (AWS docs: "IAM and AWS STS quotas").
pub(super) const MANAGED_POLICY: usize = 6_144;
pub(super) const POLICIES_OF_ROLE: usize = 10;
pub(super) const TRUST_POLICY: usize = 2_048;
pub(super) const SESSION_POLICY: usize = 2_048;

/// As IAM counts: white space is free.
pub(super) fn size(value: &serde_json::Value) -> usize {
    value
        .to_string()
        .chars()
        .filter(|character| !character.is_whitespace())
        .count()
}

fn size_of(statement: &Statement) -> usize {
    size(&statement.to_json())
}

/// Of a document, from the sizes of its statements: each is measured once, a
/// grant has hundreds, and grants are derived anew at every verification.
fn joined(sizes: impl Iterator<Item = usize>) -> usize {
    // The comma is in front of all statements but the first.
    let statements = sizes.map(|size| size + 1).sum::<usize>().saturating_sub(1);
    size(&document(&[])) + statements
}

struct Document {
    purposes: Vec<String>,
    statements: Vec<Statement>,
    /// Of the statements.
    sizes: Vec<usize>,
}

/// Packs in order: a section begins a new document only when it does not fit
/// behind the one before, and is split only when it does not fit into one. The
/// same sections always give the same documents.
pub(super) fn pack(
    sections: Vec<Section>,
    identity: Identity,
    stem: &str,
) -> Result<Vec<PolicyDocument>, PolicyError> {
    let mut documents: Vec<Document> = Vec::new();
    for section in sections {
        let mut begins = true;
        let whole: Vec<usize> = section.statements.iter().map(size_of).collect();
        let whole_fits_alone = joined(whole.iter().copied()) <= MANAGED_POLICY;
        for statement in split(section.statements)? {
            let size = [size_of(&statement)];
            let last = documents.last_mut().filter(|last| {
                // The whole section goes on together or begins a document.
                let addition = if begins && whole_fits_alone {
                    whole.as_slice()
                } else {
                    &size
                };
                joined(last.sizes.iter().chain(addition).copied()) <= MANAGED_POLICY
            });
            match last {
                Some(last) => {
                    if last.purposes.last() != Some(&section.purpose) {
                        last.purposes.push(section.purpose.clone());
                    }
                    last.statements.push(statement);
                    last.sizes.extend(size);
                }
                None => documents.push(Document {
                    purposes: vec![section.purpose.clone()],
                    statements: vec![statement],
                    sizes: size.to_vec(),
                }),
            }
            begins = false;
        }
    }
    if documents.len() > POLICIES_OF_ROLE {
        return Err(PolicyError::TooManyPolicies {
            identity,
            limit: POLICIES_OF_ROLE,
        });
    }
    Ok(documents
        .into_iter()
        .enumerate()
        .map(|(index, packed)| PolicyDocument {
            name: format!("{stem}-{}", index + 1),
            purpose: packed.purposes.join(". "),
            document: document(&packed.statements),
        })
        .collect())
}

/// Halves the actions of a statement until each part fits into a document of
/// its own. Only a list of allowed or denied actions can be halved: parts of a
/// `NotAction` would each deny what the other one spares.
fn split(statements: Vec<Statement>) -> Result<Vec<Statement>, PolicyError> {
    let mut fitting = Vec::new();
    for statement in statements {
        let parts = halve(statement)?;
        if let [_] = parts.as_slice() {
            fitting.extend(parts);
        } else {
            fitting.extend(
                parts
                    .into_iter()
                    .enumerate()
                    .map(|(index, part)| Statement {
                        sid: format!("{}{}", part.sid, index + 1),
                        ..part
                    }),
            );
        }
    }
    Ok(fitting)
}

fn halve(statement: Statement) -> Result<Vec<Statement>, PolicyError> {
    let alone = joined(std::iter::once(size_of(&statement)));
    // Two digits of room for the number that a part gets.
    if alone + 2 <= MANAGED_POLICY {
        return Ok(vec![statement]);
    }
    match &statement.actions {
        Actions::Only(actions) if actions.len() > 1 => {
            let middle = actions.len() / 2;
            let first: BTreeSet<String> = actions.iter().take(middle).cloned().collect();
            let second: BTreeSet<String> = actions.iter().skip(middle).cloned().collect();
            let mut parts = halve(Statement {
                actions: Actions::Only(first),
                ..statement.clone()
            })?;
            parts.extend(halve(Statement {
                actions: Actions::Only(second),
                ..statement
            })?);
            Ok(parts)
        }
        _ => Err(PolicyError::TooLarge {
            what: format!("statement {}", statement.sid),
            size: alone,
            limit: MANAGED_POLICY,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::aws::statement::Effect;
    use proptest::prelude::*;
    use serde_json::Value;

    fn statement(sid: usize, actions: usize, length: usize) -> Statement {
        Statement {
            sid: format!("S{sid}"),
            effect: Effect::Allow,
            actions: Actions::Only(
                (0..actions.max(1))
                    .map(|index| format!("ec2:{index:0>length$}"))
                    .collect(),
            ),
            resources: vec!["*".to_owned()],
            condition: None,
        }
    }

    fn granted(document: &Value) -> Vec<String> {
        let statements = document["Statement"].as_array().unwrap();
        statements
            .iter()
            .flat_map(|statement| match &statement["Action"] {
                Value::Array(actions) => actions.clone(),
                one => vec![one.clone()],
            })
            .map(|action| action.as_str().unwrap().to_owned())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn nothing_is_lost_and_everything_fits(
            shape in prop::collection::vec((1usize..160, 20usize..60, 0usize..4), 1..10)
        ) {
            let mut sections: Vec<Section> = Vec::new();
            let mut wanted = 0;
            for (index, (actions, length, section)) in shape.into_iter().enumerate() {
                let made = statement(index, actions, length);
                let Actions::Only(set) = &made.actions else { unreachable!() };
                wanted += set.len();
                let purpose = format!("P{section}");
                match sections.last_mut() {
                    Some(last) if last.purpose == purpose => last.statements.push(made),
                    _ => sections.push(Section { purpose, statements: vec![made] }),
                }
            }
            let packed = pack(sections.clone(), Identity::Provisioner, "x");
            prop_assert_eq!(&packed, &pack(sections, Identity::Provisioner, "x"));
            match packed {
                Ok(documents) => {
                    prop_assert!(documents.len() <= POLICIES_OF_ROLE);
                    let mut found = 0;
                    for document in &documents {
                        prop_assert!(size(&document.document) <= MANAGED_POLICY);
                        found += granted(&document.document).len();
                    }
                    prop_assert_eq!(found, wanted);
                }
                Err(error) => prop_assert!(
                    matches!(error, PolicyError::TooManyPolicies { .. }),
                    "{:?}", error
                ),
            }
        }
    }

    proptest! {
        #[test]
        fn the_size_of_a_document_is_the_sum_of_its_statements(
            shape in prop::collection::vec((1usize..20, 1usize..60), 0..6)
        ) {
            let statements: Vec<Statement> = shape
                .into_iter()
                .enumerate()
                .map(|(index, (actions, length))| statement(index, actions, length))
                .collect();
            let sizes = statements.iter().map(size_of);
            prop_assert_eq!(joined(sizes), size(&document(&statements)));
        }
    }

    #[test]
    fn a_statement_that_cannot_be_halved_is_refused() {
        let mut huge = statement(1, 1, 1);
        huge.resources = (0..400)
            .map(|n| format!("arn:aws:s3:::bucket-{n}"))
            .collect();
        let section = Section {
            purpose: "p".into(),
            statements: vec![huge],
        };
        assert!(matches!(
            pack(vec![section], Identity::Reaper, "x"),
            Err(PolicyError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_list_of_exceptions_is_never_halved() {
        let mut exceptions = statement(1, 400, 40);
        let Actions::Only(set) = exceptions.actions else {
            unreachable!()
        };
        exceptions.actions = Actions::AllBut(set);
        let section = Section {
            purpose: "p".into(),
            statements: vec![exceptions],
        };
        assert!(pack(vec![section], Identity::Provisioner, "x").is_err());
    }
}
