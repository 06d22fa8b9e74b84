//! From what a client typed to what a connection reaches.

mod fields;

use super::{
    Change, Move, New,
    secrets::{self, Entered},
};
use crate::App;
pub(super) use fields::guid;
use fields::{
    breadth, management_group, optional_client_id, parent, project_id, project_number,
    refuse_above_a_key, refuse_others_fields, refuse_secrets_of_keyless,
};
use landfall_model::{
    Code, Error,
    connection::{
        Aws, AwsAccess, Azure, AzureAccess, Cloud, Connection, Gcp, GcpAccess, Method, Migration,
        Partition, ProjectId, Target,
    },
    error::Result,
};

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

/// What a client wants to connect, with the secret that it entrusts.
pub(super) struct Parsed {
    pub(super) target: Target,
    pub(super) secret: Option<Entered>,
}

impl From<Target> for Parsed {
    fn from(target: Target) -> Self {
        Self {
            target,
            secret: None,
        }
    }
}

pub(super) fn parse(app: &App, new: &New) -> Result<Parsed> {
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
    refuse_secrets_of_keyless(method, new)?;
    Ok(match method {
        Method::AssumeRole => aws(new, AwsAccess::AssumeRole)?.into(),
        Method::Oidc => aws(new, AwsAccess::Oidc)?.into(),
        Method::GcpWorkloadIdentity => {
            let number = new.project_number.as_deref();
            let access = GcpAccess::WorkloadIdentity {
                project_number: number.map(project_number).transpose()?,
            };
            gcp(new, project_id(new.project_id.as_deref())?, access)?.into()
        }
        Method::Impersonation => {
            let access = GcpAccess::Impersonation {
                service_account: None,
            };
            gcp(new, project_id(new.project_id.as_deref())?, access)?.into()
        }
        Method::ServiceAccountKey => {
            refuse_above_a_key(new)?;
            // The file says it, too.
            let text = new.project_id.as_deref();
            let expected = text.map(|text| project_id(Some(text))).transpose()?;
            let file = new.service_account_key.as_ref();
            let (key, secret) = secrets::service_account_key(app, file, expected.as_ref())?;
            let access = GcpAccess::ServiceAccountKey {
                service_account: key.service_account,
                key_id: key.key_id,
                secret_id: secret.id.clone(),
            };
            Parsed {
                target: gcp(new, key.project_id, access)?,
                secret: Some(secret),
            }
        }
        Method::AzureWorkloadIdentity => {
            let access = AzureAccess::WorkloadIdentity {
                client_id: optional_client_id(new.client_id.as_deref())?,
            };
            azure(new, access)?.into()
        }
        Method::AdminConsent => azure(new, not_consented())?.into(),
        Method::ClientSecret => {
            // The setup makes both and prints them: neither is known before, or
            // both are.
            let text = new.client_secret.as_ref();
            let later = new.client_id.is_none() && text.is_none();
            let secret = if later {
                None
            } else {
                let end = new.secret_expires_at.as_deref();
                Some(secrets::client_secret(app, text, end)?)
            };
            let access = AzureAccess::ClientSecret {
                client_id: if later {
                    None
                } else {
                    Some(guid("client_id", new.client_id.as_deref())?)
                },
                secret_id: secret.as_ref().map(|one| one.id.clone()),
                secret_key_id: None,
                secret_expires_at: secret.as_ref().and_then(|one| one.expires_at),
            };
            Parsed {
                target: azure(new, access)?,
                secret,
            }
        }
    })
}

fn gcp(new: &New, project_id: ProjectId, access: GcpAccess) -> Result<Target> {
    Ok(Target::Gcp(Gcp {
        project_id,
        parent: new.parent.as_deref().map(parent).transpose()?,
        access,
    }))
}

fn azure(new: &New, access: AzureAccess) -> Result<Target> {
    Ok(Target::Azure(Azure {
        tenant_id: guid("tenant_id", new.tenant_id.as_deref())?,
        subscription_id: guid("subscription_id", new.subscription_id.as_deref())?,
        management_group: new
            .management_group
            .as_deref()
            .map(management_group)
            .transpose()?,
        breadth: breadth(new.breadth.as_deref())?,
        access,
    }))
}

const fn not_consented() -> AzureAccess {
    AzureAccess::AdminConsent {
        client_id: None,
        asked: None,
        approved_at: None,
    }
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
        (Target::Gcp(from), Method::GcpWorkloadIdentity | Method::Impersonation) => {
            let number = to.project_number.as_deref();
            let access = if wanted == Method::Impersonation {
                GcpAccess::Impersonation {
                    service_account: None,
                }
            } else {
                GcpAccess::WorkloadIdentity {
                    project_number: number.map(project_number).transpose()?,
                }
            };
            Ok(Target::Gcp(Gcp {
                access,
                ..from.clone()
            }))
        }
        (Target::Azure(from), Method::AzureWorkloadIdentity | Method::AdminConsent) => {
            let access = if wanted == Method::AdminConsent {
                not_consented()
            } else {
                AzureAccess::WorkloadIdentity {
                    client_id: optional_client_id(to.client_id.as_deref())?,
                }
            };
            Ok(Target::Azure(Azure {
                access,
                ..from.clone()
            }))
        }
        (_, Method::ServiceAccountKey | Method::ClientSecret) => Err(Error::new(
            Code::ConnectionMethodUnavailable,
            "a connection does not move to a method with a secret",
            "make another connection with that method, or move to a keyless one",
        )
        .with_violation("method", "needs a secret", None)),
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
