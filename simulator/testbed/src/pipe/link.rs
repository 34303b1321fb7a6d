//! The server's end of a connection: TDS understood, requests shown to the gate, executed, answered.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::SignedDuration;
use tds::{Accepted, Connection, Event, Options, Request, Response, ServerMessage};

use super::request_name::request_name;
use super::wire::{Bytes, PipeStream, Standing, Wire};
use crate::gate::{InvocationId, Moment, Verdict};
use crate::kernel::{Entry, Invocation, Kernel};
use crate::latency::Service;

/// What the server's end needs of the servers behind it.
pub(crate) trait Servers {
    /// Whether anything listens at this instance's address.
    fn listens(&self, instance: &str) -> bool;
    /// Logs in and names the session.
    fn connect(&mut self, instance: &str, user: &str, password: &str) -> Result<u64, ServerMessage>;
    /// Whether the server still has the session: a failover ends all of an instance.
    fn is_connected(&self, session: u64) -> bool;
    /// Executes one request now.
    fn execute(&mut self, session: u64, request: &Request) -> Response;
    /// The session's connection is gone.
    fn disconnect(&mut self, session: u64);
}

/// What all connections share.
pub(crate) struct Network {
    pub(crate) kernel: Rc<Kernel>,
    pub(crate) servers: Rc<RefCell<dyn Servers>>,
}

/// One connection.
pub(crate) struct Link {
    /// Who opened it: a session does not outlive its invocation.
    caller: Rc<Invocation>,
    wire: Wire,
    server: RefCell<Server>,
}

struct Server {
    connection: Connection,
    instance: String,
    session: Option<u64>,
    /// An event that the gate holds back.
    held: Option<Event>,
    /// Whether an entry of the agenda will come for this connection.
    expected: bool,
}

impl Network {
    /// Opens a connection for the invocation that runs now.
    pub(crate) fn open(&self, instance: &str) -> PipeStream {
        let caller =
            self.kernel.current().expect("connections are opened by handlers, and the executor polls those");
        self.kernel.count(|counts| counts.sql_sessions += 1);
        let options = Options { server_name: instance.to_owned(), ..Options::default() };
        let server = Server {
            connection: Connection::new(options),
            instance: instance.to_owned(),
            session: None,
            held: None,
            expected: false,
        };
        let wire = Wire::default();
        let stream = PipeStream::new(wire.clone());
        let link = Rc::new(Link { caller: Rc::clone(&caller), wire, server: RefCell::new(server) });
        caller.links.borrow_mut().push(link);
        stream
    }

    /// Looks what an invocation did to its connections while it was polled: bytes it wrote set out, ends it dropped close.
    pub(crate) fn look_after(&self, invocation: &Invocation) {
        invocation.links.borrow_mut().retain(|link| link.look_after(self));
    }

    /// An invocation is over: lets go of its connections. What was sent is on its way and will be executed.
    pub(crate) fn let_go(&self, invocation: &Invocation) {
        self.look_after(invocation);
        invocation.links.borrow_mut().clear();
    }
}

impl Link {
    /// Whether the connection needs looking after any more.
    fn look_after(self: &Rc<Self>, network: &Network) -> bool {
        let mut server = self.server.borrow_mut();
        let bytes = self.wire.lock();
        if !bytes.outbound.is_empty() && !server.expected {
            let latency = network.kernel.latency(Service::Sql);
            self.expect_entry(&mut server, &network.kernel, latency);
        }
        if bytes.client_gone && !server.expected {
            server.end_session(network);
        }
        !bytes.client_gone
    }

    fn expect_entry(self: &Rc<Self>, server: &mut Server, kernel: &Kernel, after: SignedDuration) {
        server.expected = true;
        self.caller.awaited.set(self.caller.awaited.get().saturating_add(1));
        kernel.put_after(after, Entry::Deliver(Rc::clone(self)));
    }

