//! The machines' payloads: keys, counters and outcomes, never histories (256 KiB a state).
//!
//! Every payload carries `schema`; a function reads its own version and the one before, because a run started by the last
//! deployment meets the functions of this one. Each `outcome` is covered, variant by variant, by a Choice.

pub mod discovery;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use domain::reason::{Class, Reason};

/// Version of every payload here.
pub const SCHEMA: u32 = 1;

/// Checks a payload's version.
///
/// # Errors
/// `PayloadVersion` (class `Human`): neither this version nor the one before.
pub fn check_schema(schema: u32) -> Result<(), Reason> {
    if schema == SCHEMA || schema.checked_add(1) == Some(SCHEMA) {
        return Ok(());
    }
    Err(Reason::new(
        Class::Human,
        "PayloadVersion",
        format!("payload version {schema}, this function reads {SCHEMA}"),
    )
    .guidance("deploy machines and functions together, then start the run again"))
}

/// Input of `list-work`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListWorkInput {
    /// Payload version.
    pub schema: u32,
}

/// Output of `list-work`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListWorkOutput {
    /// Runs to start, each with the name that makes a second start harmless.
    pub runs: Vec<RunStart>,
    /// Seconds by which the worst database of all instances is over its promised RPO, 0 when none is; absent when that could not be
    /// found out, which an alarm takes for the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_overdue_seconds: Option<u64>,
    /// Why it could not be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched: Option<Reason>,
    /// Instances that are due and get no run, as what is stored of them cannot be used.
    #[serde(default)]
    pub unstarted: u32,
    /// Why the first of them get none, each named: at most [`REASONS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unstarted_because: Vec<Reason>,
    /// Why events could not be told; likewise bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Reason>,
}

/// Reasons of one kind in a payload: for the log, which needs the first.
pub const REASONS_MAX: usize = 10;

/// One run to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStart {
    /// Execution name: `{group}-{generation}`.
    pub name: String,
    /// Its input.
    pub input: InstanceRun,
}

/// Input of the `instance` machine, and what every function of the loop is told of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRun {
    /// Payload version.
    pub schema: u32,
    /// Instance.
    pub instance: String,
    /// Generation of the run.
    pub generation: u64,
}

/// Input of `run-lease`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunLeaseInput {
    /// The run.
    #[serde(flatten)]
    pub run: InstanceRun,
    /// What to do with the lease.
    pub action: LeaseAction,
    /// What ended the run, when something did: the error as the machine caught it.
    #[serde(default)]
    pub error: Option<CaughtError>,
}

/// What to do with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseAction {
    /// Begin the run.
    Take,
    /// End the run.
    Release,
    /// Pass the lease to the next generation.
    HandOver,
}

/// An error as Step Functions hands it to a catcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaughtError {
    /// Error name.
    #[serde(rename = "Error")]
    pub error: String,
    /// Cause; for a function a JSON text with `errorMessage`.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

/// Output of `run-lease`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLeaseOutput {
    /// What came of it.
    pub outcome: LeaseOutcome,
    /// Rounds of the loop so far.
    pub round: u32,
    /// The successor to start, after a hand-over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<RunStart>,
}

/// What came of asking for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseOutcome {
    /// The run holds it.
    Taken,
    /// Another run does: this one ends.
    Held,
    /// Given back, or not ours any more.
    Released,
    /// Passed on: the history grew long, or somebody asked for something while the run was about to end.
    HandedOver,
}

/// Output of `validate-region`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateRegionOutput {
    /// Region in which instance, bucket and key were found together.
    pub region: String,
}

/// Output of `plan-backups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBackupsOutput {
    /// Whether anything is open.
    pub outcome: PlanOutcome,
    /// Tasks planned by this call.
    pub planned: u32,
    /// Open tasks, these included.
    pub open: u32,
    /// When more becomes due: a run that is still at work then plans again.
    pub next_due_at: Timestamp,
}

/// Whether there is work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanOutcome {
    /// Tasks are open.
    Work,
    /// Nothing is due and nothing is open.
    Idle,
}

/// Output of `check-chains`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckChainsOutput {
    /// Tasks that may be dispatched.
    pub admitted: u32,
    /// Tasks that need not be done, with their reason in the record, or were cancelled.
    pub skipped: u32,
    /// Tasks whose chain needs a full instead.
    pub promoted: u32,
    /// Tasks that wait for a time.
    pub held: u32,
}

/// Output of `dispatch-tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchTasksOutput {
    /// Tasks the service took in this call.
    pub dispatched: u32,
    /// Seconds until polling makes sense; at most [`WAIT_SECONDS_MAX`].
    pub wait_seconds: u32,
}

/// Longest wait of the loop, so that cancels, urgent restores and events never hang behind a sleeping run.
pub const WAIT_SECONDS_MAX: u32 = 120;

/// Input of `poll-tasks`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PollTasksInput {
    /// The run.
    #[serde(flatten)]
    pub run: InstanceRun,
    /// Rounds so far.
    pub round: u32,
    /// When more becomes due, as the last planning said.
    #[serde(default)]
    pub next_due_at: Option<Timestamp>,
}

/// Output of `poll-tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollTasksOutput {
    /// How the loop goes on.
    pub outcome: PollOutcome,
    /// Rounds, this one included.
    pub round: u32,
    /// Tasks that ended.
    pub finished: u32,
    /// Tasks that the service still has.
    pub outstanding: u32,
}

/// How the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollOutcome {
    /// Another round.
    Again,
    /// Another round, and more has become due: a long task must not hold up what others wait for.
    Plan,
    /// Nothing left that could be done now.
    Drained,
    /// The history of this execution grows long: a successor takes over.
    HandOver,
}

/// Rounds of one execution. A round enters and leaves at most seven states, 33 history events without retries; a Standard execution
/// fails at 25,000 (developer guide, "Quotas"), so even rounds in which every call is tried three times fit.
pub const ROUNDS_MAX: u32 = 200;
const _: () = assert!(ROUNDS_MAX * 33 * 3 < 25_000);

/// Input of `observe-event`: an event as EventBridge delivers it (user guide, "Events in Amazon EventBridge", read 2026-11). Its shape is
/// EventBridge's, so it carries no version of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The event's own id, the same at a second delivery.
    pub id: String,
    /// Who sent it: `aws.rds`.
    pub source: String,
    /// What kind of event: `RDS DB Instance Event`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it happened, as the sender says.
    pub time: Timestamp,
    /// Account of the sender.
    pub account: String,
    /// Region of the sender.
    pub region: String,
    /// ARNs of what it is about.
    #[serde(default)]
    pub resources: Vec<String>,
    /// What happened; of a shape that depends on the source.
    pub detail: serde_json::Value,
}

/// Output of `observe-event`. Nobody but the log reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveEventOutput {
    /// What came of it.
    pub outcome: ObserveOutcome,
    /// Why it was ignored, or what has to be said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObserveOutcome {
    /// It concerns nothing of ours.
    Ignored,
    /// It told nothing that was not known.
    Known,
    /// Written down; nothing waits for it, or a run is at work.
    Recorded,
    /// Written down, and a run was started.
    Woken,
    /// Written down, and the fleet starts a run: now none could be.
    Due,
    /// The lease of a run that is over was freed.
    Freed,
}

/// When somebody should look at an instance whose run ended in trouble.
pub fn after_trouble(now: Timestamp) -> Timestamp {
    now.saturating_add(jiff::SignedDuration::from_mins(15)).unwrap_or(Timestamp::MAX)
}
