//! Accepting connections and ending them in order, for every listener.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long open connections may finish what they do when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
pub(crate) struct LostAnswer;

/// Returns when the sandbox is told to stop, or nobody is left to tell it.
pub(crate) async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Accepts connections until `stop` turns true; `connect` serves each.
pub(crate) async fn run<F>(
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    connect: impl Fn(TcpStream, watch::Receiver<bool>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let stopped = stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connect(stream, stopped.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others close theirs.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    // Whoever does not finish is cut off when the set is dropped.
    let _ = tokio::time::timeout(GRACE, finished).await;
}

/// Answers the requests of one connection until it ends, or `stop` turns true
/// and the request at hand is answered.
pub(crate) async fn serve<I, F>(
    io: I,
    mut stop: watch::Receiver<bool>,
    answer: impl Fn(Request) -> F,
) where
    I: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<Response<Body>, LostAnswer>>,
{
    let service = service_fn(|request: hyper::Request<Incoming>| answer(request.map(Body::new)));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let stopped = tokio::select! {
        // A service error (LostAnswer) closes the connection with nothing sent.
        result = connection.as_mut() => { log_end(result); false }
        () = stopping(&mut stop) => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        log_end(connection.await);
    }
}

fn log_end(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
