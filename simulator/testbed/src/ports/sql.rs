//! Connections of the SQL Server adapter to the instances of the world.

use std::rc::Rc;

use ports::Fault;
use ports::server::Endpoint;
use sqlserver::Connect;
use tds::{Request, Response, ServerMessage};
use world::{SessionId, World};

use crate::kernel::Kind;
use crate::latency::Service;
use crate::pipe::{Network, PipeStream, Servers};

/// Connects to instances over pipes.
#[derive(Clone)]
pub struct Dial {
    network: Rc<Network>,
}

impl Dial {
    pub(crate) fn new(network: Rc<Network>) -> Self {
        Self { network }
    }
}

impl Servers for World {
    fn listens(&self, instance: &str) -> bool {
        self.is_reachable(instance)
    }

    fn connect(&mut self, instance: &str, user: &str, password: &str) -> Result<u64, ServerMessage> {
        Self::connect(self, instance, user, password).map(|session| session.0)
    }

    fn is_connected(&self, session: u64) -> bool {
        Self::is_connected(self, SessionId(session))
    }

    fn execute(&mut self, session: u64, request: &Request) -> Response {
        Self::execute(self, SessionId(session), request)
    }

    fn disconnect(&mut self, session: u64) {
        Self::disconnect(self, SessionId(session));
    }
}

/// The instance behind a host name: RDS puts the identifier first, `sales.c9akciq32.eu-west-1.rds.amazonaws.com`.
fn instance_of(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

impl Connect for Dial {
    type Stream = PipeStream;

    async fn connect(&self, endpoint: &Endpoint) -> Result<PipeStream, Fault> {
        let instance = instance_of(&endpoint.host);
        let effect = || {
            if self.network.servers.borrow().listens(instance) {
                Ok(self.network.open(instance))
            } else {
                Err(Fault::Transient(format!("{}:{}: connection refused", endpoint.host, endpoint.port)))
            }
        };
        self.network.kernel.call("sql.connect", (Service::Connect, Kind::Read), effect).await
    }
}
