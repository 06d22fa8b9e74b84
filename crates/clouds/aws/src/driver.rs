//! Cloud Control: every resource type through one protocol.

mod redact;

use crate::{
    client::Clients,
    error::{Effect, from_handler, from_sdk, is_stale_session},
    session::{RoleSession, SessionProvider},
};
use async_trait::async_trait;
use aws_sdk_cloudcontrol::{
    Client,
    types::{OperationStatus, ProgressEvent, ResourceDescription},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_model::{
    Timestamp,
    driver::{
        AttemptToken, Driver, Failure, FailureKind, Observed, OperationId, PatchOperation,
        Progress, Status,
    },
};
use serde_json::Value;
use std::{error::Error, future::Future, sync::Arc};

/// One account, one region, one identity.
///
/// `RoleArn` is never passed: a handler acts with our session and is bound by
/// its policies, while a service role would escape them.
#[derive(Clone, Debug)]
pub struct CloudControlDriver {
    client: Client,
    session: Arc<RoleSession>,
}

impl CloudControlDriver {
    pub(crate) fn new(clients: &Clients, region: &str, session: Arc<RoleSession>) -> Self {
        let config = clients.region_as(region, SessionProvider::shared(session.clone()));
        Self {
            client: Client::new(&config),
            session,
        }
    }

    /// Makes one call; once more if the session turns out to be over. That
    /// refusal comes before anything is accepted, so a repeated mutation is
    /// still one mutation.
    async fn call<T, E, F>(
        &self,
        operation: &str,
        effect: Effect,
        send: impl Fn() -> F + Send,
    ) -> Result<T, Failure>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        // Asked for before the call, so that a refused role is not mistaken
        // for a lost answer.
        let used = self.session.credentials().await?;
        let failure = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => from_sdk(error, operation, effect),
        };
        if !is_stale_session(&failure) {
            return Err(failure);
        }
        self.session.renew(&used).await?;
        send()
            .await
            .map_err(|error| from_sdk(error, operation, effect))
    }
}

#[async_trait]
impl Driver for CloudControlDriver {
    async fn create(
        &self,
        type_name: &str,
        properties: &Value,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let desired = properties.to_string();
        let output = self
            .call("cloudformation:CreateResource", Effect::Mutation, || {
                self.client
                    .create_resource()
                    .type_name(type_name)
                    .desired_state(&desired)
                    .client_token(&token.0)
                    .send()
            })
            .await?;
        progress(output.progress_event, "cloudformation:CreateResource")
    }

    async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        patch: &[PatchOperation],
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let document = serde_json::to_string(patch).map_err(|error| {
            Failure::new(
                FailureKind::Invalid,
                "InvalidPatch",
                format!("the patch cannot be written as JSON: {error}"),
            )
        })?;
        let output = self
            .call("cloudformation:UpdateResource", Effect::Mutation, || {
                self.client
                    .update_resource()
                    .type_name(type_name)
                    .identifier(identifier)
                    .patch_document(&document)
                    .client_token(&token.0)
                    .send()
            })
            .await?;
        progress(output.progress_event, "cloudformation:UpdateResource")
    }

    async fn delete(
        &self,
        type_name: &str,
        identifier: &str,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let output = self
            .call("cloudformation:DeleteResource", Effect::Mutation, || {
                self.client
                    .delete_resource()
                    .type_name(type_name)
                    .identifier(identifier)
                    .client_token(&token.0)
                    .send()
            })
            .await?;
        progress(output.progress_event, "cloudformation:DeleteResource")
    }

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure> {
        let name = "cloudformation:GetResourceRequestStatus";
        let output = self
            .call(name, Effect::Read, || {
                self.client
                    .get_resource_request_status()
                    .request_token(&operation.0)
                    .send()
            })
            .await?;
        progress(output.progress_event, name)
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        let answer = self
            .call("cloudformation:GetResource", Effect::Read, || {
                self.client
                    .get_resource()
                    .type_name(type_name)
                    .identifier(identifier)
                    .send()
            })
            .await;
        match answer {
            Ok(output) => {
                let description = output.resource_description.ok_or_else(|| {
                    malformed("cloudformation:GetResource", "it describes no resource")
                })?;
                observed(type_name, description, Some(identifier)).map(Some)
            }
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn list(&self, type_name: &str, scope: Option<&Value>) -> Result<Vec<Observed>, Failure> {
        let model = scope.map(Value::to_string);
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let output = self
                .call("cloudformation:ListResources", Effect::Read, || {
                    self.client
                        .list_resources()
                        .type_name(type_name)
                        .set_resource_model(model.clone())
                        .set_next_token(next.clone())
                        .send()
                })
                .await?;
            for description in output.resource_descriptions.unwrap_or_default() {
                found.push(observed(type_name, description, None)?);
            }
            // A page that names itself as the next would be read for ever.
            match output.next_token.filter(|token| !token.is_empty()) {
                Some(token) if next.as_ref() != Some(&token) => next = Some(token),
                _ => return Ok(found),
            }
        }
    }
}

fn progress(event: Option<ProgressEvent>, call: &str) -> Result<Progress, Failure> {
    let event = event.ok_or_else(|| malformed(call, "it has no progress event"))?;
    let operation = event
        .request_token
        .ok_or_else(|| malformed(call, "it has no request token"))?;
    let text = event.status_message.unwrap_or_default();
    let status = match event.operation_status {
        Some(OperationStatus::Success) => Status::Succeeded,
        Some(OperationStatus::Failed) => {
            Status::Failed(from_handler(event.error_code.as_ref(), &text, call))
        }
        Some(OperationStatus::CancelComplete) => Status::Failed(Failure::new(
            FailureKind::Invalid,
            "Cancelled",
            "somebody cancelled the operation in the account",
        )),
        // Pending, in progress, being cancelled, and states that are not known
        // yet: not over.
        _ => Status::Running {
            retry_after: event
                .retry_after
                .and_then(|at| at.to_millis().ok())
                .map(Timestamp::from_millis),
        },
    };
    Ok(Progress {
        operation: OperationId(operation),
        identifier: event.identifier.filter(|id| !id.is_empty()),
        status,
    })
}

fn observed(
    type_name: &str,
    description: ResourceDescription,
    asked: Option<&str>,
) -> Result<Observed, Failure> {
    let identifier = description
        .identifier
        .or_else(|| asked.map(str::to_owned))
        .ok_or_else(|| malformed(type_name, "a resource has no identifier"))?;
    let mut properties = match description.properties.as_deref() {
        None | Some("") => Value::Object(serde_json::Map::new()),
        Some(text) => serde_json::from_str(text)
            .map_err(|_| malformed(type_name, "the properties are not JSON"))?,
    };
    redact::secrets(&mut properties);
    Ok(Observed {
        identifier,
        properties,
    })
}

/// An answer that arrived but cannot be read: what it answered may have
/// happened, and asking again is the only way to know.
fn malformed(call: &str, what: &str) -> Failure {
    Failure::new(
        FailureKind::Unknown,
        "MalformedAnswer",
        format!("the answer of {call} cannot be read: {what}"),
    )
}
