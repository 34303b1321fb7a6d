//! Does the SQL Server adapter say and understand what goes over the wire? The adapter as deployed, through its own driver,
//! against a TDS server inside this process: first one that answers from a script, then the simulated instance.
//!
//! No socket, no thread, no clock: [`wire`] polls the adapter and moves bytes when it waits.

mod answers;
mod faults;
mod hostile;
mod reads;
mod simulated;
mod submits;
mod wire;
