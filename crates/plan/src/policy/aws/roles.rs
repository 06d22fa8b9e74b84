//! The two roles: whom they trust and what they carry.

use super::{
    GRANT_VERSION, PolicyError,
    pack::{TRUST_POLICY, pack, size},
    place::Place,
    statement::sections,
};
use landfall_model::{
    connection::Connection,
    grant::{Identity, RoleSpec, ServerPrincipal},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Seconds. A server that itself runs under a role chains into this one, and
/// chained sessions end after an hour whatever the role allows (AWS docs:
/// "Role chaining").
const MAX_SESSION: u32 = 3_600;

pub(super) fn role(
    connection: &Connection,
    principal: &ServerPrincipal,
    place: &Place,
    identity: Identity,
) -> Result<RoleSpec, PolicyError> {
    let name = match identity {
        Identity::Provisioner => connection.provisioner_role_name(),
        Identity::Reaper => connection.reaper_role_name(),
    };
    let trust = trust(json!(principal.arn), json!(connection.external_id));
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

/// Trusts one principal, and it only with this connection's external id: who
/// makes Landfall use somebody else's role ARN does not get in.
pub(super) fn trust(principal: Value, external_id: Value) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "LandfallServer",
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }],
    })
}

/// A role or user ARN in the connection's own partition: roles cannot be
/// assumed from another one, and the ARN of a session or of a whole account
/// would trust too little or too much.
pub(super) fn check_principal(
    connection: &Connection,
    principal: &ServerPrincipal,
) -> Result<(), PolicyError> {
    let refused = || PolicyError::Principal {
        arn: principal.arn.clone(),
    };
    let parts: Vec<&str> = principal.arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, rest] = parts.as_slice() else {
        return Err(refused());
    };
    let account_is_plain = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let named = rest
        .strip_prefix("role/")
        .or_else(|| rest.strip_prefix("user/"))
        .is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&b))
        });
    if !account_is_plain || !named {
        return Err(refused());
    }
    if *partition != connection.partition.as_str() {
        return Err(PolicyError::PrincipalPartition {
            arn: principal.arn.clone(),
            partition: connection.partition.as_str().to_owned(),
        });
    }
    Ok(())
}

/// AWS docs: AssumeRole, `ExternalId`.
pub(super) fn check_external_id(external_id: &str) -> Result<(), PolicyError> {
    let fits = (2..=1_224).contains(&external_id.len());
    let plain = external_id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
    if fits && plain {
        Ok(())
    } else {
        Err(PolicyError::ExternalId)
    }
}
