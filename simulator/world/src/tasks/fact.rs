//! What is known of a task from outside the server: for whoever judges what was asked of it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    endpoint::NOT_YET,
    tasks::task::{Lifecycle, TaskType},
    time::timestamp,
    world::World,
};

/// One native task, whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFact {
    /// Id on its instance.
    pub id: u32,
    /// What it does.
    pub kind: TaskType,
    /// Database.
    pub database: Arc<str>,
    /// Where it writes.
    pub s3_arn: Arc<str>,
    /// How it stands.
    pub lifecycle: Lifecycle,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a slot took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When an automated backup or maintenance killed it, or kept it from moving a byte.
    pub killed_at: Option<Timestamp>,
    /// How long it runs, or would have run; `None` when it never moved a byte.
    pub length: Option<SignedDuration>,
}

impl World {
    /// All tasks that an instance still lists, in order of their ids.
    pub fn tasks(&self, instance: &str) -> impl Iterator<Item = TaskFact> {
        let host = self.index_of(instance).and_then(|index| self.instances.get(index));
        host.into_iter().flat_map(|host| &host.tasks).map(|task| TaskFact {
            id: task.id,
            kind: task.kind,
            database: Arc::clone(&task.database_name),
            s3_arn: Arc::clone(&task.s3_arn),
            lifecycle: task.lifecycle,
            created_at: timestamp(task.created),
            started_at: task.started.map(timestamp),
            ended_at: task.ended.filter(|_| task.lifecycle.is_ended()).map(timestamp),
            killed_at: task.killed.map(timestamp),
            length: task
                .started
                .filter(|started| task.data.1 > *started && task.data != NOT_YET)
                .map(|started| SignedDuration::from_millis(task.data.1 - started)),
        })
    }
}
