//! What others are told: events, from the commit that makes each of them true to the bus.
//!
//! An event is a record of the task store, written in the same commit as what it tells of; told, it is removed. What is stored is what is
//! told, to the byte: one JSON object with `schema`, the version of this contract.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::inventory::Database;
use crate::reason::Reason;
use crate::record::{OUTBOX_SHARD, Record};
use crate::task::{Kind, Outcome, State, Task, TaskId};

/// How long an event is left to the function that wrote it; whoever sweeps the outbox comes after. Policy of ours: longer than a function
/// may run.
pub const LEFT_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Characters of a sentence that is told. Policy of ours: what a server says may be long, and an entry of a bus has 256 KB (EventBridge
/// user guide, `PutEvents`, read 2026-11).
pub const SENTENCE_MAX: usize = 1_000;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same whenever it is told again, and no other event's.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// Instance.
    pub instance: String,
    /// Database, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum What {
    /// A task succeeded: what it made is in the catalogue.
    BackupFinished {
        /// The task.
        task: Of,
    },
    /// A task will not be done.
    TaskFailed {
        /// The task.
        task: Of,
        /// Why.
        reason: Reason,
    },
    /// A task was cancelled.
    TaskCancelled {
        /// The task.
        task: Of,
        /// Who asked for that; nobody whom we know where it was done on the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Behind the newest moment in the vault the chain is broken: a hole of the window has begun.
    WindowHoleOpened {
        /// Why.
        reason: Reason,
    },
    /// A backup of data began the chain again: the hole has its end.
    WindowHoleClosed {
        /// Why it had begun.
        reason: Reason,
    },
    /// A run ended in trouble, and the one before had not.
    InstanceTroubleBegan {
        /// What ended the run.
        reason: Reason,
    },
    /// A run came to its end, and the one before had not.
    InstanceTroubleEnded {
        /// What had ended that one.
        reason: Reason,
    },
    /// A database is protected from now on.
    DatabaseEnrolled,
    /// A protected database is not on the server any more. What the vault has of it stays.
    DatabaseGone,
    /// A protected database has another name, which the event names.
    DatabaseRenamed {
        /// The name before.
        from: String,
    },
    /// A database was to be protected and is not.
    EnrolmentFailed {
        /// Why.
        reason: Reason,
    },
}

/// The task that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// Its key.
    pub key: String,
    /// What it does.
    pub kind: Kind,
    /// The moment of the schedule that it answers.
    pub due_at: Timestamp,
    /// The service's id, where it ever had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Who asked for it, where it is none of the schedule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

impl What {
    /// What the bus calls it: `Backup Finished`.
    pub const fn detail_type(&self) -> &'static str {
        self.words().0
    }

    /// The word in ids and in the field `event`.
    pub const fn as_str(&self) -> &'static str {
        self.words().1
    }

    const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::BackupFinished { .. } => ("Backup Finished", "backup_finished"),
            Self::TaskFailed { .. } => ("Task Failed", "task_failed"),
            Self::TaskCancelled { .. } => ("Task Cancelled", "task_cancelled"),
            Self::WindowHoleOpened { .. } => ("Window Hole Opened", "window_hole_opened"),
            Self::WindowHoleClosed { .. } => ("Window Hole Closed", "window_hole_closed"),
            Self::InstanceTroubleBegan { .. } => ("Instance Trouble Began", "instance_trouble_began"),
            Self::InstanceTroubleEnded { .. } => ("Instance Trouble Ended", "instance_trouble_ended"),
            Self::DatabaseEnrolled => ("Database Enrolled", "database_enrolled"),
            Self::DatabaseGone => ("Database Gone", "database_gone"),
            Self::DatabaseRenamed { .. } => ("Database Renamed", "database_renamed"),
            Self::EnrolmentFailed { .. } => ("Enrolment Failed", "enrolment_failed"),
        }
    }

    /// Sentences cut to what is told of them.
    fn short(mut self) -> Self {
        if let Self::TaskFailed { reason, .. }
        | Self::WindowHoleOpened { reason }
        | Self::WindowHoleClosed { reason }
        | Self::InstanceTroubleBegan { reason }
        | Self::InstanceTroubleEnded { reason }
        | Self::EnrolmentFailed { reason } = &mut self
        {
            cut(&mut reason.message);
            if reason.guidance.len() > SENTENCE_MAX {
                let mut guidance = reason.guidance.to_string();
                cut(&mut guidance);
                reason.guidance = Cow::Owned(guidance);
            }
        }
        self
    }
}

