//! How are the files of `D:\S3` listed?
//!
//! `rds_fn_list_file_details` shows what a task of `rds_gather_file_details` found when it ended. Source: RDS user guide, "Listing
//! files on the RDS DB instance".

use tds::{SqlType, Value};

use crate::{
    instance::disk::Listed,
    sql::tables::{ColumnSpec, Hint, Table, col, int, text, time},
    world::World,
};

const COLUMNS: &[ColumnSpec] = &[
    col("filepath", SqlType::NVarChar(Some(4000))),
    col("size_in_bytes", SqlType::BigInt),
    col("last_modified_utc", SqlType::DateTime),
    col("is_directory", SqlType::Bit),
];

/// What one task found.
pub(crate) struct FileTable<'w> {
    found: &'w [Listed],
}

impl<'w> FileTable<'w> {
    pub(crate) fn new(world: &'w World, instance: usize, task: Option<u32>) -> Self {
        let host = world.instances.get(instance);
        let found = host.zip(task).and_then(|(host, task)| host.listings.get(&task));
        Self { found: found.map_or(&[], Vec::as_slice) }
    }
}

impl Table for FileTable<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        COLUMNS
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.found.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let Some(file) = usize::try_from(row).ok().and_then(|row| self.found.get(row)) else {
            return Value::Null;
        };
        match column {
            0 => text(&file.path),
            1 => int(file.size_bytes),
            2 => time(file.modified),
            _ => Value::Bit(file.is_directory),
        }
    }
}