    /// What was written has crossed the network: reads, executes, answers. Tells which invocation to poll.
    pub(crate) fn deliver(self: &Rc<Self>, network: &Network) -> InvocationId {
        let server = &mut *self.server.borrow_mut();
        let bytes = &mut *self.wire.lock();
        server.expected = false;
        self.caller.awaited.set(self.caller.awaited.get().saturating_sub(1));
        server.connection.receive(&std::mem::take(&mut bytes.outbound));
        if let Some(event) = server.held.take() {
            server.execute(bytes, network, event);
        }
        while bytes.standing == Standing::Open && server.held.is_none() {
            match server.connection.next_event() {
                Ok(Some(event)) => self.judge(server, bytes, network, event),
                Ok(None) if server.connection.is_closed() => bytes.standing = Standing::Closed,
                Ok(None) => break,
                Err(error) => server.reset(bytes, network, &format!("the server gave up: {error}")),
            }
        }
        bytes.send(&server.connection.take_output());
        if bytes.client_gone && !server.expected {
            server.end_session(network);
        }
        self.caller.id
    }

    /// Shows an event to the gate and does what it says.
    fn judge(self: &Rc<Self>, server: &mut Server, bytes: &mut Bytes, network: &Network, event: Event) {
        let name = match &event {
            Event::Login(_) => "sql.login".to_owned(),
            Event::Request(request) => format!("sql.{}", request_name(request)),
        };
        match network.kernel.judge(&self.caller, &name) {
            Verdict::Pass | Verdict::Duplicate => server.execute(bytes, network, event),
            Verdict::Delay(delay) => {
                server.held = Some(event);
                self.expect_entry(server, &network.kernel, delay);
            }
            Verdict::Fail(fault) => server.reset(bytes, network, &format!("{name}: {fault}")),
            Verdict::LoseReply => {
                server.execute(bytes, network, event);
                server.reset(bytes, network, &format!("{name}: the reply was lost"));
            }
            Verdict::Crash(moment) => {
                if moment == Moment::After {
                    server.execute(bytes, network, event);
                }
                self.caller.crashed.set(true);
                server.reset(bytes, network, "the client's host is gone");
            }
        }
    }
}

impl Server {
    fn execute(&mut self, bytes: &mut Bytes, network: &Network, event: Event) {
        network.kernel.count(|counts| counts.sql_requests += 1);
        let mut servers = network.servers.borrow_mut();
        match event {
            Event::Login(login) => match servers.connect(&self.instance, &login.user, &login.password) {
                Ok(session) => {
                    self.session = Some(session);
                    let database =
                        if login.database.is_empty() { "master".to_owned() } else { login.database };
                    self.connection.accept_login(Accepted { database, ..Accepted::default() });
                }
                Err(message) => self.connection.refuse_login(&message),
            },
            Event::Request(request) => {
                let Some(session) = self.session.filter(|session| servers.is_connected(*session)) else {
                    self.session = None;
                    bytes.reset("the server ended the session");
                    return;
                };
                let response = servers.execute(session, &request);
                if let Err(error) = self.connection.respond(&response) {
                    let text = format!("the answer cannot be sent: {error}");
                    // A message alone always fits, so this cannot fail again.
                    let _ = self
                        .connection
                        .respond(&Response { error: Some(message(text)), ..Response::default() });
                }
            }
        }
    }

    fn reset(&mut self, bytes: &mut Bytes, network: &Network, why: &str) {
        self.end_session(network);
        bytes.reset(why);
    }

    fn end_session(&mut self, network: &Network) {
        if let Some(session) = self.session.take() {
            network.servers.borrow_mut().disconnect(session);
        }
    }
}

/// An error of the server's own. Severity 17: something inside went wrong, and the session goes on.
fn message(text: String) -> ServerMessage {
    ServerMessage {
        number: 50_000,
        state: 1,
        severity: 17,
        text,
        server: String::new(),
        procedure: String::new(),
        line: 1,
    }
}
