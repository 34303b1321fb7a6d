//! Whole commands: arguments and files in, bytes and exit code out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a panic is the failed test")]

mod command;
mod forecast;
mod limits;
mod plan;
mod retain;
mod serve;
mod simulate;
mod window;
