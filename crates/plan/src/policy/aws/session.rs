//! The session policy that narrows the reaper to one approved resource.

use super::{
    PolicyError, arn,
    pack::SESSION_POLICY,
    statement::{Actions, Effect, Statement, document, scopes_of},
    tables,
};
use landfall_model::{connection::Partition, grant::Identity, retained::Retained};
use serde_json::Value;
use std::collections::BTreeSet;

/// The document to assume the reaper's role with: looking at and deleting
/// `retained`, and switching its protection off where its type has one. What a
/// session may do is what this and the role's own policies both allow.
pub fn reaper_session_policy(
    retained: &Retained,
    partition: Partition,
) -> Result<Value, PolicyError> {
    let type_name = retained.type_name.as_str();
    let needed = tables::actions_of_type(type_name, Identity::Reaper).ok_or_else(|| {
        PolicyError::UnknownType {
            type_name: type_name.to_owned(),
        }
    })?;
    let targets = arn::targets(retained, partition)?;
    let protected = tables::overlay().add.iter().any(|entry| {
        entry.identities.contains(&Identity::Reaper)
            && entry.types.iter().any(|name| name == type_name)
    });
    let base = tables::base_actions(Identity::Reaper)
        .map(|(_, action)| action)
        .filter(|action| protected || *action != "cloudformation:UpdateResource");

    let mut everywhere = BTreeSet::new();
    let mut on_target = BTreeSet::new();
    for action in base.chain(needed.iter().copied()) {
        let wide = scopes_of(action, Identity::Reaper)
            .iter()
            .filter_map(|index| tables::overlay().scopes.get(*index))
            .any(tables::Scope::is_wide);
        if wide {
            everywhere.insert(action.to_owned());
        } else {
            on_target.insert(action.to_owned());
        }
    }
    let mut statements = vec![Statement {
        sid: "Look".to_owned(),
        effect: Effect::Allow,
        actions: Actions::Only(everywhere),
        resources: vec!["*".to_owned()],
        condition: None,
    }];
    if !on_target.is_empty() {
        statements.push(Statement {
            sid: "Approved".to_owned(),
            effect: Effect::Allow,
            actions: Actions::Only(on_target),
            resources: targets,
            condition: None,
        });
    }
    let document = document(&statements);
    // Unlike a managed policy's, these characters are all counted.
    let size = document.to_string().chars().count();
    if size > SESSION_POLICY {
        return Err(PolicyError::TooLarge {
            what: format!("session policy for a {type_name}"),
            size,
            limit: SESSION_POLICY,
        });
    }
    Ok(document)
}
