//! `sts:GetCallerIdentity`.

use crate::error::{Effect, from_sdk};
use landfall_model::driver::{Failure, FailureKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

impl Caller {
    /// A role assumed from a session is "chained", and its sessions are capped
    /// at one hour.
    pub(crate) fn is_session(&self) -> bool {
        self.arn.contains(":assumed-role/")
    }

    pub(crate) async fn ask(sts: &aws_sdk_sts::Client) -> Result<Self, Failure> {
        let output = sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| from_sdk(error, "sts:GetCallerIdentity", Effect::Read))?;
        match (output.account, output.arn) {
            (Some(account), Some(arn)) => Ok(Self { account, arn }),
            _ => Err(Failure::new(
                FailureKind::Unavailable,
                "MalformedAnswer",
                "sts:GetCallerIdentity answered without account or ARN",
            )),
        }
    }
}
