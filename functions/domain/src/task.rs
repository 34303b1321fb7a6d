//! Native tasks: what we ask for, what the service says of it, and which transitions are legal.
//!
//! A task is written to the store before the service is asked, under a key that no other task ever has; everything that is
//! learned about it later is folded into the same record.

mod heard;
mod seen;
mod service;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::mailbox::Requested;
use crate::paths::key_part;
use crate::reason::{Class, Reason};
use crate::record::Record;
use crate::request::{CopyLogs, NativeBackup};
use crate::schedule::DueItem;
use crate::stripes::Layout;

pub use heard::Heard;
pub use seen::Seen;
pub use service::{Lifecycle, TaskRow};

/// Id of a native task on one instance: a positive number that grows.
pub type TaskId = i64;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TaskKind"))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Native full backup.
    Full,
    /// Native differential backup.
    Differential,
    /// Copy of a range of five-minute log files.
    LogCopy,
}

impl Kind {
    /// The word used in keys and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "differential",
            Self::LogCopy => "log_copy",
        }
    }
}

/// What the service is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `rds_backup_database`.
    Backup(NativeBackup),
    /// `rds_tlog_backup_copy_to_S3`.
    Copy(CopyLogs),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The service did it and what it made is in the catalogue.
    Succeeded,
    /// It will not be done: the reason says what stopped it.
    Failed(Reason),
    /// It need not be done now: the reason says why.
    Skipped(Reason),
    /// Somebody cancelled it.
    Cancelled,
}

/// Where one of our tasks is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// Due; not looked at against the live server yet.
    Planned,
    /// Checked against the live server: this is what to ask.
    Admitted {
        /// What to ask.
        request: Request,
        /// When it was checked. An old check is no check.
        at: Timestamp,
    },
    /// About to be asked, or asked without hearing the answer.
    Intended {
        /// What is asked.
        request: Request,
        /// When the intent was written.
        at: Timestamp,
        /// Largest task id the server had before: ours is above.
        above: TaskId,
    },
    /// The service has it under this id.
    Submitted {
        /// What was asked.
        request: Request,
        /// Its id.
        task_id: TaskId,
        /// When the intent was written: what the task made is looked for from then on.
        at: Timestamp,
        /// How far the service said last that it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard: Option<Heard>,
    },
    /// Ended.
    Done {
        /// How.
        outcome: Outcome,
        /// When we learned it.
        at: Timestamp,
        /// The service's id, when it ever had one.
        task_id: Option<TaskId>,
        /// What was asked, when anything was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Request>,
    },
}

/// One task of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Instance.
    pub instance: String,
    /// Key within the instance, used once and never again: `full-orders-20261122T010003.250Z`.
    pub key: String,
    /// Database name at the time of planning.
    pub database: String,
    /// What it does.
    pub kind: Kind,
    /// The moment of the schedule it answers.
    pub due_at: Timestamp,
    /// The newest moment that it answers as well, where one came while it waited: one log copy goes as far as the logs do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_to: Option<Timestamp>,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// Who asked for it, where it is none of the schedule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<Requested>,
    /// Who asked to cancel it. Once asked for, that is not taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Requested>,
    /// 1 for the first time that the service is asked; each time writes into a folder of its own.
    pub attempt: u32,
    /// Times that it went wrong. Waiting for somebody else's task is no failure.
    #[serde(default)]
    pub failures: u32,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// How the last try was cut up that failed at the limit of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgrew: Option<Layout>,
    /// By when it has ended at worst, as forecast when it was admitted: what is queued behind it begins no later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_by: Option<Timestamp>,
    /// Its place among those admitted in the same round: the service takes them in the order in which they are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    /// Identity and recovery fork of the database when the task was admitted.
    pub seen: Option<Seen>,
    /// Where it is.
    pub state: State,
    /// Ids that the service gave earlier tries.
    #[serde(default)]
    pub earlier_ids: Vec<TaskId>,
    /// Run that first missed it in the service's list, while the service should have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_by: Option<String>,
    /// Why it waits, was promoted or tried again; the newest few.
    pub notes: Vec<Reason>,
}

/// Notes kept on one task: enough to see a pattern, few enough that no item grows.
pub const NOTES_MAX: usize = 8;

impl Record for Task {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        if let State::Done { at, .. } = &self.state {
            (done_partition(&self.instance), format!("{at:.3}#{}", self.key))
        } else {
            // Under database and kind: the store itself keeps a second open task of the same kind out.
            (open_partition(&self.instance), format!("{}#{}", self.database, self.kind.as_str()))
        }
    }
}

/// Partition of the tasks that still want something: small, read whole in every round.
pub fn open_partition(instance: &str) -> String {
    format!("open#{instance}")
}

/// Partition of the tasks that ended, in order of their end.
pub fn done_partition(instance: &str) -> String {
    format!("done#{instance}")
}

/// Whether a partition holds tasks.
pub fn is_task(partition: &str) -> bool {
    partition.starts_with("open#") || partition.starts_with("done#")
}

