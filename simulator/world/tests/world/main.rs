//! The world from outside: what a client sees through SQL, what S3 shows, and what a restore yields.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::items_after_statements,
    reason = "helpers of tests fail as tests do"
)]

mod administration;
mod arns;
#[path = "../../../tds/tests/wire/pipe.rs"]
#[expect(dead_code, reason = "the tests of `tds` look at the bytes as well")]
mod bytes;
mod catalogue;
mod certificates;
mod endpoint;
mod features;
mod headers;
mod history;
mod installed;
mod lab;
mod limits;
mod native_restore;
mod order;
mod parameters;
mod pipe;
mod query;
mod query_scripts;
mod replicas;
mod restore;
mod restored;
mod restorehistory;
mod s3_integration;
mod select;
mod sessions;
mod speed;
mod storage;
mod swarm;
mod tasks;
mod tde;
mod tlog;
mod variables;
mod windows;
mod wire;
