//! How is an instance reached over a network? Name to addresses, addresses to one TCP connection.
//!
//! The name is resolved at every connect and again before a rested session is used: RDS moves its DNS record at a failover and
//! gives it a time to live of 5 s (RDS user guide, "Failing over a Multi-AZ DB instance", read 2026-11). All addresses are
//! tried at once and the first that answers wins, as `MultiSubnetFailover` of Microsoft's drivers does: an availability group
//! listener has an address in each subnet and only one of them is online. Waits once, never tries again: that is for the state machine.

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

/// Addresses tried at once. SQL Server's own drivers refuse listeners with more (Microsoft Learn, "MultiSubnetFailover").
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
    let addresses = addresses(endpoint).await?;
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    let attempts = addresses.into_iter().map(|address| Box::pin(TcpStream::connect(address)));
    let (stream, _) = select_ok(attempts).await?;
    // A request is one write: waiting for more would only delay it.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}
