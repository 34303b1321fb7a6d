//! The adapter as deployed, with counters where it asks for streams and secrets.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use ports::Fault;
use ports::server::Endpoint;
use sqlserver::{Connect, Credentials, Login, Options, Secret, Sockets, SqlServer};

/// A word that stands in no message.
pub(crate) const PASSWORD: &str = "simulated-sales";

/// A bundle in a file of its own, gone with this value.
pub(crate) struct Bundle(pub(crate) PathBuf);

impl Bundle {
    pub(crate) fn new(pem: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bakproof-bundle-{}-{serial}.pem", std::process::id()));
        std::fs::write(&path, pem).unwrap();
        Self(path)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What was asked for, and what answers.
#[derive(Clone, Default)]
pub(crate) struct Around {
    pub(crate) connections: Rc<Cell<u32>>,
    pub(crate) secrets: Rc<Cell<u32>>,
    /// The name leads somewhere else by now.
    pub(crate) moved: Rc<Cell<bool>>,
    /// Passwords in the order in which the secret has them; the last one stays.
    pub(crate) passwords: Rc<RefCell<Vec<&'static str>>>,
}

impl Around {
    pub(crate) fn new(passwords: &[&'static str]) -> Self {
        Self { passwords: Rc::new(RefCell::new(passwords.to_vec())), ..Self::default() }
    }

    /// Connections made and secrets read so far.
    pub(crate) fn counts(&self) -> (u32, u32) {
        (self.connections.get(), self.secrets.get())
    }

    pub(crate) fn adapter(&self, options: Options) -> SqlServer<Counted, Secrets> {
        SqlServer::new(Counted(self.clone(), Sockets::default()), Secrets(self.clone()), options)
    }
}

/// Sockets, counted.
#[derive(Clone)]
pub(crate) struct Counted(Around, Sockets);

impl Connect for Counted {
    type Stream = <Sockets as Connect>::Stream;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Self::Stream, Fault> {
        self.0.connections.set(self.0.connections.get() + 1);
        self.1.connect(endpoint).await
    }

    fn peer(&self, stream: &Self::Stream) -> Option<SocketAddr> {
        self.1.peer(stream)
    }

    async fn leads_to(&self, endpoint: &Endpoint, peer: SocketAddr) -> bool {
        !self.0.moved.get() && self.1.leads_to(endpoint, peer).await
    }
}

/// Secrets, counted.
#[derive(Clone)]
pub(crate) struct Secrets(Around);

impl Credentials for Secrets {
    async fn credentials(&self, _: &str) -> Result<Login, Fault> {
        self.0.secrets.set(self.0.secrets.get() + 1);
        let mut passwords = self.0.passwords.borrow_mut();
        let password = if passwords.len() > 1 { passwords.remove(0) } else { passwords[0] };
        Ok(Login { user: "admin".to_owned(), password: Secret::new(password) })
    }
}

/// An instance at an address of loopback, by a name that its certificate has.
pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        instance: "sales".to_owned(),
        host: "localhost".to_owned(),
        port: address.port(),
        secret_arn: "arn:aws:secretsmanager:us-east-1:111122223333:secret:sales".to_owned(),
    }
}

/// A fault as kind or class and name.
pub(crate) fn word(fault: &Fault) -> String {
    match fault {
        Fault::Transient(_) => "transient".to_owned(),
        Fault::UnknownOutcome(_) => "unknown".to_owned(),
        Fault::Refused(reason) => format!("{} {}", reason.class, reason.name),
    }
}
