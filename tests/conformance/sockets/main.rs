//! Does the SQL Server adapter keep its word on a network? The adapter as deployed, over TCP and TLS, against the simulated
//! instances on loopback sockets, and against servers that break every rule.
//!
//! What a request means is in `conformance/sqlserver`; here is what only sockets have: certificates, patience, sessions that
//! outlive an invocation, two processes.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

mod client;
mod fence;
mod hostile;
mod kept;
mod logins;
mod rogue;
mod served;
mod trust;
