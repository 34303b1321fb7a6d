//! What was restored here?
//!
//! `msdb.dbo.restorehistory` of the active node: one row for each native restore that read a backup and succeeded. Finishing one
//! reads none and has no row. Source: the page of the table in the SQL Server documentation.

use tds::{SqlType, Value};

use crate::{
    instance::state::{Instance, RestoreRow},
    sql::tables::{ColumnSpec, Hint, NAME, Table, col, int, maybe, text, time},
    time::Ms,
    world::World,
};

const RESTOREHISTORY: &[ColumnSpec] = &[
    col("restore_history_id", SqlType::Int),
    col("restore_date", SqlType::DateTime),
    col("destination_database_name", NAME),
    col("user_name", NAME),
    col("backup_set_id", SqlType::Int),
    col("restore_type", SqlType::NVarChar(Some(1))),
    col("replace", SqlType::Bit),
    col("recovery", SqlType::Bit),
    col("restart", SqlType::Bit),
    col("stop_at", SqlType::DateTime),
    col("device_count", SqlType::TinyInt),
    col("stop_at_mark_name", NAME),
    col("stop_before", SqlType::Bit),
];

/// `msdb.dbo.restorehistory`.
pub(crate) struct RestoreHistory<'w> {
    rows: &'w [RestoreRow],
    zone: Ms,
}

impl<'w> RestoreHistory<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let host = world.instances.get(instance);
        Self { rows: host.map_or(&[], Instance::restores), zone: host.map_or(0, |host| host.zone) }
    }
}

impl Table for RestoreHistory<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        RESTOREHISTORY
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.rows.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let Some(row) = usize::try_from(row).ok().and_then(|row| self.rows.get(row)) else {
            return Value::Null;
        };
        match column {
            0 => int(row.id),
            1 => time(row.started + self.zone),
            2 => text(&row.database_name),
            // As in backupset: the service asks for it, whoever called.
            3 => text("NT AUTHORITY\\SYSTEM"),
            4 => maybe(row.backup_set_id, int),
            5 => text(row.kind.letter()),
            // A native restore goes to a new name, and is never taken up again.
            6 | 8 => Value::Bit(false),
            7 => Value::Bit(row.opens),
            9 => maybe(row.stop, |at| time(at + self.zone)),
            10 => int(row.devices),
            _ => Value::Null,
        }
    }
}
