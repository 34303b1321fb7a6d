//! The SQL Server adapter: TDS, RDS procedures, msdb rows; and the import of exported histories, which name the same columns.
//!
//! One file answers one port of `ports::server`; what they share is in `session` (send and drain), `cells` (rows), `dates`
//! and `errors` (faults). Knows no rule: what a row means is for `domain`. Knows no network but in `sockets`, behind the
//! feature of that name: streams and logins are handed in through [`Connect`] and [`Credentials`].

pub mod columns;
pub mod grants;
pub mod import;
pub mod script;
pub mod task_info;

mod cells;
mod configuration;
mod connect;
mod databases;
mod dates;
mod errors;
mod fence;
mod history;
mod keep;
mod log_files;
mod meter;
mod options;
mod patience;
mod server_clock;
mod session;
#[cfg(feature = "sockets")]
mod sockets;
mod submit;
mod tasks;

pub use connect::{Connect, Credentials, Login, Secret, SqlServer};
pub use keep::Keep;
pub use options::{
    ANSWER_BYTES_MAX, COMMAND_TIMEOUT, Encryption, HANDSHAKE_TIMEOUT, Options, REQUEST_TIMEOUT, TRUST_BUNDLE,
};
pub use session::Session;
#[cfg(feature = "sockets")]
pub use sockets::{CONNECT_TIMEOUT, Sockets};
pub use task_info::cause;
