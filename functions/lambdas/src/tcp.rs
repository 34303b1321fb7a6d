//! The bytes of a session over TCP.

use std::time::Duration;

use ports::Fault;
use ports::server::Endpoint;
use sqlserver::Connect;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Patience for name lookup and connection together. Policy: within a VPC both take milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects over TCP.
#[derive(Debug, Clone, Copy)]
pub struct Tcp;

impl Connect for Tcp {
    type Stream = Compat<TcpStream>;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Self::Stream, Fault> {
        let Endpoint { instance, host, port, .. } = endpoint;
        let lost = |how: String| Fault::Transient(format!("{instance} at {host}:{port}: {how}"));
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host.as_str(), *port)))
            .await
            .map_err(|_| lost(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())))?
            .map_err(|error| lost(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| lost(error.to_string()))?;
        Ok(stream.compat())
    }
}
