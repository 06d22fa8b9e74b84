//! The confused deputy: this server has the means to enter every connection,
//! and must use for each its own only.

use super::{Harness, connected, granted, keeps_secrets, verify, with};
use crate::Support;
use landfall_model::{
    check::Outcome,
    connection::{Connection, State},
    connector::Detection,
};

/// A connection of an organization that is not the victim's.
pub struct Impostor {
    /// What it uses of the victim's.
    pub what: &'static str,
    pub connection: Connection,
}

/// Another organization's connection by the same method, with everything that
/// could be read or guessed of `victim` entered: names in the customer's
/// account are made of the end of the connection's id, and that is equal too.
pub fn somebody_else(victim: &Connection) -> Connection {
    let id = format!("con_0190b5c8e0f07c3f8a1d2b3c{}", victim.suffix());
    Connection {
        id: id.parse().expect("a valid id"),
        organization_id: "org_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"
            .parse()
            .expect("a valid id"),
        // This server makes it; nobody chooses it.
        external_id: "landfall-of-another-organization".to_owned(),
        state: State::Pending {
            since: victim.created_at,
        },
        grant_version: None,
        grant_digest: None,
        ..victim.clone()
    }
}

pub(super) async fn another_organization_is_refused(harness: &dyn Harness) -> Support {
    let (victim, _) = granted(harness).await;
    let connector = harness.connector();
    let impostors = harness.impostors(&victim).await;
    assert!(!impostors.is_empty());
    for Impostor { what, connection } in impostors {
        assert_ne!(connection.organization_id, victim.organization_id, "{what}");
        assert_ne!(connection.id, victim.id, "{what}");
        assert_eq!(connection.scope(), victim.scope(), "{what}");
        let found = connector.detect(&connection).await;
        assert!(
            matches!(
                found,
                Detection::Refused { .. } | Detection::Unreachable { .. }
            ),
            "{what}: {found:?}"
        );
        keeps_secrets(harness, &found);

        let spec = harness.spec(&connection).await;
        let found = verify(harness, &connection, &spec).await;
        let theirs = connected(harness, &connection, &found);
        let found = verify(harness, &theirs, &spec).await;
        let failed = with(&found, &[Outcome::Fail]);
        assert!(!failed.is_empty(), "{what}: {found:#?}");
        // Nothing of the victim's grant was seen.
        assert_eq!(found.grant_version, None, "{what}");
        assert_eq!(found.grant_digest, None, "{what}");
        let refused = connector.regions(&theirs).await;
        let refused = refused.expect_err("it lists the victim's regions");
        keeps_secrets(harness, &refused);
        if harness.drives() == Support::Done {
            let region = &theirs.regions[0];
            let refused = connector.provisioner(&theirs, region).await;
            assert!(refused.is_err(), "{what}: it has the victim's provisioner");
        }
    }
    assert_eq!(connector.detect(&victim).await, Detection::Granted);
    Support::Done
}
