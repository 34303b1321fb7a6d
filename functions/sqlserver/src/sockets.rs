//! How is an instance reached over a network? Name to addresses, addresses to one TCP connection.
//!
//! The name is resolved at every connect and again before a rested session is used: RDS moves its DNS record to the new primary at
//! a failover (RDS user guide, "Failing over a Multi-AZ DB instance", read 2026-11). All addresses are tried at once and the
//! first that answers wins, as `MultiSubnetFailover` of Microsoft's drivers does: an availability group listener has an address
//! in each subnet and only one of them is online. Waits once, never tries again: that is for the state machine.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::select_ok;
use ports::Fault;
use ports::server::Endpoint;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::connect::Connect;
use crate::patience::within;

/// Patience for resolving the name and connecting together. Policy of ours: a SYN that is lost is sent again after 1, 3 and 7 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Addresses tried at once. SQL Server's own drivers refuse listeners with more (Microsoft Learn, `MultiSubnetFailover`).
const ADDRESSES_MAX: usize = 64;

/// Silence after which the peer is asked whether it lives, and how often: a dead host is noticed within 16 s, before the patience
/// for an answer ends, and its address is known to be dead rather than slow.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_PROBES: u32 = 3;

/// Connects over TCP.
#[derive(Debug, Clone, Copy)]
pub struct Sockets {
    patience: Duration,
}

impl Sockets {
    /// With a patience of one's own for name and connection together.
    pub const fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Self::new(CONNECT_TIMEOUT)
    }
}

impl Connect for Sockets {
    type Stream = Compat<TcpStream>;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Self::Stream, Fault> {
        let what = match within(Some(self.patience), reach(endpoint)).await {
            Some(Ok(stream)) => return Ok(stream.compat_write()),
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {:?}", self.patience),
        };
        Err(Fault::Transient(format!("{}: {}:{}: {what}", endpoint.instance, endpoint.host, endpoint.port)))
    }

    fn peer(&self, stream: &Self::Stream) -> Option<SocketAddr> {
        stream.get_ref().peer_addr().ok()
    }

    async fn leads_to(&self, endpoint: &Endpoint, peer: SocketAddr) -> bool {
        let resolved = within(Some(self.patience), addresses(endpoint)).await;
        matches!(resolved, Some(Ok(addresses)) if addresses.contains(&peer))
    }
}

async fn addresses(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((endpoint.host.as_str(), endpoint.port)).await?.take(ADDRESSES_MAX).collect())
}

async fn reach(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = first_of(addresses(endpoint).await?).await?;
    // A request is one write: waiting for more would only delay it.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// The first of the addresses that answers; the last refusal when none does.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    let attempts = addresses.into_iter().map(|address| Box::pin(TcpStream::connect(address)));
    Ok(select_ok(attempts).await?.0)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn endpoint(address: SocketAddr) -> Endpoint {
        Endpoint {
            instance: "sales".to_owned(),
            host: address.ip().to_string(),
            port: address.port(),
            secret_arn: "arn:x".to_owned(),
        }
    }

    #[tokio::test]
    async fn every_address_is_tried() {
        let (_listener, good) = listening();
        // Its listener is gone at once.
        let refusing = listening().1;
        for addresses in [vec![good], vec![refusing, good], vec![good, refusing]] {
            assert_eq!(first_of(addresses).await.unwrap().peer_addr().unwrap(), good);
        }
        assert_eq!(first_of(vec![refusing]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_connection_is_made_as_the_driver_needs_it() {
        let (_listener, address) = listening();
        let sockets = Sockets::default();
        let stream = sockets.connect(&endpoint(address)).await.unwrap();
        assert!(stream.get_ref().nodelay().unwrap());
        let socket = SockRef::from(stream.get_ref());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(sockets.peer(&stream), Some(address));
    }

    #[tokio::test]
    async fn a_name_leads_to_its_addresses_only() {
        let (_listener, address) = listening();
        let (sockets, endpoint) = (Sockets::default(), endpoint(address));
        assert!(sockets.leads_to(&endpoint, address).await);
        for other in [
            SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), address.port())),
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port() ^ 1)),
        ] {
            assert!(!sockets.leads_to(&endpoint, other).await, "{other}");
        }
        // Longer than a label may be: no resolver is asked.
        let gone = Endpoint { host: "x".repeat(64), ..endpoint };
        assert!(!sockets.leads_to(&gone, address).await);
    }

    /// A host whose queue is full answers no SYN, as one that is gone.
    #[tokio::test]
    async fn patience_ends_a_connect() {
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        full.listen(0).unwrap();
        let address = full.local_addr().unwrap().as_socket().unwrap();
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address.into());
                socket
            })
            .collect();
        let sockets = Sockets::new(Duration::from_millis(100));
        let fault = sockets.connect(&endpoint(address)).await.unwrap_err();
        let expected = format!("sales: 127.0.0.1:{}: no answer within 100ms", address.port());
        assert_eq!(fault, Fault::Transient(expected));
        drop(waiting);
    }
}
