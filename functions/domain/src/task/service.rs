//! What the service says of a native task. Lifecycle as the RDS user guide names it ("Tracking the status of tasks"): CREATED, `IN_PROGRESS`,
//! SUCCESS, ERROR, `CANCEL_REQUESTED`, CANCELLED.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::TaskId;

/// Where the service says a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Lifecycle {
    /// Accepted, waits in the queue.
    Created,
    /// Runs.
    InProgress,
    /// Done.
    Success,
    /// Ended badly; `task_info` says why.
    Error,
    /// Somebody asked to cancel it; it may still end any way.
    CancelRequested,
    /// Cancelled.
    Cancelled,
}

impl Lifecycle {
    /// Whether the task will not change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }

    /// Reads the service's spelling. `None` for one we do not know.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "CREATED" => Self::Created,
            "IN_PROGRESS" => Self::InProgress,
            "SUCCESS" => Self::Success,
            "ERROR" => Self::Error,
            "CANCEL_REQUESTED" => Self::CancelRequested,
            "CANCELLED" => Self::Cancelled,
            _ => return None,
        })
    }
}

/// One row of `rds_fn_task_status`, the columns we read.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Task id.
    pub id: TaskId,
    /// Task type as spelled: `BACKUP_DB`, ...; the type of a log copy is not documented.
    pub task_type: String,
    /// Database, where the task has one.
    pub database: Option<String>,
    /// Lifecycle; `None` when the spelling is unknown.
    pub lifecycle: Option<Lifecycle>,
    /// Percent complete, 0 to 100.
    pub percent: Option<f64>,
    /// Last change, in a zone that is not documented.
    pub last_updated: Option<DateTime>,
    /// When it was created, likewise.
    pub created_at: Option<DateTime>,
    /// S3 ARN of a backup or restore.
    pub s3_arn: Option<String>,
}

impl TaskRow {
    /// Whether the task waits or runs. One of a lifecycle that we do not know may.
    pub fn is_unfinished(&self) -> bool {
        self.lifecycle.is_none_or(|lifecycle| !lifecycle.is_final())
    }
}
