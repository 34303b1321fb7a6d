//! What became of tasks in an invocation: the log's answer to "what happened to this one?".
//!
//! A handler's payload names an instance and its output counts; which tasks were written, and as what, is seen where they are written. So no
//! handler says it twice, a failure tells what was done before it, and no payload grows.

use std::cell::RefCell;
use std::rc::Rc;

use domain::task::{Outcome, State, Task, TaskId, is_task};
use jiff::Timestamp;
use ports::Fault;
use ports::store::{CommitFault, Item, Key, Page, Range, ReadDue, ReadItems, Write, WriteItems, decode};
use serde::Serialize;

/// Tasks that one line of the log names. Policy: a round has tens, planning hundreds; each stands in its own record as well.
const NAMED_MAX: usize = 20;

/// The tasks that an invocation wrote.
#[derive(Debug, Clone, Default)]
pub struct Trail(Rc<RefCell<Written>>);

/// Tasks by their newest state, in the order in which they were first written.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Written {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<Step>,
    /// How many more writes of tasks there were.
    #[serde(skip_serializing_if = "is_zero")]
    more_tasks: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// One task and what it is now.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Step {
    task: String,
    database: String,
    state: &'static str,
    /// The service's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    /// Name of the reason of its end, or the newest of why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Step {
    fn of(task: Task) -> Self {
        let (state, task_id, ended) = match task.state {
            State::Planned => ("planned", None, None),
            State::Admitted { .. } => ("admitted", None, None),
            State::Intended { .. } => ("intended", None, None),
            State::Submitted { task_id, .. } => ("submitted", Some(task_id), None),
            State::Done { outcome, task_id, .. } => match outcome {
                Outcome::Succeeded => ("succeeded", task_id, None),
                Outcome::Failed(reason) => ("failed", task_id, Some(reason)),
                Outcome::Skipped(reason) => ("skipped", task_id, Some(reason)),
                Outcome::Cancelled => ("cancelled", task_id, None),
            },
        };
        let waits = (state == "planned").then(|| task.notes.into_iter().next_back()).flatten();
        let reason = ended.or(waits).map(|reason| reason.name.into_owned());
        Self { task: task.key, database: task.database, state, task_id, reason }
    }
}

impl Trail {
    /// What was written since the last call.
    pub(crate) fn take(&self) -> Written {
        self.0.take()
    }

    fn note(&self, step: Step) {
        let Written { tasks, more_tasks } = &mut *self.0.borrow_mut();
        match tasks.iter().position(|known| known.task == step.task) {
            Some(known) => tasks[known] = step,
            None if tasks.len() < NAMED_MAX => tasks.push(step),
            None => *more_tasks = more_tasks.saturating_add(1),
        }
    }
}

/// A store whose commits of tasks are remembered, once they were heard to have come about.
#[derive(Debug, Clone)]
pub struct Trailed<S> {
    store: S,
    trail: Trail,
}

impl<S> Trailed<S> {
    /// Watches a store.
    pub const fn new(store: S, trail: Trail) -> Self {
        Self { store, trail }
    }
}

impl<S: ReadItems> ReadItems for Trailed<S> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.store.get(key).await
    }

    async fn query(&self, range: &Range) -> Result<Page, Fault> {
        self.store.query(range).await
    }
}

impl<S: WriteItems> WriteItems for Trailed<S> {
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
        self.store.commit(writes).await?;
        for write in writes {
            let Write::Put { item, .. } = write else { continue };
            if is_task(&item.key.partition)
                && let Ok(task) = decode::<Task>(item)
            {
                self.trail.note(Step::of(task.record));
            }
        }
        Ok(())
    }
}

impl<S: ReadDue> ReadDue for Trailed<S> {
    async fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Result<Vec<Key>, Fault> {
        self.store.due(shard, until, limit).await
    }
}

#[cfg(test)]
mod tests {
    use domain::mailbox::Requested;
    use domain::reason::{Class, Reason};
    use domain::task::Kind;
    use futures_util::FutureExt;
    use ports::store::{Expect, Versioned};
    use serde_json::json;

    use super::*;

    /// Takes everything but commits of nothing.
    struct Takes;

    impl WriteItems for Takes {
        async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
            if writes.is_empty() {
                return Err(Fault::UnknownOutcome("lost".to_owned()).into());
            }
            Ok(())
        }
    }

    fn task(number: usize) -> Task {
        let at = Timestamp::UNIX_EPOCH;
        let asked = Requested { by: "operator".to_owned(), at };
        let mut task = Task::on_demand("sales", &format!("orders{number}"), Kind::Full, asked);
        task.key = format!("full-{number}");
        task
    }

    fn commit(trail: &Trail, tasks: impl IntoIterator<Item = Task>) {
        let puts: Vec<Write> = tasks.into_iter().map(|task| Versioned::new(task).put().unwrap()).collect();
        let store = Trailed::new(Takes, trail.clone());
        let _ = store.commit(&puts).now_or_never().unwrap();
    }

    fn line(trail: &Trail) -> serde_json::Value {
        serde_json::to_value(trail.take()).unwrap()
    }

    #[test]
    fn a_task_is_named_with_its_newest_state() {
        let trail = Trail::default();
        let at = Timestamp::UNIX_EPOCH;
        let mut held = task(2);
        held.note(Reason::new(Class::Wait, "WindowNear", "the window is near"));
        commit(&trail, [task(1), held]);
        let failed = Outcome::Failed(Reason::new(Class::Human, "NoSpace", "no space"));
        let state = State::Done { outcome: failed, at, task_id: Some(7), request: None };
        commit(&trail, [Task { state, ..task(1) }]);
        commit(&trail, []);
        assert_eq!(
            line(&trail),
            json!({"tasks": [
                {"task": "full-1", "database": "orders1", "state": "failed", "task_id": 7, "reason": "NoSpace"},
                {"task": "full-2", "database": "orders2", "state": "planned", "reason": "WindowNear"},
            ]})
        );
        assert_eq!(line(&trail), json!({}), "the next invocation begins anew");
    }

    #[test]
    fn a_line_names_so_many_and_counts_the_rest_and_passes_over_what_is_no_task() {
        let trail = Trail::default();
        commit(&trail, (0..NAMED_MAX + 5).map(task));
        let line = line(&trail);
        assert_eq!(
            (line["tasks"].as_array().map(Vec::len), &line["more_tasks"]),
            (Some(NAMED_MAX), &json!(5))
        );
        let strange = |partition: &str| Write::Put {
            item: Item {
                key: Key { partition: partition.to_owned(), sort: "s".to_owned() },
                body: "{}".to_owned(),
                due: None,
                version: 0,
            },
            expect: Expect::Absent,
        };
        let store = Trailed::new(Takes, trail.clone());
        store.commit(&[strange("open#sales"), strange("instance#sales")]).now_or_never().unwrap().unwrap();
        assert_eq!(serde_json::to_value(trail.take()).unwrap(), json!({}));
    }
}
