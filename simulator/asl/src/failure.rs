//! What went wrong in a state, and which retrier or catcher answers for it?
//!
//! Source: Step Functions developer guide, "Handling errors in Step Functions workflows", read 2026-11. Names are
//! compared whole and case-sensitively. That page reserves `States.NoChoiceMatched`, `States.ParameterPathFailure` and
//! `States.IntrinsicFailure` for future use and reports all three as `States.Runtime`; so does this interpreter.

use serde_json::{Value, json};

/// Wildcard: every error but `States.DataLimitExceeded` and `States.Runtime`.
pub const ALL: &str = "States.ALL";
/// Wildcard: every error that [`ALL`] matches, but `States.Timeout`.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// A task ran longer than `TimeoutSeconds`.
pub const TIMEOUT: &str = "States.Timeout";
/// A task sent no heartbeat for longer than `HeartbeatSeconds`.
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// The task's caller lacked a permission.
pub const PERMISSIONS: &str = "States.Permissions";
/// A `ResultPath` does not fit the state's input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// An input, result or output is larger than the payload quota. Only its own name catches it.
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
/// The execution met something it can not process. Never retried, never caught: the execution fails.
pub const RUNTIME: &str = "States.Runtime";

/// How a task failed: what a called function or API reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// Error name, compared with `ErrorEquals`. For a Lambda function: its `errorType`.
    pub error: String,
    /// Human-readable cause. For a Lambda function: its whole error document as JSON text.
    pub cause: String,
}

impl TaskError {
    /// An error with a name and a cause of its own, as an API integration reports it.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    /// The failure of a Lambda function: the error name is the function's `errorType`, the cause the JSON text
    /// `{"errorMessage":..,"errorType":..}`. Surprise: emulators have reported such errors under a name of their own, so
    /// that `Catch` by name did nothing (`LocalStack` #11957, floci #3411).
    pub fn lambda(error_type: &str, error_message: &str) -> Self {
        let cause = json!({ "errorMessage": error_message, "errorType": error_type });
        Self { error: error_type.to_owned(), cause: cause.to_string() }
    }
}

/// Error of a state on its way to the retriers and catchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) cause: String,
    /// Raised by the interpreter as `States.Runtime`. A flag and not the name, because a function is free to call its
    /// own error so.
    terminal: bool,
}

impl Failure {
    pub(crate) fn new(error: &str, cause: impl Into<String>) -> Self {
        Self { error: error.to_owned(), cause: cause.into(), terminal: false }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self { error: RUNTIME.to_owned(), cause: cause.into(), terminal: true }
    }

    pub(crate) fn data_limit(what: &str) -> Self {
        let cause = format!("{what} has a size exceeding the maximum number of bytes service limit.");
        Self::new(DATA_LIMIT_EXCEEDED, cause)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether a name of an `ErrorEquals` list answers for this failure.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        if self.terminal {
            return false;
        }
        if pattern == self.error {
            return true;
        }
        if self.error == DATA_LIMIT_EXCEEDED {
            return false;
        }
        pattern == ALL || (pattern == TASK_FAILED && self.error != TIMEOUT)
    }

    /// The error output a catcher hands to its next state.
    pub(crate) fn output(&self) -> Value {
        json!({ "Error": self.error, "Cause": self.cause })
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self { error: error.error, cause: error.cause, terminal: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_answer_as_documented() {
        let own = Failure::new("Db.Busy", "");
        let timeout = Failure::new(TIMEOUT, "");
        let heartbeat = Failure::new(HEARTBEAT_TIMEOUT, "");
        let data = Failure::data_limit("x");
        let runtime = Failure::runtime("x");
        let named_runtime = Failure::from(TaskError::new(RUNTIME, ""));
        let table = [
            (&own, "Db.Busy", true),
            (&own, "db.busy", false),
            (&own, "Db", false),
            (&own, "Db.*", false),
            (&own, ALL, true),
            (&own, TASK_FAILED, true),
            (&own, TIMEOUT, false),
            (&timeout, TIMEOUT, true),
            (&timeout, TASK_FAILED, false),
            (&timeout, ALL, true),
            (&heartbeat, HEARTBEAT_TIMEOUT, true),
            (&heartbeat, TIMEOUT, false),
            (&heartbeat, TASK_FAILED, true),
            (&data, ALL, false),
            (&data, TASK_FAILED, false),
            (&data, DATA_LIMIT_EXCEEDED, true),
            (&runtime, ALL, false),
            (&runtime, RUNTIME, false),
            (&named_runtime, ALL, true),
        ];
        for (failure, pattern, expected) in table {
            assert_eq!(failure.matches(pattern), expected, "{} against {pattern}", failure.error);
        }
    }

    #[test]
    fn cause_of_a_lambda_failure_is_its_error_document() {
        let error = TaskError::lambda("Retry", "server is busy");
        assert_eq!(error.error, "Retry");
        let cause: Value = serde_json::from_str(&error.cause).expect("cause is JSON");
        assert_eq!(cause, json!({"errorMessage": "server is busy", "errorType": "Retry"}));
    }
}
