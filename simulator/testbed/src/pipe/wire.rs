//! The bytes between the two ends of a connection, and the client's end of it.
//!
//! The driver asks for streams that are `Send`, so what its end holds is behind an `Arc` and a `Mutex`, never contended; and
//! it knows no agenda: the executor looks after each poll which wires have bytes to carry.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::io::{AsyncRead, AsyncWrite};

/// How a connection stands, for its client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Standing {
    #[default]
    Open,
    /// The server said goodbye: what it sent can still be read.
    Closed,
    /// The connection broke: nothing can be read any more.
    Reset(String),
}

#[derive(Debug, Default)]
pub(super) struct Bytes {
    /// Written by the client, not yet arrived.
    pub(super) outbound: Vec<u8>,
    /// Sent by the server, read up to `consumed` bytes.
    inbound: Vec<u8>,
    consumed: usize,
    waker: Option<Waker>,
    pub(super) standing: Standing,
    pub(super) client_gone: bool,
}

impl Bytes {
    /// The server sends.
    pub(super) fn send(&mut self, output: &[u8]) {
        if !matches!(self.standing, Standing::Reset(_)) {
            self.inbound.extend_from_slice(output);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The connection breaks, with all that is under way.
    pub(super) fn reset(&mut self, why: &str) {
        self.inbound.clear();
        self.consumed = 0;
        self.standing = Standing::Reset(why.to_owned());
    }

    fn read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Standing::Reset(why) = &self.standing {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, why.clone())));
        }
        let unread = &self.inbound[self.consumed..];
        if unread.is_empty() {
            if self.standing == Standing::Closed {
                return Poll::Ready(Ok(0));
            }
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = unread.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&unread[..taken]);
        self.consumed += taken;
        if self.consumed == self.inbound.len() {
            self.inbound.clear();
            self.consumed = 0;
        }
        Poll::Ready(Ok(taken))
    }

    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &self.standing {
            Standing::Reset(why) => Err(io::Error::new(io::ErrorKind::ConnectionReset, why.clone())),
            Standing::Closed => {
                Err(io::Error::new(io::ErrorKind::BrokenPipe, "the server closed the connection"))
            }
            Standing::Open => {
                self.outbound.extend_from_slice(buffer);
                Ok(buffer.len())
            }
        }
    }
}

/// Shared by the two ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire(Arc<Mutex<Bytes>>);

impl Wire {
    pub(super) fn lock(&self) -> MutexGuard<'_, Bytes> {
        // A panic elsewhere leaves plain bytes behind, which are as good as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's end of a connection. Dropped, it ends the session at the server, after what was sent has been executed.
#[derive(Debug)]
pub struct PipeStream(Wire);

impl PipeStream {
    pub(super) fn new(wire: Wire) -> Self {
        Self(wire)
    }
}

impl AsyncRead for PipeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().read(context, buffer)
    }
}

impl AsyncWrite for PipeStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.lock().write(buffer))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().client_gone = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeStream {
    fn drop(&mut self) {
        self.0.lock().client_gone = true;
    }
}
