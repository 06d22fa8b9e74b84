//! The security token service.

mod ask;
mod assume_role;
mod token;
mod web_identity;

pub(crate) use web_identity::{account_of, assume_role_with_web_identity, issuer_to_ask};

use crate::iam::Caller;
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Reply, Xml};

pub(crate) fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    match call.operation.as_str() {
        // Answered to everyone who has valid credentials, whatever policies
        // say (AWS docs: "GetCallerIdentity").
        "GetCallerIdentity" => {
            let mut xml = Xml::new();
            xml.text("Arn", &caller.arn)
                .text("UserId", &caller.user_id)
                .text("Account", &caller.account_id);
            Ok(Reply::Xml(xml))
        }
        "AssumeRole" => assume_role::assume_role(shared, caller, call),
        other => Err(AwsError::bad(
            "InvalidAction",
            format!("Could not find operation {other} for version 2011-06-15"),
        )),
    }
}
