//! The ports in memory: what handlers ask for, answered by the world and by a table, behind latencies and the gate.

pub mod clock;
pub mod cloud;
pub mod events;
pub mod executions;
pub mod happened;
pub mod metered;
pub mod objects;
pub mod people;
pub mod secrets;
pub mod sql;
pub mod store;
pub mod table;
