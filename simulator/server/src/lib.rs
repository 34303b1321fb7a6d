//! The simulated instances on loopback sockets: any SQL client logs in to them.
//!
//! The protocol is `tds`, the answers are the world's; here are sockets, TLS and the pace at which virtual time passes. The
//! world stays on one thread: clients ask it through a channel, one request at a time, and see each other's effects as they
//! would on a server. Refuses to know SQL and backups.

mod certificate;
mod client;
mod desk;
mod endpoint;
mod http;
mod pace;
mod secure;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use certificate::{Authority, CertificateError};
pub use desk::{Desk, Moved, OpenError, open};
pub use endpoint::{Client, Credentials, Endpoint, EndpointError, carry_out};
pub use http::{HttpPort, serve_http};
pub use pace::{Pace, SPEED_MAX};
pub use secure::{Secure, Tls};

/// Clients that one instance serves at a time. Policy of ours: SQL Server takes 32,767, a laptop fewer.
pub const CLIENTS_MAX: usize = 1_024;

/// A listener of one instance.
pub struct Port {
    /// The instance.
    pub instance: String,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Port {
    /// Listens on loopback. `port`: zero for any that is free.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn open(instance: String, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self { instance, address: listener.local_addr()?, listener })
    }
}

/// Serves all ports until `stop` says so; then clients get their last answers and are let go.
pub async fn serve(ports: Vec<Port>, desk: Desk, tls: Arc<Tls>, stop: watch::Receiver<bool>) {
    let mut listening = JoinSet::new();
    for port in ports {
        listening.spawn(listen(port, desk.clone(), Arc::clone(&tls), stop.clone()));
    }
    while listening.join_next().await.is_some() {}
}

async fn listen(port: Port, desk: Desk, tls: Arc<Tls>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    let mut clients = JoinSet::new();
    let instance: Arc<str> = port.instance.into();
    let mut serial: u16 = 50;
    while !*stop.borrow() {
        let accepted = tokio::select! {
            accepted = port.listener.accept() => accepted,
            _ = clients.join_next(), if !clients.is_empty() => continue,
            _ = stop.changed() => break,
        };
        // Too many open files, a client that hung up: the next one may have more luck.
        let Ok((socket, _)) = accepted else {
            pause().await;
            continue;
        };
        // More than that are refused by hanging up, as a server does whose worker threads are used up.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        serial = serial.checked_add(1).unwrap_or(51);
        let talk = talk(socket, Arc::clone(&instance), serial, desk.clone(), Arc::clone(&tls), stop.clone());
        clients.spawn(async move {
            talk.await;
            drop(place);
        });
    }
    while clients.join_next().await.is_some() {}
}

#[expect(clippy::disallowed_methods, reason = "an accept that fails at once must not spin")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn talk(
    socket: TcpStream,
    instance: Arc<str>,
    session_id: u16,
    desk: Desk,
    tls: Arc<Tls>,
    stop: watch::Receiver<bool>,
) {
    // An answer is one write: waiting for more would only delay it.
    let _ = socket.set_nodelay(true);
    let secure = Secure::new(&instance, session_id, tls);
    // Whatever breaks is the client's connection and nobody else's.
    let _ = client::Client::new(socket, secure, instance, desk).run(stop).await;
}
