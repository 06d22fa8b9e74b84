//! The grant on AWS: two roles, the boundary of workloads' roles, and what the
//! checks ask.

mod arn;
mod error;
mod pack;
mod place;
mod questions;
mod refused;
mod roles;
mod session;
mod statement;
mod tables;
mod template;
mod trust;

pub use error::PolicyError;
pub use refused::{Operation, refused_change};
pub use session::reaper_session_policy;

use landfall_model::{
    connection::AwsConnection,
    grant::{AwsGrant, Identity, PolicyDocument, ServerPrincipal},
};
use place::Place;
use std::collections::BTreeSet;

/// Counts up with every change of the documents' meaning. A role with a lower
/// number in its tag `landfall:grant-version` has to be granted again.
pub const GRANT_VERSION: u32 = 2;

/// Everything that the customer of `connection` grants to the server
/// `principal`. The same input always gives the same documents.
pub fn grant(
    connection: AwsConnection<'_>,
    principal: &ServerPrincipal,
) -> Result<AwsGrant, PolicyError> {
    grant_also(connection, principal, None)
}

/// The same, and both roles also let the principal of the other method in:
/// while a connection moves from one to the other, neither may fail.
pub fn grant_also(
    connection: AwsConnection<'_>,
    principal: &ServerPrincipal,
    also: Option<&ServerPrincipal>,
) -> Result<AwsGrant, PolicyError> {
    let trust = trust::Trust::of(connection, principal, also)?;
    let place = Place::of(connection)?;
    let boundary = boundary(connection, &place)?;
    let identities: &[Identity] = if connection.with_reaper {
        &[Identity::Provisioner, Identity::Reaper]
    } else {
        &[Identity::Provisioner]
    };
    let roles = identities
        .iter()
        .map(|identity| roles::role(connection, &trust, &place, *identity))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(AwsGrant {
        version: GRANT_VERSION,
        template: template::template(connection, &trust, &roles, &boundary)?,
        permissions: questions::groups(&place, connection.with_reaper),
        boundary,
        roles,
    })
}

fn boundary(connection: AwsConnection<'_>, place: &Place) -> Result<PolicyDocument, PolicyError> {
    let document = statement::document(&statement::boundary(place));
    let size = pack::size(&document);
    if size > pack::MANAGED_POLICY {
        return Err(PolicyError::TooLarge {
            what: "permissions boundary".to_owned(),
            size,
            limit: pack::MANAGED_POLICY,
        });
    }
    Ok(PolicyDocument {
        name: connection.boundary_policy_name(),
        purpose: tables::boundary().purpose.clone(),
        document,
    })
}

/// The IAM actions that the provisioner needs to create, read, update and list
/// resources of these types. All of them are among the questions of
/// [`AwsGrant::permissions`], so a plan whose types are checked does not meet
/// a permission that was not.
pub fn required_actions<'t>(
    type_names: impl IntoIterator<Item = &'t str>,
) -> Result<BTreeSet<String>, PolicyError> {
    let mut required: BTreeSet<String> = tables::base_actions(Identity::Provisioner)
        .filter(|(group, _)| *group == "cloud-control")
        .map(|(_, action)| action.to_owned())
        .collect();
    for type_name in type_names {
        let actions =
            tables::actions_of_type(type_name, Identity::Provisioner).ok_or_else(|| {
                PolicyError::UnknownType {
                    type_name: type_name.to_owned(),
                }
            })?;
        required.extend(actions.iter().map(|action| (*action).to_owned()));
    }
    Ok(required)
}

/// The resource types that the grant has permissions for.
pub fn supported_types() -> impl Iterator<Item = &'static str> {
    tables::handlers().types.keys().map(String::as_str)
}
