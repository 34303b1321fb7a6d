//! Was anything sent? Counts the bytes a stream took, so that a failed call can tell "never asked" from "no answer".
//!
//! Sits below TLS: what it counts left for the network. Knows no protocol.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead, AsyncWrite};

/// The count, shared between the stream, which the driver owns, and the session.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentBytes(Arc<AtomicU64>);

impl SentBytes {
    /// Bytes taken by the stream since it was opened.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that counts what is written to it.
#[derive(Debug)]
pub(crate) struct Meter<S> {
    stream: S,
    sent: SentBytes,
}

impl<S> Meter<S> {
    pub(crate) fn new(stream: S) -> (Self, SentBytes) {
        let sent = SentBytes::default();
        (Self { stream, sent: sent.clone() }, sent)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Meter<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Meter<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            // usize is at most 64 bits wide here; saturating keeps the cast honest.
            self.sent.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
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
        let (mut meter, sent) = Meter::new(Cursor::new(&mut room[..]));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(sent.count(), 0);
        let poll = Pin::new(&mut meter).poll_write(&mut cx, b"abcdef");
        assert!(matches!(poll, Poll::Ready(Ok(4))), "{poll:?}");
        assert_eq!(sent.count(), 4);
    }
}
