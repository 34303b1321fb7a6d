//! Was anything sent, and is too much coming back? Counts the bytes a stream took, so that a failed call can tell "never asked" from
//! "no answer", and ends a stream whose answer would not fit into a function's memory.
//!
//! Sits below TLS: what it counts left for, or came from, the network. Knows no protocol.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead, AsyncWrite};

/// The counts, shared between the stream, which the driver owns, and the session.
#[derive(Debug, Clone)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    sent: AtomicU64,
    /// Bytes that may still come until somebody asks again.
    allowed: AtomicU64,
    most: u64,
}

impl Traffic {
    /// Bytes taken by the stream since it was opened.
    pub(crate) fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// A new answer may come.
    pub(crate) fn allow(&self) {
        self.0.allowed.store(self.0.most, Ordering::Relaxed);
    }
}

/// A stream that counts what is written to it.
#[derive(Debug)]
pub(crate) struct Meter<S> {
    stream: S,
    traffic: Traffic,
}

impl<S> Meter<S> {
    /// Around a fresh stream, on which a login may come and go.
    /// `most`: bytes of an answer.
    pub(crate) fn new(stream: S, most: u64) -> (Self, Traffic) {
        let counts = Counts { sent: AtomicU64::new(0), allowed: AtomicU64::new(most), most };
        let traffic = Traffic(Arc::new(counts));
        (Self { stream, traffic: traffic.clone() }, traffic)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Meter<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(count)) = read {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            let allowed = self.traffic.0.allowed.load(Ordering::Relaxed);
            let Some(left) = allowed.checked_sub(count) else {
                return Poll::Ready(Err(io::Error::other(format!(
                    "an answer of more than {} bytes",
                    self.traffic.0.most
                ))));
            };
            self.traffic.0.allowed.store(left, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Meter<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            // usize is at most 64 bits wide here; saturating keeps the cast honest.
            self.traffic.0.sent.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::io::Cursor;

    use super::*;

    #[test]
    fn only_what_the_stream_took_counts() {
        let mut room = [0_u8; 4];
        let (mut meter, traffic) = Meter::new(Cursor::new(&mut room[..]), 4);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(traffic.sent(), 0);
        let poll = Pin::new(&mut meter).poll_write(&mut cx, b"abcdef");
        assert!(matches!(poll, Poll::Ready(Ok(4))), "{poll:?}");
        assert_eq!(traffic.sent(), 4);
    }

    #[test]
    fn more_than_is_allowed_is_not_read() {
        let (mut meter, traffic) = Meter::new(Cursor::new(b"abcdef".to_vec()), 4);
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = || match Pin::new(&mut meter).poll_read(&mut cx, &mut [0; 3]) {
            Poll::Ready(read) => read.map_err(|error| error.kind()),
            Poll::Pending => panic!("all bytes are there"),
        };
        assert_eq!(read(), Ok(3));
        assert_eq!(read(), Err(io::ErrorKind::Other));
        traffic.allow();
        assert_eq!(read(), Ok(0), "the end of the stream");
    }
}
