//! The shapes on the wire: calls, replies and errors of the AWS protocols.

mod error;
pub mod query;
mod render;
mod xml;

pub use error::AwsError;
pub use query::Params;
pub use render::{Rendered, failure, render};
pub use xml::Xml;

use crate::clock::Instant;
use serde_json::Value;

/// The services that the sandbox speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Sts,
    Iam,
    Account,
    CloudFormation,
    CloudControl,
}

/// How a service's messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form in, XML out.
    Query,
    /// JSON with the operation in `X-Amz-Target`.
    Json10,
    /// JSON with the operation in the path.
    RestJson,
}

impl Service {
    /// From the name in a credential scope.
    pub fn from_signing_name(name: &str) -> Option<Self> {
        Some(match name {
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "account" => Self::Account,
            "cloudformation" => Self::CloudFormation,
            "cloudcontrolapi" => Self::CloudControl,
            _ => return None,
        })
    }

    /// The signing name, also used in the request log and to match faults.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Account => "account",
            Self::CloudFormation => "cloudformation",
            Self::CloudControl => "cloudcontrolapi",
        }
    }

    pub fn protocol(self) -> Protocol {
        match self {
            Self::Sts | Self::Iam | Self::CloudFormation => Protocol::Query,
            Self::CloudControl => Protocol::Json10,
            Self::Account => Protocol::RestJson,
        }
    }

    pub(crate) fn xml_namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            _ => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }
}

/// The parameters of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Query(Params),
    Json(Value),
}

impl Input {
    /// The form of a query call, empty for a JSON call.
    pub fn params(&self) -> Params {
        match self {
            Self::Query(params) => params.clone(),
            Self::Json(_) => Params::default(),
        }
    }

    /// The body of a JSON call, null for a query call.
    pub fn json(&self) -> &Value {
        match self {
            Self::Json(value) => value,
            Self::Query(_) => &Value::Null,
        }
    }
}

/// One authenticated call.
#[derive(Debug, Clone)]
pub struct Call {
    pub service: Service,
    /// `CreateRole`, `CreateResource`.
    pub operation: String,
    /// The region of the credential scope.
    pub region: String,
    pub input: Input,
    pub request_id: String,
    /// The time by the caller's own clock: the machine's, moved or not. What
    /// the caller will compare with that clock is expressed in it.
    pub client_now: Instant,
}

/// What a handler answers; its protocol adds the envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What stands inside `<ActionResult>`.
    Xml(Xml),
    /// The action has no result element.
    Empty,
    Json(Value),
}
