//! Do the rules hold for all inputs, judged by oracles that share no code with them?
//!
//! Every file states one rule's promise a second time, naively: a list of who may act, a walk minute by minute, a scan from
//! the left, a table. Seeds are fixed, so that a run is reproducible; refuses to know how a rule comes to its answer.

mod admission;
mod calendar;
mod chance;
mod differential;
mod discovery;
mod exposure;
mod fleets;
mod forecast;
mod lease;
mod mailbox;
mod msdb;
mod observed;
mod plans;
mod random;
mod region;
mod relations;
mod retention;
mod schedule;
mod schedule_decade;
mod seeds;
mod slots;
mod stripes;
mod task;
mod told;
mod windows;

use jiff::{SignedDuration, Timestamp};
use proptest::test_runner::{Config, RngSeed};

/// The settings of a property: its seed, and how many cases it tries.
fn config(seed: u64, cases: u32) -> Config {
    Config { failure_persistence: None, rng_seed: RngSeed::Fixed(seed), cases, ..Config::default() }
}

/// A moment in minutes since 1970.
fn minute(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MAX)
}
