//! Which files were in a backup?
//!
//! `msdb.dbo.backupfile`: one row per data file and one for the log. Files are as many as the database has now: it gets none and
//! loses none here. Source: the page of the table in the SQL Server documentation.

use tds::{SqlType, Value};

use crate::{
    backup_file::BackupKind,
    instance::state::HistoryRow,
    sql::tables::{
        ColumnSpec, Hint, LSN, NAME, Table, col, database_files::DatabaseFile, guid, int, lsn, maybe, text,
    },
    world::World,
};

const SIZE: SqlType = SqlType::Numeric { precision: 20, scale: 0 };

const BACKUPFILE: &[ColumnSpec] = &[
    col("backup_set_id", SqlType::Int),
    col("first_family_number", SqlType::TinyInt),
    col("filegroup_name", NAME),
    col("page_size", SqlType::Int),
    col("file_number", SqlType::Numeric { precision: 10, scale: 0 }),
    col("file_type", SqlType::NVarChar(Some(1))),
    col("file_size", SIZE),
    col("logical_name", NAME),
    col("physical_drive", SqlType::NVarChar(Some(260))),
    col("physical_name", SqlType::NVarChar(Some(260))),
    col("state_desc", SqlType::NVarChar(Some(64))),
    col("file_guid", SqlType::UniqueIdentifier),
    col("differential_base_lsn", LSN),
    col("differential_base_guid", SqlType::UniqueIdentifier),
    col("backup_size", SIZE),
    col("is_present", SqlType::Bit),
];

/// `msdb.dbo.backupfile`.
pub(crate) struct BackupFiles<'w> {
    world: &'w World,
    rows: &'w [HistoryRow],
    /// Place of the set, and the file.
    files: Vec<(usize, DatabaseFile)>,
}

impl<'w> BackupFiles<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let rows = world.instances.get(instance).map_or(&[][..], |host| host.history());
        let mut files = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let data = world.database(row.database).map_or(1, |held| held.file_count);
            files.extend(DatabaseFile::all(data).map(|file| (place, file)));
        }
        Self { world, rows, files }
    }
}

impl Table for BackupFiles<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        BACKUPFILE
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.files.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let file = usize::try_from(row).ok().and_then(|row| self.files.get(row).copied());
        let Some((place, file)) = file else { return Value::Null };
        let Some(row) = self.rows.get(place) else { return Value::Null };
        let (set, is_log) = (&row.set, file.is_log());
        let database = self.world.database(row.database);
        let data_files = database.map_or(1, |held| u64::from(held.file_count.max(1)));
        // A log backup holds the log alone, the others hold little of it.
        let held = match (set.kind == BackupKind::Log, is_log) {
            (true, true) => set.size_bytes,
            (false, false) => set.size_bytes / data_files,
            _ => 0,
        };
        let bytes = |count: u64| Value::Numeric { mantissa: i128::from(count), scale: 0 };
        let base = set.differential_base.filter(|_| !is_log);
        let name = &set.database_name;
        match column {
            0 => int(row.backup_set_id),
            1 => int(1),
            2 => {
                if is_log {
                    Value::Null
                } else {
                    text("PRIMARY")
                }
            }
            3 => int(if is_log { 512 } else { 8_192 }),
            4 => bytes(u64::from(file.0)),
            5 => text(if is_log { "L" } else { "D" }),
            6 => maybe(database, |d| bytes(file.bytes(self.world, d))),
            7 => text(&file.logical_name(name)),
            8 => text("D:"),
            9 => text(&file.physical_name(name)),
            10 => text("ONLINE"),
            11 => maybe(database.and_then(|d| file.guid(self.world.seed, d)), guid),
            12 => maybe(base, |b| lsn(b.0)),
            13 => maybe(base, |b| guid(b.1)),
            14 => bytes(held),
            15 => Value::Bit(set.kind != BackupKind::Log || is_log),
            _ => Value::Null,
        }
    }
}
