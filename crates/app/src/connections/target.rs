//! From what a client typed to what a connection reaches.

use super::{Change, Move, New};
use crate::App;
use landfall_model::{
    Code, Error,
    connection::{
        Aws, AwsAccess, Azure, AzureAccess, Cloud, Connection, Gcp, GcpAccess, Method, Migration,
        Partition, Target,
    },
    error::Result,
};
use std::str::FromStr;

/// What the audit log says was asked for: an account's, project's or
/// subscription's id, unless it is something else, which may be a secret in
/// the wrong field.
pub(super) fn named(new: &New) -> String {
    let looks_like_one = |id: &&str| {
        id.len() <= 40
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_account =
        |id: &&str| id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let ids = [&new.project_id, &new.subscription_id];
    Some(new.account_id.as_str())
        .filter(|id| !id.is_empty())
        .filter(is_account)
        .or_else(|| {
            ids.into_iter()
                .flatten()
                .map(String::as_str)
                .find(looks_like_one)
        })
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn parse(app: &App, new: &New) -> Result<Target> {
    let cloud = match new.cloud.as_deref() {
        None => Cloud::Aws,
        Some(text) => Cloud::parse(text).ok_or_else(|| {
            Error::new(
                Code::ConnectionMethodUnavailable,
                "Landfall does not know that cloud",
                "use 'aws', 'gcp' or 'azure'",
            )
            .with_violation("cloud", "is unknown", None)
        })?,
    };
    let method = method(app, cloud, new.method.as_deref())?;
    refuse_others_fields(cloud, new)?;
    Ok(match method {
        Method::AssumeRole => aws(new, AwsAccess::AssumeRole)?,
        Method::Oidc => aws(new, AwsAccess::Oidc)?,
        Method::GcpWorkloadIdentity => Target::Gcp(Gcp {
            project_id: project_id(new.project_id.as_deref())?,
            parent: None,
            access: GcpAccess::WorkloadIdentity {
                project_number: new
                    .project_number
                    .as_deref()
                    .map(project_number)
                    .transpose()?,
            },
        }),
        Method::AzureWorkloadIdentity => Target::Azure(Azure {
            tenant_id: guid("tenant_id", new.tenant_id.as_deref())?,
            subscription_id: guid("subscription_id", new.subscription_id.as_deref())?,
            management_group: None,
            access: AzureAccess::WorkloadIdentity {
                client_id: new
                    .client_id
                    .as_deref()
                    .map(|text| guid("client_id", Some(text)))
                    .transpose()?,
            },
        }),
        Method::Impersonation
        | Method::ServiceAccountKey
        | Method::AdminConsent
        | Method::ClientSecret => return Err(unavailable(app, cloud)),
    })
}

/// The same scope by another method.
pub(super) fn moved(app: &App, from: &Target, to: &Move) -> Result<Target> {
    let wanted = method(app, from.cloud(), Some(&to.method))?;
    match (from, wanted) {
        (Target::Aws(aws), Method::AssumeRole | Method::Oidc) => Ok(Target::Aws(Aws {
            access: if wanted == Method::Oidc {
                AwsAccess::Oidc
            } else {
                AwsAccess::AssumeRole
            },
            ..aws.clone()
        })),
        (Target::Gcp(gcp), Method::GcpWorkloadIdentity) => Ok(Target::Gcp(Gcp {
            access: GcpAccess::WorkloadIdentity {
                project_number: to
                    .project_number
                    .as_deref()
                    .map(project_number)
                    .transpose()?,
            },
            ..gcp.clone()
        })),
        (Target::Azure(azure), Method::AzureWorkloadIdentity) => Ok(Target::Azure(Azure {
            access: AzureAccess::WorkloadIdentity {
                client_id: to
                    .client_id
                    .as_deref()
                    .map(|text| guid("client_id", Some(text)))
                    .transpose()?,
            },
            ..azure.clone()
        })),
        (from, _) => Err(unavailable(app, from.cloud())),
    }
}

/// What a person read off the setup, put where it belongs: into the way in use,
/// or into the one that the connection moves to. `None` when nothing was told.
pub(super) fn told(
    connection: &Connection,
    change: &Change,
) -> Result<Option<(Target, Option<Migration>)>> {
    let number = change
        .project_number
        .as_deref()
        .map(project_number)
        .transpose()?;
    let client = change
        .client_id
        .as_deref()
        .map(|text| guid("client_id", Some(text)))
        .transpose()?;
    if number.is_none() && client.is_none() {
        return Ok(None);
    }
    let mut target = connection.target.clone();
    let mut migration = connection.migration.clone();
    let into = migration
        .as_mut()
        .map_or(&mut target, |migration| &mut migration.target);
    match (into, number, client) {
        (
            Target::Gcp(Gcp {
                access: GcpAccess::WorkloadIdentity { project_number },
                ..
            }),
            Some(number),
            None,
        ) => *project_number = Some(number),
        (
            Target::Azure(Azure {
                access: AzureAccess::WorkloadIdentity { client_id },
                ..
            }),
            None,
            Some(client),
        ) => *client_id = Some(client),
        (_, number, _) => {
            let field = if number.is_some() {
                "project_number"
            } else {
                "client_id"
            };
            return Err(Error::new(
                Code::ConnectionState,
                format!("a connection by {} has no '{field}'", connection.method()),
                "leave the field out",
            )
            .with_violation(field, "does not belong to this method", None));
        }
    }
    Ok(Some((target, migration)))
}

fn method(app: &App, cloud: Cloud, name: Option<&str>) -> Result<Method> {
    let usual = match cloud {
        Cloud::Aws => Method::AssumeRole,
        Cloud::Gcp => Method::GcpWorkloadIdentity,
        Cloud::Azure => Method::AzureWorkloadIdentity,
    };
    match name {
        None => Ok(usual),
        Some(name) => Method::parse(cloud, name).ok_or_else(|| unavailable(app, cloud)),
    }
}

fn unavailable(app: &App, cloud: Cloud) -> Error {
    let offered: Vec<_> = app
        .connectors
        .keys()
        .filter(|method| method.cloud() == cloud)
        .map(|method| format!("'{}'", method.as_str()))
        .collect();
    let next_step = if offered.is_empty() {
        "connect another cloud, or ask the operator to configure this one".to_owned()
    } else {
        format!("use {}", offered.join(" or "))
    };
    Error::new(
        Code::ConnectionMethodUnavailable,
        format!(
            "this server does not offer that method for {}",
            cloud.title()
        ),
        next_step,
    )
    .with_violation("method", "is not offered", None)
}

/// A field of another cloud is a mistake that would go unnoticed: the person
/// would wait for a grant that nobody can make.
fn refuse_others_fields(cloud: Cloud, new: &New) -> Result<()> {
    let given = [
        (Cloud::Aws, "account_id", !new.account_id.is_empty()),
        (Cloud::Aws, "partition", new.partition.is_some()),
        (Cloud::Gcp, "project_id", new.project_id.is_some()),
        (Cloud::Gcp, "project_number", new.project_number.is_some()),
        (Cloud::Azure, "tenant_id", new.tenant_id.is_some()),
        (
            Cloud::Azure,
            "subscription_id",
            new.subscription_id.is_some(),
        ),
        (Cloud::Azure, "client_id", new.client_id.is_some()),
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

fn aws(new: &New, access: AwsAccess) -> Result<Target> {
    let account_id = new.account_id.parse().map_err(|error| {
        Error::new(
            Code::ConnectionAccountMalformed,
            "the account id is malformed",
            "copy the 12 digits from the account menu at the top right of the AWS console",
        )
        .with_violation("account_id", format!("{error}"), None)
    })?;
    let partition: Partition = new
        .partition
        .as_deref()
        .unwrap_or("aws")
        .parse()
        .map_err(|()| {
            Error::new(
                Code::ConnectionPartitionUnknown,
                "Landfall does not know that partition",
                "use 'aws', 'aws-us-gov' or 'aws-cn'",
            )
            .with_violation("partition", "is unknown", None)
        })?;
    Ok(Target::Aws(Aws {
        account_id,
        partition,
        access,
    }))
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

fn project_id(text: Option<&str>) -> Result<landfall_model::connection::ProjectId> {
    malformed(
        "project_id",
        "the project id",
        text.unwrap_or_default(),
        "copy the id from the project picker at the top of the Google Cloud console",
    )
}

pub(super) fn project_number(text: &str) -> Result<landfall_model::connection::ProjectNumber> {
    malformed(
        "project_number",
        "the project number",
        text,
        "copy it from the last line that the setup printed, or from the project's dashboard",
    )
}

pub(super) fn guid(
    field: &'static str,
    text: Option<&str>,
) -> Result<landfall_model::connection::Guid> {
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
