//! What passes between an execution and the world: effects out, events in, and how the execution stands.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::failure::TaskError;

/// Names one call or timer of one execution. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub(super) u64);

/// What the world is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call something and answer with [`Event::Completed`].
    Invoke {
        /// Names the call.
        token: Token,
        /// Name of the state that calls.
        state: Arc<str>,
        /// What to call.
        resource: Resource,
        /// The payload: what the function receives, or the input of the execution to start.
        payload: Arc<Value>,
        /// When the state's `TimeoutSeconds` runs out. Informative: the timer is an effect of its own, and the call is
        /// not stopped by it (a Lambda function runs on), only its answer is no longer awaited.
        timeout_at: Option<Timestamp>,
    },
    /// Answer with [`Event::Woke`] at this moment.
    WakeAt {
        /// Names the timer.
        token: Token,
        /// The moment.
        at: Timestamp,
    },
    /// A timer is no longer needed, or the answer of a call no longer awaited; a late answer is ignored.
    Forget {
        /// The timer or call.
        token: Token,
    },
    /// The execution has ended. Always the last effect.
    Finish {
        /// How.
        status: Status,
    },
}

/// What a Task calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A Lambda function, by its ARN.
    Function(Arc<str>),
    /// `arn:aws:states:::states:startExecution`. Its answer is `{"ExecutionArn":..,"StartDate":..}`, its errors are named
    /// as `StepFunctions.ExecutionAlreadyExistsException`.
    StartExecution {
        /// ARN of the state machine to start.
        state_machine_arn: String,
        /// Name of the new execution, where the state gives one.
        name: Option<String>,
    },
}

/// What the world tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call has ended.
    Completed {
        /// The call.
        token: Token,
        /// Its result, or how it failed.
        result: Result<Value, TaskError>,
    },
    /// A timer has come due.
    Woke {
        /// The timer.
        token: Token,
    },
    /// A called task is alive: its `HeartbeatSeconds` start anew.
    Heartbeat {
        /// The call.
        token: Token,
    },
    /// `StopExecution`.
    Abort,
}

/// How an execution stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// `RUNNING`
    Running,
    /// `SUCCEEDED`
    Succeeded {
        /// Output of the last state.
        output: Arc<Value>,
    },
    /// `FAILED`
    Failed {
        /// Error name; empty where a Fail state gives none.
        error: String,
        /// Cause; empty where there is none.
        cause: String,
    },
    /// `TIMED_OUT`: the machine's `TimeoutSeconds`, or one year, are over.
    TimedOut,
    /// `ABORTED`
    Aborted,
}

/// Whether an execution keeps its history, or only counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Keep every event with its data.
    Keep,
    /// Count events only.
    Count,
}

/// Why `StartExecution` refuses, by the name of its exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The execution's name breaks the naming rules.
    #[error("InvalidName: {0}")]
    InvalidName(String),
    /// The input has more than 262,144 bytes.
    #[error("InvalidExecutionInput: the input exceeds the payload quota")]
    InvalidExecutionInput,
}
