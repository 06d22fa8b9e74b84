use super::{Harness, keeps_secrets};
use crate::Support;
use landfall_model::{
    connection::Connection,
    grant::{GrantGuide, GrantSpec, How, ServerPrincipal},
};
use std::collections::BTreeSet;

/// A new connection, and what its guide asks the customer to grant.
pub(super) struct Asked {
    pub(super) connection: Connection,
    pub(super) spec: GrantSpec,
    pub(super) principal: ServerPrincipal,
    pub(super) guide: GrantGuide,
}

impl Asked {
    pub(super) async fn of<H: Harness + ?Sized>(harness: &H, with_reaper: bool) -> Self {
        let connector = harness.connector();
        let connection = harness.connection(with_reaper).await;
        let spec = harness.spec(&connection).await;
        let principal = connector.principal().await.expect("it has an identity");
        let guide = connector
            .guide(&connection, &[], &spec, &principal)
            .expect("the connection and the grant are of this cloud");
        Self {
            connection,
            spec,
            principal,
            guide,
        }
    }
}

pub(super) async fn the_guide_names_what_it_must(harness: &dyn Harness) -> Support {
    for with_reaper in [true, false] {
        let asked = Asked::of(harness, with_reaper).await;
        let Asked {
            connection,
            spec,
            principal,
            guide,
        } = &asked;
        assert_eq!(guide.version, spec.version());
        assert_eq!(guide.digest, spec.digest());
        every_way_is_whole(guide);
        keeps_secrets(harness, guide);
        scope_and_trust_are_named(guide, connection, spec, principal);
        let revoked = guide.revoke_steps.join("\n");
        for name in made(spec) {
            assert!(revoked.contains(name), "{name}: {revoked}");
        }
        keeps_secrets(harness, &harness.connector().beforehand());
    }
    Support::Done
}

fn every_way_is_whole(guide: &GrantGuide) {
    let ids: BTreeSet<&str> = guide.ways.iter().map(|way| way.id.as_str()).collect();
    assert_eq!(ids.len(), guide.ways.len(), "{ids:?}");
    let mut can_be_gone = 0;
    for way in &guide.ways {
        assert!(!way.title.is_empty(), "{way:?}");
        let is_whole = match &way.how {
            How::Link { url } => url.starts_with("https://"),
            How::Commands { commands } => !commands.trim().is_empty(),
            How::File { name, path } => !name.is_empty() && path.starts_with('/'),
            How::Steps { steps } => {
                !steps.is_empty() && steps.iter().all(|step| !step.trim().is_empty())
            }
            How::Unavailable { reason } => !reason.is_empty(),
        };
        assert!(is_whole, "{way:?}");
        can_be_gone += usize::from(!matches!(way.how, How::Unavailable { .. }));
    }
    // Commands for a shell, and the same by hand.
    assert!(can_be_gone >= 2, "{:?}", guide.ways);
    assert!(!guide.facts.is_empty());
    for fact in &guide.facts {
        assert!(
            !fact.id.is_empty() && !fact.label.is_empty() && !fact.value.is_empty(),
            "{fact:?}"
        );
    }
    assert!(!guide.revoke_steps.is_empty());
    assert!(guide.revoke_steps.iter().all(|step| !step.is_empty()));
}

fn scope_and_trust_are_named(
    guide: &GrantGuide,
    connection: &Connection,
    spec: &GrantSpec,
    principal: &ServerPrincipal,
) {
    let texts = ways(guide);
    let scope = connection.scope();
    for way in &guide.ways {
        if let How::Commands { commands } = &way.how {
            assert!(commands.contains(scope), "{}: {commands}", way.id);
        }
    }
    let by_hand = guide.ways.iter().any(|way| match &way.how {
        How::Steps { steps } => steps.iter().any(|step| step.contains(scope)),
        _ => false,
    });
    assert!(by_hand, "no steps say {scope}: {:#?}", guide.ways);
    for trusted in trusted(connection, spec, principal) {
        assert!(
            guide.facts.iter().any(|fact| fact.value == trusted),
            "no fact says {trusted}: {:#?}",
            guide.facts
        );
        assert!(
            texts.iter().any(|text| text.contains(&trusted)),
            "no way says {trusted}: {texts:#?}"
        );
    }
}

/// The text of every way that has one.
fn ways(guide: &GrantGuide) -> Vec<String> {
    let ways = guide.ways.iter();
    ways.filter_map(|way| match &way.how {
        How::Commands { commands } => Some(commands.clone()),
        How::Steps { steps } => Some(steps.join("\n")),
        How::Link { .. } | How::File { .. } | How::Unavailable { .. } => None,
    })
    .collect()
}

/// Whom the grant must trust, and what keeps everybody else out.
fn trusted(connection: &Connection, spec: &GrantSpec, principal: &ServerPrincipal) -> Vec<String> {
    match (principal, spec) {
        (ServerPrincipal::Aws { arn }, _) => vec![arn.clone(), connection.external_id.clone()],
        (ServerPrincipal::Issuer { url }, _) => vec![url.clone(), connection.subject()],
        (ServerPrincipal::EntraApplication { client_id }, _) => {
            vec![client_id.to_string(), connection.external_id.clone()]
        }
        // The account that this server made for the connection; the customer's
        // own, by its key.
        (_, GrantSpec::Gcp(grant)) => vec![grant.trusted().to_owned()],
        (_, GrantSpec::Azure(_) | GrantSpec::Aws(_)) => vec![connection.external_id.clone()],
    }
}

/// The names of what the grant makes.
fn made(spec: &GrantSpec) -> Vec<&str> {
    match spec {
        GrantSpec::Aws(grant) => grant.roles.iter().map(|role| role.name.as_str()).collect(),
        GrantSpec::Gcp(grant) => {
            let accounts = grant.accounts.iter().map(|one| one.email.as_str());
            let roles = grant.roles.iter().map(|role| role.id.as_str());
            accounts.chain(roles).collect()
        }
        GrantSpec::Azure(grant) => grant.roles.iter().map(|role| role.name.as_str()).collect(),
    }
}
