//! What may a full restore bring to an instance?
//!
//! One database more, if the class holds it, of a size that the edition and the documents hold, under a recovery model that Multi-AZ
//! takes, without what RDS does not have, on storage that takes its files whole. Source: RDS user guide, "Limitations and
//! recommendations" and "Limitations for Microsoft SQL Server DB instances"; no text of these refusals is recorded.

use crate::{
    backup_file::{BackupSet, RecoveryModel},
    database::config::Features,
    instance::{
        config::{Edition, MultiAz},
        names::{alike, taken},
    },
    tasks::task::Task,
    world::World,
};

/// Bytes of one database on Express: 10 GB, which SQL Server counts as 10,240 MB.
const EXPRESS_BYTES_MAX: u64 = 10_240 << 20;

impl World {
    /// Why an instance can't take the database of a full backup, as `task_info` words it.
    pub(crate) fn refuse_full(&self, instance: usize, task: &Task, set: &BackupSet) -> Option<String> {
        self.refuse_name(instance, task)
            .or_else(|| self.refuse_restored(instance, task.id, &task.database_name))
            .or_else(|| self.refuse_model(instance, set.recovery_model))
            .or_else(|| self.refuse_features(instance, set.features))
            .or_else(|| self.refuse_edition(instance, set.size_bytes))
            .or_else(|| self.refuse_size_of_restore(set.size_bytes))
            .or_else(|| self.refuse_space(instance, set.size_bytes))
    }

    /// A name that was free when the restore was asked for, or that a restore beside it is about to take.
    fn refuse_name(&self, instance: usize, task: &Task) -> Option<String> {
        let host = self.instances.get(instance)?;
        let mut beside = host
            .running
            .iter()
            .filter(|id| **id != task.id)
            .filter_map(|id| host.task(*id))
            .filter(|t| t.kind.is_restore());
        let name = &task.database_name;
        (host.has_name_like(name) || beside.any(|other| alike(&other.database_name, name)))
            .then(|| taken(name))
    }

    /// On Multi-AZ only what was backed up under FULL is restored.
    fn refuse_model(&self, instance: usize, model: RecoveryModel) -> Option<String> {
        let multi = self.instances.get(instance)?.config.multi_az != MultiAz::Single;
        (multi && model != RecoveryModel::Full).then(|| self.knobs.texts.multi_az_recovery_model.clone())
    }

    /// What the documents of a time said of sizes.
    fn refuse_size_of_restore(&self, data: u64) -> Option<String> {
        (data > self.knobs.documents.restore_bytes_max()).then(|| self.knobs.texts.restore_too_large.clone())
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
