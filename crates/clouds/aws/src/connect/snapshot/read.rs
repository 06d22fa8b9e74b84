//! Reading the roles, with the provisioner's session.

use super::{Role, Snapshot, document};
use crate::error::{Effect, from_sdk};
use aws_sdk_iam::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use landfall_model::{
    connection::AwsConnection,
    driver::{Failure, FailureKind},
    grant::AwsGrant,
    patience::Patience,
};
use serde_json::Value;
use std::{collections::BTreeMap, error::Error};

struct Reader<'a> {
    iam: &'a Client,
    patience: Patience<'a>,
}

pub(crate) async fn snapshot(
    iam: &Client,
    patience: Patience<'_>,
    connection: AwsConnection<'_>,
    spec: &AwsGrant,
) -> Result<Snapshot, Failure> {
    let reader = &Reader { iam, patience };
    let roles = spec.roles.iter().map(|wanted| async {
        let found = reader.role(&wanted.name).await?;
        Ok::<_, Failure>((wanted.identity, found))
    });
    let boundary_arn = connection.boundary_policy_arn();
    let boundary = async {
        match reader.managed(&boundary_arn).await {
            Ok(document) => Ok(Some(document)),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    };
    let (roles, boundary) = futures::try_join!(futures::future::try_join_all(roles), boundary)?;
    Ok(Snapshot {
        roles: roles.into_iter().collect(),
        boundary,
    })
}

impl Reader<'_> {
    async fn role(&self, name: &str) -> Result<Role, Failure> {
        let output = self
            .patience
            .ask(|| async {
                let call = self.iam.get_role().role_name(name).send();
                call.await.map_err(refused("iam:GetRole"))
            })
            .await?;
        let role = output.role.ok_or_else(|| unreadable("iam:GetRole", name))?;
        let trust = role
            .assume_role_policy_document
            .as_deref()
            .and_then(document::parse)
            .ok_or_else(|| unreadable("the trust policy", name))?;
        let (attached, inline) = futures::try_join!(self.attached(name), self.inline(name))?;
        Ok(Role {
            name: role.role_name,
            trust,
            max_session: role.max_session_duration.unwrap_or(3600),
            boundary: role
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
            tags: role
                .tags
                .unwrap_or_default()
                .into_iter()
                .filter(|tag| tag.key.starts_with("landfall:"))
                .map(|tag| (tag.key, tag.value))
                .collect(),
            attached,
            inline,
        })
    }

    async fn attached(&self, role: &str) -> Result<BTreeMap<String, Option<Value>>, Failure> {
        let mut arns = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .patience
                .ask(|| async {
                    let call = self.iam.list_attached_role_policies().role_name(role);
                    let call = call.set_marker(marker.clone()).send();
                    call.await.map_err(refused("iam:ListAttachedRolePolicies"))
                })
                .await?;
            arns.extend(
                page.attached_policies
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|policy| policy.policy_arn),
            );
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        let mut documents = BTreeMap::new();
        for arn in arns {
            let document = match self.managed(&arn).await {
                Ok(document) => Some(document),
                // Our grant lets us read our own policies only. That a foreign one
                // is attached is what matters.
                Err(failure) if failure.kind == FailureKind::Denied => None,
                Err(failure) => return Err(failure),
            };
            documents.insert(arn, document);
        }
        Ok(documents)
    }

    async fn managed(&self, arn: &str) -> Result<Value, Failure> {
        let policy = self
            .patience
            .ask(|| async {
                let call = self.iam.get_policy().policy_arn(arn).send();
                call.await.map_err(refused("iam:GetPolicy"))
            })
            .await?
            .policy
            .ok_or_else(|| unreadable("iam:GetPolicy", arn))?;
        let version = policy
            .default_version_id
            .ok_or_else(|| unreadable("the default version", arn))?;
        self.patience
            .ask(|| async {
                let call = self.iam.get_policy_version().policy_arn(arn);
                let call = call.version_id(&version).send();
                call.await.map_err(refused("iam:GetPolicyVersion"))
            })
            .await?
            .policy_version
            .and_then(|version| version.document)
            .as_deref()
            .and_then(document::parse)
            .ok_or_else(|| unreadable("the document", arn))
    }

    async fn inline(&self, role: &str) -> Result<BTreeMap<String, Value>, Failure> {
        let mut names = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .patience
                .ask(|| async {
                    let call = self.iam.list_role_policies().role_name(role);
                    let call = call.set_marker(marker.clone()).send();
                    call.await.map_err(refused("iam:ListRolePolicies"))
                })
                .await?;
            names.extend(page.policy_names);
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        let mut documents = BTreeMap::new();
        for name in names {
            let answer = self
                .patience
                .ask(|| async {
                    let call = self.iam.get_role_policy().role_name(role);
                    let call = call.policy_name(&name).send();
                    call.await.map_err(refused("iam:GetRolePolicy"))
                })
                .await?;
            let document = document::parse(&answer.policy_document)
                .ok_or_else(|| unreadable("an inline policy", &name))?;
            documents.insert(name, document);
        }
        Ok(documents)
    }
}

fn refused<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    move |error| from_sdk(error, action, Effect::Read)
}

fn unreadable(what: &str, name: &str) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "MalformedAnswer",
        format!("{what} of {name} cannot be read from IAM's answer"),
    )
}
