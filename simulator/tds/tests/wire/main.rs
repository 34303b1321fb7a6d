//! The front against published tiberius over an in-memory pipe, and against hostile bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is tests; a helper that fails fails its test"
)]

mod bench;
mod login;
mod pipe;
mod properties;
mod raw;
mod requests;
mod results;
mod server;
mod vectors;
