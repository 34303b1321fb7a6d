//! Does the spine hold under one trouble at a time? The machines, the functions and the SQL Server adapter that are deployed, in
//! stories of one instance and one day, each with its own mishap.
//!
//! Judged by what an operator could read afterwards: the report's checkers, the records of the store, the executions, and the
//! server's own list of native tasks. It knows no inner state of a function.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a panic is the failed test")]

mod calm;
mod chains;
mod crowded;
mod differentials;
mod discovery;
mod enrolments;
mod events;
mod foreign;
mod history;
mod killed;
mod limits;
mod lives;
mod mailbox;
mod policy;
mod promotions;
mod region;
mod replaced;
mod replies;
mod runs;
mod story;
mod stripes;
mod swarm;
mod told;
mod trouble;
mod turned_down;
mod watch;
