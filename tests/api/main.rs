//! The API over a story: what is documented is what is there, both ways; what comes of hostile requests; what requests do.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

mod changes;
mod contract;
mod hostile;
mod promises;
mod stories;
mod story;
