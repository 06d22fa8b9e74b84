//! The https listener, and the way from a request to its answer.

use super::answer::{Answer, Failure, Outcome, Service};
use super::request::Request;
use super::state::Moment;
use super::{arm, entra, graph};
use crate::faults::{FaultKind, Probe};
use crate::http::listen::{self, LostAnswer};
use crate::jwt::Unverified;
use crate::log::{Entry, Subject};
use crate::shared::{Luck, Shared};
use axum::body::{Body, to_bytes};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

const BODY_LIMIT: usize = 1 << 20;
/// How long a client may take to agree on https.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What handlers know besides the cloud and the request.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// `https://127.0.0.1:8443`, without a trailing slash.
    pub origin: String,
    pub moment: Moment,
    pub request_id: String,
}

/// Who asked, as the log writes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker {
    pub tenant: Option<String>,
    pub principal: Option<String>,
}

pub(crate) struct Server {
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    origin: String,
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>, acceptor: TlsAcceptor, origin: String) -> Self {
        Self {
            shared,
            acceptor,
            origin,
        }
    }

    /// Serves until `stop` turns true.
    pub(crate) async fn run(self, listener: TcpListener, stop: watch::Receiver<bool>) {
        let server = Arc::new(self);
        listen::run(listener, stop, |stream, stop| {
            connection(Arc::clone(&server), stream, stop)
        })
        .await;
    }

    async fn answer(&self, request: axum::extract::Request) -> Result<Response<Body>, LostAnswer> {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
            return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        let Some(request) = Request::new(parts, body) else {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        };
        // Documents of issuers are fetched before the cloud is taken: nothing
        // is awaited while it is held.
        let keys = entra::foreign_keys(&self.shared, &request).await;
        let (answer, lost, entry, request_id) = self.act(&request, &keys);
        let written = self
            .shared
            .log
            .append(entry)
            .and(self.shared.snapshots.persist(&self.shared).await);
        if let Err(error) = written {
            tracing::error!(%error, "writing the snapshot failed");
            return Err(LostAnswer);
        }
        if lost {
            return Err(LostAnswer);
        }
        Ok(answer.into_response(&request_id))
    }

    fn act(&self, request: &Request, keys: &entra::Keys) -> (Answer, bool, Entry, String) {
        let service = request.service();
        let mut world = self.shared.world();
        let moment = Moment {
            wall: world.clock.wall(),
            now: world.now(),
        };
        let machine = world.clock.machine();
        let seed = request.header("authorization").unwrap_or_default();
        let request_id = crate::rng::Rng::seeded_for(
            machine.0.unsigned_abs(),
            &format!("{seed}{:?}", request.segments),
        )
        .uuid();
        let context = Context {
            origin: self.origin.clone(),
            moment,
            request_id: request_id.clone(),
        };
        let operation = operation(service, request);
        let asker = asker(service, request);
        let identifier = format!("/{}", request.segments.join("/"));
        let probe = Probe {
            account: asker.tenant.as_deref().unwrap_or_default(),
            region: "",
            service: service.name(),
            operation: &operation,
            type_name: None,
            identifier: Some(&identifier),
        };
        let mut take = |wanted: &dyn Fn(&FaultKind) -> bool| {
            if world.faults.is_empty() {
                None
            } else {
                world.faults.take(&probe, wanted)
            }
        };
        let before = take(&|kind| {
            matches!(
                kind,
                FaultKind::Http500 | FaultKind::Throttle | FaultKind::Fail { .. }
            )
        });
        let mut fault = None;
        let outcome: Outcome = match before {
            Some(FaultKind::Fail { code, message }) => {
                fault = Some("fail");
                Err(asked_for(service, code, message))
            }
            Some(FaultKind::Throttle) => {
                fault = Some("throttle");
                Err(throttled(service))
            }
            Some(_) => {
                fault = Some("http_500");
                Err(server_error(service))
            }
            None => match self.shared.luck() {
                Luck::Good => match service {
                    Service::Entra => entra::handle(&mut world, &context, request, keys),
                    Service::Graph => graph::handle(&mut world, &context, request),
                    Service::Arm => arm::handle(&mut world, &context, request),
                },
                Luck::Throttled => {
                    fault = Some("throttle");
                    Err(throttled(service))
                }
                Luck::ServerError => {
                    fault = Some("http_500");
                    Err(server_error(service))
                }
            },
        };
        let lost = outcome.is_ok()
            && !world.faults.is_empty()
            && world
                .faults
                .take(&probe, |kind| *kind == FaultKind::LostAnswer)
                .is_some();
        if lost {
            fault = Some("lost_answer");
        }
        let error = outcome.as_ref().err().map(|failure| failure.label(service));
        let answer = match outcome {
            Ok(answer) => answer,
            Err(failure) => failure.render(service, &request_id, &moment.wall.iso8601()),
        };
        let entry = Entry {
            time: machine.iso8601_millis(),
            simulated_time: moment.now.iso8601_millis(),
            request_id: request_id.clone(),
            service: service.name().to_owned(),
            operation: operation.clone(),
            account: asker.tenant.clone(),
            principal: asker.principal.clone(),
            status: answer.status,
            error,
            fault: fault.map(str::to_owned),
            subject: Subject {
                target: Some(identifier.clone()),
                ..Subject::default()
            },
            ..Entry::default()
        };
        (answer, lost, entry, request_id)
    }
}

