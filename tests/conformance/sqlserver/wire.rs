//! A stream inside one process, with a TDS server at the other end and faults on demand.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::{Endpoint, OpenSession};
use sqlserver::{Connect, Credentials, Login, Options, Secret, Session, SqlServer};
use tds::{Accepted, Connection, Event, Request, Response, ServerMessage};

/// The password of every login here; no message may hold it.
pub(crate) const PASSWORD: &str = "correct horse";

/// What the server does with a request.
pub(crate) enum Reply {
    /// Answers.
    Answer(Response),
    /// Hears the request and closes the connection without a word.
    Hang,
    /// Sends so many bytes of the answer, but never the last, and closes.
    Cut(Response, usize),
    /// Sends these bytes, whatever they mean, and closes.
    Raw(Vec<u8>),
}

/// Who answers.
pub(crate) trait Server {
    /// Accepts or refuses a login.
    fn login(&mut self, login: &tds::Login) -> Result<(), ServerMessage>;
    /// Answers a request.
    fn answer(&mut self, request: &Request) -> Reply;
}

/// Bytes on their way.
#[derive(Default)]
struct Lines {
    to_server: Vec<u8>,
    to_client: VecDeque<u8>,
    /// The client's next write fails.
    refuses: bool,
    /// Nothing comes any more once `to_client` is empty.
    closed: bool,
}

/// One end of a connection.
#[derive(Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<Lines>>);

impl Pipe {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().expect("one thread, so no poison")
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut lines = self.lines();
        if lines.to_client.is_empty() {
            return if lines.closed { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let count = buf.len().min(lines.to_client.len());
        for (to, from) in buf.iter_mut().zip(lines.to_client.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut lines = self.lines();
        if lines.refuses {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        lines.to_server.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lines().closed = true;
        Poll::Ready(Ok(()))
    }
}

struct Pipes(Pipe);

impl Connect for Pipes {
    type Stream = Pipe;
    async fn connect(&self, _: &Endpoint) -> Result<Pipe, Fault> {
        Ok(self.0.clone())
    }
}

struct Logins;

impl Credentials for Logins {
    async fn credentials(&self, secret_arn: &str) -> Result<Login, Fault> {
        assert_eq!(secret_arn, "arn:aws:secretsmanager:us-east-1:1:secret:sales");
        Ok(Login { user: "admin".to_owned(), password: Secret::new(PASSWORD) })
    }
}

/// One connection: the server, and the protocol state it keeps.
pub(crate) struct Wire<S> {
    pub(crate) server: S,
    /// Everything the client sent.
    pub(crate) heard: Vec<u8>,
    pipe: Pipe,
    connection: Connection,
}

impl<S: Server> Wire<S> {
    pub(crate) fn new(server: S) -> Self {
        Self {
            server,
            heard: Vec::new(),
            pipe: Pipe::default(),
            connection: Connection::new(tds::Options::default()),
        }
    }

    /// Logs in.
    pub(crate) fn open(&mut self) -> Result<Session<Pipe>, Fault> {
        self.open_with(Options::in_process())
    }

    /// Logs in with options.
    pub(crate) fn open_with(&mut self, options: Options) -> Result<Session<Pipe>, Fault> {
        let adapter = SqlServer::new(Pipes(self.pipe.clone()), Logins, options);
        let endpoint = Endpoint {
            instance: "sales".to_owned(),
            host: "sales.example".to_owned(),
            port: 1433,
            secret_arn: "arn:aws:secretsmanager:us-east-1:1:secret:sales".to_owned(),
        };
        self.drive(adapter.open(&endpoint))
    }

    /// From now on nothing can be sent.
    pub(crate) fn refuse_writes(&self) {
        self.pipe.lines().refuses = true;
    }

    /// Polls a future of the client until it is done; whenever it waits, the server has its turn.
    pub(crate) fn drive<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return done;
            }
            assert!(self.serve(), "the client waits and the server has nothing to do");
        }
    }

    /// Moves what the client sent, answers it, and tells whether anything happened.
    fn serve(&mut self) -> bool {
        let sent = std::mem::take(&mut self.pipe.lines().to_server);
        self.heard.extend(&sent);
        self.connection.receive(&sent);
        let mut moved = false;
        loop {
            match self.connection.next_event() {
                Ok(Some(event)) => self.answer(&event),
                Ok(None) => break,
                // The server hangs up; what it had to say is in its output.
                Err(_) => {
                    self.pipe.lines().closed = true;
                    break;
                }
            }
            moved = true;
        }
        let out = self.connection.take_output();
        let mut lines = self.pipe.lines();
        lines.to_client.extend(&out);
        moved || !out.is_empty() || lines.closed
    }

    fn answer(&mut self, event: &Event) {
        let request = match event {
            Event::Login(login) => {
                match self.server.login(login) {
                    Ok(()) => self.connection.accept_login(Accepted::default()),
                    Err(message) => self.connection.refuse_login(&message),
                }
                return;
            }
            Event::Request(request) => request,
        };
        let (response, kept) = match self.server.answer(request) {
            Reply::Raw(bytes) => {
                let mut lines = self.pipe.lines();
                lines.to_client.extend(&bytes);
                (lines.closed, lines.refuses) = (true, true);
                return;
            }
            Reply::Answer(response) => (response, None),
            Reply::Hang => (Response::default(), Some(0)),
            Reply::Cut(response, bytes) => (response, Some(bytes)),
        };
        self.connection.respond(&response).expect("the script fits its columns");
        if let Some(bytes) = kept {
            let out = self.connection.take_output();
            let mut lines = self.pipe.lines();
            lines.to_client.extend(out.iter().take(bytes.min(out.len().saturating_sub(1))));
            lines.closed = true;
            lines.refuses = true;
        }
    }
}
