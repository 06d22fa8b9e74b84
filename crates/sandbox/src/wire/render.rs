//! Envelopes: the same reply or error in each protocol's own shape.

use super::{AwsError, Call, Protocol, Reply, Service, Xml};
use serde_json::json;

/// What goes on the wire, still without a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub status: u16,
    pub content_type: &'static str,
    /// `X-Amzn-ErrorType`, which REST JSON clients read before the body.
    pub error_type: Option<String>,
    pub body: String,
}

pub fn render(call: &Call, outcome: &Result<Reply, AwsError>) -> Rendered {
    match outcome {
        Ok(reply) => success(call, reply),
        Err(error) => failure(call.service, &call.request_id, error),
    }
}

fn success(call: &Call, reply: &Reply) -> Rendered {
    let (content_type, body) = match reply {
        Reply::Json(value) => (json_type(call.service), value.to_string()),
        Reply::Xml(result) => ("text/xml", envelope(call, Some(result))),
        Reply::Empty if call.service.protocol() == Protocol::Query => {
            ("text/xml", envelope(call, None))
        }
        Reply::Empty => (json_type(call.service), "{}".to_owned()),
    };
    Rendered {
        status: 200,
        content_type,
        error_type: None,
        body,
    }
}

/// Renders an error for a service, also when the call could not be parsed.
pub fn failure(service: Service, request_id: &str, error: &AwsError) -> Rendered {
    match service.protocol() {
        Protocol::Query => {
            let mut xml = Xml::new();
            xml.node("Error", |xml| {
                xml.text(
                    "Type",
                    if error.status < 500 {
                        "Sender"
                    } else {
                        "Receiver"
                    },
                )
                .text("Code", &error.code)
                .text("Message", &error.message);
            })
            .text("RequestId", request_id);
            Rendered {
                status: error.status,
                content_type: "text/xml",
                error_type: None,
                body: format!(
                    "<ErrorResponse xmlns=\"{}\">{}</ErrorResponse>",
                    service.xml_namespace(),
                    xml.as_str()
                ),
            }
        }
        Protocol::Json10 => Rendered {
            status: error.status,
            content_type: json_type(service),
            error_type: None,
            body: json!({
                "__type": format!("com.amazonaws.cloudcontrol#{}", error.code),
                "Message": error.message,
                "message": error.message,
            })
            .to_string(),
        },
        Protocol::RestJson => Rendered {
            status: error.status,
            content_type: json_type(service),
            error_type: Some(error.code.to_string()),
            body: json!({ "message": error.message }).to_string(),
        },
    }
}

fn json_type(service: Service) -> &'static str {
    match service.protocol() {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Query | Protocol::RestJson => "application/json",
    }
}

fn envelope(call: &Call, result: Option<&Xml>) -> String {
    let action = &call.operation;
    let mut xml = Xml::new();
    xml.node("ResponseMetadata", |xml| {
        xml.text("RequestId", &call.request_id);
    });
    let result = result.map_or_else(String::new, |inner| {
        format!("<{action}Result>{}</{action}Result>", inner.as_str())
    });
    format!(
        "<{action}Response xmlns=\"{}\">{result}{}</{action}Response>",
        call.service.xml_namespace(),
        xml.as_str()
    )
}
