//! The two roles: whom they trust and what they carry.

use super::{
    GRANT_VERSION, PolicyError,
    pack::{TRUST_POLICY, pack, size},
    place::Place,
    statement::sections,
    trust::Trust,
};
use landfall_model::{
    connection::AwsConnection,
    grant::{Identity, RoleSpec},
};
use std::collections::BTreeMap;

/// Seconds. A server that itself runs under a role chains into this one, and
/// chained sessions end after an hour whatever the role allows (AWS docs:
/// "Role chaining").
const MAX_SESSION: u32 = 3_600;

pub(super) fn role(
    connection: AwsConnection<'_>,
    trust: &Trust<'_>,
    place: &Place,
    identity: Identity,
) -> Result<RoleSpec, PolicyError> {
    let name = match identity {
        Identity::Provisioner => connection.provisioner_role_name(),
        Identity::Reaper => connection.reaper_role_name(),
    };
    let trust = trust.document();
    let size = size(&trust);
    if size > TRUST_POLICY {
        return Err(PolicyError::TooLarge {
            what: "trust policy".to_owned(),
            size,
            limit: TRUST_POLICY,
        });
    }
    Ok(RoleSpec {
        identity,
        policies: pack(sections(place, identity)?, identity, &name)?,
        description: match identity {
            Identity::Provisioner => {
                "Landfall creates and changes resources with this role. \
                 It cannot delete data, switch protection off or change who may do what."
            }
            Identity::Reaper => {
                "Landfall deletes one resource with this role, for minutes, \
                 after a person approved it by name. It cannot create anything."
            }
        }
        .to_owned(),
        name,
        max_session: MAX_SESSION,
        trust,
        tags: BTreeMap::from([
            (
                "landfall:grant-version".to_owned(),
                GRANT_VERSION.to_string(),
            ),
            ("landfall:connection".to_owned(), connection.id.to_string()),
            ("landfall:identity".to_owned(), identity.as_str().to_owned()),
        ]),
    })
}
