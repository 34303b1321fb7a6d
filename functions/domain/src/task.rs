//! Native tasks: what we ask for, what the service says of it, and which transitions are legal.
//!
//! A task is written to the store before the service is asked, under a key that no other task ever has; everything that is
//! learned about it later is folded into the same record. Lifecycle as the RDS user guide names it ("Tracking the status of
//! tasks"): CREATED, `IN_PROGRESS`, SUCCESS, ERROR, `CANCEL_REQUESTED`, CANCELLED.

mod heard;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::id::Guid;
use crate::inventory::{Database, Lineage};
use crate::mailbox::Requested;
use crate::paths::key_part;
use crate::reason::{Class, Reason};
use crate::record::Record;
use crate::request::{CopyLogs, NativeBackup};
use crate::schedule::DueItem;
use crate::stripes::Layout;

pub use heard::Heard;

/// Id of a native task on one instance: a positive number that grows.
pub type TaskId = i64;

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
    /// Why it waits, was promoted or tried again; the newest few.
    pub notes: Vec<Reason>,
}

/// What the live database was when a task was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its identity.
    pub lineage: Lineage,
    /// Its recovery fork: log metadata carries none, so it is sampled here.
    pub fork: Option<Guid>,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl Seen {
    /// Whether the head is another database's that took the name after this look: it is not for this task to write.
    pub fn is_former(&self, head: &Database) -> bool {
        let is_other = head.lineage.as_ref().is_some_and(|own| own.folded() != self.lineage.folded());
        is_other && head.begun_at.is_some_and(|begun| self.at.is_none_or(|at| at <= begun))
    }
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
mod tests {
    use super::*;

    #[test]
    fn a_head_that_began_behind_the_look_is_not_the_tasks() {
        let lineage = |text: &str| Lineage { family_guid: Guid::from("F"), database_guid: Guid::from(text) };
        let at = |second| Timestamp::from_second(second).unwrap();
        for (known, begun, looked, former) in [
            (Some("D"), None, Some(5), false),
            (Some("d"), Some(9), Some(5), false),
            (Some("other"), Some(9), Some(5), true),
            (Some("other"), Some(9), None, true),
            // The look is newer than the head: the head has not heard of it yet.
            (Some("other"), Some(4), Some(5), false),
            (Some("other"), None, Some(5), false),
            (None, Some(9), Some(5), false),
        ] {
            let mut head = Database::new("sales", "orders");
            (head.lineage, head.begun_at) = (known.map(lineage), begun.map(at));
            let seen = Seen { lineage: lineage("D"), fork: None, at: looked.map(at) };
            assert_eq!(seen.is_former(&head), former, "{known:?} {begun:?} {looked:?}");
        }
    }

    fn request(database: &str) -> Request {
        Request::Copy(CopyLogs {
            database: database.to_owned(),
            kms_key_arn: None,
            first_seq: 1,
            last_seq: 2,
        })
    }

    fn states() -> [State; 5] {
        let at = Timestamp::UNIX_EPOCH;
        [
            State::Planned,
            State::Admitted { request: request("a"), at },
            State::Intended { request: request("a"), at, above: 7 },
            State::Submitted { request: request("a"), task_id: 8, at, heard: None },
            State::Done { outcome: Outcome::Succeeded, at, task_id: Some(8), request: None },
        ]
    }

    #[test]
    fn transitions_are_exactly_these() {
        // Row: from. Column: to. P A I S D
        let legal = ["PA..D", "PAI.D", "P..SD", "P...D", "....."];
        for (from, row) in states().iter().zip(legal) {
            for (to, letter) in states().iter().zip(row.chars()) {
                assert_eq!(is_legal(from, to), letter != '.', "{} to {}", name(from), name(to));
            }
        }
    }

    #[test]
    fn a_key_tells_when_its_task_was_planned() {
        let planned_at: Timestamp = "2026-11-22T01:00:03.250Z".parse().unwrap();
        let item = DueItem { kind: Kind::LogCopy, moment: planned_at };
        let key = Task::plan("sales", "a-b 20261122T010003.250Z", &item, planned_at).key;
        assert_eq!(planned_at_of(&key), Some(planned_at), "{key}");
        for other in ["", "full", "full-orders-", "full-orders-2026", "full-orders-20261322T010003.250Z"] {
            assert_eq!(planned_at_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_admitted_is_what_is_asked() {
        let [_, admitted, ..] = states();
        let other = State::Intended { request: request("b"), at: Timestamp::UNIX_EPOCH, above: 0 };
        assert!(!is_legal(&admitted, &other));
    }

    #[test]
    fn lifecycles_are_read_as_the_service_spells_them() {
        for (text, expected) in [
            ("CREATED", Some(Lifecycle::Created)),
            ("IN_PROGRESS", Some(Lifecycle::InProgress)),
            (" SUCCESS ", Some(Lifecycle::Success)),
            ("CANCEL_REQUESTED", Some(Lifecycle::CancelRequested)),
            ("success", None),
            ("", None),
        ] {
            assert_eq!(Lifecycle::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_done_task_moves_out_of_the_open_partition() {
        assert!(
            is_task(&open_partition("sales"))
                && is_task(&done_partition("sales"))
                && !is_task("instance#sales")
        );
        let [.., done] = states();
        let item = DueItem { kind: Kind::LogCopy, moment: Timestamp::UNIX_EPOCH };
        let mut task = Task::plan("sales", "a", &item, Timestamp::UNIX_EPOCH);
        assert_eq!(Record::key(&task), ("open#sales".to_owned(), "a#log_copy".to_owned()));
        assert_eq!(task.folder_name(), "log_copy-a-19700101T000000.000Z-1");
        task.advance(done).unwrap();
        assert_eq!(Record::key(&task).0, "done#sales");
        for n in 0..20 {
            task.note(Reason::new(Class::Wait, "Busy", n.to_string()));
        }
        assert_eq!(task.notes.len(), NOTES_MAX);
        assert_eq!(task.notes.last().unwrap().message, "19");
    }
}
