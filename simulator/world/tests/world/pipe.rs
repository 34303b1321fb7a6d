//! tiberius, unchanged, over an in-memory pipe into the TDS front and a world.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use futures_util::io::{AsyncRead, AsyncWrite};
use jiff::{SignedDuration, Timestamp};
use tds::{Accepted, Connection, Event, Options};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use world::{SessionId, World};

use crate::lab::Lab;

pub(crate) struct Shared {
    pub(crate) world: World,
    connection: Connection,
    session: Option<SessionId>,
    to_client: VecDeque<u8>,
}

#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<Shared>>);

impl Shared {
    fn take(&mut self, bytes: &[u8]) {
        self.connection.receive(bytes);
        while let Some(event) = self.connection.next_event().unwrap() {
            match event {
                Event::Login(login) => match self.world.connect("prod", &login.user, &login.password) {
                    Ok(session) => {
                        self.session = Some(session);
                        self.connection.accept_login(Accepted::default());
                    }
                    Err(refusal) => self.connection.refuse_login(&refusal),
                },
                Event::Request(request) => {
                    let answer = self.world.execute(self.session.unwrap(), &request);
                    self.connection.respond(&answer).unwrap();
                }
            }
        }
        self.to_client.extend(self.connection.take_output());
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.0.lock().unwrap();
        let count = into.len().min(shared.to_client.len());
        if count == 0 {
            return if shared.connection.is_closed() { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        for (place, byte) in into.iter_mut().zip(shared.to_client.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("client and server wait for each other")
}

pub(crate) fn config(password: &str) -> Config {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server("admin", password));
    config.encryption(EncryptionLevel::NotSupported);
    config.command_timeout(None);
    config.handshake_timeout(None);
    config
}

impl Pipe {
    /// A pipe into the world of a lab.
    pub(crate) fn into(lab: Lab) -> Self {
        let connection = Connection::new(Options::default());
        Self(Arc::new(Mutex::new(Shared {
            world: lab.world,
            connection,
            session: None,
            to_client: VecDeque::new(),
        })))
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }

    /// Lets time pass; the moment that it is then.
    pub(crate) fn wait(&self, seconds: i64) -> Timestamp {
        let mut shared = self.shared();
        let to = shared.world.now() + SignedDuration::from_secs(seconds);
        shared.world.advance_to(to);
        to
    }

    /// The next client talks to a server that has heard nothing yet.
    pub(crate) fn hang_up(&self) {
        let mut shared = self.shared();
        shared.connection = Connection::new(Options::default());
        shared.to_client.clear();
    }

    /// A client that has logged in.
    pub(crate) fn client(&self) -> Wired {
        let client = run(async { Box::pin(Client::connect(config("simulated"), self.clone())).await });
        Wired { pipe: self.clone(), client: client.unwrap() }
    }
}

/// A client of tiberius and the world at the other end.
pub(crate) struct Wired {
    pub(crate) pipe: Pipe,
    client: Client<Pipe>,
}

impl Wired {
    /// The rows of the first result of a batch, or number and text of the error.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<Row>, (u32, String)> {
        let answer = run(async {
            match self.client.simple_query(sql).await {
                Ok(stream) => stream.into_first_result().await,
                Err(error) => Err(error),
            }
        });
        answer.map_err(|error| match error {
            tiberius::error::Error::Server(token) => (token.code(), token.message().to_owned()),
            other => panic!("{sql}: {other}"),
        })
    }

    /// The text of the error that a batch is answered with.
    pub(crate) fn error(&mut self, sql: &str) -> String {
        match self.rows(sql) {
            Ok(rows) => panic!("{sql} is answered with {} rows", rows.len()),
            Err((_, text)) => text,
        }
    }

    /// The texts of `task_info` of the task that a batch queues, when it has ended: each behind its time.
    pub(crate) fn info(&mut self, sql: &str) -> String {
        let id = self.rows(sql).unwrap()[0].get::<i32, _>("task_id").unwrap();
        self.pipe.wait(3_600);
        let status = format!("SELECT lifecycle, task_info FROM msdb.dbo.rds_fn_task_status(NULL, {id})");
        let row = self.rows(&status).unwrap().remove(0);
        assert!(
            matches!(row.get("lifecycle"), Some("ERROR" | "SUCCESS" | "CANCELLED")),
            "{sql} has not ended"
        );
        row.get::<&str, _>("task_info").unwrap().to_owned()
    }
}
