//! What may a full restore bring to an instance?
//!
//! One database more, if the class holds it, of a size that the edition holds, without what RDS does not have, on storage that takes its files whole. Source: RDS user guide, "Limitations and
//! recommendations" and "Limitations for Microsoft SQL Server DB instances"; no text of these refusals is recorded.

use crate::{
    backup_file::BackupSet,
    database::config::Features,
    instance::config::{Edition, MultiAz},
    tasks::task::Task,
    world::World,
};

/// Bytes of one database on Express: 10 GB, which SQL Server counts as 10,240 MB.
const EXPRESS_BYTES_MAX: u64 = 10_240 << 20;

impl World {
    /// Why an instance can't take the database of a full backup, as `task_info` words it.
    pub(crate) fn refuse_full(&self, instance: usize, task: &Task, set: &BackupSet) -> Option<String> {
        self.refuse_restored(instance, task.id, &task.database_name)
            .or_else(|| self.refuse_features(instance, set.features))
            .or_else(|| self.refuse_edition(instance, set.size_bytes))
            .or_else(|| self.refuse_space(instance, set.size_bytes))
    }

    /// Why an instance can't take what a database has.
    fn refuse_features(&self, instance: usize, features: Features) -> Option<String> {
        let mode = self.instances.get(instance)?.config.multi_az;
        let texts = &self.knobs.texts;
        let mirrored = features.in_memory && mode == MultiAz::Mirroring;
        let filestream = features.filestream.then(|| texts.filestream.clone());
        filestream.or_else(|| mirrored.then(|| texts.in_memory_mirrored.clone()))
    }

    /// Why an edition does not hold a database of so many bytes.
    fn refuse_edition(&self, instance: usize, data: u64) -> Option<String> {
        let edition = self.instances.get(instance)?.config.edition;
        (edition == Edition::Express && data > EXPRESS_BYTES_MAX)
            .then(|| self.knobs.texts.express_size.clone())
    }
}