impl Task {
    /// A task for a moment of the schedule, planned now.
    pub fn plan(instance: &str, database: &str, item: &DueItem, now: Timestamp) -> Self {
        Self {
            instance: instance.to_owned(),
            key: key_of(item.kind, database, now),
            database: database.to_owned(),
            kind: item.kind,
            due_at: item.moment,
            answers_to: None,
            planned_at: now,
            on_demand: None,
            cancel: None,
            attempt: 1,
            failures: 0,
            not_before: None,
            outgrew: None,
            ends_by: None,
            place: None,
            seen: None,
            state: State::Planned,
            earlier_ids: Vec::new(),
            missed_by: None,
            notes: Vec::new(),
        }
    }

    /// A task that somebody asks for now.
    pub fn on_demand(instance: &str, database: &str, kind: Kind, asked: Requested) -> Self {
        let at = asked.at;
        let item = DueItem { kind, moment: at };
        Self { on_demand: Some(asked), ..Self::plan(instance, database, &item, at) }
    }

    /// Whether somebody waits for a run to act on it now: it is to be cancelled, or was asked for and can be started.
    pub fn is_request(&self, now: Timestamp) -> bool {
        let can_start = matches!(self.state, State::Planned) && self.not_before.is_none_or(|at| at <= now);
        self.cancel.is_some() || self.on_demand.is_some() && can_start
    }

    /// Name of the folder that this try writes to: no two tries share one.
    pub fn folder_name(&self) -> String {
        format!("{}-{}", self.key, self.attempt)
    }

    /// The newest moment of the schedule that it answers.
    pub fn answered_moment(&self) -> Timestamp {
        self.answers_to.map_or(self.due_at, |to| to.max(self.due_at))
    }

    /// Remembers why something happened to the task.
    pub fn note(&mut self, reason: Reason) {
        if self.notes.last() != Some(&reason) {
            self.notes.push(reason);
        }
        if self.notes.len() > NOTES_MAX {
            self.notes.remove(0);
        }
    }

    /// The request, once there is one.
    pub const fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Admitted { request, .. }
            | State::Intended { request, .. }
            | State::Submitted { request, .. } => Some(request),
            State::Done { request, .. } => request.as_ref(),
            State::Planned => None,
        }
    }

    /// The task, ended. What was asked stays with it.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn ended(&self, outcome: Outcome, at: Timestamp, task_id: Option<TaskId>) -> Result<Self, Reason> {
        let mut done = self.clone();
        let request = self.request().cloned();
        done.advance(State::Done { outcome, at, task_id, request })?;
        Ok(done)
    }

    /// Moves the task to its next state.
    ///
    /// # Errors
    /// `IllegalTransition` (class `Human`): the transition is none of the lifecycle, so a writer has a defect.
    pub fn advance(&mut self, next: State) -> Result<(), Reason> {
        if !is_legal(&self.state, &next) {
            return Err(Reason::new(
                Class::Human,
                "IllegalTransition",
                format!(
                    "task {} of {} cannot go from {} to {}",
                    self.key,
                    self.instance,
                    name(&self.state),
                    name(&next)
                ),
            ));
        }
        if let (State::Submitted { task_id, .. }, State::Planned) = (&self.state, &next) {
            self.earlier_ids.push(*task_id);
            self.missed_by = None;
        }
        self.state = next;
        Ok(())
    }
}

/// A database has one open task of a kind at a time, so kind, database and the moment of planning name a task for good.
fn key_of(kind: Kind, database: &str, now: Timestamp) -> String {
    format!("{}-{}-{}", kind.as_str(), key_part(database), now.strftime("%Y%m%dT%H%M%S.%3fZ"))
}

/// When a task was planned, as its key tells; `None` for what is no key.
pub fn planned_at_of(key: &str) -> Option<Timestamp> {
    let (_, at) = key.rsplit_once('-')?;
    let at = DateTime::strptime("%Y%m%dT%H%M%S%.fZ", at).ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

const fn name(state: &State) -> &'static str {
    match state {
        State::Planned => "planned",
        State::Admitted { .. } => "admitted",
        State::Intended { .. } => "intended",
        State::Submitted { .. } => "submitted",
        State::Done { .. } => "done",
    }
}

/// The legal transitions. An intent may be taken back to `Planned` only by whoever proved that the service never got it.
fn is_legal(from: &State, to: &State) -> bool {
    match (from, to) {
        (State::Done { .. }, _) | (State::Planned, State::Submitted { .. } | State::Intended { .. }) => false,
        (State::Admitted { request: before, .. }, State::Intended { request: after, .. })
        | (State::Intended { request: before, .. }, State::Submitted { request: after, .. }) => {
            before == after
        }
        (State::Planned, State::Admitted { .. } | State::Planned)
        | (State::Admitted { .. } | State::Intended { .. } | State::Submitted { .. }, State::Planned)
        | (State::Admitted { .. }, State::Admitted { .. })
        | (_, State::Done { .. }) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
