//! Tasks, and what is asked of them.

use domain::mailbox::Requested;
use domain::reason::Reason;
use domain::task::{Heard, Kind, Lifecycle, Outcome, State, Task, TaskId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A native task of ours.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Task")]
pub(crate) struct TaskShape {
    /// Its key.
    pub(crate) task: String,
    /// Instance.
    pub(crate) instance: String,
    /// Database when it was planned.
    pub(crate) database: String,
    /// What it does.
    pub(crate) kind: Kind,
    /// Where it is.
    pub(crate) state: StateShape,
    /// The service's id, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_id: Option<TaskId>,
    /// How far the service is with it, while it has it and once there was news: as of `at`, to ten percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<ProgressShape>,
    /// The moment of the schedule that it answers, or when it was asked for.
    pub(crate) due_at: Timestamp,
    /// When it was planned.
    pub(crate) planned_at: Timestamp,
    /// Not to be started before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    /// By when it has ended at worst, as forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_by: Option<Timestamp>,
    /// When its end was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
    /// What stopped it, or why it need not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    /// Who asked for it, where it is none of the schedule's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_demand: Option<AskedShape>,
    /// Who asked to cancel it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<AskedShape>,
    /// 1 for the first time that the service is asked.
    pub(crate) attempt: u32,
    /// Times that it went wrong.
    pub(crate) failures: u32,
    /// Why it waits, was promoted or tried again; the newest few.
    pub(crate) notes: Vec<Reason>,
}

/// How far the service is with a task.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TaskProgress")]
pub(crate) struct ProgressShape {
    /// The service's word for where it is.
    pub(crate) lifecycle: Lifecycle,
    /// Percent complete.
    pub(crate) percent: u8,
    /// When it was seen so.
    pub(crate) at: Timestamp,
}

/// Who asked, and when.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Asked")]
pub(crate) struct AskedShape {
    /// The caller.
    pub(crate) by: String,
    /// When.
    pub(crate) at: Timestamp,
}

impl AskedShape {
    pub(crate) fn new(Requested { by, at }: Requested) -> Self {
        Self { by, at }
    }
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TaskState")]
pub(crate) enum StateShape {
    /// Due; not looked at against the live server yet.
    Planned,
    /// Checked against the live server.
    Admitted,
    /// About to be asked, or asked without hearing the answer.
    Intended,
    /// The service has it.
    Submitted,
    /// Done, and what it made is in the catalogue.
    Succeeded,
    /// It will not be done.
    Failed,
    /// It need not be done now.
    Skipped,
    /// Somebody cancelled it.
    Cancelled,
}

impl TaskShape {
    pub(crate) fn new(task: Task) -> Self {
        let progress = match &task.state {
            State::Submitted { heard, .. } => {
                heard.map(|Heard { lifecycle, percent, at }| ProgressShape { lifecycle, percent, at })
            }
            _ => None,
        };
        let (state, task_id, ended_at, reason) = match task.state {
            State::Planned => (StateShape::Planned, None, None, None),
            State::Admitted { .. } => (StateShape::Admitted, None, None, None),
            State::Intended { .. } => (StateShape::Intended, None, None, None),
            State::Submitted { task_id, .. } => (StateShape::Submitted, Some(task_id), None, None),
            State::Done { outcome, at, task_id, .. } => {
                let (state, reason) = match outcome {
                    Outcome::Succeeded => (StateShape::Succeeded, None),
                    Outcome::Failed(reason) => (StateShape::Failed, Some(reason)),
                    Outcome::Skipped(reason) => (StateShape::Skipped, Some(reason)),
                    Outcome::Cancelled => (StateShape::Cancelled, None),
                };
                (state, task_id, Some(at), reason)
            }
        };
        Self {
            task: task.key,
            instance: task.instance,
            database: task.database,
            kind: task.kind,
            state,
            task_id,
            progress,
            due_at: task.due_at,
            planned_at: task.planned_at,
            not_before: task.not_before,
            ends_by: task.ends_by,
            ended_at,
            reason,
            on_demand: task.on_demand.map(AskedShape::new),
            cancel: task.cancel.map(AskedShape::new),
            attempt: task.attempt,
            failures: task.failures,
            notes: task.notes,
        }
    }
}

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackupRequest")]
pub(crate) struct BackupBody {
    /// What to take.
    pub(crate) kind: Kind,
}

/// A request for a backup that was accepted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BackupAccepted")]
pub(crate) struct AcceptedShape {
    /// Key of the task that answers it.
    pub(crate) task: String,
    /// Whether the task was planned for it; otherwise it was open already.
    pub(crate) is_new: bool,
    /// What the caller has to know.
    pub(crate) notes: Vec<Reason>,
}

/// What becomes of a cancel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CancelAnswer")]
pub(crate) struct CancelShape {
    /// Key of the task.
    pub(crate) task: String,
    /// Whether it will be tried.
    pub(crate) outcome: OutcomeShape,
    /// What the caller has to know.
    pub(crate) notes: Vec<Reason>,
}

/// Whether a cancel will be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CancelOutcome")]
pub(crate) enum OutcomeShape {
    /// The run will; how the task ends, its record tells.
    Requested,
    /// The task had ended.
    AlreadyEnded,
}
