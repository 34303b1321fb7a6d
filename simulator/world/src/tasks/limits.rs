//! What may a full restore bring to an instance?
//!
//! One database more, if the class holds it, on storage that takes its files whole. Source: RDS user guide, "Limitations and
//! recommendations" and "Limitations for Microsoft SQL Server DB instances"; no text of these refusals is recorded.

use crate::{backup_file::BackupSet, tasks::task::Task, world::World};

impl World {
    /// Why an instance can't take the database of a full backup, as `task_info` words it.
    pub(crate) fn refuse_full(&self, instance: usize, task: &Task, set: &BackupSet) -> Option<String> {
        self.refuse_restored(instance, task.id, &task.database_name)
            .or_else(|| self.refuse_space(instance, set.size_bytes))
    }
}
