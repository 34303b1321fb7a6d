//! How far the service says that a task is: kept for people, so that a write is worth it only where it tells them something.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Lifecycle, State, Task, TaskRow};

/// Percent that a task has to move by until that is written down. Policy of ours: a backup of hours costs a dozen writes.
const STEP_PERCENT: u8 = 10;

/// What the service said of a task that waits or runs, when that was news last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Where it is.
    pub lifecycle: Lifecycle,
    /// Percent complete, 0 to 100.
    pub percent: u8,
    /// When it was seen so.
    pub at: Timestamp,
}

impl Task {
    /// Takes in what the service says of it. `true`: that is worth a write, because the lifecycle is another or ten percent are done since.
    /// Nothing is heard of a task that the service does not have under that id; what it had just been given, it calls CREATED.
    pub fn hear(&mut self, row: &TaskRow, now: Timestamp) -> bool {
        let State::Submitted { task_id, heard, .. } = &mut self.state else { return false };
        if *task_id != row.id {
            return false;
        }
        let known = heard.unwrap_or(Heard { lifecycle: Lifecycle::Created, percent: 0, at: now });
        let lifecycle = row.lifecycle.unwrap_or(known.lifecycle);
        let percent = row.percent.map_or(known.percent, whole);
        if lifecycle == known.lifecycle && percent.abs_diff(known.percent) < STEP_PERCENT {
            return false;
        }
        *heard = Some(Heard { lifecycle, percent, at: now });
        true
    }
}

/// Percent without its fraction; what is no percentage counts as the nearest.
fn whole(percent: f64) -> u8 {
    (0..=100).rev().find(|whole| f64::from(*whole) <= percent).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::CopyLogs;
    use crate::schedule::DueItem;
    use crate::task::{Kind, Request};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn submitted() -> Task {
        let request = Request::Copy(CopyLogs {
            database: "orders".to_owned(),
            kms_key_arn: None,
            first_seq: 1,
            last_seq: 2,
        });
        let item = DueItem { kind: Kind::LogCopy, moment: at(0) };
        let state = State::Submitted { request, task_id: 7, at: at(0), heard: None };
        Task { state, ..Task::plan("sales", "orders", &item, at(0)) }
    }

    fn row(id: i64, lifecycle: Option<Lifecycle>, percent: Option<f64>) -> TaskRow {
        TaskRow {
            id,
            task_type: "BACKUP_DB".to_owned(),
            database: None,
            lifecycle,
            percent,
            last_updated: None,
            created_at: None,
            s3_arn: None,
        }
    }

    #[test]
    fn what_is_worth_a_write() {
        use Lifecycle::{CancelRequested, Created, InProgress};
        let mut task = submitted();
        for (second, id, lifecycle, percent, expected) in [
            // That it waits is what was known of it.
            (1, 7, Some(Created), Some(0.0), None),
            (2, 7, Some(InProgress), Some(0.0), Some((InProgress, 0))),
            (3, 7, Some(InProgress), Some(9.9), None),
            (4, 8, Some(InProgress), Some(50.0), None),
            (5, 7, Some(InProgress), Some(10.0), Some((InProgress, 10))),
            (6, 7, Some(InProgress), None, None),
            // A spelling that nobody knows says nothing, its percent does.
            (7, 7, None, Some(57.5), Some((InProgress, 57))),
            (8, 7, Some(InProgress), Some(f64::NAN), Some((InProgress, 0))),
            (9, 7, Some(CancelRequested), Some(1e9), Some((CancelRequested, 100))),
            (10, 7, Some(CancelRequested), Some(95.0), None),
            (11, 7, Some(CancelRequested), Some(-3.0), Some((CancelRequested, 0))),
        ] {
            let before = task.clone();
            let news = task.hear(&row(id, lifecycle, percent), at(second));
            assert_eq!(news, expected.is_some(), "{second}");
            let Some((lifecycle, percent)) = expected else {
                assert_eq!(task, before, "{second}");
                continue;
            };
            let State::Submitted { heard, .. } = &task.state else { panic!("it is with the service") };
            assert_eq!(*heard, Some(Heard { lifecycle, percent, at: at(second) }));
        }
        let mut planned = Task { state: State::Planned, ..submitted() };
        assert!(!planned.hear(&row(7, Some(InProgress), Some(50.0)), at(1)));
    }

    #[test]
    fn writes_are_bounded_however_often_it_is_asked() {
        let mut task = submitted();
        let news = (0..=10_000).filter(|step| {
            let percent = f64::from(*step) / 100.0;
            task.hear(&row(7, Some(Lifecycle::InProgress), Some(percent)), at(i64::from(*step)))
        });
        assert_eq!(news.count(), 11);
    }

    #[test]
    fn a_task_that_was_written_before_is_read() {
        let mut stored = serde_json::to_value(submitted()).unwrap();
        assert!(stored["state"].get("heard").is_none());
        assert_eq!(serde_json::from_value::<Task>(stored.clone()).unwrap(), submitted());
        stored["state"]["heard"] =
            serde_json::json!({ "lifecycle": "IN_PROGRESS", "percent": 5, "at": "2026-11-22T01:00:00Z" });
        let read: Task = serde_json::from_value(stored).unwrap();
        assert!(matches!(read.state, State::Submitted { heard: Some(Heard { percent: 5, .. }), .. }));
    }
}