fn cut(sentence: &mut String) {
    if let Some((end, _)) = sentence.char_indices().nth(SENTENCE_MAX) {
        sentence.truncate(end);
    }
}

impl Event {
    /// What happened to an instance, or to a database of it, at a moment: once, for the commit that makes it true moves what it is about on.
    pub fn new(instance: &str, database: Option<&str>, at: Timestamp, what: What) -> Self {
        let of = database.map_or_else(String::new, |name| format!("{name}#"));
        let id = format!("{}#{instance}#{of}{at}", what.as_str());
        Self::named(id, (instance, database), at, what)
    }

    /// What is told of the end of a task, if anything is: that there was nothing to do is the order of the day.
    pub fn of_end(task: &Task) -> Option<Self> {
        let State::Done { outcome, at, task_id, .. } = &task.state else { return None };
        let of = Of {
            key: task.key.clone(),
            kind: task.kind,
            due_at: task.due_at,
            task_id: *task_id,
            requested_by: task.on_demand.as_ref().map(|asked| asked.by.clone()),
        };
        let what = match outcome {
            Outcome::Succeeded => What::BackupFinished { task: of },
            Outcome::Failed(reason) => What::TaskFailed { task: of, reason: reason.clone() },
            Outcome::Cancelled => {
                What::TaskCancelled { task: of, by: task.cancel.as_ref().map(|asked| asked.by.clone()) }
            }
            Outcome::Skipped(_) => return None,
        };
        // A task ends once, and its key is used once.
        let id = format!("{}#{}#{}", what.as_str(), task.instance, task.key);
        Some(Self::named(id, (&task.instance, Some(&task.database)), *at, what))
    }

    /// What is told where the chain of a database breaks or goes on: `before` is why it was broken.
    pub fn of_chain(before: Option<&Reason>, head: &Database, at: Timestamp) -> Option<Self> {
        let what = match (before, &head.broken) {
            (None, Some(reason)) => What::WindowHoleOpened { reason: reason.clone() },
            (Some(reason), None) => What::WindowHoleClosed { reason: reason.clone() },
            (None, None) | (Some(_), Some(_)) => return None,
        };
        Some(Self::new(&head.instance, Some(&head.name), at, what))
    }

    /// What is told where the trouble of an instance begins or ends. Another trouble behind the first one is no news.
    pub fn of_trouble(
        instance: &str,
        before: Option<&Reason>,
        after: Option<&Reason>,
        at: Timestamp,
    ) -> Option<Self> {
        let what = match (before, after) {
            (None, Some(reason)) => What::InstanceTroubleBegan { reason: reason.clone() },
            (Some(reason), None) => What::InstanceTroubleEnded { reason: reason.clone() },
            (None, None) | (Some(_), Some(_)) => return None,
        };
        Some(Self::new(instance, None, at, what))
    }

    fn named(id: String, (instance, database): (&str, Option<&str>), at: Timestamp, what: What) -> Self {
        let (instance, database) = (instance.to_owned(), database.map(str::to_owned));
        Self { id, at, instance, database, what: what.short() }
    }
}

impl Record for Event {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        (outbox_partition(&self.instance), self.id.clone())
    }
    fn due(&self) -> Option<(u8, Timestamp)> {
        Some((OUTBOX_SHARD, self.at.saturating_add(LEFT_AFTER).unwrap_or(Timestamp::MAX)))
    }
}

/// Partition of what an instance's functions have not told yet.
pub fn outbox_partition(instance: &str) -> String {
    format!("{OUTBOX}{instance}")
}

/// What the partitions of outboxes begin with.
const OUTBOX: &str = "outbox#";

/// Whether a partition is an outbox.
pub fn is_outbox(partition: &str) -> bool {
    partition.starts_with(OUTBOX)
}

#[cfg(test)]
mod tests;
