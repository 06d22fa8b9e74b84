//! Who may do what, and who did what.

use super::{minute, table};
use landfall_model::{
    audit::{Actor, Entry},
    member::Member,
    token::Token,
};

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Member { name, .. } => name.clone(),
        Actor::System => "landfall".into(),
        Actor::Anonymous => "(unknown)".into(),
    }
}

pub fn audit(items: &[Entry]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.seq.to_string(),
                one.at.to_rfc3339(),
                actor(&one.actor),
                one.action.clone(),
                one.target.clone(),
                one.outcome.clone(),
            ]
        })
        .collect();
    table(
        &["#", "at", "who", "did", "to", "outcome"],
        rows,
        "The audit log is empty.",
    )
}

pub fn tokens(items: &[Token]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.role.to_string(),
                minute(one.expires_at),
                if one.revoked_at.is_some() {
                    "revoked"
                } else {
                    ""
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "role", "expires", "", "id"],
        rows,
        "No tokens. Make one: landfall tokens create <name>",
    )
}

pub fn members(items: &[Member]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.role.to_string(),
                if one.removed_at.is_some() {
                    "removed"
                } else {
                    ""
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(&["name", "role", "", "id"], rows, "No members.")
}
