//! The testbed: ports in memory, executor, agenda, faults, checkers, scenarios, report.
//!
//! The product's own handlers, machines and SQL Server adapter run here in virtual time against a simulated world, on one
//! thread. It knows both sides, and is the only room that does.

pub mod agenda;
mod bus;
pub mod checkers;
pub mod executor;
pub mod functions;
pub mod gate;
mod kernel;
pub mod latency;
pub mod meter;
mod pipe;
pub mod ports;
pub mod report;
pub mod scenario;
pub mod scheduler;
pub mod simulation;
pub mod stepfunctions;
pub mod stream;
mod testbed;
#[cfg(test)]
mod tests;

pub use gate::{Call, Gate, InvocationId, Moment, Verdict};
pub use kernel::Counts;
pub use pipe::PipeStream;
pub use testbed::{Hook, NoSuchFunction, Options, Step, Testbed};
