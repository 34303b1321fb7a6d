//! What each function does: one file a function, plus the machines' payloads.

mod cancel;
pub mod check_chains;
mod choose;
pub mod contract;
pub mod discover_databases;
mod discovery;
pub mod dispatch_tasks;
mod finish;
pub mod handler;
pub mod list_instances;
pub mod list_work;
pub mod observe_event;
mod outbox;
pub mod plan_backups;
pub mod poll_tasks;
pub mod report_discovery;
pub mod requests;
pub mod run_lease;
mod scope;
mod shape;
pub mod validate_region;
pub mod views;
pub mod wake;
mod watch;

pub use handler::Handler;

/// Every function that a machine calls, by the name it has everywhere: `validate-region` is `validate_region.rs`, `bin/validate-region.rs`,
/// `ValidateRegionFunction` and `${ValidateRegionFunctionArn}`.
pub const NAMES: [&str; 10] = [
    "list-work",
    "run-lease",
    "validate-region",
    "plan-backups",
    "check-chains",
    "dispatch-tasks",
    "poll-tasks",
    "list-instances",
    "discover-databases",
    "report-discovery",
];

/// Functions that EventBridge calls and no machine.
pub const OBSERVERS: [&str; 1] = ["observe-event"];
