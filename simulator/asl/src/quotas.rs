//! What AWS limits: every number the interpreter enforces, with its source. Refuses to know throttling: quotas of
//! API calls and state transitions per second belong to the account, not to one execution.
//!
//! Source of all: Step Functions developer guide, "Step Functions service quotas", read 2026-11, unless named.

/// Bytes of input or output of a task, a state or an execution, as UTF-8 JSON text. Hard quota.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Events in the history of one Standard execution. Hard quota: the execution fails when it is reached.
pub const HISTORY_EVENTS_MAX: u32 = 25_000;
/// Seconds one Standard execution may last: one year.
pub const EXECUTION_SECONDS_MAX: i64 = 31_536_000;
/// Concurrent iterations of one inline Map. Guide, "Using Map state in Inline mode": more wait until others have ended.
pub const INLINE_MAP_CONCURRENCY_MAX: usize = 40;
/// Characters of the name of an execution or a state machine.
pub const NAME_CHARS_MAX: usize = 80;
/// Characters of a state's name. Guide, "State machine structure in Amazon States Language".
pub const STATE_NAME_CHARS_MAX: usize = 80;
/// Largest value of `TimeoutSeconds`, `HeartbeatSeconds`, `Seconds`, `IntervalSeconds` and `MaxAttempts`.
/// Guide, "Task workflow state", "Wait workflow state" and "Handling errors in Step Functions workflows".
pub const SECONDS_MAX: u32 = 99_999_999;
/// `MaxDelaySeconds` must lie below this. Guide, "Handling errors in Step Functions workflows".
pub const MAX_DELAY_SECONDS_END: u32 = 31_622_400;
/// Bytes of a state machine's definition: 1 MB.
pub const DEFINITION_BYTES_MAX: usize = 1_048_576;

// An execution's own deadline must be expressible by its timeout field.
const _: () = assert!(EXECUTION_SECONDS_MAX < SECONDS_MAX as i64);
