//! What does one client's socket go through? Bytes read, requests asked at the desk, answers written; limits for the slow.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tds::{Accepted, Event, Login, Request, Reset, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::desk::Desk;
use crate::secure::Secure;

/// How long a client takes to log in at most. SQL Server gives up after a minute as well.
const LOGIN_MAX: Duration = Duration::from_mins(1);

/// How long a client takes to read what was sent at most.
const WRITE_MAX: Duration = Duration::from_mins(1);

/// How long a logged-in client may be silent: pools keep connections for minutes.
const IDLE_MAX: Duration = Duration::from_mins(30);

/// One client.
pub(crate) struct Client {
    socket: TcpStream,
    secure: Secure,
    instance: Arc<str>,
    desk: Desk,
    session: Option<u64>,
}

/// What came first.
enum Came {
    Bytes(usize),
    Stop,
}

impl Client {
    pub(crate) fn new(socket: TcpStream, secure: Secure, instance: Arc<str>, desk: Desk) -> Self {
        Self { socket, secure, instance, desk, session: None }
    }

    /// Serves it until it hangs up, breaks the protocol, is too slow, or the server stops.
    pub(crate) async fn run(mut self, stop: watch::Receiver<bool>) -> io::Result<()> {
        let ended = self.talk(stop).await;
        if let Some(session) = self.session.take() {
            self.desk.log_out(session);
        }
        // What is still to be said is said, also to whom broke something.
        self.secure.close();
        let said = self.write().await;
        let _ = timeout(WRITE_MAX, self.socket.shutdown()).await;
        ended.and(said)
    }

    async fn talk(&mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut bytes = vec![0; 16 << 10];
        while !self.secure.is_closed() {
            let wait = if self.session.is_some() { IDLE_MAX } else { LOGIN_MAX };
            let came = tokio::select! {
                read = timeout(wait, self.socket.read(&mut bytes)) => {
                    Came::Bytes(read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
                }
                _ = stop.wait_for(|stop| *stop) => Came::Stop,
            };
            let Came::Bytes(count @ 1..) = came else { return Ok(()) };
            self.secure.receive(&bytes[..count])?;
            self.answer_all().await?;
        }
        Ok(())
    }

    /// Answers everything that has arrived.
    async fn answer_all(&mut self) -> io::Result<()> {
        while let Some(event) = self.secure.next_event()? {
            match event {
                Event::Login(login) => self.log_in(login).await?,
                Event::Request(request) => self.execute(request).await?,
            }
            self.write().await?;
        }
        self.write().await
    }

    async fn log_in(&mut self, login: Login) -> io::Result<()> {
        let Login { user, password, database, .. } = login;
        let database = if database.is_empty() { "master".to_owned() } else { database };
        let asked = self.desk.log_in(&self.instance, user, password, database.clone());
        match asked.await.ok_or_else(gone)? {
            Ok(session) => {
                self.session = Some(session);
                self.secure.accept_login(Accepted { database, ..Accepted::default() })
            }
            Err(message) => self.secure.refuse_login(&message),
        }
    }

    async fn execute(&mut self, request: Request) -> io::Result<()> {
        if let (Some(reset), Some(session)) = (self.secure.take_reset(), self.session) {
            self.desk.reset(session, reset == Reset::KeepTransaction);
        }
        let response = match (request, self.session) {
            (Request::Attention, _) => Response::default(),
            (request, Some(session)) => self.desk.execute(session, request).await.ok_or_else(gone)?,
            (_, None) => return Err(gone()),
        };
        self.secure.respond(&response)
    }

    async fn write(&mut self) -> io::Result<()> {
        let output = self.secure.take_output();
        if output.is_empty() {
            return Ok(());
        }
        timeout(WRITE_MAX, self.socket.write_all(&output)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

/// The session ended on the server: after a failover, or because it stops.
fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
