//! TCP in memory, and a TDS server at its other end.
//!
//! Bytes that a client writes wait for an entry of the agenda, one at a time and connection; when it fires, the server's
//! side reads, executes and answers in one instant. A connection that breaks does so for both directions at once. Left out:
//! segments, windows, a network that loses one direction only, TLS.

mod link;
mod request_name;
mod wire;

pub(crate) use link::{Link, Network, Servers};
pub use wire::PipeStream;