/// `PUT roleAssignments`: the method and the last collection's name.
fn operation(service: Service, request: &Request) -> String {
    let path = request.path();
    let name = match service {
        Service::Entra => path
            .iter()
            .skip(1)
            .map(|part| (*part).to_owned())
            .collect::<Vec<_>>()
            .join("/"),
        Service::Graph => {
            let plain = |part: &&&str| {
                !part.contains('(') && !super::is_uuid(part) && !part.starts_with('v')
            };
            path.iter()
                .filter(plain)
                .map(|part| (*part).to_owned())
                .collect::<Vec<_>>()
                .join("/")
        }
        Service::Arm => arm::kind_of(&path),
    };
    format!("{} {name}", request.method)
}

/// What the request says of itself, for the log; nothing is decided by it.
fn asker(service: Service, request: &Request) -> Asker {
    if service == Service::Entra {
        return Asker {
            tenant: request.segments.first().cloned(),
            principal: request.form().get("client_id").map(str::to_owned),
        };
    }
    let token = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| Unverified::read(token).ok());
    let claim = |name: &str| {
        let claims = &token.as_ref()?.claims;
        claims[name].as_str().map(str::to_owned)
    };
    Asker {
        tenant: claim("tid"),
        principal: claim("oid"),
    }
}

fn asked_for(service: Service, code: String, message: Option<String>) -> Failure {
    let message = message.unwrap_or_else(|| "A fault that was asked for.".to_owned());
    match code.strip_prefix("AADSTS").and_then(|n| n.parse().ok()) {
        Some(number) if service == Service::Entra => {
            Failure::entra(400, "invalid_request", number, message)
        }
        _ => Failure::new(400, code, message),
    }
}

fn throttled(service: Service) -> Failure {
    let message = "The request has been throttled. Try again later.";
    match service {
        Service::Entra => Failure::entra(429, "temporarily_unavailable", 90055, message),
        Service::Graph => Failure::new(429, "TooManyRequests", message),
        Service::Arm => Failure::new(429, "SubscriptionRequestsThrottled", message),
    }
}

fn server_error(service: Service) -> Failure {
    let message = "The service is temporarily unavailable.";
    match service {
        Service::Entra => Failure::entra(503, "temporarily_unavailable", 90033, message),
        Service::Graph => Failure::new(503, "ServiceNotAvailable", message),
        Service::Arm => Failure::new(500, "InternalServerError", message),
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let accepted = tokio::select! {
        () = listen::stopping(&mut stop) => return,
        accepted = tokio::time::timeout(HANDSHAKE, server.acceptor.accept(stream)) => accepted,
    };
    let Ok(Ok(stream)) = accepted else {
        // Somebody who does not trust the authority, most likely, or says nothing.
        return;
    };
    listen::serve(stream, stop, |request| server.answer(request)).await;
}
