//! How is a native task issued, and cancelled? One RPC by name, outside a transaction, its answer read to the end.
//!
//! The first result set of these procedures is not documented: the id is looked for by column name in every result set,
//! then in printed words inside one. Messages that are no result set do not reach us, because the driver only logs them.
//! No id is an unknown outcome: the task may be queued, and whoever asked finds it by its own S3 key. Source: RDS user
//! guide, "Using native backup and restore", "Access to transaction log backups".

use domain::reason::{Class, Reason};
use domain::request::{CopyLogs, NativeBackup, TransferOptions};
use domain::task::TaskId;
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::{CancelTask, SubmitTasks};
use tiberius::{ColumnData, Command, Row};

use crate::errors::{Effect, texts};
use crate::session::Session;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> SubmitTasks for Session<S> {
    async fn backup_database(&mut self, request: &NativeBackup) -> Result<TaskId, Fault> {
        let mut command = Command::new("msdb.dbo.rds_backup_database");
        command.bind_param("@source_db_name", request.database.as_str());
        command.bind_param("@s3_arn_to_backup_to", request.s3_arn.as_str());
        if let Some(key) = &request.kms_key_arn {
            command.bind_param("@kms_master_key_arn", key.as_str());
        }
        // Never: an overwritten object is a deleted backup.
        command.bind_param("@overwrite_s3_backup_file", 0_i32);
        command.bind_param("@type", if request.differential { "DIFFERENTIAL" } else { "FULL" });
        command.bind_param("@number_of_files", i32::from(request.files));
        let TransferOptions { max_transfer_bytes, block_bytes, buffer_count } = request.options;
        for (name, value) in [
            ("@max_transfer_size", max_transfer_bytes),
            ("@block_size", block_bytes),
            ("@buffer_count", buffer_count),
        ] {
            if let Some(value) = value {
                command.bind_param(name, int(name, value)?);
            }
        }
        self.submit(command).await
    }

    async fn copy_logs(&mut self, request: &CopyLogs) -> Result<TaskId, Fault> {
        let (first, last) = (seq(request.first_seq)?, seq(request.last_seq)?);
        let mut command = Command::new("msdb.dbo.rds_tlog_backup_copy_to_S3");
        command.bind_param("@db_name", request.database.as_str());
        if let Some(key) = &request.kms_key_arn {
            command.bind_param("@kms_key_arn", key.as_str());
        }
        command.bind_param("@rds_backup_starting_seq_id", first);
        command.bind_param("@rds_backup_ending_seq_id", last);
        self.submit(command).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> CancelTask for Session<S> {
    async fn cancel_task(&mut self, task: TaskId) -> Result<(), Fault> {
        let id = i32::try_from(task).map_err(|_| {
            let what = format!("task id {task} is beyond int, the type of @task_id");
            Fault::Refused(Reason::new(Class::Never, "OptionOutOfRange", what))
        })?;
        let mut command = Command::new("msdb.dbo.rds_cancel_task");
        command.bind_param("@task_id", id);
        self.call(command, Effect::Change, |_| ()).await.map(|_| ())
    }
}

/// An option as the parameter's type, int.
fn int(name: &str, value: u32) -> Result<i32, Fault> {
    i32::try_from(value).map_err(|_| {
        let what = format!("{value} is beyond int, the type of {name}");
        Fault::Refused(Reason::new(Class::Never, "OptionOutOfRange", what))
    })
}

/// A sequence number as the parameter's type, int.
fn seq(seq: u64) -> Result<i32, Fault> {
    i32::try_from(seq).map_err(|_| {
        let what = format!("sequence number {seq} is beyond int, the type of rds_backup_seq_id");
        Fault::Refused(Reason::new(Class::Never, "RangeReversed", what))
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    async fn submit(&mut self, command: Command<'_>) -> Result<TaskId, Fault> {
        let mut ids = FoundIds::default();
        match self.call(command, Effect::Change, |row| ids.see(row)).await {
            Ok(_) => ids.one().ok_or_else(|| Fault::UnknownOutcome("the answer names no task id".to_owned())),
            // An id and then an error: the task may or may not have survived it.
            Err(fault) => Err(match ids.one() {
                Some(id) => Fault::UnknownOutcome(format!("task {id} was named, then: {fault}")),
                None => fault,
            }),
        }
    }
}

/// Task ids seen in an answer.
#[derive(Debug, Default)]
struct FoundIds {
    in_columns: Option<Found>,
    in_words: Option<Found>,
}

/// One id, or several that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    One(TaskId),
    Several,
}

impl FoundIds {
    fn see(&mut self, row: &Row) {
        for (column, cell) in row.cells() {
            if is_task_id(column.name()) {
                add(&mut self.in_columns, number(cell));
            }
            if let ColumnData::String(Some(text)) = cell {
                add(&mut self.in_words, texts::task_id(text));
            }
        }
    }

    /// The id, when there is exactly one; columns before words.
    fn one(&self) -> Option<TaskId> {
        match self.in_columns.or(self.in_words) {
            Some(Found::One(id)) => Some(id),
            Some(Found::Several) | None => None,
        }
    }
}

fn add(found: &mut Option<Found>, id: Option<TaskId>) {
    let Some(id) = id else { return };
    *found = Some(match *found {
        None => Found::One(id),
        Some(Found::One(before)) if before == id => Found::One(id),
        Some(_) => Found::Several,
    });
}

/// `task_id` in any case, also as `Task Id`.
fn is_task_id(name: &str) -> bool {
    name.replace(' ', "_").eq_ignore_ascii_case("task_id")
}

fn number(cell: &ColumnData<'static>) -> Option<TaskId> {
    match cell {
        ColumnData::U8(id) => id.map(TaskId::from),
        ColumnData::I16(id) => id.map(TaskId::from),
        ColumnData::I32(id) => id.map(TaskId::from),
        ColumnData::I64(id) => *id,
        ColumnData::Numeric(Some(id)) if id.dec_part() == 0 => TaskId::try_from(id.int_part()).ok(),
        ColumnData::String(Some(text)) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use tiberius::ColumnType;

    use super::*;

    fn one(cells: Vec<(&'static str, ColumnData<'static>)>) -> Option<TaskId> {
        let mut ids = FoundIds::default();
        for (name, cell) in cells {
            // One row each: ids are looked for over all result sets.
            ids.see(&Row::builder().column(name, ColumnType::SSVariant, cell).build());
        }
        ids.one()
    }

    fn text(text: &'static str) -> ColumnData<'static> {
        ColumnData::String(Some(text.into()))
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        for (cells, expected) in [
            (vec![("task_id", ColumnData::I32(Some(17)))], Some(17)),
            (vec![("Task Id", text(" 17 "))], Some(17)),
            (vec![("task_type", text("BACKUP_DB")), ("TASK_ID", ColumnData::I64(Some(17)))], Some(17)),
            (vec![("", text("Task created successfully. Task Id: 17"))], Some(17)),
            (vec![("task_id", ColumnData::I32(Some(17))), ("message", text("Task Id: 18"))], Some(17)),
            (vec![("task_id", ColumnData::I32(Some(17))), ("task_id", ColumnData::I32(Some(17)))], Some(17)),
            (vec![("task_id", ColumnData::I32(Some(17))), ("task_id", ColumnData::I32(Some(18)))], None),
            (vec![("task_id", ColumnData::I32(None))], None),
            (vec![("task_id", ColumnData::I32(Some(0)))], None),
            (vec![("id", ColumnData::I32(Some(17)))], None),
            (vec![], None),
        ] {
            assert_eq!(one(cells.clone()), expected, "{cells:?}");
        }
    }

    #[test]
    fn a_sequence_number_beyond_int_is_not_asked_for() {
        assert_eq!(seq(2_147_483_647), Ok(i32::MAX));
        assert!(matches!(seq(2_147_483_648), Err(Fault::Refused(reason)) if reason.class == Class::Never));
    }
}
