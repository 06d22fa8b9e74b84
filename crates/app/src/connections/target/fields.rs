//! Single fields: what they must look like, and to what they belong.

use super::New;
use landfall_model::{
    Code, Error,
    connection::{Breadth, Cloud, Guid, ManagementGroup, Method, Parent, ProjectId, ProjectNumber},
    error::Result,
};
use std::str::FromStr;

/// A secret that nobody needs is not stored: it could only be stolen.
pub(in crate::connections) fn refuse_secrets_of_keyless(method: Method, new: &New) -> Result<()> {
    let given = [
        (
            Method::ServiceAccountKey,
            "service_account_key",
            new.service_account_key.is_some(),
        ),
        (
            Method::ClientSecret,
            "client_secret",
            new.client_secret.is_some(),
        ),
        (
            Method::ClientSecret,
            "secret_expires_at",
            new.secret_expires_at.is_some(),
        ),
    ];
    match given
        .into_iter()
        .find(|(of, _, given)| *given && *of != method)
    {
        None => Ok(()),
        Some((of, field, _)) => Err(Error::new(
            Code::RequestMalformed,
            format!("the method '{}' takes no '{field}'", method.as_str()),
            format!(
                "leave it out, or choose the method '{}'; what was sent is not stored",
                of.as_str()
            ),
        )
        .with_violation(field, "does not belong to this method", None)),
    }
}

/// The account of a key has Project IAM Admin in one project, so it can make
/// nothing above it.
pub(in crate::connections) fn refuse_above_a_key(new: &New) -> Result<()> {
    match &new.parent {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Code::RequestMalformed,
            "a key's account sets up one project, and nothing above it",
            "leave 'parent' out, or choose the method 'workload-identity'; what was sent is not \
             stored",
        )
        .with_violation("parent", "does not belong to this method", None)),
    }
}

/// A field of another cloud is a mistake that would go unnoticed: the person
/// would wait for a grant that nobody can make.
pub(in crate::connections) fn refuse_others_fields(cloud: Cloud, new: &New) -> Result<()> {
    let given = [
        (Cloud::Aws, "account_id", !new.account_id.is_empty()),
        (Cloud::Aws, "partition", new.partition.is_some()),
        (Cloud::Gcp, "project_id", new.project_id.is_some()),
        (Cloud::Gcp, "project_number", new.project_number.is_some()),
        (Cloud::Gcp, "parent", new.parent.is_some()),
        (Cloud::Azure, "tenant_id", new.tenant_id.is_some()),
        (
            Cloud::Azure,
            "subscription_id",
            new.subscription_id.is_some(),
        ),
        (
            Cloud::Azure,
            "management_group",
            new.management_group.is_some(),
        ),
        (Cloud::Azure, "breadth", new.breadth.is_some()),
        (Cloud::Azure, "client_id", new.client_id.is_some()),
        (
            Cloud::Gcp,
            "service_account_key",
            new.service_account_key.is_some(),
        ),
        (Cloud::Azure, "client_secret", new.client_secret.is_some()),
        (
            Cloud::Azure,
            "secret_expires_at",
            new.secret_expires_at.is_some(),
        ),
    ];
    match given
        .into_iter()
        .find(|(of, _, given)| *given && *of != cloud)
    {
        None => Ok(()),
        Some((of, field, _)) => Err(Error::new(
            Code::RequestMalformed,
            format!(
                "'{field}' belongs to {}, not to {}",
                of.title(),
                cloud.title()
            ),
            format!("leave it out, or set 'cloud' to '{of}'"),
        )
        .with_violation(field, format!("belongs to {}", of.title()), None)),
    }
}

fn malformed<T: FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    what: &str,
    text: &str,
    next_step: &str,
) -> Result<T> {
    text.trim().parse().map_err(|error: T::Err| {
        Error::new(
            Code::ConnectionAccountMalformed,
            format!("{what} is malformed"),
            next_step,
        )
        .with_violation(field, format!("{error}"), None)
    })
}

pub(in crate::connections) fn project_id(text: Option<&str>) -> Result<ProjectId> {
    malformed(
        "project_id",
        "the project id",
        text.unwrap_or_default(),
        "copy the id from the project picker at the top of the Google Cloud console",
    )
}

pub(in crate::connections) fn parent(text: &str) -> Result<Parent> {
    malformed(
        "parent",
        "the folder or organization",
        text,
        "'gcloud projects get-ancestors PROJECT' shows the numbers of what is above the project",
    )
}

pub(in crate::connections) fn management_group(text: &str) -> Result<ManagementGroup> {
    malformed(
        "management_group",
        "the management group's id",
        text,
        "copy the id from Management groups in the Azure portal, not the name",
    )
}

pub(in crate::connections) fn breadth(text: Option<&str>) -> Result<Breadth> {
    match text {
        None => Ok(Breadth::default()),
        Some(text) => text.parse().map_err(|()| {
            Error::new(
                Code::RequestMalformed,
                "there is no such role",
                "use 'narrow', or 'broad' where nothing else is possible",
            )
            .with_violation("breadth", "is unknown", None)
        }),
    }
}

pub(in crate::connections) fn project_number(text: &str) -> Result<ProjectNumber> {
    malformed(
        "project_number",
        "the project number",
        text,
        "copy it from the last line that the setup printed, or from the project's dashboard",
    )
}

pub(in crate::connections) fn guid(field: &'static str, text: Option<&str>) -> Result<Guid> {
    let (what, next_step) = match field {
        "tenant_id" => (
            "the tenant id",
            "copy it from Microsoft Entra ID → Overview in the Azure portal",
        ),
        "subscription_id" => (
            "the subscription id",
            "copy it from Subscriptions in the Azure portal",
        ),
        _ => (
            "the client id",
            "copy it from the last lines that the setup printed, or from the app registration",
        ),
    };
    malformed(field, what, text.unwrap_or_default(), next_step)
}

pub(in crate::connections) fn optional_client_id(text: Option<&str>) -> Result<Option<Guid>> {
    text.map(|text| guid("client_id", Some(text))).transpose()
}
