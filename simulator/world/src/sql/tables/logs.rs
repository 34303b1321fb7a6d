//! How does `rds_fn_list_tlog_backup_metadata` list log files?
//!
//! The eleven documented columns; the last seven days whatever the retention; nothing is stored per file, so a listing
//! that filters by sequence number computes only what it shows. Source: RDS user guide, "Access to transaction log backups".

use tds::{SqlType, Value};

use crate::{
    database::{logs::LogFile, state::Database},
    sql::tables::{ColumnSpec, Hint, LSN, NAME, Table, col, guid, int, lsn, narrow, text, time},
    time::SECOND,
    world::World,
};

const COLUMNS: &[ColumnSpec] = &[
    col("db_name", NAME),
    col("db_id", SqlType::Int),
    col("family_guid", SqlType::UniqueIdentifier),
    col("rds_backup_seq_id", SqlType::Int),
    col("backup_file_epoch", SqlType::BigInt),
    col("backup_file_time_utc", SqlType::DateTime),
    col("starting_lsn", LSN),
    col("ending_lsn", LSN),
    col("is_log_chain_broken", SqlType::Bit),
    col("file_size_bytes", SqlType::BigInt),
    col("Error", SqlType::VarChar(Some(4000))),
];

/// The log files that the service holds of one database.
pub(crate) struct LogTable<'w> {
    world: &'w World,
    database: Option<&'w Database>,
    /// What went wrong, in the last column of a single row.
    error: Option<String>,
}

impl<'w> LogTable<'w> {
    pub(crate) fn new(world: &'w World, instance: usize, name: Option<&str>) -> Self {
        let host = world.instances.get(instance);
        let name = name.unwrap_or_default();
        let database = host.and_then(|i| i.database(name)).and_then(|id| world.database(id));
        let error = match database {
            None => Some(format!("Cannot find the given database {name}.")),
            Some(_) if !world.retains(instance) => Some(
                "Backups are disabled on your instance. Please enable backups and try again in some time."
                    .into(),
            ),
            Some(_) => None,
        };
        Self { world, database, error }
    }

    fn file(&self, row: u64) -> Option<LogFile> {
        self.database?.log_file(&self.world.branches, u32::try_from(row).ok()?)
    }
}

impl Table for LogTable<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        COLUMNS
    }

    fn rows(&self, hints: &[Hint]) -> Vec<u64> {
        if self.error.is_some() {
            return vec![0];
        }
        let Some(database) = self.database else { return Vec::new() };
        let (first, end) = database.logs.numbers(self.world.now_ms, self.world.log_horizon());
        let (first, end) = narrow(hints, 3, (i64::from(first), i64::from(end)));
        (first..end).filter_map(|number| u64::try_from(number).ok()).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        if let Some(error) = &self.error {
            return if column == 10 { text(error) } else { Value::Null };
        }
        let Some(database) = self.database else { return Value::Null };
        // These need no file.
        match column {
            0 => return text(&database.name),
            1 => return int(database.sql_id),
            2 => return guid(database.family_guid),
            3 => return int(row),
            _ => {}
        }
        if matches!(column, 4 | 5) {
            let taken =
                u32::try_from(row).ok().and_then(|number| database.logs.taken_at(number)).unwrap_or(0);
            return if column == 4 { int(taken.div_euclid(SECOND)) } else { time(taken) };
        }
        let Some(file) = self.file(row) else { return Value::Null };
        match column {
            6 => lsn(file.start.lsn),
            7 => lsn(file.end.lsn),
            8 => Value::Bit(file.broken),
            9 => int(Database::log_file_bytes(&file, self.world.knobs.log_file_overhead_bytes)),
            _ => Value::Null,
        }
    }
}
