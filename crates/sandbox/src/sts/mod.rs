//! The security token service.

use crate::iam::Caller;
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Reply, Xml};

pub(crate) fn handle(_shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    match call.operation.as_str() {
        "GetCallerIdentity" => {
            let mut xml = Xml::new();
            xml.text("Arn", &caller.arn)
                .text("UserId", &caller.user_id)
                .text("Account", &caller.account_id);
            Ok(Reply::Xml(xml))
        }
        other => Err(AwsError::bad(
            "InvalidAction",
            format!("Could not find operation {other} for version 2011-06-15"),
        )),
    }
}
