//! An in-memory pipe between a client and a [`Connection`], and a poll loop on one thread: no runtime, no clock.
//!
//! Every byte the client writes goes to the connection at once, its events to a script, the output to where the client
//! reads. So a future that is pending twice in a row can never wake up, and the loop says so.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_util::io::{AsyncRead, AsyncWrite};
use tds::{Connection, Event, Options, ProtocolError};

/// What the server does with an event.
pub(crate) type Script = Box<dyn FnMut(&mut Connection, Event) + Send>;

/// How the bytes are cut on their way: the most that travel at a time.
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    pub(crate) to_server: usize,
    pub(crate) to_client: usize,
}

impl Pieces {
    pub(crate) const WHOLE: Self = Self { to_server: usize::MAX, to_client: usize::MAX };
}

struct Shared {
    connection: Connection,
    script: Script,
    pieces: Pieces,
    to_client: VecDeque<u8>,
    from_client: Vec<u8>,
    failure: Option<ProtocolError>,
}

/// One end of the pipe, the client's; clones see the same server.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<Shared>>);

impl Pipe {
    pub(crate) fn new(options: Options, pieces: Pieces, script: Script) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            connection: Connection::new(options),
            script,
            pieces,
            to_client: VecDeque::new(),
            from_client: Vec::new(),
            failure: None,
        })))
    }

    /// All bytes the client has sent.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.0.lock().unwrap().from_client.clone()
    }

    /// Where the protocol failed, if it did.
    pub(crate) fn failure(&self) -> Option<ProtocolError> {
        self.0.lock().unwrap().failure.clone()
    }
}

impl Shared {
    fn take(&mut self, bytes: &[u8]) {
        self.from_client.extend_from_slice(bytes);
        for piece in bytes.chunks(self.pieces.to_server) {
            self.connection.receive(piece);
            loop {
                match self.connection.next_event() {
                    Ok(Some(event)) => (self.script)(&mut self.connection, event),
                    Ok(None) => break,
                    Err(failure) => {
                        self.failure = Some(failure);
                        break;
                    }
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
        let count = into.len().min(shared.to_client.len()).min(shared.pieces.to_client);
        if count == 0 {
            let over = shared.connection.is_closed();
            return if over { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        for (place, byte) in into.iter_mut().zip(shared.to_client.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }
}

/// Polls a future to its end.
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

/// Polls a future once and drops it if it is not done: what a client does that gives up waiting.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
