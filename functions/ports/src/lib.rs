//! What the functions ask for: one trait per capability, native async functions.
//!
//! A handler's fields are its permissions: it names the traits it uses and nothing else, the adapters under
//! `functions/aws` and `functions/sqlserver` implement them for AWS and SQL Server, the testbed implements them in memory.
//! This room knows what can be asked and how asking can fail; it knows no service, no wire and no rule.

pub mod clock;
pub mod cloud;
pub mod codec;
pub mod events;
pub mod executions;
pub mod fault;
pub mod notify;
pub mod objects;
pub mod server;
pub mod store;
pub mod tags;

pub use clock::Clock;
pub use fault::Fault;
