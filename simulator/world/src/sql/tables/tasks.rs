//! How are tasks listed?
//!
//! `rds_fn_task_status` has fifteen columns, `rds_task_status` fourteen: the last one is missing and `duration (mins)` has
//! a blank. Source: RDS user guide and three consumers that INSERT ... EXEC into fourteen columns.

use tds::{SqlType, Value};

use crate::{
    sql::tables::{ColumnSpec, Hint, Table, col, int, maybe, narrow, text, time},
    tasks::{info::task_info, task::Task},
    world::World,
};

const ARN: SqlType = SqlType::NVarChar(Some(4000));

const FUNCTION: &[ColumnSpec] = &[
    col("task_id", SqlType::Int),
    col("task_type", SqlType::NVarChar(Some(250))),
    col("database_name", SqlType::NVarChar(Some(128))),
    col("% complete", SqlType::Int),
    col("duration(mins)", SqlType::Int),
    col("lifecycle", SqlType::NVarChar(Some(50))),
    col("task_info", SqlType::NVarChar(None)),
    col("last_updated", SqlType::DateTime),
    col("created_at", SqlType::DateTime),
    col("S3_object_arn", ARN),
    col("overwrite_s3_backup_file", SqlType::Bit),
    col("KMS_master_key_arn", ARN),
    col("filepath", SqlType::NVarChar(Some(4000))),
    col("overwrite_file", SqlType::Bit),
    col("task_metadata", SqlType::NVarChar(None)),
];

const PROCEDURE: &[ColumnSpec] = &[
    FUNCTION[0],
    FUNCTION[1],
    FUNCTION[2],
    FUNCTION[3],
    col("duration (mins)", SqlType::Int),
    FUNCTION[5],
    FUNCTION[6],
    FUNCTION[7],
    FUNCTION[8],
    FUNCTION[9],
    FUNCTION[10],
    FUNCTION[11],
    FUNCTION[12],
    FUNCTION[13],
];

/// The tasks of an instance.
pub(crate) struct TaskTable<'w> {
    world: &'w World,
    instance: usize,
    columns: &'static [ColumnSpec],
    database: Option<String>,
    task: Option<i64>,
}

impl<'w> TaskTable<'w> {
    /// As the table function shows them.
    pub(crate) fn function(
        world: &'w World,
        instance: usize,
        database: Option<String>,
        task: Option<i64>,
    ) -> Self {
        Self { world, instance, columns: FUNCTION, database, task }
    }

    /// As the procedure shows them.
    pub(crate) fn procedure(
        world: &'w World,
        instance: usize,
        database: Option<String>,
        task: Option<i64>,
    ) -> Self {
        Self { columns: PROCEDURE, ..Self::function(world, instance, database, task) }
    }

    fn task(&self, row: u64) -> Option<&'w Task> {
        self.world.instances.get(self.instance)?.task(u32::try_from(row).ok()?)
    }
}

impl Table for TaskTable<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        self.columns
    }

    fn rows(&self, hints: &[Hint]) -> Vec<u64> {
        let Some(host) = self.world.instances.get(self.instance) else { return Vec::new() };
        let first = host.tasks.front().map_or(0, |t| i64::from(t.id));
        let all = (first, i64::from(host.next_task));
        let (first, end) = match self.task {
            Some(id) => (id.max(all.0), id.saturating_add(1).min(all.1)),
            None => narrow(hints, 0, all),
        };
        let horizon = self.world.now_ms - self.world.knobs.task_history_days * crate::time::DAY;
        let listed = (first..end).filter_map(|id| u64::try_from(id).ok()).filter(|id| {
            self.task(*id).is_some_and(|t| {
                let named = self
                    .database
                    .as_ref()
                    .is_none_or(|d| d.trim_end().eq_ignore_ascii_case(&t.database_name));
                named && t.ended.is_none_or(|ended| ended >= horizon)
            })
        });
        listed.collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let Some(task) = self.task(row) else { return Value::Null };
        let (world, now) = (self.world, self.world.now_ms);
        let clock = |at| time(at + world.task_shift(self.instance));
        match column {
            0 => int(task.id),
            1 => text(task.kind.name(&world.knobs)),
            // "Not applicable to S3 integration tasks."
            2 | 10 if task.kind.is_files() => Value::Null,
            2 => text(&task.database_name),
            3 => int(task.percent(&world.knobs, now)),
            4 => int(task.minutes(now)),
            5 => text(task.lifecycle.name()),
            6 => text(&task_info(task, world.seed, &world.knobs, now, world.task_shift(self.instance))),
            7 => clock(task.last_updated(&world.knobs, now)),
            8 => clock(task.created),
            9 if task.kind.is_files() && task.s3_arn.is_empty() => Value::Null,
            9 => text(&task.s3_arn),
            10 => Value::Bit(task.overwrite),
            11 => maybe(task.kms.as_deref(), text),
            12 => maybe(task.filepath.as_deref(), text),
            13 if task.kind.is_files() && !task.s3_arn.is_empty() => Value::Bit(task.overwrite),
            _ => Value::Null,
        }
    }
}
