//! Which files does a database have, and what are they called?
//!
//! File 1 is the first of the data files, 2 the log, further data files have numbers from 3. `sys.master_files` and
//! `msdb.dbo.backupfile` tell the same of them.

use crate::{
    database::state::{Database, LOG_FILE_BYTES},
    guid::Guid,
    world::World,
};

/// A file by its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct DatabaseFile(pub(super) u32);

impl DatabaseFile {
    /// The files of a database with so many data files, the log as the second.
    pub(super) fn all(data_files: u32) -> impl Iterator<Item = Self> {
        (1..=data_files.max(1) + 1).map(Self)
    }

    /// Whether it is the log.
    pub(super) fn is_log(self) -> bool {
        self.0 == 2
    }

    /// Its logical name, in a database of a name.
    pub(super) fn logical_name(self, database: &str) -> String {
        if self.is_log() { format!("{database}_log") } else { format!("{database}_{}", self.0) }
    }

    /// Where it lies.
    pub(super) fn physical_name(self, database: &str) -> String {
        let extension = if self.is_log() { "ldf" } else { "mdf" };
        format!("D:\\rdsdbdata\\DATA\\{database}_{}.{extension}", self.0)
    }

    /// `file_guid`; some files have none.
    pub(super) fn guid(self, seed: u64, database: &Database) -> Option<Guid> {
        let has_none = self.0 == 1 && database.features.null_file_guid;
        (!has_none).then(|| Database::fresh_guid(seed, database.id.0, 100 + u64::from(self.0)))
    }

    /// Its bytes: data is spread over all data files.
    pub(super) fn bytes(self, world: &World, database: &Database) -> u64 {
        if self.is_log() {
            return LOG_FILE_BYTES;
        }
        database.size_at(&world.branches, world.now_ms) / u64::from(database.file_count.max(1))
    }
}
