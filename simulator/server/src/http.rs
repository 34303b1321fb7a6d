//! The HTTP API on a socket of loopback: requests are handed to the world's thread as values, answers sent as they come.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::{CLIENTS_MAX, Desk};

/// How long a client may take to send its headers, and then its body.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener for the API.
pub struct HttpPort {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
}

impl HttpPort {
    /// Listens on loopback. `port`: zero for any that is free.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What all connections share.
struct Shared {
    desk: Desk,
    /// The port, as `Host` names it.
    port: u16,
    /// Requests so far.
    count: AtomicU64,
}

/// Serves until `stop` says so; then what was asked is answered.
pub async fn serve_http(port: HttpPort, desk: Desk, mut stop: watch::Receiver<bool>) {
    let shared = Arc::new(Shared { desk, port: port.address.port(), count: AtomicU64::new(0) });
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    let mut clients = JoinSet::new();
    while !*stop.borrow() {
        let accepted = tokio::select! {
            accepted = port.listener.accept() => accepted,
            _ = clients.join_next(), if !clients.is_empty() => continue,
            _ = stop.changed() => break,
        };
        let Ok((socket, _)) = accepted else {
            crate::pause().await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let talk = talk(socket, Arc::clone(&shared), stop.clone());
        clients.spawn(async move {
            talk.await;
            drop(place);
        });
    }
    while clients.join_next().await.is_some() {}
}

async fn talk(socket: TcpStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let connection = http.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    // Whatever breaks is the client's connection and nobody else's.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(PATIENCE, connection).await;
}

type Answer = hyper::Response<Full<Bytes>>;

async fn answer(request: hyper::Request<Incoming>, shared: &Shared) -> Answer {
    let number = shared.count.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let request_id = format!("loopback-{number}");
    let (head, body) = request.into_parts();
    if !is_ours(head.headers.get("host"), shared.port) {
        return plain(421, "Host names another server than this one on loopback");
    }
    let Some(query) = api::query_of(head.uri.query().unwrap_or_default()) else {
        return plain(400, "the query is not percent-encoded UTF-8");
    };
    // One byte more than is read, so that the API itself says what is too large.
    let body = Limited::new(body, api::BODY_BYTES_MAX + 1).collect();
    let body = match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => vec![0; api::BODY_BYTES_MAX + 1],
        Ok(Err(_)) => return plain(400, "the body broke off"),
        Err(_) => return plain(408, "the body did not come"),
    };
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let request = api::Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query,
        headers: headers.collect(),
        body,
        caller: None,
        request_id,
    };
    match shared.desk.http(request).await {
        Some(response) => sent(response),
        None => plain(503, "the simulated world has ended"),
    }
}

/// Whether a request means this server. A page of a browser that had its own name lead to loopback says so here.
fn is_ours(host: Option<&hyper::header::HeaderValue>, port: u16) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else { return false };
    ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}"))
}

fn sent(response: api::Response) -> Answer {
    let api::Response { status, headers, body } = response;
    let mut builder = hyper::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::from(body)).unwrap_or_else(|_| plain(500, "an answer that HTTP cannot carry"))
}

/// An answer from before the API: a sentence.
fn plain(status: u16, what: &'static str) -> Answer {
    let mut answer = hyper::Response::new(Full::from(what));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_loopback_names_this_server() {
        for (host, ours) in [
            (Some("127.0.0.1:8080"), true),
            (Some("localhost:8080"), true),
            (Some("localhost:8081"), false),
            (Some("attacker.example:8080"), false),
            (Some("127.0.0.1"), false),
            (None, false),
        ] {
            let value = host.map(|host| HeaderValue::from_str(host).unwrap());
            assert_eq!(is_ours(value.as_ref(), 8080), ours, "{host:?}");
        }
    }
}
