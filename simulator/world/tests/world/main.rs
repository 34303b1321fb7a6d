//! The world from outside: what a client sees through SQL, what S3 shows, and what a restore yields.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::items_after_statements,
    reason = "helpers of tests fail as tests do"
)]

mod administration;
#[path = "../../../tds/tests/wire/pipe.rs"]
#[expect(dead_code, reason = "the tests of `tds` look at the bytes as well")]
mod bytes;
mod catalogue;
mod endpoint;
mod headers;
mod history;
mod installed;
mod lab;
mod native_restore;
mod order;
mod pipe;
mod restore;
mod select;
mod speed;
mod tasks;
mod tlog;
mod windows;
mod wire;
